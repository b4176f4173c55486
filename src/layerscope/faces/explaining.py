"""``explain`` and ``receptive_field``: what a value is made of, and what it sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerscope.activation import Activations
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.contributions import Explanation, Summation
from layerscope.explain.provenance import origin
from layerscope.explain.receptive_field import Box, boxes
from layerscope.extract import plan
from layerscope.graph import Graph, Node
from layerscope.inputs import Preprocessing
from layerscope.models import Model, open_model
from layerscope.operations import Convolution, Dense
from layerscope.selection import select


@dataclass(frozen=True)
class Explaining:
    """A layer of an opened model, run on one input and ready to have its channels taken apart.

    channel: the one that was asked for, in the layer that makes it; None for all.
    """

    model: Model
    node: Node
    channel: int | None
    summation: Summation
    records: tuple[Any, ...]
    shapes: dict[str, tuple[int, ...]]

    def one(self, channel: int) -> Explanation:
        """One output channel taken apart."""
        return replace(self.summation.explain(channel), records=self.records)

    def __iter__(self) -> Iterator[Explanation]:
        """Every output channel in turn; one is held at a time."""
        return (self.one(channel) for channel in range(self.summation.channels))

    def boxes(self, at: Sequence[int], channel: int) -> tuple[Box, ...]:
        """What the neuron at a place sees of every input."""
        return boxes(self.model.graph, self.node.name, at, channel=channel, shapes=self.shapes)


def explain(
    model: Any,
    inputs: Any,
    layer: str | int,
    channel: int,
    *,
    sample: int = 0,
    size: tuple[int, int] | str | None = None,
    resize: str | None = None,
    range: str | None = None,
    color: str | None = None,
    allow_nan: bool = False,
) -> Explanation:
    """What each input channel adds to one output channel of a convolution or dense layer.

    model, inputs, size, resize, range, color, allow_nan: as for ``extract``. layer: a name or
    number; of a concatenation the layer that the channel comes from is explained. channel:
    from 0. sample: which of the inputs.

    ``e.contributions`` (input channels of its group, \\*spatial) and ``e.bias`` add up to
    ``e.pre_activation``, which the network computed; ``e.residual`` is the largest difference
    over its largest magnitude. Raises ModelError where they do not add up, InputError or
    SelectionError for what cannot be fed or found.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.Conv2D(6, 3, name="c")])
    >>> e = explain(model, np.ones((1, 8, 8, 4), "float32"), "c", channel=3)
    >>> e.contributions.shape, bool(e.residual < 1e-5)
    ((4, 6, 6), True)
    """
    if isinstance(size, str):
        size = Preprocessing.parse(size=size).size
    wishes: dict[str, Any] = {"resize": resize, "range": range, "color": color}
    preprocessing = Preprocessing(size=size, allow_nan=allow_nan, **wishes)
    ready = prepare_explaining(
        open_model(model), inputs, layer, channel, preprocessing, sample=sample
    )
    assert ready.channel is not None
    return ready.one(ready.channel)


def prepare_explaining(
    model: Model,
    inputs: Any,
    layer: str | int,
    channel: int | None,
    preprocessing: Preprocessing | None = None,
    *,
    sample: int = 0,
) -> Explaining:
    """Run what is needed to take a layer apart. channel: None for all of them.

    Raises SelectionError where the layer is none that can be explained.
    """
    # Tells a model that has never been called the shape of its input.
    plan(model, inputs, layer, preprocessing)
    node, channel = explicable(model.graph, layer, channel)
    source = node.inputs[0]
    names = [source, f"{node.name}:pre", node.name]
    batch, activations = _batch_with(plan(model, inputs, names, preprocessing), sample)
    place = sample - batch[0]
    summation = Summation(
        activations[source],
        activations[names[1]],
        activations[node.name],
        model.weights(node.name),
        place,
    )
    shapes = {name: (1, *array.shape[1:]) for name, array in batch[1].feeds.items()}
    return Explaining(model, node, channel, summation, batch[1].records[place], shapes)


def parse_channel(text: str) -> int | None:
    """A channel's number, or None for ``all``. Raises SelectionError for anything else."""
    if text == "all":
        return None
    if not text.isdecimal():
        raise SelectionError(f"expected a channel's number or all but got -c {text}.")
    return int(text)


def parse_place(text: str | None, channel: str) -> tuple[int, ...] | None:
    """``ROW,COL`` as numbers. Raises SelectionError for anything else, or with all channels."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isdecimal() for part in parts):
        raise SelectionError(
            f"expected a place as ROW,COL, two numbers from 0, but got --at {text}."
        )
    if channel == "all":
        raise SelectionError("--at takes one value apart, so it needs one channel: -c CHANNEL.")
    return tuple(map(int, parts))


def _batch_with(extraction: Any, sample: int) -> tuple[tuple[int, Any], Activations]:
    """The batch that holds a sample, the number of its first one, and its activations."""
    start = 0
    for batch, activations in extraction:
        if start <= sample < start + len(batch):
            return (start, batch), activations
        start += len(batch)
    raise SelectionError(
        f"There {'is 1 input' if start == 1 else f'are {start} inputs'}, numbered from 0, but "
        f"sample {sample} was asked for. Choose one of them."
    )


def explicable(graph: Graph, layer: str | int, channel: int | None) -> tuple[Node, int | None]:
    """The convolution or dense layer that makes what was asked for, and the channel there."""
    found = select(graph, layer)
    if len(found) != 1:
        names = ", ".join(node.name for node in found[:4]) + (" …" if len(found) > 4 else "")
        raise SelectionError(
            f"expected one layer to explain but {layer!r} chooses {len(found)}: {names}. "
            "Name one of them."
        )
    node = found[0]
    if node.name not in graph:
        node = graph[node.name.removesuffix(":pre")]
    if not isinstance(node.operation, Convolution | Dense) and channel is not None:
        traced = origin(graph, node, channel)
        if traced is not None:
            node, channel = graph[traced[0]], traced[1]
    if not isinstance(node.operation, Convolution | Dense):
        known = [n.name for n in graph if isinstance(n.operation, Convolution | Dense)]
        some = ", ".join(known[:5]) + (" …" if len(known) > 5 else "")
        raise SelectionError(
            f"expected a convolution or a dense layer to explain but {node.name} is a "
            f"{node.type}. The network has: {some or 'none'}."
        )
    if len(node.inputs) != 1:
        raise ModelError(
            f"expected {node.name} ({node.type}) to have one input but it has "
            f"{len(node.inputs)}, so its sums cannot be taken apart."
        )
    return node, channel


def receptive_field(
    model: Any,
    layer: str | int,
    at: Sequence[int] | None = None,
    *,
    channel: int | None = None,
    size: tuple[int, ...] | None = None,
    input: str | None = None,
) -> Box:
    """The pixels of the network's input that a neuron sees.

    model: whatever ``open_model`` takes. layer: a name or number. at: the neuron's place along
    the layer's spatial axes, such as (row, column); None is all of them. channel: one channel,
    None for all. size: the input's spatial sizes, where the network leaves them free. input:
    which input, by default the first.

    ``box.top``, ``.left``, ``.bottom``, ``.right`` (or ``.ranges``) are half-open and clipped to
    the input; ``box.status`` is ``"exact"`` where each side holds a pixel that matters, else
    ``"upper bound"``. Raises SelectionError for a layer or place that does not exist.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(2, 3, name="c")])
    >>> box = receptive_field(model, "c", at=(1, 2))
    >>> (box.top, box.left, box.bottom, box.right), box.status
    ((1, 2, 4, 5), 'exact')
    """
    graph = open_model(model).graph
    found = select(graph, layer)
    if len(found) != 1:
        raise SelectionError(
            f"expected one layer but {layer!r} chooses {len(found)}. Name one of them."
        )
    name = found[0].name if found[0].name in graph else found[0].name.removesuffix(":pre")
    own = {given.name: given for given in graph.inputs}
    if input is not None and input not in own:
        raise SelectionError(f"There is no input {input!r}. There are: {', '.join(own)}.")
    shapes = None if size is None else {n: _sized(node, size) for n, node in own.items()}
    every = boxes(graph, name, at, channel=channel, shapes=shapes)
    return next(box for box in every if input in (None, box.input))


def _sized(node: Node, size: tuple[int, ...]) -> tuple[int | None, ...]:
    """An input's shape with the sizes given along its spatial axes."""
    spatial = dict(zip(node.axes.spatial, size, strict=False))
    return tuple(spatial.get(axis, known) for axis, known in enumerate(node.shape))
