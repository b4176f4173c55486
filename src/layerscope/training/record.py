"""Reading a record of feature maps over the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import InputError, SelectionError
from layerscope.graph import Node
from layerscope.training import storage
from layerscope.training.channels import ChannelStatistics
from layerscope.training.history import Row, read_history
from layerscope.training.outline import LayerOutline, Outline, outline_of
from layerscope.training.quantized import Quantized
from layerscope.training.results import Results, is_growing


class Record:
    """What FeatureMapRecorder wrote: maps, figures and kernels of layers over the epochs.

    Epoch 0 is before training, epoch n after n epochs. A record that still grows can be read:
    ``epochs`` and ``history`` are looked up each time.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        self._about = about

    @classmethod
    def open(cls, path: str | Path) -> Record:
        """Open a record. path: its folder, or the results of a ``train`` that holds it.

        Raises InputError where there is none.
        """
        folder = storage.record_in(Path(path)) or Path(path)
        return cls(folder, storage.read_about(folder))

    @cached_property
    def layers(self) -> dict[str, Node]:
        """The nodes that were recorded, by name, in the order of the network."""
        nodes = map(storage.node_from_json, self._about["nodes"])
        return {node.name: node for node in nodes}

    @cached_property
    def results(self) -> Results:
        """What is known of the training that it is of."""
        return Results.around(self.folder)

    @property
    def framework(self) -> str | None:
        """What the network ran on."""
        framework = self._about["model"].get("framework")
        return None if framework is None else str(framework)

    @property
    def best(self) -> int | None:
        """The epoch whose network ``train`` kept, None where nothing was kept."""
        return self.results.best(self.history)

    @property
    def growing(self) -> bool:
        """Whether the training goes on, so that more epochs are to be expected."""
        about = storage.read_about(self.folder)
        return is_growing(self.folder, self.epochs, bool(about.get("ended")))

    @property
    def inputs(self) -> tuple[str, ...]:
        """A short name of each picture."""
        return tuple(map(str, self._about["labels"]))

    @property
    def records(self) -> tuple[Mapping[str, Any], ...]:
        """How each input of the network was made, as a manifest has it."""
        return tuple(self._about["inputs"])

    @property
    def previews(self) -> tuple[NDArray[np.uint8] | None, ...]:
        """Each picture as the network sees it: (height, width) or (height, width, 3), or None."""
        held = self._about["previews"]
        path = self.folder / storage.PICTURES
        found = iter(storage.read_arrays(path, [str(i) for i, there in enumerate(held) if there]))
        return tuple(next(found) if there else None for there in held)

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
        held = map(str, self._about["kernels"])
        return tuple(name for name in held if name in self.layers)

    def quantized(self, epoch: int, layer: str) -> Quantized:
        """A layer's maps at an epoch as they are stored: a byte for each value."""
        place = self._place(layer)
        levels, low, high = self._read(epoch, f"maps/{place}", f"low/{place}", f"high/{place}")
        return Quantized(levels, low, high)

    def maps(self, epoch: int, layer: str) -> Activation:
        """A layer's maps at an epoch, in the model's own layout, batch first.

        Within 1/508 of each channel's range of what the network gave; not finite ones are NaN.
        Raises SelectionError where the layer or the epoch is not recorded.
        """
        return as_activation(self.quantized(epoch, layer), self.layers[layer])

    def statistics(self, epoch: int, layer: str) -> ChannelStatistics:
        """Figures of a layer's channels at an epoch, from the values before they were stored."""
        place = self._place(layer)
        return ChannelStatistics(
            *self._read(epoch, f"mean/{place}", f"std/{place}", f"zeros/{place}")
        )

    def kernel(self, epoch: int, layer: str) -> NDArray[np.float32]:
        """A convolution's kernel at an epoch, as the framework lays it out.

        Raises SelectionError where it is not recorded: of large convolutions it is not.
        """
        if self._known(layer) not in self.kernel_layers:
            held = ", ".join(self.kernel_layers) or "none"
            raise SelectionError(f"no kernel of {layer} is recorded; there are those of: {held}")
        return self._read(epoch, f"kernel/{self._place(layer)}")[0]

    def outline(self, epoch: int) -> Outline:
        """What every layer comes to at an epoch, in a few numbers."""
        return Outline({name: self._outline(epoch, name) for name in self.layers})

    def range(self, layer: str) -> tuple[float, float]:
        """The least and the largest value of a layer over all epochs: one scale for a film."""
        place = self._place(layer)
        edges = [self._read(epoch, f"low/{place}", f"high/{place}") for epoch in self.epochs]
        values = np.concatenate([edge.ravel() for pair in edges for edge in pair])
        values = values[np.isfinite(values)]
        return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)

    def _outline(self, epoch: int, layer: str) -> LayerOutline:
        place = self._place(layer)
        names = [f"{kind}/{place}" for kind in ("low", "high", "zeros")]
        kernel = [f"kernel/{place}"] if layer in self.kernel_layers else []
        low, high, zeros, *rest = self._read(epoch, *names, *kernel)
        return outline_of(low, high, zeros, rest[0] if rest else None)

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

    def _read(self, epoch: int, *names: str) -> list[NDArray[Any]]:
        try:
            return storage.read_arrays(storage.epoch_file(self.folder, epoch), list(names))
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
