"""A picture of a convolution's kernels over the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layerscope.render.colormap import DIVERGING, colors
from layerscope.render.palette import palette
from layerscope.render.text import LARGE, bitmap, clean

MOST_INPUTS = 4
_SIDE, _ACROSS, _GAP, _MARGIN, _LABEL = 24, 32, 2, 8, 76
_STEPS = 241
Pixels = NDArray[np.uint8]


def kernel_sheet(name: str, kernels: Mapping[int, NDArray[np.float32]], reach: float) -> Pixels:
    """A row of kernels for each epoch, all on one scale: (height, width, 3).

    kernels: by epoch, (outputs, inputs, height, width). Three inputs are drawn as one kernel
    in red, green and blue, in which grey is 0; otherwise each input has a row of its own.
    """
    every = {epoch: _tiles(values, reach) for epoch, values in kernels.items()}
    first = next(iter(kernels.values()))
    outputs, inputs, height, width = first.shape
    zoom = max(1, _SIDE // max(height, width))
    rows = [_line(tiles[i], zoom) for tiles in every.values() for i in range(len(tiles))]
    labels = [
        f"epoch {epoch}" if i == 0 else ""
        for epoch, tiles in every.items()
        for i in range(len(tiles))
    ]
    colored = inputs == 3
    said = "red, green and blue as the inputs, grey is 0" if colored else "one row an input"
    head = [
        _text(clean(name, 60), LARGE),
        _text(f"{outputs} kernels of {inputs} x {height} x {width}, {said}"),
        _legend(reach, colored),
    ]
    apart = [_GAP * 4 if label else _GAP for label in labels]
    body_height = sum(row.shape[0] + gap for row, gap in zip(rows, apart, strict=True))
    wide = max(_LABEL + max(row.shape[1] for row in rows), *(part.shape[1] for part in head))
    high = sum(part.shape[0] + 4 for part in head) + body_height + 2 * _MARGIN
    sheet = _ground(high, wide + 2 * _MARGIN)
    top = _MARGIN
    for part in head:
        _put(sheet, part, top, _MARGIN)
        top += part.shape[0] + 4
    for row, label, gap in zip(rows, labels, apart, strict=True):
        top += gap
        if label:
            text = _text(label)
            _put(
                sheet, text, top + max(0, (min(row.shape[0], _SIDE) - text.shape[0]) // 2), _MARGIN
            )
        _put(sheet, row, top, _MARGIN + _LABEL)
        top += row.shape[0]
    return sheet


def encode(sheet: Pixels) -> Image.Image:
    """The sheet as a picture to save."""
    return Image.fromarray(sheet)


def _tiles(values: NDArray[np.float32], reach: float) -> list[list[Pixels]]:
    """Colours of every kernel: a list for each row, of (height, width, 3)."""
    share = np.clip(np.nan_to_num(values.astype(np.float64)) / (reach or 1.0), -1, 1)
    if values.shape[1] == 3:
        grey = np.rint((share + 1) / 2 * 255).astype(np.uint8)
        return [[np.moveaxis(kernel, 0, -1) for kernel in grey]]
    table = colors(DIVERGING, _STEPS)
    painted = table[np.rint((share + 1) / 2 * (_STEPS - 1)).astype(int)]
    return [[kernel[i] for kernel in painted] for i in range(values.shape[1])]


def _line(tiles: list[Pixels], zoom: int) -> Pixels:
    """Kernels side by side, in several lines where there are many."""
    big = [tile.repeat(zoom, 0).repeat(zoom, 1) for tile in tiles]
    height, width = big[0].shape[:2]
    across = min(_ACROSS, len(big))
    down = -(-len(big) // across)
    made = _ground(down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP)
    for i, tile in enumerate(big):
        row, column = divmod(i, across)
        _put(made, tile, row * (height + _GAP), column * (width + _GAP))
    return made


def _legend(reach: float, colored: bool) -> Pixels:
    """What the ends of the scale stand for."""
    ramp = np.arange(_STEPS) if not colored else np.rint(np.linspace(0, 255, _STEPS))
    bar = colors(DIVERGING, _STEPS)[None] if not colored else np.repeat(ramp[None, :, None], 3, 2)
    bar = np.repeat(bar.astype(np.uint8)[:, ::2], 8, 0)
    low, high = _text(f"-{reach:.3g}"), _text(f"{reach:.3g}, the same for all epochs")
    made = _ground(max(low.shape[0], 8), low.shape[1] + bar.shape[1] + high.shape[1] + 2 * _GAP * 3)
    _put(made, low, 0, 0)
    _put(made, bar, (made.shape[0] - 8) // 2, low.shape[1] + _GAP * 3)
    _put(made, high, 0, low.shape[1] + bar.shape[1] + 2 * _GAP * 3)
    return made


def _text(words: str, size: int | None = None) -> Pixels:
    entries = bitmap(words) if size is None else bitmap(words, size)
    drawn: Pixels = palette(DIVERGING)[entries]
    return drawn


def _ground(height: int, width: int) -> Pixels:
    from layerscope.render.palette import GUTTER

    return np.tile(palette(DIVERGING)[GUTTER], (height, width, 1))


def _put(sheet: Pixels, part: Pixels, top: int, left: int) -> None:
    sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
