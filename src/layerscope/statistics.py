"""Figures of an activation, gathered batch by batch and merged without loss."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes

_CHUNK = 2**18
_SAME = 1e-6


@dataclass(frozen=True)
class Statistics:
    """Figures of a whole activation.

    min, max, mean, std: over all values that are finite; NaN where none is. zeros: the share
    (0 to 1) of values that are exactly 0. dead: channels that are 0 everywhere, for every
    sample. finite: whether no value is NaN or infinite. constant: channels that hold one number
    other than 0 everywhere, for every sample, to a millionth of it.
    """

    min: float
    max: float
    mean: float
    std: float
    zeros: float
    dead: tuple[int, ...]
    finite: bool = True
    constant: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The figures as a manifest holds them; NaN becomes null."""
        figures = {name: getattr(self, name) for name in ("min", "max", "mean", "std", "zeros")}
        return {
            **{name: None if math.isnan(value) else value for name, value in figures.items()},
            "dead": list(self.dead),
        }


class Tally:
    """Gathers the statistics of one node over any number of batches.

    Mean and variance are merged by the formula of Chan, Golub and LeVeque, "Updating
    formulae and a pairwise algorithm for computing sample variances" (1979).

    >>> tally = Tally()
    >>> tally.add(np.array([[0.0, 2.0]]), Axes.parse("NC"))
    >>> tally.add(np.array([[0.0, 4.0]]), Axes.parse("NC"))
    >>> tally.statistics().mean, tally.statistics().zeros, tally.statistics().dead
    (1.5, 0.5, (0,))
    """

    def __init__(self) -> None:
        self._size = self._finite = self._zeros = 0
        self._mean = self._squares = 0.0
        self._low, self._high = math.inf, -math.inf
        self._ends: tuple[NDArray[Any], NDArray[Any]] | None = None

    @property
    def finite(self) -> bool:
        """Whether no value so far was NaN or infinite."""
        return self._finite == self._size

    def add(self, array: NDArray[Any], axes: Axes) -> None:
        """Add a batch. array: real values, its dimensions as ``axes`` has them."""
        if array.size == 0:
            return
        self._size += array.size
        self._zeros += array.size - int(np.count_nonzero(array))
        if axes.channel is not None:
            others = tuple(i for i in range(array.ndim) if i != axes.channel)
            low, high = array.min(axis=others), array.max(axis=others)
            if self._ends is not None:
                low, high = np.minimum(low, self._ends[0]), np.maximum(high, self._ends[1])
            self._ends = low, high
        flat = array.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            self._add_chunk(flat[start : start + _CHUNK])

    def _add_chunk(self, chunk: NDArray[Any]) -> None:
        values = chunk.astype(np.float64)
        low, high = float(values.min()), float(values.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            values = values[np.isfinite(values)]
            if values.size == 0:
                return
            low, high = float(values.min()), float(values.max())
        self._low, self._high = min(self._low, low), max(self._high, high)
        mean = float(values.mean())
        values -= mean
        np.square(values, out=values)
        squares, count = float(values.sum()), values.size
        total, apart = self._finite + count, mean - self._mean
        self._squares += squares + apart * apart * self._finite * count / total
        self._mean += apart * count / total
        self._finite = total

    def statistics(self) -> Statistics:
        """The figures of everything added so far."""
        none = self._finite == 0
        dead, constant = _still(*self._ends) if self._ends is not None else ((), ())
        return Statistics(
            min=math.nan if none else self._low,
            max=math.nan if none else self._high,
            mean=math.nan if none else self._mean,
            std=math.nan if none else math.sqrt(self._squares / self._finite),
            zeros=self._zeros / self._size if self._size else math.nan,
            dead=dead,
            finite=self.finite,
            constant=constant,
        )


def _still(low: NDArray[Any], high: NDArray[Any]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Channels that are 0 everywhere, and those that are another number everywhere."""
    low, high = low.astype(np.float64), high.astype(np.float64)
    dead = (low == 0) & (high == 0)
    with np.errstate(invalid="ignore"):  # infinite ends
        same = ~dead & (high - low <= _SAME * np.maximum(np.abs(low), np.abs(high)))
    return tuple(map(int, np.flatnonzero(dead))), tuple(map(int, np.flatnonzero(same)))
