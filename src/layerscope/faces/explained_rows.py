"""Pictures of nodes that are no sums: what goes in, what is done with it, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from layerscope.explain.applying import Applied
from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained, largest
from layerscope.explain.joining import Joined
from layerscope.explain.kernels import Floats
from layerscope.explain.pooling import Pooled
from layerscope.explain.scaling import Scaled
from layerscope.faces.explained import plane
from layerscope.faces.explained_words import (
    checked_words,
    headline,
    how_well,
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
        codes = {0: "dark", len(e.parts) - 1: "light"} if len(e.parts) == 2 else {}
        ends = ", ".join(f"{word}: {e.sources[i].name}" for i, word in codes.items())
        alone = len(set(e.winners.reshape(-1).tolist())) == 1
        if alone:
            ends = f"{e.sources[int(e.winners.flat[0])].name} everywhere"
        found.append(
            Cell(
                "which won", won, "winner", ">", float(len(e.parts) - 1), False,
                hatch=alone, ends=ends or None,
            )
        )  # fmt: skip
    return [*found, Cell("output", e.output, "output", equals, reach, signed, hatch=True)]


def draw_explained(e: Explained) -> SheetPicture:
    """One channel: its maps side by side, or below each other where there are many."""
    sheet = Sheet(f"{e.node.name}:{e.channel}")
    sheet.words(headline(e), 0, 0, size=LARGE)
    down = 22
    for line in summary(e):
        sheet.words(line, down, 0, dim=True)
        down += _TEXT + 1
    down += 6
    cells = cells_of(e)
    zoom = _zoom(cells, _WANTED if len(cells) <= 4 else 96)
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
        _put(sheet, cell, values, top + above, left, zoom, channel)
        ends = spread(values) if cell.ends is None else cell.ends
        sheet.words(ends, top + tall + 3, left, dim=True, width=wide + _SIGN - 8)
        if cell.share is not None:
            _share(sheet, cell.share, top + tall + 3 + _TEXT, left)
            bottom = _TEXT + 10
        left += wide + _GAP
    return top + tall + 3 + _TEXT + bottom


def _put(
    sheet: Sheet, cell: Cell, values: Floats, top: int, left: int, zoom: int, channel: int
) -> None:
    sheet.map(
        values,
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
        _put(sheet, cell, values, middle - values.shape[0] * zoom // 2, label, zoom, e.channel)
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


def _zoom(cells: Sequence[Cell], wanted: int) -> int:
    shapes: list[tuple[int, ...]] = [plane(cell.values).shape for cell in cells]
    longest = max(max(shape) for shape in shapes)
    return max(1, min(24, round(wanted / max(longest, 1))))


def draw_explained_table(name: str, explanations: Iterable[Explained], count: int) -> SheetPicture:
    """A row for every channel: what goes in and what comes out.

    explanations: of every channel, in order; taken one at a time. count: how many there are.
    """
    sheet = Sheet(f"{name}, every channel")
    down, zoom, label = 44, 0, 34
    worst, known = 0.0, True
    for e in explanations:
        cells = cells_of(e)
        if not zoom:
            zoom = _zoom(cells, 84 if count <= 8 else 48 if count <= 64 else 24)
            sheet.words(f"{name}: {count} channels", 0, 0, size=LARGE)
            sheet.words(summary(e)[0], 22, 0, dim=True)
            tall = max(plane(cell.values).shape[0] for cell in cells) * zoom
            sheet.check_size(count * (tall + _GAP), len(cells) * (tall + _GAP) + label)
        down = _table_row(sheet, e, cells, down, label, zoom, heads=not e.channel)
        known = known and bool(np.isfinite(e.residual))
        worst = max(worst, e.residual) if known else worst
    said = f"checked: every output is what the network computed{how_well(worst)}"
    sheet.words(said if known else "not checked: the function is not known", down + 4, 0, dim=True)
    return sheet.finish()


def _table_row(
    sheet: Sheet,
    e: Explained,
    cells: Sequence[Cell],
    down: int,
    left: int,
    zoom: int,
    *,
    heads: bool,
) -> int:
    planes = [plane(cell.values) for cell in cells]
    tall: int = max(max(values.shape[0] for values in planes) * zoom, _TEXT)
    top = down + (_TEXT + 4 if heads else 0)
    sheet.words(str(e.channel), top + tall // 2 - 7, 0)
    for cell, values in zip(cells, planes, strict=True):
        wide = max(values.shape[1] * zoom, 70)
        if heads:
            sheet.words(cell.head, down, left, dim=True, width=wide)
        if cell.values.size == 1:
            words = number(float(cell.values.reshape(-1)[0]))
            sheet.words(words, top + tall // 2 - 7, left, width=wide)
        else:
            _put(
                sheet,
                cell,
                values,
                top + (tall - values.shape[0] * zoom) // 2,
                left,
                zoom,
                e.channel,
            )
        left += wide + _GAP
    return top + tall + _GAP
