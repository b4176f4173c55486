"""Hints: what an opened model says of the input that it expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import InputError

Numbers = NDArray[np.float64]
Resize = Literal["bilinear", "nearest", "bicubic", "lanczos", "area"]
Range = Literal["0..1", "-1..1", "0..255", "imagenet", "caffe", "as-is"]
Color = Literal["rgb", "bgr", "gray"]


@dataclass(frozen=True)
class Hints:
    """What an opened model says of its own input.

    range: one of the ranges of Preprocessing, such as ``"0..255"`` where a Rescaling layer is
    inside. color: ``"rgb"``, ``"bgr"`` or ``"gray"``. size: height and width in pixels.
    classes: names of the classes. reason: how this is known, for the records. guessed: known
    from the network's family alone, so that this one may have been trained otherwise. doubt:
    why no range is told, where the model does something to its input that fits none.
    """

    range: str | None = None
    color: str | None = None
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    reason: str = ""
    guessed: bool = False
    doubt: str = ""

    def __post_init__(self) -> None:
        choose("range", self.range, get_args(Range))
        choose("color", self.color, get_args(Color))


def choose(what: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise InputError where a value is given that is none of the choices."""
    if value is not None and value not in choices:
        raise InputError(f"{what} {value!r} is not known: choose one of {', '.join(choices)}")


def range_of(scale: Numbers, shift: Numbers) -> Range | None:
    """The range of values for which a network computes ``scale · x + shift`` at its start.

    scale, shift: one number, or one for each channel; scale is not 0. It is the range whose
    middle becomes 0, or whose whole width becomes a number around 1. None where none is.

    >>> import numpy as np
    >>> range_of(np.array([1 / 127.5]), np.array([-1.0])), range_of(np.array([2]), np.array([-1]))
    ('0..255', '0..1')
    """
    middle, wide = -shift / scale, 1 / np.abs(scale)
    if not (np.isfinite(middle).all() and np.isfinite(wide).all()):
        return None
    from_zero = bool((np.abs(middle) < 1e-6).all())
    if ((middle >= 40) & (middle <= 215)).all():
        return "0..255"
    if from_zero and ((wide >= 100) & (wide <= 300)).all():
        return "0..255"
    if ((middle >= 0.2) & (middle <= 0.8) & (wide <= 1.5)).all():
        return "0..1"
    if from_zero and _is_byte(1 / wide):
        return "0..1"
    # From -1 on: to 1, or to 255.
    if (np.abs(middle + 1) < 0.02).all() and (
        _is_byte(2 / wide) or (np.abs(wide - 2) < 0.02).all()
    ):
        return "-1..1"
    return None


def _is_byte(numbers: Numbers) -> bool:
    return bool(((numbers >= 250) & (numbers <= 260)).all())
