"""Painting: tiles, bars and labels onto an index image, at the places a layout gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerscope.render.mosaic import Cell, Grid
from layerscope.render.palette import BAR, GUTTER, SHADE
from layerscope.render.text import DIGIT_ROWS, bitmap, number_size, numbers

Canvas = NDArray[np.uint8]


def tiles(canvas: Canvas, grid: Grid, indices: NDArray[np.uint8], zoom: int) -> None:
    """Every value as zoom × zoom equal pixels. indices: (tiles, height, width) of the figure."""
    size = (indices.shape[1] * zoom, indices.shape[2] * zoom)
    if 0 in size:
        return
    for held, window in grid.windows(canvas, 0, 0, size):
        part = indices[held]
        if zoom > 1:
            part = np.repeat(part, zoom, axis=2)
        part = part.reshape(*window.shape[:2], *part.shape[1:])
        for row in range(zoom):
            window[:, :, row::zoom] = part


def bars(canvas: Canvas, grid: Grid, strength: NDArray[np.float64], cell: Cell) -> None:
    """A thin bar below (or right of) every tile; its length is the channel's strength."""
    length, size, place = bar_geometry(cell)
    rest = GUTTER if cell.right else SHADE
    lengths = bar_lengths(strength, length)
    for held, window in grid.windows(canvas, *place, size):
        own = lengths[held].reshape(*window.shape[:2], 1, 1)
        window[:] = np.where(np.arange(length) < own, np.uint8(BAR), np.uint8(rest))


def bar_geometry(cell: Cell) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """A bar's full length, its (height, width), and its place from the tile's top left."""
    if cell.right:
        length = cell.right - 4
        return length, (max(1, cell.height - 1), length), (0, cell.width + 4)
    return cell.width, (2, cell.width), (cell.height + 1, 0)


def bar_lengths(strength: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Pixels of bar for each strength from 0 to 1; at least one where it is not 0."""
    drawn = np.rint(strength * length).astype(np.int64)
    return np.where(strength > 0, np.maximum(drawn, 1), 0)


def labels_above(canvas: Canvas, grid: Grid, channels: NDArray[np.int64], *, tiny: bool) -> None:
    """Each tile's channel number in the strip above it; a negative number is left out."""
    drawn = numbers(np.maximum(channels, 0), tiny=tiny)
    if channels.min(initial=0) < 0:
        drawn = np.where(channels[:, None, None] < 0, np.uint8(GUTTER), drawn)
    size = drawn.shape[1:]
    for held, window in grid.windows(canvas, -size[0] - 1, 0, (size[0], size[1])):
        window[:] = drawn[held].reshape(window.shape)


def captions(
    canvas: Canvas, grid: Grid, texts: dict[int, tuple[str, ...]], cell: Cell, indent: int
) -> None:
    """For each tile in texts, the first wording that fits beside its number."""
    tops, lefts = grid.places()
    for tile, wordings in texts.items():
        if not grid.first <= tile < grid.first + grid.count:
            continue
        top, left = tops[tile - grid.first], lefts[tile - grid.first] + indent
        for wording in wordings:
            drawn = bitmap(wording, dim=True)[DIGIT_ROWS]
            if drawn.shape[1] <= cell.width - indent:
                above = top - 1 - drawn.shape[0]
                canvas[above : top - 1, left : left + drawn.shape[1]] = drawn
                break


def labels_beside(canvas: Canvas, grid: Grid, channels: NDArray[np.int64], cell: Cell) -> None:
    """Channel numbers in the margin: of each line's first tile, or of rows far enough apart."""
    tops, lefts = grid.places()
    downwards = grid.step[0] > 0
    every = _every(grid.step[0] if downwards else grid.line[0])
    along, line = np.arange(grid.count) % grid.per_line, np.arange(grid.count) // grid.per_line
    wanted = along % every == 0 if downwards else (along == 0) & (line % every == 0)
    chosen = np.flatnonzero(wanted)
    own = channels[grid.first + chosen]
    for number, top, left in zip(own.tolist(), tops[chosen], lefts[chosen], strict=True):
        drawn = numbers(np.array([number]), tiny=False)[0]
        start = max(0, int(top) + (cell.height - drawn.shape[0]) // 2)
        place = canvas[start:, int(left) - 4 - drawn.shape[1] :]
        room = place[: drawn.shape[0], : drawn.shape[1]]
        room[:] = drawn[: room.shape[0]]


def margin_for(largest: int) -> int:
    """Pixels of margin for numbers up to ``largest``."""
    return number_size(max(largest, 0), tiny=False)[1] + 6


def _every(step: int) -> int:
    return next(n for n in (1, 2, 5, 10, 20, 50, 100) if n * max(step, 1) >= 10)
