"""Thumbnails: one small picture of each node, for the strip of layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.faces.explorer.answers.figures import ChannelFigures
from layerscope.render.palette import GUTTER
from layerscope.render.quantize import quantize
from layerscope.render.scale import Extremes, Limits, choose_colormap, ranges_of
from layerscope.render.stack import Stack, stack_of

SIDE = 64


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture of a node.

    entries: palette entries (height, width). channel: the channel it shows, or -1 where it
    shows all of them: the values of a vector in rows, or a sequence with a row for each
    channel. lo, hi: what the first and last level stand for, None where nothing is finite.
    shrunk: whether values were averaged over areas.
    """

    entries: NDArray[np.uint8]
    channel: int
    lo: float | None
    hi: float | None
    signed: bool
    shrunk: bool

    def as_json(self) -> dict[str, Any]:
        """What the page is told besides the entries."""
        height, width = self.entries.shape
        return {
            "channel": self.channel,
            "height": height,
            "width": width,
            "lo": self.lo,
            "hi": self.hi,
            "signed": self.signed,
            "shrunk": self.shrunk,
        }


def thumbnail_of(
    activation: Activation, sample: int, figures: ChannelFigures, limits: Limits
) -> Thumbnail:
    """The most energetic channel's first plane, or the whole of a vector or sequence."""
    stack = stack_of(activation, sample)
    if not stack.values.size:
        return Thumbnail(np.zeros((0, 0), np.uint8), -1, None, None, limits.signed, False)
    channel, plane, missing = _plane(stack, figures)
    small = shrink(plane, SIDE)
    extremes = Extremes.of(small[None, None], axis=0)
    own = Limits.over(_of_channel(figures, channel) if channel >= 0 else figures.extremes.joined())
    held = Extremes(np.array([own.low]), np.array([own.high]), extremes.finite)
    colormap = choose_colormap(limits, "channel")
    ranges = ranges_of(small[None, None], held, limits, "channel", colormap, small, None)
    entries = quantize(small[None, None], ranges)[0, 0]
    entries[missing(small.shape)] = GUTTER
    lo, hi = float(ranges.vmin[0]), float(ranges.vmax[0])
    return Thumbnail(
        entries,
        channel,
        lo if np.isfinite(lo) else None,
        hi if np.isfinite(hi) else None,
        limits.signed,
        small.shape != plane.shape,
    )


def _of_channel(figures: ChannelFigures, channel: int) -> Extremes:
    part = slice(channel, channel + 1)
    return Extremes(figures.extremes.low[part], figures.extremes.high[part])


def _plane(stack: Stack, figures: ChannelFigures) -> tuple[int, NDArray[Any], Any]:
    """What is shown: its channel, its values, and where its rows are not filled."""
    if stack.arrangement == "mosaic":
        energy = np.nan_to_num(figures.energy, nan=-1.0)
        channel = int(energy.argmax())
        plane = stack.values[channel]
        return channel, plane[len(plane) // 2], lambda shape: np.zeros(shape, np.bool_)
    if stack.arrangement == "rows":
        return -1, stack.values[:, 0, 0], lambda shape: np.zeros(shape, np.bool_)
    flat = stack.values.ravel()
    columns = max(1, min(len(flat), int(np.ceil(np.sqrt(len(flat))))))
    rows = -(-len(flat) // columns)
    plane = np.full(rows * columns, flat[-1], flat.dtype)
    plane[: len(flat)] = flat
    rest = rows * columns - len(flat)

    def missing(shape: tuple[int, ...]) -> NDArray[np.bool_]:
        found = np.zeros(shape, np.bool_)
        if shape == (rows, columns) and rest:
            found[-1, columns - rest :] = True
        return found

    return -1, plane.reshape(rows, columns), missing


def shrink(plane: NDArray[Any], side: int) -> NDArray[Any]:
    """The plane averaged over equal areas so that no side is longer than ``side``."""
    for axis in (0, 1):
        length = plane.shape[axis]
        if length > side:
            plane = _averaged(plane.astype(np.float64), axis, side)
    return plane


def _averaged(plane: NDArray[np.float64], axis: int, count: int) -> NDArray[np.float64]:
    """Means over ``count`` equal stretches of an axis; a value on an edge counts to both sides."""
    length = plane.shape[axis]
    edges = np.arange(count + 1) * (length / count)
    whole = np.minimum(edges.astype(np.int64), length - 1)
    share = edges - whole
    moved = np.moveaxis(plane, axis, 0)
    result = np.empty((count, *moved.shape[1:]))
    with np.errstate(invalid="ignore"):
        for i in range(count):
            weights = np.ones(whole[i + 1] - whole[i] + 1)
            weights[0] -= share[i]
            weights[-1] -= 1 - share[i + 1]
            held = weights > 0
            part = moved[whole[i] : whole[i + 1] + 1][held]
            result[i] = np.tensordot(weights[held], part, 1) / weights[held].sum()
    return np.moveaxis(result, 0, axis)
