"""Geometry: where every tile of a picture lies. Nothing here draws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log, sqrt

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Cell:
    """The pixels that one tile takes, its surroundings included.

    height, width: of the tile itself. above: for a label. below: for a bar. right: for a bar
    beside it. gap: to the next tile, down and across.
    """

    height: int
    width: int
    above: int = 0
    below: int = 0
    right: int = 0
    gap: tuple[int, int] = (0, 0)

    @property
    def step_down(self) -> int:
        """Pixels from one tile's top to that of the tile below."""
        return self.above + self.height + self.below + self.gap[0]

    @property
    def step_across(self) -> int:
        """Pixels from one tile's left to that of the tile beside it."""
        return self.width + self.right + self.gap[1]


@dataclass(frozen=True)
class Grid:
    """Equal tiles at equal steps: ``per_line`` of them along ``step``, then the next line.

    first: the number of the first tile. top, left: its first pixel. step, line: (down,
    across) from one tile to the next, and from one line to the next.
    """

    first: int
    count: int
    per_line: int
    top: int
    left: int
    step: tuple[int, int]
    line: tuple[int, int]

    def places(self) -> tuple[Ints, Ints]:
        """Top and left pixel of every tile."""
        line, along = np.divmod(np.arange(self.count), self.per_line)
        return (
            self.top + line * self.line[0] + along * self.step[0],
            self.left + line * self.line[1] + along * self.step[1],
        )

    def moved(self, down: int, across: int) -> Grid:
        """The same tiles elsewhere."""
        return replace(self, top=self.top + down, left=self.left + across)

    def windows(
        self, canvas: NDArray[np.uint8], down: int, across: int, size: tuple[int, int]
    ) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
        """Writable windows at the same place of every tile.

        down, across: from the tile's top left to the window's. Gives at most two pairs: which
        tiles, and a view of shape (lines, tiles, *size).
        """
        lines, rest = divmod(self.count, self.per_line)
        parts = ((0, lines, self.per_line), (lines * self.per_line, 1, rest))
        row, column = canvas.strides
        for start, number, along in parts:
            if number == 0 or along == 0:
                continue
            top = self.top + down + start // self.per_line * self.line[0]
            left = self.left + across + start // self.per_line * self.line[1]
            bottom = top + (number - 1) * self.line[0] + (along - 1) * self.step[0] + size[0]
            right = left + (number - 1) * self.line[1] + (along - 1) * self.step[1] + size[1]
            if top < 0 or left < 0 or bottom > canvas.shape[0] or right > canvas.shape[1]:
                raise AssertionError("a tile lies outside its picture")
            strides = (
                self.line[0] * row + self.line[1] * column,
                self.step[0] * row + self.step[1] * column,
                row,
                column,
            )
            first = self.first + start
            yield (
                slice(first, first + number * along),
                as_strided(canvas[top:, left:], (number, along, *size), strides),
            )


@dataclass(frozen=True)
class Layout:
    """Grids and the places of their headings within height × width pixels."""

    grids: tuple[Grid, ...]
    headings: tuple[tuple[str, int, int], ...]
    height: int
    width: int


def mosaic(
    counts: Sequence[int],
    cell: Cell,
    columns: int | None,
    *,
    headings: Sequence[str] | None = None,
    heading_height: int = 0,
    margin: int = 0,
    unit: int = 1,
) -> Layout:
    """Tiles row by row, in one section for each count; near square unless columns is given.

    margin: pixels at the left for labels. unit: columns are a multiple of this (slices).
    """
    used = [count for count in counts if count]
    across = columns or near_square(used, cell, heading_height * len(headings or ()), unit)
    grids, places, top, first = [], [], 0, 0
    for i, count in enumerate(counts):
        if headings:
            places.append((headings[i], top, margin))
            top += heading_height
        if count:
            step, line = (0, cell.step_across), (cell.step_down, 0)
            grids.append(Grid(first, count, across, top + cell.above, margin, step, line))
            top += -(-count // across) * cell.step_down
        first += count
    width = min(across, max(used, default=0)) * cell.step_across - cell.gap[1]
    return Layout(tuple(grids), tuple(places), max(top - cell.gap[0], 0), margin + max(width, 0))


def stacked_rows(count: int, cell: Cell, columns: int | None, margin: int) -> Layout:
    """Tiles one below the other without a gap, in one column or several, near square."""
    gap = 12
    across = cell.width + cell.right + margin + gap
    if columns is None:
        choices = np.arange(1, min(count, 64) + 1)
        sides = np.maximum(choices * across, -(-count // choices) * cell.step_down)
        columns = int(choices[np.argmin(sides)]) if count else 1
    rows = max(1, -(-count // columns))
    if columns > 1 and rows > 20:
        rows += -rows % 10
    used = -(-count // rows)
    grid = Grid(0, count, rows, 0, margin, (cell.step_down, 0), (0, across))
    height = min(rows, count) * cell.step_down
    return Layout((grid,) if count else (), (), height, max(used * across - gap, 0))


def near_square(counts: Sequence[int], cell: Cell, extra: int, unit: int = 1) -> int:
    """The number of columns that makes a picture nearest to a square, with few places empty."""
    total = sum(counts)
    if total == 0:
        return unit
    choices = np.arange(unit, min(max(counts), 4096) + 1, unit)
    if not len(choices):
        return unit
    lines = sum(-(-count // choices) for count in counts)
    sides = np.maximum(choices * cell.step_across, lines * cell.step_down + extra)
    empty = (lines * choices - total) / total
    return int(choices[np.argmin(sides * (1 + 0.5 * empty))])


def auto_zoom(count: int, height: int, width: int) -> int:
    """Pixels per value for tiles that can be seen: larger where there are few of them."""
    size = max(height, width)
    if size == 0 or size >= 100:
        return 1
    wanted = min(max(260 / sqrt(sqrt(max(count, 1))), 48), 192)
    return max(1, round(wanted / size))


def strip_columns(count: int) -> int:
    """A round number of values per row, so that the labels at the rows are easy to add to."""
    if count <= 32:
        return max(count, 1)
    wanted = (count * 2.0) ** 0.5
    rounds = (20, 25, 40, 50, 64, 80, 100, 128, 160, 200, 250, 256, 320, 400, 500)
    return min(rounds, key=lambda n: abs(log(n / wanted)))
