"""Reading pictures at a network's size, just as the other commands do, and keeping them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes, Axis
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.hints import Hints
from layerscope.inputs import Preprocessing
from layerscope.inputs.decode import Picture, decode
from layerscope.inputs.record import Array
from layerscope.inputs.sample import from_picture
from layerscope.inputs.settle import settle_color, settle_range, settle_size
from layerscope.inputs.target import Target
from layerscope.operations import Input
from layerscope.training.folders import Photo, Skipped

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]

USUAL_SIZE = (150, 150)
_KEPT_BYTES = 2**30
_THREADS = 4


class Reader:
    """Reads pictures for a network's input.

    target: the input. asked: what was asked of the preprocessing. size: the height and width
    that pictures are given. Pictures stay in memory, a byte per value, up to a gigabyte.
    """

    def __init__(self, node: Node, asked: Preprocessing, hints: Hints) -> None:
        self.target = Target.of(node)
        channels = self.target.size(Axis.CHANNEL)
        if not self.target.is_maps or channels not in (None, 1, 3):
            raise InputError(
                f"{self.target}: expected a network for pictures, which takes height, width and "
                "1 or 3 channels"
            )
        self.size = settle_size(self.target, asked, hints, USUAL_SIZE)
        self.asked, self.hints = replace(asked, size=self.size), hints
        # Colour at the network's size: what varying a picture works on.
        shape = (None, *self.size, 3)
        self._plain = Target.of(
            Node(node.name, None, node.name, "", Input(), (), shape, Axes.parse("NHWC"), 0, "uint8")
        )
        self._kept: dict[Photo, Pixels] = {}
        self._bytes = 0
        self._lock = Lock()

    @property
    def range(self) -> str:
        """The range of values that the network is fed."""
        return settle_range(self.target, self.asked, self.hints, True).value

    @property
    def color(self) -> str:
        """The order of the channels that the network is fed, or ``"gray"``."""
        choice = settle_color(self.target, self.asked, self.hints, self.range, True)
        if choice is not None:
            return choice.value
        return "gray" if self.target.size(Axis.CHANNEL) == 1 else "rgb"

    def plain(self, photo: Photo) -> Pixels:
        """A picture at the network's size, RGB: shape (height, width, 3). May raise InputError."""
        kept = self._kept.get(photo)
        if kept is not None:
            return kept
        picture = decode(photo.path, photo.format)
        pixels: Pixels = from_picture(
            picture, self._plain, Preprocessing(), Hints(), str(photo.path)
        ).array
        with self._lock:
            if self._bytes + pixels.nbytes <= _KEPT_BYTES:
                self._kept[photo] = pixels
                self._bytes += pixels.nbytes
        return pixels

    def batch(self, pictures: Sequence[Pixels]) -> Array:
        """Pictures of the network's size as it is fed them, in its own layout and type."""
        samples = [
            from_picture(Picture(pixels, ()), self.target, self.asked, self.hints, "picture").array
            for pixels in pictures
        ]
        return np.stack(samples, axis=self.target.axes.batch or 0)

    def read_all(self, photos: Sequence[Photo], progress: Progress | None = None) -> list[Skipped]:
        """Read every picture once; returns those that cannot be, with the reason."""
        failed: list[Skipped] = []
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            for done, reason in enumerate(pool.map(self._fault, photos), start=1):
                if reason is not None:
                    failed.append(Skipped(photos[done - 1].name, reason))
                if progress is not None:
                    progress(done, len(photos))
        return failed

    def _fault(self, photo: Photo) -> str | None:
        try:
            self.plain(photo)
        except InputError as error:
            return str(error)
        return None
