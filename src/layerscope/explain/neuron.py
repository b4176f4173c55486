"""One neuron: a single value taken apart to the last multiplication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.contributions import Explanation
from layerscope.explain.explained import checked_place
from layerscope.explain.kernels import Floats
from layerscope.explain.partial import Values
from layerscope.explain.windows import Window


@dataclass(frozen=True, eq=False)
class Neuron:
    """One value of one output channel.

    explanation: of the whole channel. at: the value's place. patch: (inputs, \\*taps), what each
    tap of the kernel reads, 0 where it reads padding. inside: (\\*taps), whether a tap reads the
    layer's input at all. place: (start, stop) of the patch along each spatial axis of the
    layer's input, half-open, padding left out. sums: (inputs,), patch × kernel summed for each
    input channel.
    """

    explanation: Explanation
    at: tuple[int, ...]
    patch: Floats
    inside: NDArray[np.bool_]
    place: tuple[tuple[int, int], ...]
    sums: Floats

    @property
    def kernel(self) -> Values:
        """The weights: (inputs, \\*taps)."""
        return self.explanation.kernel

    @property
    def bias(self) -> float:
        """The bias of the output channel."""
        return self.explanation.bias

    @property
    def pre_activation(self) -> float:
        """The value before the activation function, as the network computed it."""
        return float(self.explanation.pre_activation[self.at])

    @property
    def value(self) -> float:
        """The value, as the network computed it."""
        return float(self.explanation.output[self.at])


def neuron(explanation: Explanation, at: Sequence[int]) -> Neuron:
    """One value of an explained channel taken apart.

    at: its place along the layer's spatial axes, such as (row, column). Raises SelectionError
    for a place that does not exist.
    """
    e = explanation
    at = checked_place(e.node, e.output.shape, at)
    if not e.windows:
        chosen: tuple[Any, ...] = (slice(None), *at)
        patch = e.maps[chosen].astype(np.float64)
        place = tuple((i, i + 1) for i in at)
        return Neuron(e, at, patch, np.ones((), np.bool_), place, patch * e.kernel)
    reads = [_positions(window, i) for window, i in zip(e.windows, at, strict=True)]
    inside: NDArray[np.bool_] = np.ones((), np.bool_)
    for positions in reads:
        inside = np.logical_and.outer(inside, positions >= 0)
    corner = np.ix_(*(positions.clip(0) for positions in reads))
    picked = np.stack([plane[corner] for plane in e.maps]).astype(np.float64)
    patch = np.where(inside, picked, 0.0)
    place = tuple(
        (int(held.min()), int(held.max()) + 1) if (held := p[p >= 0]).size else (0, 0)
        for p in reads
    )
    sums = (patch * e.kernel).reshape(len(patch), -1).sum(axis=1)
    return Neuron(e, at, patch, inside, place, sums)


def _positions(window: Window, place: int) -> NDArray[np.intp]:
    """The input position that each tap of one output position reads; -1 for none."""
    at = np.full(window.size, -1, np.intp)
    for tap in range(window.size):
        source, target = window.overlap(tap)
        held = np.arange(window.outputs)[target]
        found = np.flatnonzero(held == place)
        if len(found):
            at[tap] = np.arange(window.inputs)[source][found[0]]
    return at
