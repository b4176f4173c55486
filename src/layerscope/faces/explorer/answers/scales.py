"""Scales: the maps of an explanation as palette entries, each on its own scale or all on one."""

from __future__ import annotations

from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.render.quantize import quantize
from layerscope.render.scale import Extremes, Limits, Ranges, choose_colormap, ranges_of

Pixels = NDArray[np.uint8]
Singles = NDArray[np.float32]


def planes(values: NDArray[Any]) -> NDArray[Any]:
    """(maps, \\*spatial) as (maps, slices, height, width)."""
    shape = (1, 1, 1, *values.shape[1:])
    return values.reshape(len(values), prod(shape[:-2]), *shape[-2:])


def own_scale(
    values: NDArray[Any], limits: Limits, shown: NDArray[np.intp]
) -> tuple[Pixels, Singles, Singles]:
    """Maps each on their own scale, single values on one for all, as the layer is drawn."""
    extremes = Extremes.of(values, axis=0)
    single = values.shape[1:] == (1, 1, 1)
    every = ranges_of(
        values, extremes.joined() if single else extremes, limits,
        "layer" if single else "channel", choose_colormap(limits, "channel"), values, None,
    )  # fmt: skip
    own = Ranges(
        every.vmin[shown], every.vmax[shown], every.constant[shown], every.strength[shown],
        every.bounded, every.finite, every.start,
    )  # fmt: skip
    lo, hi = own.vmin.astype(np.float32), own.vmax.astype(np.float32)
    return quantize(values[shown], own), lo, hi


def common_scale(values: NDArray[Any], reach: float) -> Pixels:
    """Maps on one scale around 0."""
    if not isfinite(reach):
        raise ModelError("expected finite values, but some partial maps are not.")
    count = len(values)
    ends = np.full(count, reach or 1.0)
    nothing = np.zeros(count, np.bool_)
    return quantize(values, Ranges(-ends, ends, nothing, ends, False, True, "centre"))
