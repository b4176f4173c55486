"""Sheet: a picture of maps of several sizes and two colour maps, with words between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import OutputError
from layerscope.render import png
from layerscope.render.colormap import DIVERGING, SEQUENTIAL, colors
from layerscope.render.palette import BAR, GUTTER, HATCH, SHADE, palette
from layerscope.render.text import SMALL, bitmap, clean, fitted

SEQUENTIAL_LEVELS = (0, 119)
DIVERGING_LEVELS = (120, 240)
"""An odd number of levels, so that the middle one is exactly 0."""

_MARGIN = 12
_MOST_PIXELS = 150_000_000


@dataclass(frozen=True)
class Placed:
    """One map in a sheet: where it lies, and what its colours stand for.

    role: such as ``"input"`` or ``"kernel"``. channel: the map's number, -1 for none. top,
    left: the first pixel. height, width: in values, zoom pixels each. levels: the palette
    entries that stand for vmin and vmax.
    """

    role: str
    channel: int
    top: int
    left: int
    height: int
    width: int
    zoom: int
    vmin: float
    vmax: float
    levels: tuple[int, int]


@dataclass(frozen=True, eq=False, repr=False)
class SheetPicture:
    """A finished sheet. pixels: palette entries (height, width). palette: (256, 3)."""

    pixels: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    maps: tuple[Placed, ...]
    title: str

    def facts(self) -> dict[str, Any]:
        """What the PNG's text holds: every map's place, size, range and levels."""
        return {
            "layerscope": 1,
            "kind": "explanation",
            "title": self.title,
            "tiles": [vars(placed) for placed in self.maps],
        }

    def values(self, placed: Placed) -> NDArray[np.float64]:
        """One map read back from the pixels, to within half a level: (height, width)."""
        bottom = placed.top + placed.height * placed.zoom
        right = placed.left + placed.width * placed.zoom
        taken = self.pixels[placed.top : bottom : placed.zoom, placed.left : right : placed.zoom]
        first, last = placed.levels
        share = (taken.astype(np.float64) - first) / (last - first)
        hatched = np.isin(taken, HATCH)
        read = placed.vmin + np.where(hatched, 0.0, share) * (placed.vmax - placed.vmin)
        return np.asarray(read)

    def png(self) -> bytes:
        """A paletted PNG."""
        return png.encode(self.pixels, self.palette, self.facts())

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        height, width = self.pixels.shape
        return f"<{self.title}: {len(self.maps)} maps, {width} × {height} pixels>"


@dataclass(frozen=True, eq=False)
class _Piece:
    """Palette entries at a place, each zoom × zoom pixels; enlarged only when painted."""

    entries: NDArray[np.uint8]
    top: int
    left: int
    zoom: int = 1

    @property
    def bottom(self) -> int:
        return self.top + len(self.entries) * self.zoom

    @property
    def right(self) -> int:
        return self.left + int(self.entries.shape[1]) * self.zoom

    def paint(self, canvas: NDArray[np.uint8]) -> None:
        place = canvas[self.top : self.bottom, self.left : self.right]
        wide = np.repeat(self.entries, self.zoom, axis=1)
        for row in range(self.zoom):
            place[row :: self.zoom] = wide


@dataclass
class Sheet:
    """Maps and words to be put into one picture; places are (top, left) pixels.

    remedy: what to do where the picture would be too large.
    """

    title: str
    remedy: str
    _pieces: list[_Piece] = field(default_factory=list)
    _maps: list[Placed] = field(default_factory=list)

    def words(
        self,
        text: str,
        top: int,
        left: int,
        *,
        size: int = SMALL,
        dim: bool = False,
        width: int | None = None,
    ) -> int:
        """Put a line of text; returns its width. width: the most that it may take."""
        plain = clean(text)
        drawn = bitmap(plain, size, dim=dim)
        if width is not None:
            drawn = fitted(plain, width, size, dim=dim)
        self._pieces.append(_Piece(drawn, top, left))
        return int(drawn.shape[1])

    def bar(self, share: float, top: int, left: int, width: int) -> None:
        """Put a bar whose length is a share (0 to 1) of its width."""
        drawn = np.full((4, width), SHADE, np.uint8)
        drawn[:, : max(round(share * width), int(share > 0))] = BAR
        self._pieces.append(_Piece(drawn, top, left))

    def rule(self, top: int, left: int, width: int) -> None:
        """Put a thin line."""
        self._pieces.append(_Piece(np.full((1, width), SHADE, np.uint8), top, left))

    def gradient(self, top: int, left: int, low: str, high: str, *, signed: bool = True) -> int:
        """Put a scale with its ends; returns its width."""
        first, last = DIVERGING_LEVELS if signed else SEQUENTIAL_LEVELS
        scale = np.repeat(np.arange(first, last + 1, dtype=np.uint8)[None], 8, 0)
        across = self.words(low, top, left) + 4
        self._pieces.append(_Piece(scale, top + 3, left + across))
        across += int(scale.shape[1]) + 4
        return across + self.words(high, top, left + across)

    def map(
        self,
        values: NDArray[np.floating[Any]],
        top: int,
        left: int,
        zoom: int,
        *,
        role: str,
        channel: int = -1,
        reach: float | None = None,
        signed: bool = True,
        hatch: bool = False,
    ) -> None:
        """Put a map (height, width), every value zoom × zoom pixels of one colour.

        reach: colours span −reach to reach around 0, or 0 to reach where they are not signed;
        None lets the map's own values decide, from 0 where none is negative. hatch: whether a
        constant map is hatched.
        """
        low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
        if not values.size:
            return
        levels = DIVERGING_LEVELS if signed else SEQUENTIAL_LEVELS
        if reach is None:
            levels = DIVERGING_LEVELS if low < 0 else SEQUENTIAL_LEVELS
            reach = max(abs(low), abs(high))
        vmin, vmax = (-reach if levels == DIVERGING_LEVELS else 0.0), reach
        first, last = levels
        span = vmax - vmin
        share = (values - vmin) / span if span else np.full(values.shape, 0.5)
        if not span and levels == SEQUENTIAL_LEVELS:
            share = np.zeros(values.shape)
        entries = (first + np.rint(share.clip(0, 1) * (last - first))).astype(np.uint8)
        if hatch and low == high and values.size > 1:
            rows, columns = np.indices(values.shape)
            stripe = max(2, round(max(values.shape) / 12))
            entries = np.array(HATCH, np.uint8)[(rows + columns) // stripe % 2]
            vmin = vmax = low
        self._pieces.append(_Piece(entries, top, left, zoom))
        height, width = values.shape
        placed = Placed(role, channel, top, left, height, width, zoom, vmin, vmax, levels)
        self._maps.append(placed)

    def check_size(self, height: int, width: int) -> None:
        """Raise OutputError for too large a picture, before it is filled."""
        if height * width > _MOST_PIXELS:
            raise OutputError(
                f"{self.title}: expected a picture of at most {_MOST_PIXELS:,} pixels, but it "
                f"takes {width:,} × {height:,}. {self.remedy}"
            )

    def finish(self) -> SheetPicture:
        """Paint everything, with a margin around it. Raises OutputError for too large a picture."""
        height = max(piece.bottom for piece in self._pieces) + 2 * _MARGIN
        width = max(piece.right for piece in self._pieces) + 2 * _MARGIN
        self.check_size(height, width)
        canvas = np.full((height, width), GUTTER, np.uint8)
        for piece in self._pieces:
            piece.paint(canvas[_MARGIN:, _MARGIN:])
        moved = tuple(replace(m, top=m.top + _MARGIN, left=m.left + _MARGIN) for m in self._maps)
        return SheetPicture(canvas, _palette(), moved, self.title)


def _palette() -> NDArray[np.uint8]:
    """The marks of every picture, and two colour maps instead of one."""
    table = palette(SEQUENTIAL).copy()
    first, last = SEQUENTIAL_LEVELS
    table[first : last + 1] = colors(SEQUENTIAL, last - first + 1)
    first, last = DIVERGING_LEVELS
    table[first : last + 1] = colors(DIVERGING, last - first + 1)
    return table
