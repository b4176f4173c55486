"""Maps as bytes: every channel of every picture between its own extremes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOT_FINITE = 0
LOWEST, HIGHEST = 1, 255

_BYTES, _BLOCK = 256, 2**20


@dataclass(frozen=True, eq=False)
class Quantized:
    """Channels as bytes.

    levels: uint8 of shape (batch, channels, *rest): 1 stands for ``low``, 255 for ``high``,
    linearly between; 0 for NaN and infinite values. low, high: float32 of shape (batch,
    channels), the finite extremes, NaN where there are none.
    """

    levels: NDArray[np.uint8]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def of_sample(self, sample: int) -> Quantized:
        """One picture's, as a batch of one; where there is no batch, what there is."""
        at = min(sample, len(self.levels) - 1)
        part = slice(at, at + 1)
        return Quantized(self.levels[part], self.low[part], self.high[part])

    def values(self) -> NDArray[np.float32]:
        """The values as floats, NaN where they were not finite.

        They differ from those that were recorded by at most 1/508 of the channel's range.
        """
        found = np.empty(self.levels.shape, np.float32)
        rows = self.levels.reshape(self.low.size, -1)
        result = found.reshape(rows.shape)
        low, high = (edge.astype(np.float64).ravel() for edge in (self.low, self.high))
        step = max(1, _BLOCK // _BYTES)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            tables = _tables(low[part], high[part])
            for table, row, into in zip(tables, rows[part], result[part], strict=True):
                np.take(table, row, out=into)
        return found


def _tables(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float32]:
    """What each byte stands for: (channels, 256)."""
    share = (np.arange(_BYTES) - LOWEST) / (HIGHEST - LOWEST)
    with np.errstate(invalid="ignore", over="ignore"):
        tables = (low[:, None] + share * (high - low)[:, None]).astype(np.float32)
    tables[:, NOT_FINITE] = np.nan
    return tables


def quantize(planes: NDArray[Any]) -> Quantized:
    """Channels as bytes. planes: shape (batch, channels, *rest), real values.

    >>> held = quantize(np.array([[[0.0, 1.0, 4.0]]]))
    >>> held.levels.tolist(), float(held.values()[0, 0, 2])
    ([[[1, 65, 255]]], 4.0)
    """
    values = planes.astype(np.float64)
    rest = tuple(range(2, values.ndim))
    finite = np.isfinite(values)
    low = np.where(finite, values, np.inf).min(axis=rest, keepdims=True, initial=np.inf)
    high = np.where(finite, values, -np.inf).max(axis=rest, keepdims=True, initial=-np.inf)
    none = low > high
    low, high = np.where(none, 0.0, low), np.where(none, 0.0, high)
    span = high - low
    share = (np.where(finite, values, low) - low) / np.where(span > 0, span, 1.0)
    levels = (share * (HIGHEST - LOWEST) + (LOWEST + 0.5)).astype(np.uint8)
    levels[~finite] = NOT_FINITE
    edge = values.shape[:2]
    low, high = (np.where(none, np.nan, x).reshape(edge) for x in (low, high))
    return Quantized(levels, low.astype(np.float32), high.astype(np.float32))
