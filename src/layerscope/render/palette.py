"""The 256 palette entries: first the levels that carry data, then marks, gutter and text."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from layerscope.render.colormap import colors

FIRST, LAST = 0, 240
"""Entries that stand for vmin and vmax. An odd number of levels, so that one is exactly 0."""

GUTTER = 241
SHADE = 242
SOFT = 243
TEXT = 244
BAR = 245
HATCH = (246, 247)
NAN = (248, 249)
PLUS_INFINITY = (250, 251)
MINUS_INFINITY = (252, 253)
CLIPPED_LOW = 254
CLIPPED_HIGH = 255

_MARKS = {
    GUTTER: (34, 36, 41),
    SHADE: (74, 78, 86),
    SOFT: (140, 145, 154),
    TEXT: (214, 217, 222),
    BAR: (240, 176, 92),
    HATCH[0]: (80, 84, 92),
    HATCH[1]: (60, 63, 70),
    NAN[0]: (255, 0, 200),
    NAN[1]: (150, 0, 118),
    PLUS_INFINITY[0]: (255, 244, 150),
    PLUS_INFINITY[1]: (214, 84, 0),
    MINUS_INFINITY[0]: (150, 244, 255),
    MINUS_INFINITY[1]: (0, 96, 214),
    CLIPPED_LOW: (0, 220, 200),
    CLIPPED_HIGH: (255, 120, 30),
}


@lru_cache(maxsize=64)
def palette(colormap: str) -> NDArray[np.uint8]:
    """The palette for one colour map: a read-only array (256, 3) of red, green and blue."""
    table = np.zeros((256, 3), np.uint8)
    table[FIRST : LAST + 1] = colors(colormap, LAST - FIRST + 1)
    for entry, color in _MARKS.items():
        table[entry] = color
    table.flags.writeable = False
    return table


def decode(
    indices: NDArray[np.uint8], vmin: float, vmax: float, levels: tuple[int, int] = (FIRST, LAST)
) -> NDArray[np.float64]:
    """The values that palette entries stand for in a tile whose range is vmin to vmax.

    A hatched entry gives the constant, a clipped one the end of the range.
    """
    first, last = levels
    share = ((np.arange(256) - first) / (last - first)).clip(0, 1)
    table = vmin * (1 - share) + vmax * share
    table[CLIPPED_LOW], table[CLIPPED_HIGH], table[list(HATCH)] = vmin, vmax, vmin
    table[list(NAN)] = np.nan
    table[list(PLUS_INFINITY)], table[list(MINUS_INFINITY)] = np.inf, -np.inf
    return table[indices]
