"""Colour maps: tables of colours by name, and which of them are centred on zero."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import OutputError

SEQUENTIAL = "viridis"
DIVERGING = "blue-white-red"
_SEQUENTIAL = (
    *("viridis", "magma", "inferno", "plasma", "cividis", "turbo"),
    *("gray", "bone", "hot", "afmhot", "copper", "jet", "rainbow", "cubehelix", "twilight"),
    *("Blues", "Greens", "Reds", "Greys", "YlGnBu"),
)
_DIVERGING = (
    *("blue-white-red", "coolwarm", "bwr", "seismic", "RdBu", "RdYlBu"),
    *("PiYG", "PRGn", "BrBG", "PuOr", "Spectral"),
)
_SPELLINGS = {name.lower(): name for name in (*_SEQUENTIAL, *_DIVERGING)} | {"grey": "gray"}


def names() -> tuple[str, ...]:
    """The names of all colour maps; each may be followed by ``_r`` for the reverse."""
    return (*_SEQUENTIAL, *_DIVERGING)


def parse_colormap(name: str) -> str:
    """A colour map's name in its usual spelling.

    Raises OutputError for an unknown one.

    >>> parse_colormap("rdbu_R")
    'RdBu_r'
    """
    base, suffix = (name[:-2], "_r") if name.lower().endswith("_r") else (name, "")
    try:
        return _SPELLINGS[base.lower()] + suffix
    except KeyError:
        raise OutputError(
            f"expected the name of a colour map but got {name!r}. Known are "
            f"{', '.join(names())}, each also reversed, as in viridis_r."
        ) from None


def is_diverging(name: str) -> bool:
    """Whether the map has a middle that stands for zero."""
    return name.removesuffix("_r") in _DIVERGING


@lru_cache(maxsize=64)
def colors(name: str, count: int) -> NDArray[np.uint8]:
    """The map as ``count`` evenly spaced colours: a read-only array (count, 3), 0 to 255."""
    table = _table(name.removesuffix("_r"))
    if len(table) != count:
        at = np.linspace(0, len(table) - 1, count)
        known = np.arange(len(table))
        table = np.stack([np.rint(np.interp(at, known, band)) for band in table.T], axis=1)
    result = table[::-1] if name.endswith("_r") else table
    result = np.ascontiguousarray(result, np.uint8)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=64)
def _table(name: str) -> NDArray[np.uint8]:
    with (files(__package__) / "colormaps.npz").open("rb") as file, np.load(file) as tables:
        table: NDArray[np.uint8] = tables[name]
        return table
