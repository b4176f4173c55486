"""A frozen graph with its shapes inferred: the batch stands as a marked size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.tensorflow.entries import rank_of
from layerscope.models.tensorflow.freezing import Frozen
from layerscope.models.tensorflow.runtime import load_tensorflow
from layerscope.models.tensorflow.wiring import Wiring, node_of

# A prime that no layer has for a size: where it comes out, the batch is.
BATCH = 10007
_ROUNDS = 3

Shape = tuple[int | None, ...]


def input_shapes(frozen: Frozen, told: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    """The shapes of the inputs, by name; None where free. told: sizes the user has given.

    Raises ModelError where not even the number of dimensions is known.
    """
    wiring = Wiring(frozen.graph_def)
    found: dict[str, Shape] = {}
    for entry in frozen.entries.inputs:
        node = wiring.nodes[node_of(entry.tensor)]
        shape = _stated(node)
        if shape is None:
            known = rank_of(wiring, node.name)
            given = told.get(entry.name)
            if known is None and given is None:
                raise ModelError(
                    f"The graph does not say what shape its input {entry.name!r} has. "
                    "Give an INPUT with the full shape: an array, batch first."
                )
            rank, channels = known or (len(given or ()), None)
            shape = (None,) * (rank - 1) + (channels,)
        given = told.get(entry.name)
        if given is not None and len(given) == len(shape):
            shape = shape[:1] + tuple(
                s if s is not None else int(g) for s, g in zip(shape[1:], given[1:], strict=True)
            )
        found[entry.name] = shape
    return found


def _stated(node: Any) -> Shape | None:
    """The shape that a placeholder states, or None."""
    for key in ("shape", "_output_shapes"):
        if key not in node.attr:
            continue
        attr = node.attr[key]
        shapes = attr.list.shape if key == "_output_shapes" else [attr.shape]
        if shapes and shapes[0].dim and not shapes[0].unknown_rank:
            return tuple(None if dim.size < 0 else int(dim.size) for dim in shapes[0].dim)
    if node.op == "ExpandDims":
        return (1, None, None, 3)
    return None


def inferred(frozen: Frozen, shapes: Mapping[str, Shape]) -> Any:
    """The graph imported with the batch marked; nothing is run."""
    last: Exception | None = None
    for batch in (BATCH, -1):
        marked = {
            node_of(entry.tensor): _marked(shapes[entry.name], batch)
            for entry in frozen.entries.inputs
        }
        try:
            return _settled(frozen.graph_def, marked)
        except (ValueError, TypeError) as error:
            last = error
    text = " ".join(str(last).split())[:300]
    raise ModelError(f"TensorFlow cannot load the graph: {text}") from last


def _marked(shape: Shape, batch: int) -> list[int]:
    if not shape:
        return []
    first = batch if shape[0] is None else shape[0]
    return [first, *(-1 if size is None else size for size in shape[1:])]


def _settled(graph_def: Any, marked: Mapping[str, list[int]]) -> Any:
    """The graph imported, and again with the shapes that it computes with written in."""
    graph = _imported(graph_def, marked)
    known = 0
    for _ in range(_ROUNDS):
        shapes = {
            operation.name: operation.inputs[0].shape.as_list()
            for operation in graph.get_operations()
            if operation.type == "Shape" and operation.inputs[0].shape.is_fully_defined()
        }
        open_ends = any(_is_open(operation) for operation in graph.get_operations())
        if not open_ends or len(shapes) == known:
            break
        known = len(shapes)
        graph = _imported(graph_def, marked, shapes)
    return graph


def _is_open(operation: Any) -> bool:
    """Whether an operation's output has free sizes, though its inputs have none."""
    return any(not output.shape.is_fully_defined() for output in operation.outputs) and all(
        source.shape.is_fully_defined() for source in operation.inputs
    )


def _imported(
    graph_def: Any,
    marked: Mapping[str, list[int]],
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Any:
    tf = load_tensorflow()
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    for node in copy.node:
        if "_output_shapes" in node.attr:
            del node.attr["_output_shapes"]
        if shapes and node.name in shapes:
            _write(node, shapes[node.name])
        if node.name in marked and node.op.startswith("Placeholder"):
            dims = [{"size": size} for size in marked[node.name]]
            shape = node.attr["shape"].shape
            shape.Clear()
            for dim in dims:
                shape.dim.add(**dim)
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(copy, name="")
    return graph


def _write(node: Any, sizes: Sequence[int]) -> None:
    """Make a Shape operation a constant."""
    from tensorflow.python.framework import dtypes, tensor_util

    kind = node.attr["out_type"].type or dtypes.int32.as_datatype_enum
    value = tensor_util.make_tensor_proto(list(sizes), dtype=kind, shape=[len(sizes)])
    name = node.name
    node.Clear()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = kind
    node.attr["value"].tensor.CopyFrom(value)


def plain_shape(tensor: Any) -> Shape | None:
    """A tensor's shape with the marked batch in it, None where sizes are free, or None."""
    if tensor.shape.rank is None:
        return None
    return tuple(tensor.shape.as_list())


def batch_axis(shape: Shape, batch: int | None) -> int | None:
    """Which axis is the batch. batch: the fixed size of the inputs' batch, or None if free."""
    if not shape:
        return None
    if batch is not None:
        return 0 if shape[0] in (batch, None) else None
    if shape[0] in (BATCH, None):
        return 0
    return shape.index(BATCH) if BATCH in shape else None
