"""Reading a record of feature maps over the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.axes import Axis
from layerscope.errors import InputError, SelectionError
from layerscope.graph import Node
from layerscope.training import storage
from layerscope.training.archive import Wanted, read_arrays
from layerscope.training.channels import ChannelStatistics
from layerscope.training.description import Description
from layerscope.training.history import Row, read_history
from layerscope.training.outline import LayerOutline, Outline, outline_of
from layerscope.training.quantized import Quantized
from layerscope.training.results import Results, is_growing

Singles = NDArray[np.float32]


class Record:
    """What FeatureMapRecorder wrote: maps, figures and kernels of layers over the epochs.

    Epoch 0 is before training, epoch n after n epochs. A record that still grows can be read:
    ``epochs`` and ``history`` are looked up each time. In a notebook it shows itself.
    """

    def __init__(self, folder: Path, description: Description) -> None:
        self.folder = folder
        self._description = description

    @classmethod
    def open(cls, path: str | Path) -> Record:
        """Open a record. path: its folder, or the results of a ``train`` that holds it.

        Raises InputError where there is none.
        """
        folder = storage.record_in(Path(path)) or Path(path)
        return cls(folder, Description.read(folder))

    @cached_property
    def layers(self) -> dict[str, Node]:
        """The nodes that were recorded, by name, in the order of the network."""
        return {node.name: node for node in self._description.nodes}

    @cached_property
    def results(self) -> Results:
        """What is known of the training that it is of."""
        return Results.around(self.folder)

    @property
    def file(self) -> str | None:
        """The file that the network came from, None for one in memory."""
        return self._description.file

    @property
    def framework(self) -> str | None:
        """What the network ran on."""
        return self._description.framework

    @property
    def best(self) -> int | None:
        """The epoch whose network ``train`` kept, None where nothing was kept."""
        return self.results.best(self.history)

    @property
    def growing(self) -> bool:
        """Whether the training goes on, so that more epochs are to be expected.

        Raises InputError where another training has taken the place of this one.
        """
        now, before = Description.read(self.folder), self._description
        if (now.nodes, now.labels, now.kernels) != (before.nodes, before.labels, before.kernels):
            raise InputError(
                f"{self.folder} now holds the record of another training: open it again"
            )
        return is_growing(self.folder, self.epochs, ended=now.ended)

    @property
    def inputs(self) -> tuple[str, ...]:
        """A short name of each picture."""
        return self._description.labels

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """How each input of the network was made, as a manifest has it."""
        return self._description.inputs

    @property
    def previews(self) -> tuple[NDArray[np.uint8] | None, ...]:
        """Each picture as the network sees it: (height, width) or (height, width, 3), or None."""
        held = self._description.previews
        wanted = [Wanted(str(i), None, ("uint8",)) for i, there in enumerate(held) if there]
        path = self.folder / storage.PICTURES
        found = read_arrays(path, wanted)
        for picture in found:
            if picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
                raise InputError(f"{path} is a damaged part of a record: it holds no pictures")
        pictures = iter(found)
        return tuple(next(pictures) if there else None for there in held)

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs that are recorded, in order."""
        return tuple(storage.epochs_in(self.folder))

    @property
    def history(self) -> tuple[Row, ...]:
        """The figures of every finished epoch (``epoch``, ``loss``, ``val_accuracy`` …)."""
        path = self.folder / storage.HISTORY
        return read_history(path) if path.exists() else ()

    @property
    def kernel_layers(self) -> tuple[str, ...]:
        """The convolutions whose kernels are recorded."""
        return self._description.kernels

    def quantized(self, epoch: int, layer: str) -> Quantized:
        """A layer's maps at an epoch as they are stored: a byte for each value."""
        place, node = self._place(layer), self.layers[layer]
        levels, low, high = self._read(
            epoch,
            Wanted(f"maps/{place}", _planes(node), ("uint8",)),
            *self._edges(layer),
        )
        if not low.shape == high.shape == levels.shape[:2] or not levels.shape[0]:
            raise InputError(
                f"{storage.epoch_file(self.folder, epoch)} is a damaged part of a record: the "
                f"maps of {layer} and their ranges do not go together"
            )
        return Quantized(levels, *_sound(low, high))

    def maps(self, epoch: int, layer: str) -> Activation:
        """A layer's maps at an epoch, in the model's own layout, batch first.

        Within 1/508 of each channel's range of what the network gave; not finite ones are NaN.
        Raises SelectionError where the layer or the epoch is not recorded.
        """
        return as_activation(self.quantized(epoch, layer), self.layers[layer])

    def statistics(self, epoch: int, layer: str) -> ChannelStatistics:
        """Figures of a layer's channels at an epoch, from the values before they were stored."""
        place = self._place(layer)
        wanted = [Wanted(f"{kind}/{place}", (None,)) for kind in ("mean", "std", "zeros")]
        mean, std, zeros = self._read(epoch, *wanted)
        return ChannelStatistics(mean, std, _shares(zeros))

    def kernel(self, epoch: int, layer: str) -> NDArray[np.float32]:
        """A convolution's kernel at an epoch, as the framework lays it out.

        Raises SelectionError where it is not recorded: of large convolutions it is not.
        """
        if self._known(layer) not in self.kernel_layers:
            held = ", ".join(self.kernel_layers) or "none"
            raise SelectionError(f"no kernel of {layer} is recorded; there are those of: {held}")
        return self._read(epoch, self._kernel(layer))[0]

    def outline(self, epoch: int) -> Outline:
        """What every layer comes to at an epoch, in a few numbers."""
        wanted: list[Wanted] = []
        for place, name in enumerate(self.layers):
            wanted += [*self._edges(name), Wanted(f"zeros/{place}", (None,))]
            wanted += [self._kernel(name)] if name in self.kernel_layers else []
        found = iter(self._read(epoch, *wanted))
        layers: dict[str, LayerOutline] = {}
        for name in self.layers:
            low, high, zeros = next(found), next(found), next(found)
            kernel = next(found) if name in self.kernel_layers else None
            edges = _sound(low, high)
            layers[name] = outline_of(self.layers[name], *edges, _shares(zeros), kernel)
        return Outline(layers)

    def range(self, layer: str) -> tuple[float, float]:
        """The least and the largest value of a layer over all epochs: one scale for a film."""
        wanted = self._edges(layer)
        edges = [self._read(epoch, *wanted) for epoch in self.epochs]
        values = np.concatenate([np.zeros(0), *(edge.ravel() for pair in edges for edge in pair)])
        values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)

    def _repr_mimebundle_(self, **wishes: Any) -> Any:
        """Show itself in a notebook: as the explorer where anywidget is there, else as a page."""
        from layerscope.faces.explorer.film.notebook import bundle

        return bundle(self, **wishes)

    def __repr__(self) -> str:
        return f"<Record of {len(self.layers)} layers over {len(self.epochs)} epochs>"

    def _known(self, layer: str) -> str:
        if layer not in self.layers:
            raise SelectionError(
                f"layer {layer!r} is not recorded; there are: {', '.join(self.layers)}"
            )
        return layer

    def _place(self, layer: str) -> int:
        return list(self.layers).index(self._known(layer))

    def _edges(self, layer: str) -> list[Wanted]:
        place, shape = self._place(layer), _planes(self.layers[layer])[:2]
        return [Wanted(f"{kind}/{place}", shape, ("float32",)) for kind in ("low", "high")]

    def _kernel(self, layer: str) -> Wanted:
        return Wanted(f"kernel/{self._place(layer)}", None, ("float16", "float32", "float64"))

    def _read(self, epoch: int, *wanted: Wanted) -> list[NDArray[Any]]:
        try:
            return read_arrays(storage.epoch_file(self.folder, epoch), wanted)
        except InputError:
            held = self.epochs
            if epoch in held:
                raise
            told = ", ".join(map(str, held[:8])) + (" …" if len(held) > 8 else "")
            raise SelectionError(
                f"epoch {epoch} is not recorded; there are: {told or 'none yet'}"
            ) from None


def as_activation(held: Quantized, node: Node) -> Activation:
    """Maps as they are stored, in the layout of the node that gave them."""
    planes, axes = held.values(), node.axes
    if axes.channel is None:
        array = planes[:, 0]
    else:
        place = axes.channel + (1 if axes.batch is None else 0)
        place += 1 if axes.batch is not None and axes.channel < axes.batch else 0
        array = np.moveaxis(planes, 1, place)
    array = array[0] if axes.batch is None else np.moveaxis(array, 0, axes.batch)
    return Activation(np.ascontiguousarray(array), axes, node)


def _sound(low: Singles, high: Singles) -> tuple[Singles, Singles]:
    """Edges as a recorder writes them: finite and in order, or NaN both."""
    with np.errstate(invalid="ignore"):
        good = np.isfinite(low) & np.isfinite(high) & (low <= high)
    nothing = np.float32(np.nan)
    return np.where(good, low, nothing), np.where(good, high, nothing)


def _shares(zeros: NDArray[Any]) -> NDArray[np.float64]:
    """Shares from 0 to 1; anything else is not known."""
    with np.errstate(invalid="ignore"):
        return np.where((zeros >= 0) & (zeros <= 1), zeros, np.nan).astype(np.float64)


def _planes(node: Node) -> tuple[int | None, ...]:
    """The shape of a layer's maps with the batch first and the channels second."""
    sizes = dict(enumerate(node.shape))
    names = node.axes.names
    rest = [sizes[i] for i, name in enumerate(names) if name not in (Axis.BATCH, Axis.CHANNEL)]
    return (None, 1 if node.axes.channel is None else node.channels, *rest)
