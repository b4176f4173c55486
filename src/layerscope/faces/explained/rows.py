"""Pictures of nodes that are no sums: what goes in, what is done with it, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from layerscope.explain.applying import Applied
from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained, largest
from layerscope.explain.joining import Joined
from layerscope.explain.kernels import Floats
from layerscope.explain.pooling import Pooled
from layerscope.explain.scaling import Scaled
from layerscope.faces.explained.drawing import SMALLER, plane
from layerscope.faces.explained.words import (
    checked_words,
    headline,
    number,
    spread,
    summary,
)
from layerscope.render.sheet import Sheet, SheetPicture
from layerscope.render.text import LARGE, bitmap

_TEXT = 14
_GAP = 10
_SIGN = 26
_BAR = 90
_WANTED = 160


@dataclass(frozen=True, eq=False)
class Cell:
    """One map of a row.

    sign: what stands before it. reach: where its scale ends, None for its own; signed: whether
    that scale runs from −reach and not from 0. share: of a branch, from 0 to 1. ends: what is
    said of its values; None for their range.
    """

    head: str
    values: Floats
    role: str
    sign: str = ""
    reach: float | None = None
    signed: bool = True
    hatch: bool = False
    share: float | None = None
    ends: str | None = None


def cells_of(e: Explained) -> list[Cell]:
    """The maps that explain a channel, in the order in which they are computed."""
    output = Cell("output", e.output, "output", "=", hatch=True)
    if isinstance(e, Scaled):
        return [
            Cell(e.source.name, e.given, "input", hatch=True),
            Cell("scale", e.scale, "scale", "×"),
            Cell("shift", e.shift, "shift", "+"),
            output,
        ]
    if isinstance(e, Pooled):
        given = Cell(e.source.name, e.given, "input", hatch=True)
        if e.wins is None:
            return [given, Cell("mean", e.output, "output", ">", hatch=True)]
        wins = Cell("times it won", e.wins.astype(np.float64), "wins", ">")
        return [given, wins, Cell("largest", e.output, "output", ">", hatch=True)]
    if isinstance(e, Joined):
        return _branches(e)
    if isinstance(e, Applied):
        given = Cell(e.source.name, e.given, "input", hatch=True)
        return [given, Cell(e.function.replace("_", " "), e.output, "output", ">", hatch=True)]
    assert isinstance(e, Copied)
    source = Cell(f"{e.source.name}:{e.places.channel}", e.given, "input", hatch=True)
    return [source, Cell("output", e.output, "output", ">", hatch=True)]


_SIGNS = {"add": "+", "subtract": "-", "multiply": "×", "divide": "/", "true_divide": "/"}


def _branches(e: Joined) -> list[Cell]:
    """The inputs and the result, on one scale where they are compared or added up."""
    together = e.function not in ("multiply", "divide", "true_divide", "concatenate")
    every = (*e.parts, e.output)
    signed = any(float(part.min(initial=0)) < 0 for part in every)
    reach = max(map(largest, every)) if together else None
    shares = e.shares or (None,) * len(e.parts)
    sign = _SIGNS.get(e.function, ",")
    found = [
        Cell(
            source.name, part, f"input {i}", sign if i else "", reach, signed, reach is None, share
        )
        for i, (source, part, share) in enumerate(zip(e.sources, e.parts, shares, strict=True))
    ]
    equals = "="
    if e.winners is not None:
        equals = ">"
        won = e.winners.astype(np.float64)
        ends = "dark to light: in the order of the inputs"
        if len(e.parts) == 2:
            ends = f"dark: {e.sources[0].name}, light: {e.sources[1].name}"
        alone = len(set(e.winners.reshape(-1).tolist())) == 1
        if alone:
            ends = f"{e.sources[int(e.winners.flat[0])].name} everywhere"
        found.append(
            Cell(
                "which won", won, "winner", ">", float(len(e.parts) - 1), False,
                hatch=alone, ends=ends,
            )
        )  # fmt: skip
    return [*found, Cell("output", e.output, "output", equals, reach, signed, hatch=True)]


def draw_explained(e: Explained) -> SheetPicture:
    """One channel: its maps side by side, or below each other where there are many."""
    sheet = Sheet(f"{e.node.name}:{e.channel}", SMALLER)
    sheet.words(headline(e), 0, 0, size=LARGE)
    down = 22
    for line in summary(e):
        sheet.words(line, down, 0, dim=True)
        down += _TEXT + 1
    down += 6
    cells = cells_of(e)
    zoom = zoom_for(cells, _WANTED if len(cells) <= 4 else 96)
    if isinstance(e, Joined) and len(e.parts) > 2:
        down = _rows(sheet, e, cells, down, zoom)
    else:
        down = _row(sheet, cells, e.channel, down, 0, zoom)
    sheet.words(checked_words(e), down + 6, 0, dim=True)
    return sheet.finish()


def _row(sheet: Sheet, cells: Sequence[Cell], channel: int, down: int, left: int, zoom: int) -> int:
    """A row of maps with their signs; returns where the next may begin."""
    planes = [plane(cell.values) for cell in cells]
    tall: int = max(values.shape[0] for values in planes) * zoom
    top, bottom = down + _TEXT + 4, 0
    for cell, values in zip(cells, planes, strict=True):
        if cell.sign:
            sheet.words(cell.sign, top + tall // 2 - 9, left + 8, size=LARGE, dim=True)
            left += _SIGN
        if cell.values.size == 1:
            left += _one_number(sheet, cell, top, left, tall) + _GAP
            continue
        wide = max(values.shape[1] * zoom, 70)
        sheet.words(cell.head, down, left, dim=True, width=wide + _SIGN - 8)
        above = (tall - values.shape[0] * zoom) // 2
        put(sheet, cell, channel, top + above, left, zoom)
        ends = spread(values) if cell.ends is None else cell.ends
        sheet.words(ends, top + tall + 3, left, dim=True, width=wide + _SIGN - 8)
        if cell.share is not None:
            _share(sheet, cell.share, top + tall + 3 + _TEXT, left)
            bottom = _TEXT + 10
        left += wide + _GAP
    return top + tall + 3 + _TEXT + bottom


def put(sheet: Sheet, cell: Cell, channel: int, top: int, left: int, zoom: int) -> None:
    """Put a cell's map."""
    sheet.map(
        plane(cell.values),
        top,
        left,
        zoom,
        role=cell.role,
        channel=channel,
        reach=cell.reach,
        signed=cell.signed,
        hatch=cell.hatch,
    )


def _one_number(sheet: Sheet, cell: Cell, top: int, left: int, tall: int) -> int:
    """A number in the place of a map; returns its width."""
    middle = top + tall // 2
    wide = sheet.words(number(float(cell.values.reshape(-1)[0])), middle - 9, left, size=LARGE)
    below = sheet.words(cell.head, middle + 11, left, dim=True, width=max(wide, 130))
    if cell.share is not None:
        _share(sheet, cell.share, middle + 26, left)
        below = max(below, _BAR)
    return max(wide, below)


def _rows(sheet: Sheet, e: Joined, cells: Sequence[Cell], down: int, zoom: int) -> int:
    """A row for each input, and one for what comes out."""
    count = len(e.parts)
    label = max(bitmap(cell.head).shape[1] for cell in cells[:count])
    label = min(label, 260) + 10
    for cell in cells[:count]:
        values = plane(cell.values)
        tall = max(values.shape[0] * zoom, 2 * _TEXT)
        middle = down + tall // 2
        sheet.words(cell.head, middle - 7, 0, width=label - 8)
        put(sheet, cell, e.channel, middle - values.shape[0] * zoom // 2, label, zoom)
        right = label + max(values.shape[1] * zoom, 40) + _GAP
        ends = spread(values) if cell.ends is None else cell.ends
        sheet.words(ends, middle - 14 if cell.share is not None else middle - 7, right, dim=True)
        if cell.share is not None:
            _share(sheet, cell.share, middle + 2, right)
        down += tall + _GAP
    sheet.rule(down, 0, label + 240)
    return _row(sheet, cells[count:], e.channel, down + _GAP, label - _SIGN, zoom)


def _share(sheet: Sheet, share: float, down: int, left: int) -> None:
    wide = sheet.words(f"{100 * share:.1f} %", down, left)
    sheet.bar(share, down + 5, left + wide + 6, _BAR - 30)


def zoom_for(cells: Sequence[Cell], wanted: int) -> int:
    """Pixels per value that make the largest map about as large as wanted."""
    shapes: list[tuple[int, ...]] = [plane(cell.values).shape for cell in cells]
    longest = max(max(shape) for shape in shapes)
    return max(1, min(24, round(wanted / max(longest, 1))))
