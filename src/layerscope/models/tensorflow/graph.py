"""From a frozen TensorFlow graph to a Graph, with where every node and weight is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes, Axis
from layerscope.errors import LayerscopeError, ModelError
from layerscope.graph import Graph, Node
from layerscope.hints import Hints
from layerscope.layout import Step, find_axes
from layerscope.models.tensorflow.carried import Carried, Follower, node_name
from layerscope.models.tensorflow.constants import predicates, stored_count
from layerscope.models.tensorflow.freezing import Frozen
from layerscope.models.tensorflow.hints import arithmetic_hints
from layerscope.models.tensorflow.meaning import Meaning
from layerscope.models.tensorflow.patterns import find_patterns
from layerscope.models.tensorflow.randomness import always_draws
from layerscope.models.tensorflow.shapes import (
    BATCH,
    Shape,
    batch_axis,
    inferred,
    input_shapes,
    plain_shape,
)
from layerscope.models.tensorflow.translate import translate
from layerscope.operations import Convolution, Input, Pooling

_NAMED = 6
_PROBES = 3

Probe = Callable[[Mapping[str, NDArray[Any]], Sequence[str]], Sequence[NDArray[Any]]]


@dataclass(frozen=True)
class Built:
    """A Graph and the way back. tensors: of every node and input, by name. meanings: of nodes.

    choosing: settings that decide which branch of the graph is there. hints: what the graph's
    own arithmetic tells of the main input.
    """

    graph: Graph
    tensors: Mapping[str, str]
    meanings: Mapping[str, Meaning]
    choosing: frozenset[str]
    notes: tuple[str, ...]
    hints: Hints | None


def build(frozen: Frozen, told: Mapping[str, Sequence[int]], probe: Probe) -> Built:
    """The Graph of a frozen graph.

    told: input shapes that the user has given. probe: runs the graph; called only for tensors
    whose shapes cannot be told without it, such as those after a loop. Raises ModelError where
    the input's shape must be known first, and for a graph that contradicts itself.
    """
    try:
        return _build(frozen, told, probe)
    except LayerscopeError:
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ModelError(f"The graph is damaged, its nodes cannot be listed ({text}).") from error


def _build(frozen: Frozen, told: Mapping[str, Sequence[int]], probe: Probe) -> Built:
    shapes = input_shapes(frozen, told)
    graph = inferred(frozen, shapes)
    inputs = {entry.tensor: entry.name for entry in frozen.entries.inputs}
    settings = {s.name: s.value for s in frozen.entries.settings if s.value is not None}
    batch = _fixed_batch(list(shapes.values()))
    reached = Follower(graph, inputs, {}, batch, frozenset()).reached
    fed = set(inputs)

    def carries(tensor: Any) -> bool:
        return tensor.name in fed or tensor.op.name in reached

    patterns, folded = find_patterns(graph, carries)
    found = Follower(graph, inputs, predicates(graph, settings), batch, folded).follow()
    measured = _measured(found, shapes, batch, probe)
    if measured.odd:
        choices = predicates(graph, settings)
        found = Follower(graph, inputs, choices, batch, folded, measured.odd).follow()
        found.odd += sorted(measured.odd)
    _drop_unused(frozen, found)
    meanings = {
        node_name(t): patterns.get(t.op.name) or translate(t.op, carries, t.value_index)
        for t in found.shown
    }
    made = _graph(frozen, graph, shapes, found, meanings, batch, measured.shapes)
    tensors = {node_name(tensor): tensor.name for tensor in found.shown}
    tensors |= {entry.name: entry.tensor for entry in frozen.entries.inputs}
    tensors |= {s.name: f"{s.name}:0" for s in frozen.entries.settings}
    choosing = frozen.fixed | found.choosing
    main = next((e.tensor for e in frozen.entries.inputs if e.name == frozen.entries.main), None)
    hints = main and arithmetic_hints(graph.get_tensor_by_name(main), carries, patterns, folded)
    return Built(made, tensors, meanings, choosing, tuple(_notes(frozen, found)), hints or None)


@dataclass(frozen=True)
class _Measured:
    """Shapes of tensors by name, and the operations whose values are not laid out by sample."""

    shapes: Mapping[str, Shape]
    odd: frozenset[str]


def _measured(
    found: Carried, shapes: Mapping[str, Shape], batch: int | None, probe: Probe
) -> _Measured:
    """What a run on zeros says of the tensors whose first size is not known."""
    tensors = [t for t in found.shown if (plain_shape(t) or (None,))[0] is None]
    free = any(None in shape[1:] for shape in shapes.values())
    if not tensors or free or batch is not None:
        return _Measured({}, frozenset())
    feeds = {
        name: np.zeros([_PROBES, *(size or 1 for size in shape[1:])])
        for name, shape in shapes.items()
    }
    try:
        arrays = probe(feeds, [tensor.name for tensor in tensors])
    except ModelError:
        return _Measured({}, frozenset())
    known: dict[str, Shape] = {}
    odd: set[str] = set()
    for tensor, array in zip(tensors, arrays, strict=True):
        if array.ndim and array.shape[0] == _PROBES:
            known[tensor.name] = (None, *array.shape[1:])
        else:
            odd.add(tensor.op.name)
    return _Measured(known, frozenset(odd))


def _drop_unused(frozen: Frozen, found: Carried) -> None:
    """Leave out what leads to no output, where the outputs are known: it gives a shape only."""
    if not frozen.outputs:
        return
    waiting = [name for tensor in frozen.outputs for name in found.sources.get(tensor, ())]
    by_name = {node_name(tensor): tensor.name for tensor in found.shown}
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed and name in by_name:
            needed.add(name)
            waiting += found.fed[by_name[name]]
    kept = {by_name[name].rpartition(":")[0] for name in needed}
    found.shown = [tensor for tensor in found.shown if tensor.op.name in kept]


def _fixed_batch(shapes: list[Shape]) -> int | None:
    firsts = {shape[0] for shape in shapes if shape}
    return None if None in firsts or len(firsts) != 1 else firsts.pop()


def _graph(
    frozen: Frozen,
    graph: Any,
    shapes: Mapping[str, Shape],
    found: Carried,
    meanings: Mapping[str, Meaning],
    batch: int | None,
    measured: Mapping[str, Shape],
) -> Graph:
    ranks = {node_name(t): measured.get(t.name) or _shape(t, batch) for t in found.shown}
    steps = [Step(name, Input(), (), len(shape)) for name, shape in shapes.items()]
    for tensor in found.shown:
        name = node_name(tensor)
        operation = meanings[name].operation
        steps.append(Step(name, operation, found.fed[tensor.name], len(ranks[name])))
    axes = find_axes(steps, _usual_format(meanings))
    nodes: list[Node] = []
    counted: set[str] = set()
    shown = frozenset(tensor.op.name for tensor in found.shown)
    for tensor in found.shown:
        name, meaning = node_name(tensor), meanings[node_name(tensor)]
        weights = [w for w in meaning.weights.values() if stored_count(w)]
        shared = bool(weights) and all(w.name in counted for w in weights)
        counted |= {w.name for w in weights}
        place = None if not ranks[name] else batch_axis(_marked(tensor, batch), batch)
        nodes.append(
            Node(
                name=name,
                index=len(nodes),
                layer=name.rpartition("/")[2] or name,
                type=tensor.op.type,
                operation=meaning.operation,
                inputs=found.fed[tensor.name],
                shape=ranks[name],
                axes=_with_batch(axes[name], place),
                parameters=0 if tensor.value_index else sum(map(stored_count, weights)),
                dtype=_dtype(tensor),
                shared=shared,
                hides=tensor.name in found.derived,
                training=meaning.training or always_draws(tensor.op, shown),
            )
        )
    inputs = [
        _input(graph, entry.name, entry.tensor, shapes[entry.name], axes[entry.name])
        for entry in frozen.entries.inputs
    ]
    inputs += [_setting(graph, setting.name) for setting in frozen.entries.settings]
    unique = {w.name: stored_count(w) for m in meanings.values() for w in m.weights.values()}
    return Graph(
        tuple(inputs),
        tuple(nodes),
        _outputs(frozen, found, nodes),
        sum(unique.values()),
        main_input=frozen.entries.main,
    )


def _marked(tensor: Any, batch: int | None) -> Shape:
    return plain_shape(tensor) or ()


def _shape(tensor: Any, batch: int | None) -> Shape:
    """A tensor's shape with None for the batch; four free sizes where nothing is known."""
    shape = plain_shape(tensor)
    if shape is None:
        return (None,)
    return tuple(None if size == BATCH and batch is None else size for size in shape)


def _with_batch(axes: Axes, place: int | None) -> Axes:
    """Axes whose batch is where the sizes say it is."""
    if place is None or axes.batch == place or place >= len(axes):
        return axes
    names: list[Axis] = [Axis.OTHER if name is Axis.BATCH else name for name in axes.names]
    names[place] = Axis.BATCH
    return Axes(tuple(names))


def _usual_format(meanings: Mapping[str, Meaning]) -> str:
    kinds = (m.operation for m in meanings.values())
    formats = [o.data_format for o in kinds if isinstance(o, Convolution | Pooling)]
    first = formats.count("channels_first")
    return "channels_first" if 2 * first > len(formats) else "channels_last"


def _dtype(tensor: Any) -> str:
    name = str(tensor.dtype.base_dtype.name)
    return "float32" if name == "bfloat16" else name


def _input(graph: Any, name: str, tensor: str, shape: Shape, axes: Axes) -> Node:
    found = graph.get_tensor_by_name(tensor)
    return Node(
        name, None, name.rpartition("/")[2], found.op.type, Input(), (), shape, axes,
        dtype=_dtype(found),
    )  # fmt: skip


def _setting(graph: Any, name: str) -> Node:
    found = graph.get_tensor_by_name(f"{name}:0")
    return Node(
        name, None, name.rpartition("/")[2], found.op.type, Input(), (), (), Axes(()),
        dtype=_dtype(found),
    )  # fmt: skip


def _outputs(frozen: Frozen, found: Carried, nodes: list[Node]) -> tuple[str, ...]:
    if frozen.outputs:
        named = (found.sources.get(tensor, ()) for tensor in frozen.outputs)
        return tuple(dict.fromkeys(name for names in named for name in names))
    used = {name for node in nodes for name in node.inputs}
    return tuple(node.name for node in nodes if node.name not in used)


def _notes(frozen: Frozen, found: Carried) -> list[str]:
    notes = [*frozen.notes, *(s.note for s in frozen.entries.settings if s.note)]
    for (kind, name), count in found.hidden.items():
        words = "the while loop" if kind == "loop" else "the choice"
        notes.append(
            f"{count} operations inside {words} {name!r} cannot be reached; what comes out of it "
            "is shown"
        )
    notes += [
        f"what is inside {op.name!r} ({op.type}) cannot be reached; what comes out of it is shown"
        for op in {t.op.name: t.op for t in found.shown}.values()
        if op.type in ("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase")
    ]
    if frozen.entries.left_out:
        names = ", ".join(frozen.entries.left_out[:_NAMED])
        notes.append(f"left out: {names}, which only the loss needs, and what depends on it")
    shown = {tensor.op.name for tensor in found.shown}
    odd = [name for name in found.odd if name not in shown]
    if odd:
        names = ", ".join(dict.fromkeys(odd[:_NAMED]))
        notes.append(
            f"left out: {len(odd)} outputs whose values are not laid out by sample ({names})"
        )
    return notes
