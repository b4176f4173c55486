"""Differences: one run's values minus another's, node by node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import InputError
from layerscope.render.stack import numeric


def sample_of(activation: Activation, sample: int) -> Activation:
    """One sample as a batch of one."""
    axis = activation.axes.batch
    if axis is None:
        return activation
    return replace(activation, array=np.take(activation.array, [sample], axis=axis))


def difference(one: Activation, other: Activation) -> Activation:
    """The first minus the second, value by value; both are batches of one.

    Whole numbers are subtracted in double precision, so that none overflows. Raises InputError
    where their shapes differ.
    """
    first, second = numeric(one), numeric(other)
    if first.array.shape != second.array.shape:
        raise InputError(
            f"{one.name} gives arrays of shape {first.array.shape} and {second.array.shape}, "
            "which have no difference. Compare pictures of one size: --size HxW."
        )
    with np.errstate(invalid="ignore", over="ignore"):
        array: NDArray[Any] = _floating(first.array) - _floating(second.array)
    return replace(first, array=array)


def _floating(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.kind == "f" else array.astype(np.float64)
