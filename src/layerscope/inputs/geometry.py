"""Geometry: where the pixels that are fed lie in the picture that they were made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROWS, _COLUMNS = "H", "W"


def _triangle(x: Floats) -> Floats:
    return np.asarray(np.maximum(1 - np.abs(x), 0), np.float64)


def _cubic(x: Floats) -> Floats:
    """The cubic convolution of Keys (1981), with a = −1/2."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Floats) -> Floats:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _box(x: Floats) -> Floats:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


# Each filter of Pillow's, with how far it reaches to a side in pixels of the smaller scale.
_FILTERS: dict[str, tuple[float, Callable[[Floats], Floats]]] = {
    "bilinear": (1.0, _triangle),
    "bicubic": (2.0, _cubic),
    "lanczos": (3.0, _lanczos),
    "area": (0.5, _box),
}
_NOTHING = 1e-12


@dataclass(frozen=True)
class Geometry:
    """The sizes of a picture before and after it was made to fit.

    original: (height, width) of the picture as decoded, upright. fed: (height, width) as the
    network sees it. method: how it was resized, None where it was not.

    >>> Geometry((8, 8), (4, 4), "bilinear").reached("H", 1, 2)
    (1, 5)
    """

    original: tuple[int, int]
    fed: tuple[int, int]
    method: str | None = None

    def reached(self, axis: str, start: int, stop: int) -> tuple[int, int]:
        """The pixels of the original that fed ones were made from, both half-open.

        axis: ``"H"`` for rows, ``"W"`` for columns. Every pixel counts that has a weight in the
        interpolation (Pillow's, which widens its filter where it shrinks), however small; that
        is more than the fed pixels cover.
        """
        which = (_ROWS, _COLUMNS).index(axis)
        before, after = self.original[which], self.fed[which]
        if self.method is None or before == after or start >= stop:
            return start, stop
        if self.method == "nearest":
            at = _nearest(before, after)[start:stop]
            return int(at.min()), int(at.max()) + 1
        reach, weigh = _FILTERS[self.method]
        scale = before / after
        widened = max(scale, 1.0)
        centre = (np.arange(start, stop) + 0.5) * scale
        first = np.maximum(centre - reach * widened + 0.5, 0).astype(int)
        last = np.minimum((centre + reach * widened + 0.5).astype(int), before)
        pixels = first[:, None] + np.arange(int(np.max(last - first)))
        weights = weigh((pixels - centre[:, None] + 0.5) / widened)
        held = pixels[(np.abs(weights) > _NOTHING) & (pixels < last[:, None])]
        return int(held.min()), int(held.max()) + 1


def _nearest(before: int, after: int) -> NDArray[np.intp]:
    """The pixel that each output takes, by steps added up as Pillow does."""
    steps = np.full(after, before / after)
    steps[0] /= 2
    return np.minimum(np.add.accumulate(steps).astype(np.intp), before - 1)
