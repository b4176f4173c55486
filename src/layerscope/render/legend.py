"""Legends and headers: small bitmaps that say how a picture is to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerscope.render import palette as entries
from layerscope.render.figure import Entry
from layerscope.render.palette import BAR, FIRST, GUTTER, LAST, SHADE
from layerscope.render.scale import Ranges
from layerscope.render.text import LARGE, bitmap, clean, fitted

Bitmap = NDArray[np.uint8]
_SPACE = 14
BAR_LENGTH = 48


@dataclass(frozen=True)
class Block:
    """Bitmaps at their places (top, left) within height × width pixels."""

    pieces: tuple[tuple[Bitmap, int, int], ...] = ()
    height: int = 0

    def onto(self, canvas: Bitmap, top: int, left: int) -> None:
        """Copy the bitmaps onto a canvas."""
        for piece, down, across in self.pieces:
            height, width = piece.shape
            canvas[top + down :, left + across :][:height, :width] = piece


def header(name: str, detail: str, legend: Sequence[Bitmap], width: int) -> Block:
    """The node's name and sizes, and the legend below, within ``width`` pixels."""
    title = fitted(clean(name) or "?", width, LARGE)
    pieces = [(title, 0, 0)]
    height = title.shape[0]
    small = bitmap(clean(detail), dim=True)
    if title.shape[1] + _SPACE + small.shape[1] <= width:
        pieces.append((small, 2, title.shape[1] + _SPACE))
    else:
        pieces.append((fitted(clean(detail), width, dim=True), height, 0))
        height += small.shape[0]
    flowed = flow(legend, width)
    pieces += [(piece, down + height + 2, across) for piece, down, across in flowed.pieces]
    return Block(tuple(pieces), height + 2 + flowed.height + 6)


def flow(items: Iterable[Bitmap], width: int) -> Block:
    """Bitmaps side by side, on as many lines as they need."""
    pieces, top, left, line = [], 0, 0, 0
    for item in items:
        height, across = item.shape
        if left and left + across > width:
            top, left, line = top + line, 0, 0
        pieces.append((item[:, : max(width, 0)], top, left))
        left, line = left + across + _SPACE, max(line, height + 2)
    return Block(tuple(pieces), top + line)


def beside(*items: Bitmap) -> Bitmap:
    """Bitmaps joined left to right, centred on one line."""
    height = max(item.shape[0] for item in items)
    width = sum(item.shape[1] for item in items) + 4 * (len(items) - 1)
    joined = np.full((height, width), GUTTER, np.uint8)
    left = 0
    for item in items:
        top = (height - item.shape[0]) // 2
        joined[top : top + item.shape[0], left : left + item.shape[1]] = item
        left += item.shape[1] + 4
    return joined


def legend(scale: str, ranges: Ranges, magnitude: float, *, bars: bool) -> list[Bitmap]:
    """What the colours and the bars stand for; magnitude is the layer's largest."""
    gradient = np.repeat(np.linspace(FIRST, LAST, 121).round().astype(np.uint8)[None], 8, 0)
    said = {"zero": "0", "centre": "-max", "low": "min"}[ranges.start], "max"
    words = "each tile's range, over several pictures" if ranges.common else "each tile's own range"
    if scale != "channel":
        words = "one range for all"
        shared = np.flatnonzero(~ranges.constant & np.isfinite(ranges.vmin))
        if not len(shared):
            return []
        said = f"{ranges.vmin[shared[0]]:.4g}", f"{ranges.vmax[shared[0]]:.4g}"
    low, high = (bitmap(text) for text in said)
    items = [beside(low, gradient, high, bitmap(words, dim=True))]
    if bars:
        sample = np.full((2, BAR_LENGTH // 2), SHADE, np.uint8)
        sample[:, : BAR_LENGTH // 3] = BAR
        text = f"strength: share of the layer's largest, {magnitude:.4g}"
        items.append(beside(sample, bitmap(text, dim=True)))
    return items


def marks(indices: NDArray[np.uint8], ranges: Ranges) -> list[Bitmap]:
    """A swatch with its meaning for each mark that the picture holds."""
    found: list[tuple[tuple[int, ...], str]] = []
    if ranges.constant.any():
        found.append((entries.HATCH, "constant"))
    if not ranges.finite:
        held = np.bincount(indices.ravel(), minlength=256)
        kinds = (
            (entries.NAN, "NaN"),
            (entries.PLUS_INFINITY, "+Inf"),
            (entries.MINUS_INFINITY, "-Inf"),
        )
        found += [(pair, word) for pair, word in kinds if held[list(pair)].any()]
    if ranges.bounded:
        kinds_of_end = (entries.CLIPPED_LOW, "clipped low"), (entries.CLIPPED_HIGH, "clipped high")
        found += [((entry,), word) for entry, word in kinds_of_end if (indices == entry).any()]
    return [beside(_swatch(pair), bitmap(word, dim=True)) for pair, word in found]


def largest(top: Sequence[Entry], width: int) -> Block:
    """The largest values of a vector as a list: value, bar and name. A single one has no bar."""
    if len(top) == 1:
        only = bitmap(f"{top[0].value:.4g}")
        items = beside(only, bitmap(clean(top[0].name or ""), dim=True))
        return Block(((items[:, :width], 0, 0),), items.shape[0])
    peak = max((abs(entry.value) for entry in top), default=0.0)
    texts = [bitmap(f"{entry.value:.4g}") for entry in top]
    column = max((text.shape[1] for text in texts), default=0)
    pieces, height = [], 0
    for entry, value in zip(top, texts, strict=True):
        share = abs(entry.value) / peak if peak else 0.0
        bar = np.full((4, BAR_LENGTH), SHADE, np.uint8)
        bar[:, : round(share * BAR_LENGTH)] = BAR
        label = (
            str(entry.channel) if entry.name is None else f"{entry.channel}  {clean(entry.name)}"
        )
        left = column + 6 + BAR_LENGTH + 6
        pieces += [
            (value, height, column - value.shape[1]),
            (bar, height + 5, column + 6),
            (fitted(label, width - left), height, left),
        ]
        height += value.shape[0]
    return Block(tuple(pieces), height)


def _swatch(pair: tuple[int, ...]) -> Bitmap:
    rows, columns = np.arange(9)[:, None] // 2, np.arange(9)[None] // 2
    patterns: dict[tuple[int, ...], NDArray[np.intp]] = {
        entries.HATCH: (np.arange(9)[:, None] + np.arange(9)[None]) // 2,
        entries.NAN: rows + columns,
        entries.PLUS_INFINITY: 0 * rows + columns,
    }
    pattern = patterns.get(pair, rows + 0 * columns)
    drawn: Bitmap = np.array(pair, np.uint8)[pattern % len(pair)]
    return drawn
