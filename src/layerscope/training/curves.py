"""The curves of a training: each figure over the epochs, in training and in validation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from layerscope.training.canvas import FAINT, INK, SOFT, TRAINING, VALIDATION, Canvas

Row = Mapping[str, float]

_PANEL = (470.0, 300.0)
_LEFT, _RIGHT, _TOP, _BOTTOM = 56.0, 84.0, 46.0, 44.0
_FIRST = ("loss", "accuracy")
_APART = 14.0


def write_curves(path: Path, history: Sequence[Row], best: int | None = None) -> None:
    """Draw a panel for every figure: the training's curve, the validation's, the best epoch.

    history: a row for each epoch. best: the index of the row whose network was kept.
    """
    names = panel_names(history)
    across = min(2, max(1, len(names)))
    down = -(-len(names) // across)
    canvas = Canvas(_PANEL[0] * across, _PANEL[1] * max(1, down))
    for number, name in enumerate(names):
        row, column = divmod(number, across)
        _panel(canvas, column * _PANEL[0], row * _PANEL[1], name, history, best)
    canvas.save(path)


def panel_names(history: Sequence[Row]) -> list[str]:
    """The figures that have a curve: loss and accuracy first."""
    every = dict.fromkeys(name.removeprefix("val_") for row in history for name in row)
    rest = [name for name in every if name not in (*_FIRST, "epoch", "seconds")]
    return [name for name in _FIRST if name in every] + rest


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from at most ``low`` to at least ``high``, evenly spaced.

    >>> ticks(0.42, 0.71, 5)
    [0.4, 0.5, 0.6, 0.7, 0.8]
    """
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(
        power * factor for factor in (1, 2, 5, 10, 20) if span / (power * factor) <= most - 1
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, max(last, first + 1) + 1)]


def _panel(
    canvas: Canvas, left: float, top: float, name: str, history: Sequence[Row], best: int | None
) -> None:
    x0, x1 = left + _LEFT, left + _PANEL[0] - _RIGHT
    y0, y1 = top + _TOP, top + _PANEL[1] - _BOTTOM
    curves = [
        (word, color, _points(history, key))
        for word, color, key in (
            ("training", TRAINING, name),
            ("validation", VALIDATION, f"val_{name}"),
        )
    ]
    values = [value for *_, points in curves for _, value in points]
    canvas.text((left + 16, top + 24), name.capitalize(), size=15)
    if not values:
        canvas.text((x0, (y0 + y1) / 2), "no finite value yet", color=SOFT)
        return
    levels = ticks(min(values), max(values), 6)
    last = max(1.0, *(row["epoch"] for row in history))
    first = 1.0 if last > 1 else 0.0

    def x(epoch: float) -> float:
        return x0 + (x1 - x0) * (epoch - first) / (last - first)

    def y(value: float) -> float:
        return y1 - (y1 - y0) * (value - levels[0]) / (levels[-1] - levels[0])

    step = levels[1] - levels[0]
    for level in levels:
        canvas.line([(x0, y(level)), (x1, y(level))], FAINT)
        canvas.text((x0 - 8, y(level)), _number(level, step), color=SOFT, anchor="rm")
    for epoch in _whole(first, last):
        canvas.text((x(epoch), y1 + 8), f"{epoch:.0f}", color=SOFT, anchor="mt")
    canvas.text(((x0 + x1) / 2, y1 + 26), "epoch", color=SOFT, anchor="mt")
    if best is not None:
        at = x(history[best]["epoch"])
        canvas.dots((at, y0), (at, y1), SOFT)
        canvas.text((at, y0 - 5), "kept", size=10, color=SOFT, anchor="ms")
    ends: list[tuple[float, str, str]] = []
    for word, color, points in curves:
        if points:
            drawn = [(x(epoch), y(value)) for epoch, value in points]
            canvas.line(drawn, color, 1.8)
            if len(drawn) == 1 or (best is not None and color == VALIDATION):
                shown = drawn[0] if len(drawn) == 1 else _at(points, drawn, history, best)
                canvas.disc(shown, 3, color)
            ends.append((drawn[-1][1], word, color))
    for height, word, color in _spread(ends):
        canvas.text((x1 + 10, height), word, color=color, anchor="lm")
    canvas.line([(x0, y1), (x1, y1)], INK)


def _number(level: float, step: float) -> str:
    """A level with as many digits as tell it from the next."""
    power = math.floor(math.log10(step) + 1e-9)
    return f"{level:.{max(0, -power)}f}" if -5 < power < 5 else f"{level:.4g}"


def _at(
    points: Sequence[tuple[float, float]],
    drawn: Sequence[tuple[float, float]],
    history: Sequence[Row],
    best: int | None,
) -> tuple[float, float]:
    """Where the best epoch's value lies; the last one's where it has none."""
    wanted = None if best is None else history[best]["epoch"]
    return next(
        (place for (epoch, _), place in zip(points, drawn, strict=True) if epoch == wanted),
        drawn[-1],
    )


def _points(history: Sequence[Row], name: str) -> list[tuple[float, float]]:
    pairs = ((row["epoch"], row.get(name, math.nan)) for row in history)
    return [(epoch, value) for epoch, value in pairs if math.isfinite(value)]


def _whole(first: float, last: float) -> list[float]:
    """Whole epochs to write below the axis: the first, the last, and round ones between."""
    found = [e for e in ticks(first, last, 7) if e == int(e) and first <= e <= last]
    apart = (last - first) / 14
    return sorted({first, last, *(e for e in found if first + apart < e < last - apart)})


def _spread(ends: list[tuple[float, str, str]]) -> list[tuple[float, str, str]]:
    """Labels at the ends of curves, moved apart where they would touch."""
    placed = sorted(ends)
    if len(placed) == 2 and placed[1][0] - placed[0][0] < _APART:
        middle = (placed[0][0] + placed[1][0]) / 2
        heights = (middle - _APART / 2, middle + _APART / 2)
        return [(h, *end[1:]) for h, end in zip(heights, placed, strict=True)]
    return placed
