"""Figures of every channel of an activation, over all pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelStatistics:
    """Figures per channel, over all pictures and places: arrays of one entry for each.

    mean, std: of all values; NaN where one of them is not finite. zeros: the share (0 to 1)
    of values that are exactly 0.
    """

    mean: Floats
    std: Floats
    zeros: Floats

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which channels are 0 everywhere, for every picture."""
        dead: NDArray[np.bool_] = self.zeros == 1.0
        return dead

    @classmethod
    def of(cls, planes: NDArray[Any]) -> ChannelStatistics:
        """The figures of channels. planes: shape (batch, channels, *rest)."""
        values = np.moveaxis(planes, 1, 0).reshape(planes.shape[1], -1).astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            zeros = 1.0 - np.count_nonzero(values, axis=1) / values.shape[1]
            return cls(values.mean(axis=1), values.std(axis=1), zeros)
