"""Telling a kernel that an initializer has just made from one that was trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import erf, inf, log, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST, _SAMPLE = 24, 1 << 15
_CUT = 0.8796256610342398
"""The deviation of a normal distribution that is cut at two deviations, as a share of them."""
_DISTANCE, _DEVIATIONS, _NEVER = 2.3, 4.0, 10.0
_EDGE = 1 + 1e-5


def looks_initial(kernel: NDArray[Any]) -> bool | None:
    """Whether a kernel's values are as one of the usual initializers makes them.

    kernel: (\\*taps, inputs, outputs). True where the values keep to the bounds of a uniform or
    truncated normal distribution of the width that its shape asks for (Glorot and Bengio 2010,
    He et al. 2015, LeCun et al. 1998, and the fixed widths that frameworks default to), come
    as near to them as chance would, and have the mean, the deviation and the distribution
    function (Kolmogorov and Smirnov) that chance would give; each test is passed by chance in
    all but about 1 of 20,000 cases. None where there are too few values to tell, or all are
    the same.

    >>> random = np.random.default_rng(0)
    >>> made = random.uniform(-1, 1, (3, 3, 8, 16)) * np.sqrt(6 / (72 + 144))
    >>> looks_initial(made), looks_initial(made + 0.01), looks_initial(made[:, :, :1, :1])
    (True, False, None)
    """
    if kernel.size < _FEWEST or kernel.ndim < 2:
        return None
    largest = float(np.abs(kernel).max())
    if not np.isfinite(largest):
        return False
    flat = kernel.reshape(-1)
    values = np.sort(flat[:: max(1, flat.size // _SAMPLE)].astype(np.float64))
    if values[0] == values[-1]:
        return None
    mean, deviation = float(values.mean()), float(values.std())
    for made in _makers(kernel.shape):
        slack = _DEVIATIONS / sqrt(len(values))
        if (
            abs(mean) <= slack * made.deviation
            and abs(deviation / made.deviation - 1) <= slack / sqrt(2)
            and made.near(largest, kernel.size)
            and _fits(values, made.below(values))
        ):
            return True
    return False


@dataclass(frozen=True)
class _Maker:
    """A distribution about 0. bound: its largest magnitude; infinite for a normal one."""

    deviation: float
    bound: float
    uniform: bool = False

    def below(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The distribution function."""
        if self.uniform:
            return (values / self.bound + 1) / 2
        if self.bound == inf:
            return _normal_below(values / self.deviation)
        inside = _normal_below(values / (self.deviation / _CUT))
        low, high = _normal_below(np.array([-2.0, 2.0]))
        below: NDArray[np.float64] = (inside - low) / (high - low)
        return below

    def near(self, largest: float, count: int) -> bool:
        """Whether the largest of so many magnitudes is where chance would have it."""
        if self.bound == inf:
            return largest <= self.deviation * (2 + sqrt(2 * log(count)))
        inside = float(self.below(np.array([largest]))[0])
        return largest <= self.bound * _EDGE and 2 * (1 - inside) <= _NEVER / count


def _makers(shape: tuple[int, ...]) -> Iterator[_Maker]:
    """What the usual initializers draw from, for a kernel of this shape."""
    taps = prod(shape[:-2])
    # As Keras and TensorFlow count the inputs and outputs of one neuron.
    into, out = float(taps * shape[-2]), float(taps * shape[-1])
    for scale in (2 / (into + out), 2 / into, 1 / into, 1 / (3 * into), 1 / out, 2 / out):
        yield _Maker(sqrt(scale), sqrt(3 * scale), uniform=True)
        yield _Maker(sqrt(scale), 2 * sqrt(scale) / _CUT)
        yield _Maker(sqrt(scale), inf)
    yield _Maker(0.05 / sqrt(3), 0.05, uniform=True)
    for fixed in (0.01, 0.02, 0.05, 0.1, 1.0):
        # TruncatedNormal is given the deviation that it has before it is cut.
        yield _Maker(fixed * _CUT, 2 * fixed)
        yield _Maker(fixed, inf)


def _fits(values: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """values: sorted. expected: the distribution function at each of them."""
    count = len(values)
    steps = np.arange(count + 1) / count
    distance = max(
        float(np.abs(expected - steps[:-1]).max()), float(np.abs(expected - steps[1:]).max())
    )
    return distance * sqrt(count) < _DISTANCE


_ERF = np.array([erf(x / 1000) for x in range(-6000, 6001)])


def _normal_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normal distribution function, interpolated in a table (to 1e-7)."""
    places = np.arange(-6000, 6001) / 1000
    below: NDArray[np.float64] = (1 + np.interp(values / sqrt(2), places, _ERF)) / 2
    return below
