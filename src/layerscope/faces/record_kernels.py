"""A picture of a convolution's kernels over the epochs of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from layerscope.render.colormap import DIVERGING, colors
from layerscope.render.palette import GUTTER, palette
from layerscope.render.text import LARGE, SMALL, bitmap, clean

MOST_INPUTS = 4
_SIDE, _ACROSS, _APART, _LINE, _MARGIN, _LABEL = 24, 32, 6, 12, 12, 96
_STEPS = 241
Pixels = NDArray[np.uint8]
Kernels = NDArray[np.float32]


def kernel_sheet(name: str, kernels: Mapping[int, Kernels], reach: float) -> Pixels:
    """A row of kernels for each epoch on one scale, and what changed: (height, width, 3).

    kernels: by epoch, (outputs, inputs, height, width). reach: the largest magnitude over all
    epochs. Three inputs are drawn as one kernel in red, green and blue, in which grey is 0;
    otherwise each input has a row of its own. The change from the first epoch to the last has
    a scale of its own.
    """
    epochs = list(kernels)
    first, last = kernels[epochs[0]], kernels[epochs[-1]]
    outputs, inputs, height, width = first.shape
    colored = inputs == 3
    said = "red, green and blue are the inputs, grey is 0" if colored else "a row for each input"
    parts = [
        _beside("", _text(clean(name, 60), LARGE)),
        _beside("", _text(f"{outputs} kernels of {inputs} × {height} × {width}; {said}")),
        _beside("", _legend(reach, "for every epoch", colored)),
        *(part for epoch in epochs for part in _rows(f"epoch {epoch}", kernels[epoch], reach)),
    ]
    if len(epochs) > 1:
        change = last - first
        far = float(np.nan_to_num(np.abs(change)).max(initial=0.0))
        parts += [
            _beside("", _legend(far, f"from epoch {epochs[0]} to {epochs[-1]}", colored)),
            *_rows("change", change, far),
        ]
    return _stacked(parts)


def _rows(label: str, kernels: Kernels, reach: float) -> Iterator[Pixels]:
    """The kernels of an epoch, its label at the left."""
    zoom = max(1, _SIDE // max(kernels.shape[2:]))
    for i, tiles in enumerate(_painted(kernels, reach)):
        yield _beside(label if i == 0 else "", _line(tiles, zoom), labelled=True)


def _painted(kernels: Kernels, reach: float) -> list[Sequence[Pixels]]:
    """Colours of every kernel: for each row, of (height, width, 3)."""
    with np.errstate(invalid="ignore"):
        share = np.clip(np.nan_to_num(kernels.astype(np.float64) / (reach or 1.0)), -1, 1)
    if kernels.shape[1] == 3:
        grey = np.rint((share + 1) / 2 * 255).astype(np.uint8)
        return [list(np.moveaxis(grey, 1, -1))]
    table = colors(DIVERGING, _STEPS)
    painted = table[np.rint((share + 1) / 2 * (_STEPS - 1)).astype(int)]
    return [list(painted[:, i]) for i in range(kernels.shape[1])]


def _line(tiles: Sequence[Pixels], zoom: int) -> Pixels:
    """Kernels side by side, in several lines where there are many."""
    height, width = (zoom * side for side in tiles[0].shape[:2])
    across = min(_ACROSS, len(tiles))
    down = -(-len(tiles) // across)
    made = _ground(down * (height + _APART) - _APART, across * (width + _APART) - _APART)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, across)
        big = tile.repeat(zoom, 0).repeat(zoom, 1)
        _put(made, big, row * (height + _APART), column * (width + _APART))
    return made


def _legend(reach: float, words: str, colored: bool) -> Pixels:
    """What the ends of the colours stand for."""
    ramp = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    bar = np.repeat(ramp[:, None], 3, 1) if colored else colors(DIVERGING, _STEPS)
    bar = np.repeat(bar[None, ::2], 8, 0)
    low, high = _text(f"−{reach:.3g}"), _text(f"{reach:.3g} {words}")
    left = low.shape[1] + _APART
    made = _ground(low.shape[0], left + bar.shape[1] + _APART + high.shape[1])
    _put(made, low, 0, 0)
    _put(made, bar, (len(made) - len(bar)) // 2, left)
    _put(made, high, 0, left + bar.shape[1] + _APART)
    return made


def _beside(label: str, part: Pixels, *, labelled: bool = False) -> Pixels:
    """A part of the sheet, with room for a label at the left."""
    left = _LABEL if labelled else 0
    made = _ground(part.shape[0], left + part.shape[1])
    _put(made, part, 0, left)
    if label:
        text = _text(label)
        top = max(0, (min(len(part), _SIDE) - len(text)) // 2)
        _put(made, text[: len(made) - top, : _LABEL - _APART], top, 0)
    return made


def _stacked(parts: Sequence[Pixels]) -> Pixels:
    high = sum(len(part) for part in parts) + _LINE * (len(parts) - 1) + 2 * _MARGIN
    sheet = _ground(high, max(part.shape[1] for part in parts) + 2 * _MARGIN)
    top = _MARGIN
    for part in parts:
        _put(sheet, part, top, _MARGIN)
        top += len(part) + _LINE
    return sheet


def _text(words: str, size: int = SMALL) -> Pixels:
    drawn: Pixels = palette(DIVERGING)[bitmap(words, size)]
    return drawn


def _ground(height: int, width: int) -> Pixels:
    return np.tile(palette(DIVERGING)[GUTTER], (height, width, 1))


def _put(sheet: Pixels, part: Pixels, top: int, left: int) -> None:
    sheet[top : top + part.shape[0], left : left + part.shape[1]] = part
