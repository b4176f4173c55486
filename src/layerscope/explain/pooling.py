"""Pooling: which input values each pooled value is made of, and which of them won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.explain.copies import Ints
from layerscope.explain.explained import Explained, Sample, checked, checked_place
from layerscope.explain.kernels import Floats
from layerscope.explain.windows import windows
from layerscope.operations import Pooling as PoolingOperation


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Pooled(Explained):
    """One channel of a pooling layer.

    function: ``"max"`` or ``"mean"``. given: (\\*spatial), the input channel. positions: for
    each spatial axis of the input (outputs along it, taps), the position that each tap of the
    window reads, −1 for padding. winners: of a maximum, (axes, \\*output spatial), the input
    position that each output value is; the first, where several are equal. wins: (\\*spatial),
    how many output values each input value gave; None for a mean, where the values of a window
    weigh the same.
    """

    function: str
    given: Floats
    positions: tuple[Ints, ...]
    winners: Ints | None = None
    wins: Ints | None = None

    def window(self, at: Sequence[int]) -> tuple[Floats, NDArray[np.bool_]]:
        """The values that one output value is made of, and which of them are no padding.

        at: the place of the output value. Padding stands as 0. Raises SelectionError for a
        place that does not exist.
        """
        reads = [taps[place] for taps, place in zip(self.positions, self._along(at), strict=True)]
        inside: NDArray[np.bool_] = np.ones((), np.bool_)
        for taps in reads:
            inside = np.logical_and.outer(inside, taps >= 0)
        values = self.given[np.ix_(*(taps.clip(0) for taps in reads))]
        return np.where(inside, values, 0.0), inside

    def place(self, at: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The (start, stop) of a value's window along each spatial axis of the input."""
        found = []
        for taps, place in zip(self.positions, self._along(at), strict=True):
            held = taps[place][taps[place] >= 0]
            found.append((int(held.min()), int(held.max()) + 1) if held.size else (0, 0))
        return tuple(found)

    def winner(self, at: Sequence[int]) -> tuple[int, ...] | None:
        """The input position that one output value of a maximum is."""
        place = checked_place(self.node, self.output.shape, at)
        if self.winners is None:
            return None
        return tuple(int(axis[place]) for axis in self.winners)

    def _along(self, at: Sequence[int]) -> tuple[int, ...]:
        """The place along each spatial axis of the input; the first, where an axis is gone."""
        place = checked_place(self.node, self.output.shape, at)
        return place if len(place) == len(self.positions) else (0,) * len(self.positions)


class Pooling:
    """A pooling layer on one sample. given, output: its input and output."""

    def __init__(self, given: Sample, output: Sample) -> None:
        assert isinstance(output.node.operation, PoolingOperation)
        self.node, self.given, self.output = output.node, given, output
        self.operation = output.node.operation
        self.positions = self._positions()

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.output.channels

    def explain(self, channel: int) -> Pooled:
        """One channel's windows."""
        self.output.check_channel(channel)
        given, output = self.given.plane(channel), self.output.plane(channel)
        read, inside = self._read(given)
        taps = tuple(range(given.ndim, 2 * given.ndim))
        shape = read.shape[: given.ndim]
        winners = wins = None
        function = self.operation.function
        if function == "max":
            flat = np.where(inside, read, -np.inf).reshape(*shape, -1)
            best = flat.argmax(axis=-1)
            made = np.take_along_axis(flat, best[..., None], -1)[..., 0]
            winners = self._places(best, shape)
            wins = np.zeros(given.shape, np.int64)
            np.add.at(wins, tuple(winners), 1)
            winners = winners.reshape(given.ndim, *output.shape)
        elif function == "mean":
            made = np.where(inside, read, 0.0).sum(axis=taps) / inside.sum(axis=taps)
        else:
            raise ModelError(
                f"expected a maximum or a mean to explain but {self.node.name} ({self.node.type}) "
                f"takes the {function}. Choose another layer."
            )
        what = "the largest value" if function == "max" else "the mean"
        residual = checked(
            self.node, channel, made.reshape(output.shape), output, f"{what} of each window",
            float(np.abs(given).max(initial=0)),
        )  # fmt: skip
        return Pooled(
            node=self.node,
            channel=channel,
            sources=(self.given.node,),
            output=output,
            residual=residual,
            function=function,
            given=given,
            positions=self.positions,
            winners=winners,
            wins=wins,
        )

    def _positions(self) -> tuple[Ints, ...]:
        inputs, outputs = self.given.plane(0).shape, self.output.plane(0).shape
        if self.operation.everywhere:
            return tuple(np.arange(size)[np.newaxis] for size in inputs)
        found = []
        for window in windows(self.operation, inputs, outputs):
            starts = np.arange(window.outputs)[:, np.newaxis] * window.stride - window.before
            taps = starts + np.arange(window.size) * window.dilation
            found.append(np.where((taps >= 0) & (taps < window.inputs), taps, -1))
        return tuple(found)

    def _read(self, given: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """What every window holds: (\\*outputs, \\*taps), and which of it is no padding."""
        rank = len(self.positions)
        places, inside = [], np.ones((1,) * 2 * rank, np.bool_)
        for axis, taps in enumerate(self.positions):
            shape = [1] * 2 * rank
            shape[axis], shape[rank + axis] = taps.shape
            laid = taps.reshape(shape)
            places.append(laid.clip(0))
            inside = inside & (laid >= 0)
        read = given[tuple(places)]
        return read, np.broadcast_to(inside, read.shape)

    def _places(self, best: Ints, shape: tuple[int, ...]) -> Ints:
        """The input position of the chosen tap of each window: (axes, \\*outputs)."""
        taps = np.unravel_index(best, tuple(axis.shape[1] for axis in self.positions))
        places = np.indices(shape)
        return np.stack([axis[places[i], taps[i]] for i, axis in enumerate(self.positions)])
