"""Figures of every channel: minimum, maximum, mean, energy and share of zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.render.scale import Extremes

Floats = NDArray[np.float64]
_BLOCK = 1 << 16
_SINGLE = (1e-15, 1e15)


@dataclass(frozen=True)
class ChannelFigures:
    """Figures of each channel over its finite values: arrays of one number per channel.

    energy: the mean of the squares. zeros: the share (0 to 1) of values that are exactly 0.
    NaN where a channel holds nothing finite.
    """

    min: Floats
    max: Floats
    mean: Floats
    energy: Floats
    zeros: Floats
    extremes: Extremes


def figures_of(values: NDArray[Any]) -> ChannelFigures:
    """The figures of every channel. values: (channels, slices, height, width)."""
    extremes = Extremes.of(values, axis=0)
    count, size = values.shape[0], values[:1].size
    if not size:
        nothing = np.full(count, np.nan)
        return ChannelFigures(nothing, nothing, nothing, nothing, nothing, extremes)
    if extremes.finite:
        sums, squares, zeros = _sums(values, _type_for(values, extremes))
        finite = np.full(count, float(size))
    else:
        sums, squares, zeros, finite = _careful(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, energy = sums / finite, squares / finite
    return ChannelFigures(extremes.low, extremes.high, mean, energy, zeros / size, extremes)


def _type_for(values: NDArray[Any], extremes: Extremes) -> type[Any]:
    """Single precision where no square leaves its range."""
    reach = np.maximum(np.abs(extremes.low), np.abs(extremes.high)).max(initial=0)
    fits = values.dtype in (np.float16, np.float32) and _SINGLE[0] < reach < _SINGLE[1]
    return np.float32 if fits else np.float64


def _sums(values: NDArray[Any], dtype: type[Any]) -> tuple[Floats, Floats, Floats]:
    """Sums, sums of squares and zeros of each channel, in blocks that stay in cache."""
    count = values.shape[0]
    last = np.moveaxis(values, 0, -1)
    found = np.zeros((3, count))
    if last.flags.c_contiguous and count > 1:
        table = last.reshape(-1, count)
        step = max(1, _BLOCK // count)
        for start in range(0, len(table), step):
            block = table[start : start + step].astype(dtype, copy=False)
            found += _products(block, np.ones(len(block), dtype))
        return found[0], found[1], found[2]
    rows = values.reshape(count, -1)
    step = max(1, _BLOCK // max(1, count))
    for start in range(0, rows.shape[1], step):
        block = rows[:, start : start + step].astype(dtype, copy=False)
        found += _products(block.T, np.ones(block.shape[1], dtype))
    return found[0], found[1], found[2]


def _products(block: NDArray[Any], ones: NDArray[Any]) -> Floats:
    """The three sums over the rows of a block (rows, channels), by matrix products."""
    zero = (block == 0).astype(block.dtype)
    return np.stack([ones @ block, ones @ (block * block), ones @ zero]).astype(np.float64)


def _careful(values: NDArray[Any]) -> tuple[Floats, Floats, Floats, Floats]:
    rows = values.reshape(values.shape[0], -1).astype(np.float64)
    finite = np.isfinite(rows)
    held = np.where(finite, rows, 0.0)
    with np.errstate(over="ignore"):
        squares = np.square(held).sum(axis=1)
    zeros = (rows == 0).sum(axis=1).astype(np.float64)
    return held.sum(axis=1), squares, zeros, finite.sum(axis=1).astype(np.float64)
