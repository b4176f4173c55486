"""Exact figures: what a record kept of the values before they became bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from layerscope.faces.explorer.answers.summary import NodeSummary
from layerscope.statistics import Statistics
from layerscope.training.channels import ChannelStatistics
from layerscope.training.quantized import HIGHEST, LOWEST, Quantized

Floats = NDArray[np.float64]


def zero_shares(held: Quantized, zeros: Floats) -> Floats:
    """The share of values that are exactly 0, for each picture and channel.

    zeros: of each channel over all pictures. The byte nearest to 0 stands for small values
    too, so each picture is given of the known share what it has of such bytes; what is all 0,
    or never 0, is certain. With one picture the shares are exact.
    """
    low, high = held.low.astype(np.float64), held.high.astype(np.float64)
    dead = (low == 0) & (high == 0)
    around = (low <= 0) & (high >= 0) & ~dead
    with np.errstate(invalid="ignore"):
        share = np.where(around, -low / np.where(around, high - low, 1.0), 0.0)
    nearest = np.rint(share * (HIGHEST - LOWEST)).astype(np.uint8) + LOWEST
    rest = tuple(range(2, held.levels.ndim))
    shape = (*low.shape, *(1,) * len(rest))
    bytes_ = (held.levels == nearest.reshape(shape)).mean(axis=rest) * around
    known = zeros * len(low) - dead.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = np.nan_to_num(known / bytes_.sum(axis=0), posinf=0.0).clip(0.0, 1.0)
    shares: Floats = np.where(dead, 1.0, bytes_ * factor)
    return shares


def with_exact(
    summary: NodeSummary, held: Quantized, kept: ChannelStatistics, picture: int
) -> NodeSummary:
    """A picture's summary with the figures that are known exactly in place of those of bytes.

    Only where a figure stands for each recorded channel.
    """
    figures = summary.figures
    if not len(figures.min) == len(kept.zeros) == held.low.shape[1]:
        return summary
    shares = zero_shares(held, kept.zeros)[min(picture, len(held.low) - 1)]
    mean, energy = figures.mean, figures.energy
    if len(held.low) == 1:
        known = np.isfinite(kept.mean) & np.isfinite(kept.std)
        mean = np.where(known, kept.mean, mean)
        energy = np.where(known, kept.std**2 + kept.mean**2, energy)
    exact = replace(figures, mean=mean, energy=energy, zeros=shares)
    whole = _whole(mean, energy, summary.statistics) if len(held.low) == 1 else summary.statistics
    dead = tuple(np.flatnonzero(shares == 1.0).tolist())
    zeros = float(shares.mean()) if shares.size else float("nan")
    return replace(summary, figures=exact, statistics=replace(whole, zeros=zeros, dead=dead))


def _whole(mean: Floats, energy: Floats, statistics: Statistics) -> Statistics:
    """Figures of a layer from those of its channels, which hold equally many values."""
    if not (mean.size and statistics.finite):
        return statistics
    middle = float(mean.mean())
    spread = float(np.sqrt(max(0.0, float(energy.mean()) - middle**2)))
    return replace(statistics, mean=middle, std=spread)


def over_pictures(held: Quantized, kept: ChannelStatistics) -> Statistics:
    """Figures of a layer over all pictures, as the record kept them."""
    finite = np.isfinite(held.low) & np.isfinite(held.high)
    low, high = held.low[finite], held.high[finite]
    known = np.isfinite(kept.mean) & np.isfinite(kept.std)
    mean, std = kept.mean[known], kept.std[known]
    nothing = float("nan")
    middle = float(mean.mean()) if mean.size else nothing
    squares = float((std**2 + mean**2).mean()) if mean.size else nothing
    spread = float(np.sqrt(max(0.0, squares - middle**2)))
    return Statistics(
        float(low.min()) if low.size else nothing,
        float(high.max()) if high.size else nothing,
        middle,
        spread if mean.size else nothing,
        float(kept.zeros.mean()) if kept.zeros.size else nothing,
        tuple(np.flatnonzero(kept.dead).tolist()),
        bool(known.all()),
    )
