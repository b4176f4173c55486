"""What a prepared input is: the arrays to feed, and how they came to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.inputs.geometry import Geometry

Array = NDArray[Any]


@dataclass(frozen=True)
class InputRecord:
    """How one input of the network was made for one sample.

    name: the input. file: where it came from, or None. shape, axes: as fed, with a batch of
    one. steps: every decision, in order. geometry: the picture's size before and after it was
    made to fit, None for what is no picture or matrix.
    """

    name: str
    file: str | None
    shape: tuple[int, ...]
    axes: str
    steps: tuple[str, ...]
    geometry: Geometry | None = None

    @property
    def original(self) -> tuple[int, int] | None:
        """Height and width before it was made to fit, None for what is no picture or matrix."""
        return None if self.geometry is None else self.geometry.original

    def in_original(self, axis: str, start: int, stop: int) -> tuple[int, int] | None:
        """Pixels of the original that rows or columns start to stop (half-open) were made from.

        axis: ``"H"`` for rows, ``"W"`` for columns. None where there is no original picture.
        """
        if self.geometry is None or axis not in ("H", "W"):
            return None
        return self.geometry.reached(axis, start, stop)

    def as_json(self) -> dict[str, Any]:
        """The record as a manifest holds it."""
        return {
            "name": self.name,
            "file": self.file,
            "shape": list(self.shape),
            "axes": self.axes,
            "steps": list(self.steps),
            "original": None if self.original is None else list(self.original),
        }


@dataclass(frozen=True)
class Batch:
    """A batch for a network.

    feeds: by input name, arrays in the model's own layout and type. records: per sample, one
    record for each input. seen: per sample and record the input as the network sees it, uint8
    of shape (height, width) or (height, width, 3), None where it is not like a picture. labels:
    per sample a short name.
    """

    feeds: dict[str, np.ndarray[Any, Any]]
    records: tuple[tuple[InputRecord, ...], ...]
    seen: tuple[tuple[NDArray[np.uint8] | None, ...], ...]
    labels: tuple[str, ...]

    @property
    def previews(self) -> tuple[NDArray[np.uint8] | None, ...]:
        """Per sample the first of its inputs that is like a picture, or None."""
        return tuple(next((p for p in one if p is not None), None) for one in self.seen)

    def __len__(self) -> int:
        return len(self.labels)
