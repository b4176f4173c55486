"""Pooling: which input values each pooled value is made of, and which of them won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.explain.copies import Ints
from layerscope.explain.explained import Explained, Sample, agrees, checked, checked_place, largest
from layerscope.explain.kernels import Floats
from layerscope.explain.windows import windows
from layerscope.operations import Pooling as PoolingOperation


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Pooled(Explained):
    """One channel of a pooling layer.

    function: ``"max"`` or ``"mean"``. given: (\\*spatial), the input channel. positions: for
    each spatial axis of the input (outputs along it, taps), the position that each tap of the
    window reads, −1 for padding that is left out. winners: of a maximum, (axes, \\*output
    spatial), the input position that each output value is; the first, where several are equal.
    wins: (\\*spatial), how many output values each input value gave; None for a mean, where the
    values of a window weigh the same.
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
        """One channel's windows.

        Raises SelectionError for a channel that does not exist, ModelError where its windows do
        not give what the network computed.
        """
        self.output.check_channel(channel)
        given, output = self.given.plane(channel), self.output.plane(channel)
        function = self.operation.function
        winners = wins = None
        positions = self.positions
        if function == "max":
            what = "the largest value"
            made, winners = _largest(given, positions)
            wins = np.zeros(given.shape, np.int64)
            np.add.at(wins, tuple(winners), 1)
            winners = winners.reshape(given.ndim, *output.shape)
        elif function == "mean":
            what = "the mean"
            made = _mean(given, positions)
            if not agrees(self.node, made.reshape(output.shape), output, largest(given))[0]:
                positions, made = self._repeating(given, output, made)
        else:
            raise ModelError(
                f"expected a maximum or a mean to explain but {self.node.name} ({self.node.type}) "
                f"takes the {function}. Choose another layer."
            )
        residual = checked(
            self.node, channel, made.reshape(output.shape), output, f"{what} of each window",
            largest(given),
        )  # fmt: skip
        return Pooled(
            node=self.node,
            channel=channel,
            sources=(self.given.node,),
            output=output,
            residual=residual,
            function=function,
            given=given,
            positions=positions,
            winners=winners,
            wins=wins,
        )

    def _repeating(
        self, given: Floats, output: Floats, made: Floats
    ) -> tuple[tuple[Ints, ...], Floats]:
        """Windows that repeat the border, where these and not plain ones give the output.

        So Keras pads on torch where the two sides are not padded alike.
        """
        positions = self._positions(repeat=True)
        repeated = _mean(given, positions)
        if agrees(self.node, repeated.reshape(output.shape), output, largest(given))[0]:
            return positions, repeated
        return self.positions, made

    def _positions(self, *, repeat: bool = False) -> tuple[Ints, ...]:
        inputs, outputs = self.given.plane(0).shape, self.output.plane(0).shape
        if self.operation.everywhere:
            return tuple(np.arange(size)[np.newaxis] for size in inputs)
        found = []
        for window in windows(self.operation, inputs, outputs):
            starts = np.arange(window.outputs)[:, np.newaxis] * window.stride - window.before
            taps = starts + np.arange(window.size) * window.dilation
            inside = (taps >= 0) & (taps < window.inputs)
            found.append(taps.clip(0, window.inputs - 1) if repeat else np.where(inside, taps, -1))
        return tuple(found)


def _read(given: Floats, positions: tuple[Ints, ...]) -> tuple[Floats, NDArray[np.bool_]]:
    """What every window holds: (\\*outputs, \\*taps), and which of it is no padding."""
    rank = len(positions)
    places, inside = [], np.ones((1,) * 2 * rank, np.bool_)
    for axis, taps in enumerate(positions):
        shape = [1] * 2 * rank
        shape[axis], shape[rank + axis] = taps.shape
        laid = taps.reshape(shape)
        places.append(laid.clip(0))
        inside = inside & (laid >= 0)
    read = given[tuple(places)]
    return read, np.broadcast_to(inside, read.shape)


def _largest(given: Floats, positions: tuple[Ints, ...]) -> tuple[Floats, Ints]:
    """The largest value of every window, and its position in the input: (axes, \\*outputs)."""
    read, inside = _read(given, positions)
    shape = read.shape[: given.ndim]
    flat = np.where(inside, read, -np.inf).reshape(*shape, -1)
    best = flat.argmax(axis=-1)
    taps = np.unravel_index(best, tuple(axis.shape[1] for axis in positions))
    places = np.indices(shape)
    winners = np.stack([axis[places[i], taps[i]] for i, axis in enumerate(positions)])
    return np.take_along_axis(flat, best[..., None], -1)[..., 0], winners


def _mean(given: Floats, positions: tuple[Ints, ...]) -> Floats:
    """The mean of every window, padding left out."""
    read, inside = _read(given, positions)
    taps = tuple(range(given.ndim, 2 * given.ndim))
    found: Floats = np.where(inside, read, 0.0).sum(axis=taps) / inside.sum(axis=taps)
    return found
