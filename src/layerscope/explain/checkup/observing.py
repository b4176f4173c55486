"""Observing: the figures of a node's or an input's values that findings rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes
from layerscope.graph import Node
from layerscope.operations import Convolution, Dense, Elementwise
from layerscope.statistics import Statistics, Tally

_ENDS = {"sigmoid": (0.01, 0.99), "tanh": (-0.99, 0.99)}
_RECTIFIERS = ("relu", "relu6", "re_lu")


@dataclass(frozen=True)
class Observation:
    """What was seen of one node over all samples.

    each: values of every channel. saturated: the share (0 to 1) of values at the ends of a
    sigmoid or tanh; 0 for other nodes. nan, infinite: how many. fractions: whether a value is
    no whole number (looked at for inputs only).
    """

    statistics: Statistics
    each: int = 0
    saturated: float = 0.0
    nan: int = 0
    infinite: int = 0
    fractions: bool = False


class Observer:
    """Gathers the observation of one node, batch by batch."""

    def __init__(self, node: Node) -> None:
        self._ends = _ENDS.get(function_of(node))
        self._is_input = node.index is None
        self._tally = Tally()
        self._size = self._each = self._at_ends = self._nan = self._infinite = 0
        self._fractions = False

    def add(self, array: NDArray[Any], axes: Axes) -> None:
        """Add a batch. array: its dimensions as ``axes`` has them."""
        self._tally.add(array, axes)
        self._size += array.size
        self._each += array.size // max(1, 1 if axes.channel is None else array.shape[axes.channel])
        if self._ends is not None:
            self._at_ends += int(((array <= self._ends[0]) | (array >= self._ends[1])).sum())
        if not self._tally.finite and array.dtype.kind == "f":
            nan = int(np.isnan(array).sum())
            self._nan += nan
            self._infinite += int((~np.isfinite(array)).sum()) - nan
        if self._is_input and array.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                self._fractions |= bool((array % 1 > 0).any())

    def observation(self) -> Observation:
        """The figures of everything added so far."""
        return Observation(
            self._tally.statistics(),
            self._each,
            self._at_ends / self._size if self._size else 0.0,
            self._nan,
            self._infinite,
            self._fractions,
        )


def observe(array: NDArray[Any], axes: Axes, node: Node) -> Observation:
    """The observation of one array alone."""
    observer = Observer(node)
    observer.add(array, axes)
    return observer.observation()


def function_of(node: Node) -> str:
    """The activation function that a node applies: its own, or the one fused with it."""
    operation = node.operation
    if isinstance(operation, Elementwise):
        return operation.function
    return operation.activation if isinstance(operation, Convolution | Dense) else ""


def is_rectifier(node: Node) -> bool:
    """Whether a node ends in a function that makes negative values 0."""
    return function_of(node) in _RECTIFIERS
