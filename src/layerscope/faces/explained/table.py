"""The picture of every channel of a node that is no sum: what goes in and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, sqrt

import numpy as np

from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained
from layerscope.faces.explained.drawing import FEWER, plane
from layerscope.faces.explained.rows import Cell, cells_of, put, zoom_for
from layerscope.faces.explained.words import how_well, number, summary
from layerscope.render.sheet import Sheet, SheetPicture
from layerscope.render.text import LARGE

_TEXT = 14
_GAP = 10
_LABEL = 34
_NARROWEST = 70
_SOURCE = 150
_TOP = 44
_ONE_BLOCK = 12


def draw_explained_table(name: str, explanations: Iterable[Explained], count: int) -> SheetPicture:
    """A row for every channel, in blocks side by side where there are many.

    explanations: of every channel, in order; taken one at a time. count: how many there are.
    """
    sheet = Sheet(f"{name}, every channel", FEWER)
    zoom = wide = rows = step = 0
    worst, known = 0.0, True
    for i, e in enumerate(explanations):
        cells = _cells(e)
        if not zoom:
            zoom = zoom_for(cells, 84 if count <= 8 else 48 if count <= 64 else 24)
            wide = _LABEL + sum(_width(cell, zoom) + _GAP for cell in cells) + 2 * _GAP
            wide += _SOURCE if isinstance(e, Copied) else 0
            step = _height(cells, zoom) + _GAP
            rows = count if count <= _ONE_BLOCK else ceil(sqrt(count * wide / step))
            sheet.words(f"{name}: {count} channels", 0, 0, size=LARGE)
            sheet.words(_first_line(e), 22, 0, dim=True)
            sheet.check_size(rows * step, ceil(count / rows) * wide)
        block, row = divmod(i, rows)
        left = block * wide
        if not row:
            _heads(sheet, cells, left, zoom)
        _row(sheet, e, cells, _TOP + _TEXT + 4 + row * step, left, zoom)
        known = known and bool(np.isfinite(e.residual))
        worst = max(worst, e.residual) if known else worst
    said = f"checked: every output is what the network computed{how_well(worst)}"
    down = _TOP + _TEXT + 8 + min(rows, count) * step
    sheet.words(said if known else "not checked: the function is not known", down, 0, dim=True)
    return sheet.finish()


def _cells(e: Explained) -> list[Cell]:
    """The maps of a row; of a copy the source is told and not drawn again."""
    return cells_of(e)[1:] if isinstance(e, Copied) else cells_of(e)


def _first_line(e: Explained) -> str:
    return "copies of other nodes' channels" if isinstance(e, Copied) else summary(e)[0]


def _width(cell: Cell, zoom: int) -> int:
    return max(int(plane(cell.values).shape[1]) * zoom, _NARROWEST)


def _height(cells: Sequence[Cell], zoom: int) -> int:
    return max(max(int(plane(cell.values).shape[0]) for cell in cells) * zoom, 2 * _TEXT)


def _heads(sheet: Sheet, cells: Sequence[Cell], left: int, zoom: int) -> None:
    left += _LABEL
    for cell in cells:
        wide = _width(cell, zoom)
        sheet.words(cell.head, _TOP, left, dim=True, width=wide)
        left += wide + _GAP


def _row(sheet: Sheet, e: Explained, cells: Sequence[Cell], top: int, left: int, zoom: int) -> None:
    tall = _height(cells, zoom)
    middle = top + tall // 2
    sheet.words(str(e.channel), middle - 7, left)
    left += _LABEL
    for cell in cells:
        wide = _width(cell, zoom)
        if cell.values.size == 1:
            words = number(float(cell.values.reshape(-1)[0]))
            sheet.words(words, middle - 7, left, width=wide)
        else:
            height = int(plane(cell.values).shape[0]) * zoom
            put(sheet, cell, e.channel, top + (tall - height) // 2, left, zoom)
        left += wide + _GAP
    if isinstance(e, Copied):
        words = f"{e.places.channel} of {e.source.name}"
        sheet.words(words, middle - 7, left, dim=True, width=_SOURCE)
