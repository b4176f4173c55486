"""Outline: what an epoch of a record comes to, layer by layer, in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerOutline:
    """A layer at an epoch, over all pictures.

    low, high: the least and largest finite value, NaN where there is none. zeros: the share
    (0 to 1) of values that are exactly 0, NaN where none is known. dead: how many channels
    are 0 everywhere. channels: how many there are. reach: the largest magnitude in its kernel,
    None where none is recorded.
    """

    low: float
    high: float
    zeros: float
    dead: int
    channels: int
    reach: float | None = None


@dataclass(frozen=True)
class Outline:
    """An epoch of a record: its layers by name."""

    layers: Mapping[str, LayerOutline]


def outline_of(
    low: NDArray[Any], high: NDArray[Any], zeros: NDArray[Any], kernel: NDArray[Any] | None
) -> LayerOutline:
    """The outline of a layer. low, high: (batch, channels). zeros: (channels,)."""
    edges = np.concatenate([low.ravel(), high.ravel()])
    edges = edges[np.isfinite(edges)]
    return LayerOutline(
        float(edges.min()) if edges.size else float("nan"),
        float(edges.max()) if edges.size else float("nan"),
        float(zeros.mean()) if zeros.size else float("nan"),
        int(np.count_nonzero(zeros == 1.0)),
        zeros.size,
        None if kernel is None else _reach(kernel),
    )


def _reach(kernel: NDArray[Any]) -> float:
    values = np.abs(kernel[np.isfinite(kernel)])
    return float(values.max(initial=0.0))
