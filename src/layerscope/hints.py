"""Hints: what an opened model says of the input that it expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from layerscope.errors import InputError

Resize = Literal["bilinear", "nearest", "bicubic", "lanczos", "area"]
Range = Literal["0..1", "-1..1", "0..255", "imagenet", "caffe", "as-is"]
Color = Literal["rgb", "bgr", "gray"]


@dataclass(frozen=True)
class Hints:
    """What an opened model says of its own input.

    range: one of the ranges of Preprocessing, such as ``"0..255"`` where a Rescaling layer is
    inside. color: ``"rgb"``, ``"bgr"`` or ``"gray"``. size: height and width in pixels.
    classes: names of the classes. reason: how this is known, for the records. guessed: known
    from the network's family alone, so that this one may have been trained otherwise.
    """

    range: str | None = None
    color: str | None = None
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    reason: str = ""
    guessed: bool = False

    def __post_init__(self) -> None:
        choose("range", self.range, get_args(Range))
        choose("color", self.color, get_args(Color))


def choose(what: str, value: str | None, choices: tuple[str, ...]) -> None:
    """Raise InputError where a value is given that is none of the choices."""
    if value is not None and value not in choices:
        raise InputError(f"{what} {value!r} is not known: choose one of {', '.join(choices)}")
