"""Scales: which range of values each channel's colours span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import OutputError
from layerscope.render.colormap import DIVERGING, SEQUENTIAL, is_diverging
from layerscope.render.stack import numeric

Floats = NDArray[np.float64]
Scale = str | tuple[float, float]
NAMES = ("channel", "layer", "symmetric")


@dataclass(frozen=True)
class Limits:
    """The smallest and largest finite value of a whole layer, over the whole batch."""

    low: float
    high: float

    @classmethod
    def of(cls, activation: Activation) -> Limits:
        """The limits of an activation; give them to ``draw`` when drawing several samples."""
        return cls.over(Extremes.of(numeric(activation).planes(), axis=1))

    @classmethod
    def over(cls, extremes: Extremes) -> Limits:
        """The limits of all channels together; 0 and 0 where nothing is finite."""
        held = np.isfinite(extremes.low)
        if not held.any():
            return cls(0.0, 0.0)
        return cls(float(extremes.low[held].min()), float(extremes.high[held].max()))

    @property
    def magnitude(self) -> float:
        """The largest distance from 0."""
        return max(abs(self.low), abs(self.high))

    @property
    def signed(self) -> bool:
        """Whether any value is below 0."""
        return self.low < 0


@dataclass(frozen=True)
class Ranges:
    """What the colours of each channel span; every array has one entry per channel.

    vmin, vmax: NaN where a channel holds nothing finite. constant: all values are the same.
    strength: the largest magnitude as a share (0 to 1) of the layer's. bounded: whether
    values may lie outside their range. finite: whether no value is NaN or infinite.
    start: where ranges begin: at ``"zero"``, as far below 0 as they end above it
    (``"centre"``), or at the ``"low"`` end of the data. common: whether the ranges hold for
    other activations too.
    """

    vmin: Floats
    vmax: Floats
    constant: NDArray[np.bool_]
    strength: Floats
    bounded: bool
    finite: bool
    start: str
    common: bool = False


def parse_scale(scale: object) -> Scale:
    """A scale's name, or its two numbers from a pair or from text such as ``"-1,1"``.

    Raises OutputError for anything else.

    >>> parse_scale("0,2.5")
    (0.0, 2.5)
    """
    if scale in NAMES:
        return str(scale)
    parts = scale.split(",") if isinstance(scale, str) else scale
    try:
        low, high = (float(part) for part in parts)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        low = high = 0.0
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise OutputError(
            f"expected a scale but got {scale!r}. Use channel, layer, symmetric, or two numbers "
            "LO,HI with LO below HI, such as 0,1."
        )
    return low, high


def scale_text(scale: Scale) -> str:
    """The scale as it is written on a command line."""
    return scale if isinstance(scale, str) else ",".join(str(n).removesuffix(".0") for n in scale)


def parse_clip(clip: float | None, scale: Scale) -> float | None:
    """A percentile above 50 and up to 100, or None. Raises OutputError for another."""
    if clip is None:
        return None
    if not 50 < clip <= 100:
        raise OutputError(
            f"expected a percentile above 50 and up to 100 to clip at but got {clip:g}. "
            "99 is a usual choice."
        )
    if not isinstance(scale, str):
        raise OutputError(
            "clip and a scale of two numbers were both given, and both say where colours end. "
            "Give one of them."
        )
    return clip if clip < 100 else None


def choose_colormap(limits: Limits, scale: Scale) -> str:
    """The map that suits the data: diverging where they are signed, else sequential."""
    if limits.signed or scale == "symmetric" or (not isinstance(scale, str) and scale[0] < 0):
        return DIVERGING
    return SEQUENTIAL


@dataclass(frozen=True)
class Extremes:
    """Each channel's smallest and largest finite value (NaN where there is none).

    finite: whether no value of any channel is NaN or infinite.
    """

    low: Floats
    high: Floats
    finite: bool = True

    @classmethod
    def of(cls, planes: NDArray[Any], axis: int) -> Extremes:
        """The extremes over every axis but the channels'."""
        if planes.size == 0:
            nothing = np.full(planes.shape[axis], np.nan)
            return cls(nothing, nothing)
        low, high = _reduce(np.minimum, planes, axis), _reduce(np.maximum, planes, axis)
        if np.isfinite(low).all() and np.isfinite(high).all():
            return cls(low, high)
        finite = np.isfinite(planes)
        others = tuple(i for i in range(planes.ndim) if i != axis)
        low = np.where(finite, planes, np.inf).min(axis=others).astype(np.float64)
        high = np.where(finite, planes, -np.inf).max(axis=others).astype(np.float64)
        low[low == np.inf], high[high == -np.inf] = np.nan, np.nan
        return cls(low, high, finite=False)

    def chosen(self, channels: Sequence[int]) -> Extremes:
        """Those of some channels, in that order."""
        return Extremes(self.low[channels], self.high[channels], self.finite)

    def joined(self) -> Extremes:
        """The same for every channel: what all of them span; 0 belongs to a single value's."""
        limits = Limits.over(self)
        low, high = limits.low, limits.high
        if len(self.low) == 1:
            low, high = min(low, 0.0), max(high, 0.0)
        held = np.isfinite(self.low)
        return Extremes(np.where(held, low, np.nan), np.where(held, high, np.nan), self.finite)


def _reduce(ufunc: np.ufunc, planes: NDArray[Any], axis: int) -> Floats:
    """A reduction to channels; channels-last memory is folded to long rows, which is faster."""
    count = planes.shape[axis]
    last = np.moveaxis(planes, axis, -1)
    if last.flags.c_contiguous and count < 1024:
        flat = last.reshape(-1)
        fold = max(1, 2048 // count)
        whole = flat.size // (fold * count) * (fold * count)
        if whole:
            rows = ufunc.reduce(flat[:whole].reshape(-1, fold * count), axis=0)
            rows = np.concatenate([rows, flat[whole:]]).reshape(-1, count)
            return np.asarray(ufunc.reduce(rows, axis=0), np.float64)
    others = tuple(i for i in range(planes.ndim) if i != axis)
    return np.asarray(ufunc.reduce(planes, axis=others), np.float64)


def ranges_of(
    values: NDArray[Any],
    extremes: Extremes,
    limits: Limits,
    scale: Scale,
    colormap: str,
    layer: NDArray[Any],
    clip: float | None,
    spans: Extremes | None = None,
) -> Ranges:
    """The range of each channel.

    values: (channels, slices, height, width).
    layer: the whole activation, for percentiles of it. spans: what each channel is taken to
    hold where it has a range of its own; by default its extremes.
    """
    lows, highs = extremes.low, extremes.high
    centred = is_diverging(colormap) or scale == "symmetric"
    start = "centre" if centred else "low" if limits.signed else "zero"
    if not isinstance(scale, str):
        vmin, vmax = np.full_like(lows, scale[0]), np.full_like(highs, scale[1])
    elif scale == "channel":
        wide = spans or extremes
        vmin, vmax = _span(wide.low, wide.high, start)
        if clip is not None:
            vmin, vmax = _clipped([*values], start, clip, vmin, vmax)
    else:
        low, high = _span(np.array([limits.low]), np.array([limits.high]), start)
        if clip is not None:
            low, high = _clipped([layer], start, clip, low, high)
        vmin, vmax = np.repeat(low, len(lows)), np.repeat(high, len(lows))
    constant = lows == highs
    nothing = np.isnan(lows)
    vmin, vmax = np.where(constant | nothing, lows, vmin), np.where(constant | nothing, lows, vmax)
    largest = np.maximum(np.abs(lows), np.abs(highs))
    whole = limits.magnitude
    strength = np.nan_to_num(largest / whole) if whole > 0 else np.zeros_like(largest)
    bounded = clip is not None or not isinstance(scale, str) or spans is not None
    strength = np.minimum(strength, 1.0)
    common = spans is not None
    return Ranges(vmin, vmax, constant, strength, bounded, extremes.finite, start, common)


def _span(low: Floats, high: Floats, start: str) -> tuple[Floats, Floats]:
    if start == "zero":
        return np.zeros_like(low), high
    if start == "centre":
        reach = np.maximum(np.abs(low), np.abs(high))
        return -reach, reach
    return low, high


def _clipped(
    parts: list[NDArray[Any]], start: str, clip: float, vmin: Floats, vmax: Floats
) -> tuple[Floats, Floats]:
    """Ranges that end at a percentile; the full one stays where the percentile leaves none."""
    vmin, vmax = vmin.copy(), vmax.copy()
    for i, part in enumerate(parts):
        held = part[np.isfinite(part)].astype(np.float64)
        if held.size == 0:
            continue
        shares = (100 - clip, clip)
        low, high = np.percentile(np.abs(held) if start == "centre" else held, shares)
        if start != "low":
            low = -high if start == "centre" else 0.0
        if low < high:
            vmin[i], vmax[i] = low, high
    return vmin, vmax
