"""Outline: what an epoch of a record comes to, layer by layer, in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axis
from layerscope.graph import Node

Singles = NDArray[np.float32]


@dataclass(frozen=True)
class LayerOutline:
    """A layer at an epoch, over all pictures.

    low, high: the least and largest finite value, NaN where there is none. zeros: the share
    (0 to 1) of values that are exactly 0, NaN where none is known. dead: how many channels
    are 0 everywhere. channels: how many there are. reach: the largest magnitude in its kernel,
    None where none is recorded. channel_edges: the least and the largest value of each channel,
    None where channels are single values.
    """

    low: float
    high: float
    zeros: float
    dead: int
    channels: int
    reach: float | None = None
    channel_edges: tuple[Singles, Singles] | None = None


@dataclass(frozen=True)
class Outline:
    """An epoch of a record: its layers by name."""

    layers: Mapping[str, LayerOutline]


def outline_of(
    node: Node,
    low: NDArray[Any],
    high: NDArray[Any],
    zeros: NDArray[Any],
    kernel: NDArray[Any] | None,
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
        _channel_edges(low, high) if _has_maps(node) and len(low) else None,
    )


def _channel_edges(low: NDArray[Any], high: NDArray[Any]) -> tuple[Singles, Singles]:
    return (
        np.fmin.reduce(low, axis=0).astype(np.float32),
        np.fmax.reduce(high, axis=0).astype(np.float32),
    )


def _has_maps(node: Node) -> bool:
    """Whether a channel holds more than a single value."""
    names = node.axes.names
    rest = [i for i, name in enumerate(names) if name not in (Axis.BATCH, Axis.CHANNEL)]
    tiles = Axis.CHANNEL in names and not {Axis.QUERY, Axis.KEY} <= set(names)
    return tiles and any(node.shape[i] != 1 for i in rest)


def _reach(kernel: NDArray[Any]) -> float:
    values = np.abs(kernel[np.isfinite(kernel)])
    return float(values.max(initial=0.0))
