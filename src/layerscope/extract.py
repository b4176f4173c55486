"""Model + inputs + selection → Activations, in one forward pass for each batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation, Activations
from layerscope.axes import Axes
from layerscope.errors import InputError, ModelError
from layerscope.graph import Node
from layerscope.inputs import Batch, Feed, Preprocessing, prepare
from layerscope.models import Model, open_model
from layerscope.operations import Input
from layerscope.selection import select

Selectors = Sequence[str | int] | str | int | None
Progress = Callable[[int, int], None]

_BATCH_BYTES = 256 * 2**20
_LARGEST_BATCH = 32
_STREAM = 2


@dataclass(frozen=True)
class Extraction:
    """What is to be extracted: iterate to get each batch with its activations.

    Memory holds one batch at a time.
    """

    model: Model
    nodes: tuple[Node, ...]
    feed: Feed
    batch_size: int
    training: bool = False
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.feed)

    def __iter__(self) -> Iterator[tuple[Batch, Activations]]:
        names = [node.name for node in self.nodes]
        stream = len(self.feed) > _STREAM * self.batch_size
        for batch in self.feed.batches(self.batch_size):
            arrays = self.model.run(batch.feeds, names, training=self.training, stream=stream)
            yield (
                batch,
                Activations(
                    {n.name: Activation(arrays[n.name], n.axes, n) for n in self.nodes},
                    inputs=batch.records,
                ),
            )


def plan(
    model: Model,
    inputs: Any,
    layers: Selectors = None,
    preprocessing: Preprocessing | None = None,
    *,
    training: bool = False,
) -> Extraction:
    """Settle what is extracted from what, and how the inputs are prepared; nothing is run."""
    preprocessing = preprocessing or Preprocessing()
    graph = _known_graph(model, inputs, preprocessing)
    nodes = select(graph, layers)
    feed = prepare(inputs, graph.inputs, preprocessing, model.hints, main=graph.main_input)
    return Extraction(model, nodes, feed, _batch_size(nodes), training, preprocessing)


def extract(
    model: Any,
    inputs: Any,
    layers: Selectors = None,
    *,
    size: tuple[int, int] | str | None = None,
    resize: str | None = None,
    range: str | None = None,
    color: str | None = None,
    allow_nan: bool = False,
    training: bool = False,
    progress: Progress | None = None,
) -> Activations:
    """The outputs of a network's layers for one or more inputs.

    model: whatever ``open_model`` takes. inputs: a path, an array, a list of these, or
    ``{input name: any of these}``; an array of the model's full rank is a batch in the model's
    own layout, with the values as they are. layers: selectors as in ``select``; None is every
    node. size, resize, range, color, allow_nan: as ``Preprocessing`` has them, None letting
    layerscope decide. training: run as in training (on a copy of the moving statistics).
    progress: called with (samples done, samples in all) after every batch.

    Returns arrays in the model's own layout, batch first. Raises InputError, ModelError or
    SelectionError, each saying what to mend.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="c")])
    >>> acts = extract(model, np.ones((1, 8, 8, 1), "float32"))
    >>> acts["c"].array.shape, str(acts["c"].axes)
    ((1, 6, 6, 2), 'NHWC')
    """
    if isinstance(size, str):
        size = Preprocessing.parse(size=size).size
    wishes: dict[str, Any] = {"resize": resize, "range": range, "color": color}
    preprocessing = Preprocessing(size=size, allow_nan=allow_nan, **wishes)
    extraction = plan(open_model(model), inputs, layers, preprocessing, training=training)
    return gather(extraction, progress)


def gather(extraction: Extraction, progress: Progress | None = None) -> Activations:
    """All batches of an extraction as one set of activations, held in memory."""
    total = len(extraction)
    gathered: _Gathered | None = None
    done = 0
    for batch, activations in extraction:
        if len(batch) == total:
            return activations
        gathered = gathered or _Gathered(total)
        gathered.add(activations, done, batch.labels[0])
        done += len(batch)
        if progress:
            progress(done, total)
    if gathered is None:
        raise InputError("There is no input: a picture, an array or a folder of them is needed.")
    return gathered.finish()


@dataclass
class _Gathered:
    total: int
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    like: Activations | None = None
    records: list[Any] = field(default_factory=list)

    def add(self, activations: Activations, start: int, label: str) -> None:
        self.like = self.like or activations
        self.records.extend(activations.inputs)
        for name, activation in activations.items():
            batch_axis = activation.axes.batch
            if batch_axis is None:
                self.arrays[name] = activation.array
                continue
            values = np.moveaxis(activation.array, batch_axis, 0)
            if name not in self.arrays:
                self.arrays[name] = np.empty((self.total, *values.shape[1:]), values.dtype)
            whole = self.arrays[name]
            if whole.shape[1:] != values.shape[1:]:
                raise InputError(different_sizes(label, values.shape[1:], whole.shape[1:]))
            whole[start : start + len(values)] = values

    def finish(self) -> Activations:
        assert self.like is not None
        held = {}
        for name, activation in self.like.items():
            array = self.arrays[name]
            if activation.axes.batch is not None:
                array = np.moveaxis(array, 0, activation.axes.batch)
            held[name] = Activation(array, activation.axes, activation.node)
        return Activations(held, inputs=tuple(self.records))


def different_sizes(label: str, came: tuple[int, ...], first: tuple[int, ...]) -> str:
    """The message for pictures of several sizes in a network that takes any size."""
    return (
        f"{label} gives arrays of shape {came}, the inputs before it of shape {first}. "
        "The network takes pictures of any size; give one size for all: --size HxW."
    )


def _batch_size(nodes: Sequence[Node]) -> int:
    """As many samples as keep the arrays asked for within a quarter of a gigabyte."""
    values = sum(math.prod(s or 64 for s in node.shape[1:]) for node in nodes)
    return max(1, min(_LARGEST_BATCH, _BATCH_BYTES // max(1, 4 * values)))


def _known_graph(model: Model, inputs: Any, preprocessing: Preprocessing) -> Any:
    try:
        return model.graph
    except ModelError:
        shape = _shape_of(inputs, preprocessing)
        if shape is None:
            raise
        model.accept({"input": shape})
        return model.graph


def _shape_of(inputs: Any, preprocessing: Preprocessing) -> tuple[int, ...] | None:
    """The shape of a batch, from the input itself, for a model that does not know its own."""
    if isinstance(inputs, list | tuple) and len(inputs) == 1:
        inputs = inputs[0]
    if hasattr(inputs, "shape"):
        return tuple(inputs.shape)
    node = Node("input", None, "input", "", Input(), (), (None, None, None, 3), Axes.parse("NHWC"))
    try:
        if str(inputs).endswith(".npy"):
            return tuple(np.load(inputs, mmap_mode="r", allow_pickle=False).shape)
        feed = prepare(inputs, [node], preprocessing)
        return tuple(next(feed.batches(1)).feeds["input"].shape)
    except (InputError, OSError, ValueError):
        return None
