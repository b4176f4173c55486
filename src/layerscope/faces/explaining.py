"""``explain`` and ``receptive_field``: what a value is made of, and what it sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerscope.activation import Activations
from layerscope.errors import SelectionError
from layerscope.explain.choice import Choice, choose
from layerscope.explain.contributions import Explanation
from layerscope.explain.copying import carried
from layerscope.explain.explained import Explained, Explainer, Sample, checked, checked_place
from layerscope.explain.fields import fields
from layerscope.explain.receptive_field import Box, boxes
from layerscope.explain.sizes import Sizes, sized, sizes_of
from layerscope.extract import Extraction, plan
from layerscope.graph import Graph, Node
from layerscope.inputs import Preprocessing
from layerscope.models import Model, open_model
from layerscope.selection import select


@dataclass(frozen=True)
class Explaining:
    """A layer of an opened model, run on one input and ready to have its channels explained.

    choice: the node that is explained, and the one that was asked for where that is a copy.
    """

    model: Model
    choice: Choice
    explainer: Explainer
    records: tuple[Any, ...]
    shapes: dict[str, tuple[int, ...]]

    @property
    def node(self) -> Node:
        """The node that is explained."""
        return self.choice.node

    @property
    def channel(self) -> int | None:
        """The channel that was asked for, in the node that is explained; None for all."""
        return self.choice.channel

    def one(self, channel: int) -> Explanation | Explained:
        """One output channel explained."""
        return replace(self.explainer.explain(channel), records=self.records)

    def __iter__(self) -> Iterator[Explanation | Explained]:
        """Every output channel in turn; one is held at a time."""
        return (self.one(channel) for channel in range(self.explainer.channels))

    def boxes(self, at: Sequence[int], channel: int) -> tuple[Box, ...]:
        """What the neuron at a place sees of every input."""
        found = boxes(self.model.graph, self.node.name, at, channel=channel, shapes=self.shapes)
        return tuple(_with_field(self.model.graph, box, self.shapes) for box in found)

    def place(self, at: Sequence[int] | None) -> tuple[int, ...] | None:
        """The place in the node that is explained, of a place in the one that was asked for.

        at: None for none; then a single value of a larger map, as in a flattened one, has its
        own place. Raises SelectionError where there is nothing but padding.
        """
        places = self.choice.places
        if places is None:
            return None if at is None else tuple(at)
        shape = places.flat.shape
        if at is None:
            return None if shape or not places.shape else places.at(())
        asked = self.choice.asked
        found = places.at(checked_place(asked, shape, at))
        if found is None:
            where = ",".join(map(str, at))
            raise SelectionError(
                f"expected a value to take apart but {asked.name} ({asked.type}) has padding at "
                f"{where}. Choose a place inside."
            )
        return found


def explain(
    model: Any,
    inputs: Any,
    layer: str | int,
    channel: int,
    *,
    chain: bool = False,
    sample: int = 0,
    size: tuple[int, int] | str | None = None,
    resize: str | None = None,
    range: str | None = None,
    color: str | None = None,
    allow_nan: bool = False,
) -> Any:
    """What one output channel of a layer is made of.

    model, inputs, size, resize, range, color, allow_nan: as for ``extract``. layer: a name or
    number; where the channel is a copy, as in a concatenation, a slice or a flattened map, the
    layer that makes it is explained. channel: from 0. chain: whether the layer is the end of a
    chain (convolution, batch normalisation, activation function, each a node of its own) that
    is taken as one. sample: which of the inputs.

    Returns an Explanation of a convolution or dense layer: ``e.contributions`` (input channels
    of its group, \\*spatial) and ``e.bias`` add up to ``e.pre_activation``, which the network
    computed; ``e.residual`` is the largest difference over its largest magnitude. Of a chain
    this is a Chained, of other layers a Scaled (normalisations, biases), Pooled, Joined (sums,
    products, maxima …), Applied (activation functions) or Copied. Raises ModelError where they
    are not what the network computed, InputError or SelectionError for what cannot be fed or
    found.

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
        open_model(model), inputs, layer, channel, preprocessing, sample=sample, chain=chain
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
    chain: bool = False,
) -> Explaining:
    """Run what is needed to explain a layer. channel: None for all of them.

    chain: whether the layer is the end of a chain that is taken as one. Raises SelectionError
    where the layer is none that can be explained.
    """
    # Tells a model that has never been called the shape of its input.
    whole = plan(model, inputs, layer, preprocessing)
    graph = model.graph
    choice = choose(graph, _one_node(graph, layer), channel, _sizes(graph, whole), chain=chain)
    extraction = plan(model, inputs, list(choice.names), preprocessing)
    batch, activations = _batch_with(extraction, sample)
    place = sample - batch[0]
    explainer = choice.explainer(activations, model.weights, place)
    check_copy(choice, activations, place)
    shapes = {name: (1, *array.shape[1:]) for name, array in batch[1].feeds.items()}
    return Explaining(model, choice, explainer, batch[1].records[place], shapes)


def _sizes(graph: Graph, extraction: Extraction) -> dict[str, Sizes]:
    """The shape of every node for this input, as far as it can be told without running."""
    free = any(None in node.shape[1:] for node in graph.inputs)
    feeds = next(extraction.feed.batches(1)).feeds if free else {}
    return sizes_of(graph, {name: (1, *array.shape[1:]) for name, array in feeds.items()})


def check_copy(choice: Choice, activations: Activations, sample: int) -> None:
    """Hold a copy against what the network computed for it."""
    if choice.places is None or choice.channel is None or choice.asked_channel is None:
        return
    given = Sample.of(activations[choice.node.name], sample).plane(choice.channel)
    output = Sample.of(activations[choice.asked.name], sample).plane(choice.asked_channel)
    what = f"the values of {choice.node.name}:{choice.channel}"
    made = carried(choice.places, given, output)
    checked(choice.asked, choice.asked_channel, made, output, what)


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


def _one_node(graph: Graph, layer: str | int) -> Node:
    found = select(graph, layer)
    if len(found) != 1:
        names = ", ".join(node.name for node in found[:4]) + (" …" if len(found) > 4 else "")
        raise SelectionError(
            f"expected one layer to explain but {layer!r} chooses {len(found)}: {names}. "
            "Name one of them."
        )
    node = found[0]
    return node if node.name in graph else graph[node.name.removesuffix(":pre")]


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
    which input, by default the main one or the first.

    ``box.top``, ``.left``, ``.bottom``, ``.right`` (or ``.ranges``) are half-open and clipped to
    the input; ``box.status`` is ``"exact"`` where each side holds a pixel that matters, else
    ``"upper bound"``; ``box.field`` has the size, stride and padding, None where there is none of
    one size; ``box.in_picture(record)`` is the box before a picture was resized. Raises
    SelectionError for a layer or place that does not exist.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(2, 3, name="c")])
    >>> box = receptive_field(model, "c", at=(1, 2))
    >>> (box.top, box.left, box.bottom, box.right), box.status
    ((1, 2, 4, 5), 'exact')
    >>> box.field.size
    (3, 3)
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
    shapes = sized(graph, size)
    every = boxes(graph, name, at, channel=channel, shapes=shapes)
    input = input or graph.main_input or graph.inputs[0].name
    return _with_field(graph, next(box for box in every if box.input == input), shapes)


def _with_field(graph: Graph, box: Box, shapes: Any) -> Box:
    return replace(box, field=fields(graph, shapes, given=box.input)[box.node])
