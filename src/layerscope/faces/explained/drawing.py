"""Pictures of explanations: one channel's sum row by row, or the table of all partial maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.chain import Chained
from layerscope.explain.contributions import Explanation
from layerscope.faces.explained.text import chain_words
from layerscope.render.sheet import Sheet, SheetPicture
from layerscope.render.text import LARGE, bitmap

ROWS = 16
FEWER = "Choose one channel, such as -c 0, or a smaller --size where the network takes any."
"""What to do where the picture of every channel is too large."""

SMALLER = "Choose a smaller --size, or a layer with smaller maps."
"""What to do where the picture of one channel is too large."""

_TEXT = 14
_SIGN = 22
_GAP = 10

Floats = NDArray[np.floating[Any]]


def plane(values: Floats) -> Floats:
    """A map of any number of axes as rows and columns: a number, a strip, or a middle slice."""
    if values.ndim == 0:
        return values.reshape(1, 1)
    if values.ndim == 1:
        return values.reshape(1, -1)
    while values.ndim > 2:
        values = values[len(values) // 2]
    return values


def draw_explanation(e: Explanation, *, every: bool = False) -> SheetPicture:
    """One channel's sum: input map × kernel = partial map, the largest shares first.

    every: all rows, and not the first 16 with the rest summed as one.
    """
    sheet = Sheet(f"{e.node.name}:{e.channel}", "Leave out --all." if every else SMALLER)
    shares = e.shares
    order = np.argsort(-shares, kind="stable")
    shown = order if every or len(order) <= ROWS else order[:ROWS]
    rest = order[len(shown) :]
    maps = {int(i): plane(e.contributions[i]) for i in shown}
    rest_map = plane(e.contributions[rest].sum(axis=0)) if len(rest) else None
    total, before, after = plane(e.sum), plane(e.pre_activation), plane(e.output)
    reach = max(
        float(np.abs(m).max(initial=0)) for m in (*maps.values(), total, before, rest_map)
        if m is not None
    )  # fmt: skip
    inputs = {int(i): plane(e.maps[i]) for i in shown}
    kernels = {int(i): plane(e.kernel[i]) for i in shown}
    first = next(iter(inputs))
    zoom = _zoom((inputs[first].shape, total.shape), 100 if len(shown) <= 6 else 72)
    k_zoom = max(zoom, min(24, 64 // max(kernels[first].shape)))
    widths = [
        inputs[first].shape[1] * zoom,
        kernels[first].shape[1] * k_zoom,
        total.shape[1] * zoom,
    ]
    heads = [f"{e.source.name}", _kernel_word(kernels[first], e), "partial map"]
    widths = [
        max(width, min(bitmap(head).shape[1], 130))
        for width, head in zip(widths, heads, strict=True)
    ]
    label = max(bitmap(str(i)).shape[1] for i in e.inputs) + 8
    lefts = [label, label + widths[0] + _SIGN, label + sum(widths[:2]) + 2 * _SIGN]
    end = lefts[2] + widths[2] + _GAP
    sheet.check_size(len(shown) * (max(total.shape[0] * zoom, 2 * _TEXT) + _GAP), end)
    down = _heading(sheet, e, reach)
    for head, left, width in zip(heads, lefts, widths, strict=True):
        sheet.words(head, down, left, dim=True, width=width + _SIGN - 4)
    sheet.words("share of energy", down, end, dim=True)
    down += _TEXT + 4
    # Single numbers are compared with one another: each on its own scale they would look alike.
    common = float(np.abs(e.kernel).max(initial=0)) if kernels[first].size == 1 else None
    given = float(np.abs(e.maps).max(initial=0)) if inputs[first].size == 1 else None
    for i in (int(i) for i in shown):
        tall = max(inputs[i].shape[0] * zoom, kernels[i].shape[0] * k_zoom, total.shape[0] * zoom)
        tall = max(tall, 2 * _TEXT)
        middle = down + tall // 2
        channel = e.inputs[i]
        sheet.words(str(channel), middle - 7, 0)
        _centred(sheet, inputs[i], middle, lefts[0], zoom, "input", channel, given, hatch=True)
        sheet.words("×", middle - 9, lefts[1] - _SIGN // 2 - 4, size=LARGE, dim=True)
        own = float(np.abs(kernels[i]).max(initial=0)) if common is None else common
        _centred(sheet, kernels[i], middle, lefts[1], k_zoom, "kernel", channel, own)
        sheet.words("=", middle - 9, lefts[2] - _SIGN // 2 - 4, size=LARGE, dim=True)
        _centred(sheet, maps[i], middle, lefts[2], zoom, "partial", channel, reach)
        _share(sheet, shares[i], middle, end)
        if total.size == 1:
            words = f"{inputs[i].item():.4g} × {kernels[i].item():.4g} = {maps[i].item() + 0.0:.4g}"
            sheet.words(words, middle - 7, end + 110)
        down += tall + _GAP
    if rest_map is not None:
        middle = down + max(rest_map.shape[0] * zoom, 2 * _TEXT) // 2
        left = lefts[0] if lefts[2] - lefts[0] > 180 else end + 110
        sheet.words(f"the other {len(rest)} channels, summed", middle - 7, left, dim=True)
        _centred(sheet, rest_map, middle, lefts[2], zoom, "rest", -1, reach)
        _share(sheet, float(shares[rest].sum()), middle, end)
        down += max(rest_map.shape[0] * zoom, 2 * _TEXT) + _GAP
    _result(sheet, e, (total, before, after), down, zoom, reach)
    return sheet.finish()


def _heading(sheet: Sheet, e: Explanation, reach: float) -> int:
    count = len(e.inputs)
    sheet.words(f"{e.node.name}, channel {e.channel}", 0, 0, size=LARGE)
    what = "1 partial map" if count == 1 else f"the sum of {count} partial maps"
    function = "" if e.function == "linear" else f", then {e.function}"
    sheet.words(f"{what}, plus a bias{function}", 20, 0, dim=True)
    down = 38
    if isinstance(e, Chained):
        sheet.words(chain_words([node.name for node in e.nodes], e.scale, e.shift), 36, 0, dim=True)
        down += 18
    across = sheet.gradient(down, 0, f"{-reach:.3g}", f"{reach:.3g}")
    sheet.words("partial maps and sums, one scale for all", down, across + 8, dim=True)
    return down + 24


def _kernel_word(kernel: Floats, e: Explanation) -> str:
    if e.kernel.ndim == 1:
        return "weight"
    return f"kernel {'×'.join(map(str, e.kernel.shape[1:]))}"


def _share(sheet: Sheet, share: float, middle: int, left: int) -> None:
    sheet.words(f"{100 * share:.1f} %", middle - 12, left)
    sheet.bar(share, middle + 3, left, 90)


def _result(
    sheet: Sheet,
    e: Explanation,
    results: tuple[Floats, Floats, Floats],
    down: int,
    zoom: int,
    reach: float,
) -> None:
    """The sum, the bias, and what comes out, in one row."""
    total, before, after = results
    wide, tall = max(total.shape[1] * zoom, 96), max(total.shape[0] * zoom, 2 * _TEXT)
    step = wide + 84
    sheet.rule(down, 0, 2 * step + wide)
    down += _GAP
    middle = down + _TEXT + 4 + tall // 2
    function = e.function if e.function != "linear" else ""
    heads = ("sum", "sum + bias", f"output ({e.function})" if e.function != "linear" else "output")
    for i, head in enumerate(heads):
        sheet.words(head, down, i * step, dim=True, width=step - 8)
    _centred(sheet, total, middle, 0, zoom, "sum", e.channel, reach)
    sheet.words(f"{e.bias:+.4g}", middle - 7, wide + 8)
    sheet.words("bias", middle + 7, wide + 8, dim=True)
    _centred(sheet, before, middle, step, zoom, "pre-activation", e.channel, reach)
    sheet.words(f"{function} >", middle - 7, step + wide + 8, dim=True, width=72)
    _centred(sheet, after, middle, 2 * step, zoom, "output", e.channel, hatch=True)
    down = middle + tall // 2 + 6
    if total.size == 1:
        for i, shown in enumerate((total, before, after)):
            sheet.words(f"{shown.item():.4g}", down, i * step)
        down += _TEXT
    elif (after == after.flat[0]).all():
        sheet.words(f"constant {after.flat[0]:.3g}", down, 2 * step, dim=True)
    sheet.words(
        f"checked: the sum differs from what the network computed by {e.residual:.1g} of its "
        "largest value",
        down + _TEXT + 2,
        0,
        dim=True,
    )


def _centred(
    sheet: Sheet,
    values: Floats,
    middle: int,
    left: int,
    zoom: int,
    role: str,
    channel: int,
    reach: float | None = None,
    *,
    hatch: bool = False,
) -> None:
    top = middle - values.shape[0] * zoom // 2
    sheet.map(values, top, left, zoom, role=role, channel=channel, reach=reach, hatch=hatch)


def _zoom(shapes: Sequence[tuple[int, ...]], wanted: int) -> int:
    """Pixels per value that make maps about as large as wanted; strips may be longer."""
    longest = max(max(shape) for shape in shapes)
    if longest > 1 and all(shape[0] == 1 for shape in shapes):
        return max(1, min(10, 4 * wanted // longest))
    return max(1, min(24, round(wanted / max(longest, 1))))


def draw_table(
    name: str, explanations: Iterable[Explanation], largest: Callable[[], float], count: int
) -> SheetPicture:
    """A row for every output channel: its partial maps, their sum with the bias, the output.

    explanations: of every channel, in order; taken one at a time. largest: finds where the
    common scale of the partial maps ends: the most of ``Summation.largest`` over all channels.
    count: how many channels there are. Raises OutputError for too large a picture.
    """
    sheet = Sheet(f"{name}, every channel", FEWER)
    reach = 0.0
    down = 62
    worst = 0.0
    columns: int | None = None
    step = wide = tall = zoom = label = 0
    for e in explanations:
        worst = max(worst, e.residual)
        before, after = plane(e.pre_activation), plane(e.output)
        if columns is None:
            columns = len(e.inputs)
            most = max(columns, count)
            zoom = _zoom((before.shape,), 84 if most <= 8 else 48 if most <= 32 else 24)
            wide, tall = before.shape[1] * zoom, before.shape[0] * zoom
            step, label = wide + (_GAP if wide > 30 else 3), 34
            sheet.check_size(count * (tall + 3), columns * (wide + 3))
            # Only now, since it looks through every channel.
            reach = largest()
            _table_heading(sheet, e, reach, [label + i * step for i in range(columns)], wide)
            ends = label + columns * step + _GAP
            for i, head in enumerate(("sum + bias", "output")):
                sheet.words(head, 62, ends + i * max(step, 74), dim=True)
            down += 2 * _TEXT + 2
        middle = down + tall // 2
        sheet.words(str(e.channel), middle - 7, 0)
        for i, channel in enumerate(e.inputs):
            values = plane(e.contributions[i])
            sheet.map(
                values, down, label + i * step, zoom, role=f"partial of {e.channel}",
                channel=channel, reach=reach,
            )  # fmt: skip
        ends = label + columns * step + _GAP
        sheet.map(before, down, ends, zoom, role="pre-activation", channel=e.channel, reach=reach)
        sheet.map(
            after, down, ends + max(step, 74), zoom, role="output", channel=e.channel, hatch=True
        )
        down += max(tall, _TEXT if tall > 8 else 1) + (_GAP if wide > 30 else 3)
    partial = (columns or 0) * count
    sheet.words(f"{name}: {count} sums of {columns} partial maps each", 0, 0, size=LARGE)
    sheet.words(
        f"A row for each output channel: {partial} partial maps, {count} outputs.", 20, 0, dim=True
    )
    sheet.words(
        f"checked: every sum is what the network computed, to {worst:.1g} of its largest value",
        down + 4,
        0,
        dim=True,
    )
    return sheet.finish()


def _table_heading(sheet: Sheet, e: Explanation, reach: float, lefts: list[int], wide: int) -> None:
    across = sheet.gradient(38, 0, f"{-reach:.3g}", f"{reach:.3g}")
    sheet.words("partial maps and sums, one scale for all", 38, across + 8, dim=True)
    layer = e.nodes[0] if isinstance(e, Chained) else e.node
    grouped = getattr(layer.operation, "groups", 1) > 1
    what = "channels of its group" if grouped else f"channels of {e.source.name}"
    sheet.words(what, 62, lefts[0], dim=True, width=max(len(lefts) * (wide + 3), 60))
    every = max(1, -(-30 // (wide + 3)))
    for i, left in enumerate(lefts):
        if i % every == 0:
            sheet.words(str(i if grouped else e.inputs[i]), 62 + _TEXT, left)
