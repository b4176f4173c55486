"""What the user asked of the preprocessing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args

from layerscope.errors import InputError
from layerscope.hints import Color, Range, Resize, choose

_SIZE = re.compile(r"\s*([0-9]{1,6})(?:\s*[xX×]\s*([0-9]{1,6}))?\s*")


@dataclass(frozen=True)
class Preprocessing:
    """What the user asked for; None leaves the decision to layerscope.

    size: height and width in pixels. resize: the filter. range: the values that the network
    is to see. color: the order of the channels, or grey. allow_nan: whether NaN and infinite
    values may pass.

    Raises InputError where a value is none of the choices.

    >>> Preprocessing.parse(size="150x200", range="-1..1").size
    (150, 200)
    """

    size: tuple[int, int] | None = None
    resize: Resize | None = None
    range: Range | None = None
    color: Color | None = None
    allow_nan: bool = False

    def __post_init__(self) -> None:
        if str(self.color) == "grey":
            object.__setattr__(self, "color", "gray")
        choose("resize", self.resize, get_args(Resize))
        choose("range", self.range, get_args(Range))
        choose("color", self.color, get_args(Color))
        if self.size is not None and min(self.size) < 1:
            raise InputError(f"size must be at least 1×1, and is {self.size[0]}×{self.size[1]}")

    @classmethod
    def parse(
        cls,
        size: str | None = None,
        resize: str | None = None,
        range: str | None = None,
        color: str | None = None,
        allow_nan: bool = False,
    ) -> Preprocessing:
        """Settings from words, as the command line gives them.

        size: ``"HxW"``, ``"H×W"``, or one number for a square; in pixels.
        """
        words: dict[str, Any] = {"resize": resize, "range": range, "color": color}
        return cls(size=_parse_size(size), allow_nan=allow_nan, **words)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise InputError(
            f"size {text!r} is not understood: give height and width in pixels, such as "
            "150x200, or one number for a square"
        )
    height = int(match[1])
    return height, int(match[2] or height)
