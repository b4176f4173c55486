"""Which classes were taken for which: a table and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from layerscope.outputs import new_file
from layerscope.render.colormap import colors
from layerscope.training.canvas import INK, SOFT, Canvas

_CELLS = ((5, 92.0), (12, 52.0), (30, 26.0))
_TINY = 6.0
_LONGEST_NAME = 150.0
_MARGIN = 20.0


def accuracy_of(counts: NDArray[np.int64]) -> float:
    """The share of pictures that were taken for what they are."""
    return float(np.trace(counts) / max(1, counts.sum()))


def write_confusion(folder: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Write ``confusion.csv`` and ``confusion.png``.

    counts: shape (classes, classes): a row for each truth, a column for each answer.
    """
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    writer.writerow(["truth", *(f"taken for {name}" for name in classes)])
    for name, row in zip(classes, counts.tolist(), strict=True):
        writer.writerow([name, *row])
    with new_file(folder / "confusion.csv", own=True) as temporary:
        temporary.write_text(held.getvalue(), encoding="utf-8")
    draw_confusion(counts, classes).save(folder / "confusion.png")


def draw_confusion(counts: NDArray[np.int64], classes: Sequence[str]) -> Canvas:
    """The counts as a picture, each cell shaded by its share of its row."""
    number = len(classes)
    cell = next((size for most, size in _CELLS if number <= most), _TINY)
    named, numbered = cell > 10, cell > 20
    probe = Canvas(1, 1)
    longest = max(map(probe.text_width, classes)) if named else 0.0
    side = min(longest, _LONGEST_NAME) + 14 if named else 0.0
    upright = named and all(probe.text_width(name) <= cell - 6 for name in classes)
    left, top = _MARGIN + 20 + side, 104.0 if upright else 88.0
    title = f"{np.trace(counts):,} of {counts.sum():,} right"
    accuracy = f"accuracy {accuracy_of(counts):.3f} on the validation pictures"
    width = max(left + cell * number + _MARGIN, probe.text_width(accuracy) + 2 * _MARGIN)
    canvas = Canvas(width, top + cell * number + _MARGIN)
    canvas.text((_MARGIN, 28), title, size=15)
    canvas.text((_MARGIN, 46), accuracy, color=SOFT)
    heading = "taken for" if upright else "taken for, in the same order"
    canvas.text((left, 78), heading, color=SOFT)
    canvas.text((left - 10, 78), "truth", color=SOFT, anchor="rs")
    shades = colors("Blues", 256)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    for i in range(number):
        y = top + i * cell
        if named:
            shown = canvas.fitted(classes[i], _LONGEST_NAME)
            canvas.text((left - 10, y + cell / 2), shown, anchor="rm")
        if upright:
            canvas.text((left + (i + 0.5) * cell, top - 8), classes[i], anchor="ms")
        for j in range(number):
            x, share = left + j * cell, float(shares[i, j])
            shade: tuple[int, int, int] = tuple(shades[round(share * 235)].tolist())
            canvas.box(x, y, x + cell - 1, y + cell - 1, shade)
            if numbered:
                dark = sum(shade) < 380
                _number(canvas, x, y, cell, int(counts[i, j]), share, "white" if dark else INK)
    return canvas


def _number(
    canvas: Canvas, x: float, y: float, cell: float, count: int, share: float, color: str
) -> None:
    middle = x + (cell - 1) / 2
    if cell > 60:
        canvas.text((middle, y + cell / 2 - 7), f"{count:,}", size=17, color=color, anchor="mm")
        canvas.text(
            (middle, y + cell / 2 + 14), f"{100 * share:.1f} %", size=10, color=color, anchor="mm"
        )
    elif cell > 40 or count:
        size = 12 if cell > 40 else 9
        canvas.text((middle, y + cell / 2), str(count), size=size, color=color, anchor="mm")
