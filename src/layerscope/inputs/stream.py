"""The samples of one input of the network, each read when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from layerscope.hints import Hints
from layerscope.inputs.arrays import read_array
from layerscope.inputs.decode import decode, from_image
from layerscope.inputs.files import Found
from layerscope.inputs.record import Array
from layerscope.inputs.sample import Sample, from_array, from_picture, white
from layerscope.inputs.settings import Preprocessing
from layerscope.inputs.target import Reading, Target, read_dimensions
from layerscope.inputs.words import Source


@dataclass(frozen=True)
class Slot:
    """Where one sample comes from. index: its place in a batch, or None."""

    source: Source
    label: str
    index: int | None = None

    @property
    def file(self) -> str | None:
        """The file, or None for what was given in memory."""
        return str(self.source.path) if isinstance(self.source, Found) else None

    @property
    def what(self) -> str:
        """The file or array, as error messages call it."""
        if not isinstance(self.source, Found):
            return self.label
        key = "" if self.source.key is None else f":{self.source.key}"
        index = "" if self.index is None else f"[{self.index}]"
        return f"{self.source.path}{key}{index}"


@dataclass(frozen=True)
class _Opened:
    """An array that is being read. scale: what white is in it."""

    source: Source
    array: Array
    reading: Reading
    scale: int


class Stream:
    """The samples of one input: their labels at once, their values when asked for."""

    def __init__(
        self,
        target: Target,
        sources: list[Source],
        asked: Preprocessing,
        hints: Hints,
        max_pixels: int | None,
    ) -> None:
        self.target, self.asked, self.hints, self.max_pixels = target, asked, hints, max_pixels
        self._opened: _Opened | None = None
        self.slots = tuple(slot for source in sources for slot in self._slots(source))
        self._number_those_in_memory()

    def __len__(self) -> int:
        return len(self.slots)

    def sample(self, place: int) -> Sample:
        """One sample, made to fit."""
        slot = self.slots[place]
        source = slot.source
        if isinstance(source, Image.Image):
            picture = from_image(source)
            return from_picture(picture, self.target, self.asked, self.hints, slot.what)
        if isinstance(source, Found) and source.sniffed.kind == "picture":
            picture = decode(source.path, source.sniffed.what, self.max_pixels)
            return from_picture(picture, self.target, self.asked, self.hints, slot.what)
        opened = self._open(source)
        array, steps = opened.array, [_origin(source, opened.array)]
        batch = self.target.axes.batch
        if slot.index is not None and batch is not None:
            steps.append(f"took sample {slot.index + 1} of {array.shape[batch]}")
            array = array.take(slot.index, axis=batch) if batch else array[slot.index]
        return from_array(
            np.asarray(array),
            self.target,
            self.asked,
            slot.what,
            steps,
            add_channel=opened.reading.add_channel,
            scale=opened.scale,
        )

    def _slots(self, source: Source) -> list[Slot]:
        label = source.label if isinstance(source, Found) else "array"
        if isinstance(source, Image.Image):
            return [Slot(source, "picture")]
        if isinstance(source, Found) and source.sniffed.kind == "picture":
            return [Slot(source, label)]
        count = self._open(source).reading.count
        if count is None:
            return [Slot(source, label)]
        return [Slot(source, f"{label}[{index}]", index) for index in range(count)]

    def _open(self, source: Source) -> _Opened:
        """Read a source's array; the last one is kept, since its samples come one by one."""
        if self._opened is None or self._opened.source is not source:
            if isinstance(source, Found):
                array = read_array(source, self.target.node.name)
                what = str(source.path) if source.key is None else f"{source.path}:{source.key}"
            else:
                array, what = np.asarray(source), "the array"
            reading = read_dimensions(array.shape, self.target, what)
            scale = white(array, self.asked, what)
            self._opened = _Opened(source, array, reading, scale)
        return self._opened

    def _number_those_in_memory(self) -> None:
        mine = [i for i, slot in enumerate(self.slots) if slot.file is None]
        slots = list(self.slots)
        for number, place in enumerate(mine):
            slot = slots[place]
            kind = "picture" if isinstance(slot.source, Image.Image) else "array"
            plain = len(mine) == 1 and slot.index is None
            slots[place] = Slot(slot.source, kind if plain else f"{kind}[{number}]", slot.index)
        self.slots = tuple(slots)


def _origin(source: Source, array: Array) -> str:
    words = f"{array.dtype}, shape {tuple(array.shape)}"
    if isinstance(source, Found):
        kind = source.sniffed.kind
        name = source.sniffed.what if kind == "table" else f".{kind}"
        return f"read {name} {words}"
    return f"given as an array {words}"
