"""Joining: what each of several inputs gave to a sum, a product, a maximum and the like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from layerscope.explain.copies import Ints
from layerscope.explain.explained import Explained, Sample, checked, largest
from layerscope.explain.kernels import Floats
from layerscope.graph import Node
from layerscope.operations import Concatenation, Elementwise

Parts = Sequence[Floats]


def _sum(parts: Parts) -> Floats:
    return reduce(np.add, parts)


_DIVISIONS = ("divide", "true_divide")
_FUNCTIONS: dict[str, Callable[[Parts], Floats]] = {
    "add": lambda parts: _sum(parts),
    "subtract": lambda parts: parts[0] - parts[1],
    "multiply": lambda parts: reduce(np.multiply, parts),
    "average": lambda parts: _sum(parts) / len(parts),
    "maximum": lambda parts: reduce(np.maximum, parts),
    "minimum": lambda parts: reduce(np.minimum, parts),
    **dict.fromkeys(_DIVISIONS, lambda parts: parts[0] / parts[1]),
}
_OF_TWO = ("subtract", *_DIVISIONS)
_WINNING: dict[str, Callable[..., Ints]] = {"maximum": np.argmax, "minimum": np.argmin}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Joined(Explained):
    """One channel of a node that joins several inputs value by value, or end to end.

    function: ``"add"``, ``"subtract"``, ``"multiply"``, ``"divide"``, ``"average"``,
    ``"maximum"``, ``"minimum"``, or ``"concatenate"`` along an axis that is not the channels.
    parts: for each input its channel, as large as the output where it is repeated. winners: of
    a maximum or minimum, (\\*spatial), the number of the input that gave the value; the first,
    where several are equal. axis: of a concatenation, the axis of the parts.
    """

    function: str
    parts: tuple[Floats, ...]
    winners: Ints | None = None
    axis: int | None = None

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Each input's share, from 0 to 1.

        Of the energy (sum of squares) of all inputs; of a maximum or minimum, of the values
        that are its own. None for products, where shares mean nothing.
        """
        if self.function == "multiply" or self.function in _DIVISIONS:
            return None
        count = len(self.parts)
        if self.winners is not None:
            size = max(self.winners.size, 1)
            return tuple(float((self.winners == i).sum() / size) for i in range(count))
        energy = [float(np.square(part).sum()) for part in self.parts]
        total = sum(energy)
        return tuple(one / total if total > 0 else 0.0 for one in energy)


class Joining:
    """A node that joins several inputs, on one sample.

    given: its inputs. output: its output.
    """

    def __init__(self, given: Sequence[Sample], output: Sample) -> None:
        self.node, self.given, self.output = output.node, tuple(given), output

    @staticmethod
    def suits(node: Node) -> bool:
        """Whether a node joins its inputs in a way that is known."""
        operation, count = node.operation, len(node.inputs)
        if isinstance(operation, Concatenation):
            return operation.axis != node.axes.channel and operation.axis != node.axes.batch
        if not isinstance(operation, Elementwise) or operation.function not in _FUNCTIONS:
            return False
        return count == 2 if operation.function in _OF_TWO else count > 1

    @property
    def channels(self) -> int:
        """The number of output channels."""
        return self.output.channels

    def explain(self, channel: int) -> Joined:
        """What each input gave to one channel."""
        self.output.check_channel(channel)
        operation = self.node.operation
        output = self.output.plane(channel)
        axis = winners = None
        if isinstance(operation, Concatenation):
            function = "concatenate"
            parts = tuple(self.output.plane(channel, one.values) for one in self.given)
            axis = self._joined_axis(operation.axis)
            made, added = np.concatenate(parts, axis=axis), 0.0
        else:
            assert isinstance(operation, Elementwise)
            function = operation.function
            shape = self.output.values.shape
            parts = tuple(
                self.output.plane(channel, np.broadcast_to(one.values, shape)) for one in self.given
            )
            with np.errstate(all="ignore"):
                made = np.asarray(_FUNCTIONS[function](parts), np.float64)
            added = sum(map(largest, parts)) if function in ("add", "subtract", "average") else 0.0
            if function in _WINNING:
                winners = np.asarray(_WINNING[function](np.stack(parts), axis=0), np.int64)
        what = f"its inputs put through {function.replace('_', ' ')}"
        residual = checked(self.node, channel, made, output, what, added)
        return Joined(
            node=self.node,
            channel=channel,
            sources=tuple(one.node for one in self.given),
            output=output,
            residual=residual,
            function=function,
            parts=parts,
            winners=winners,
            axis=axis,
        )

    def _joined_axis(self, axis: int) -> int:
        """The place among a channel's axes of an axis of the node's output."""
        gone = (self.node.axes.batch, self.node.axes.channel)
        return axis - sum(other is not None and other < axis for other in gone)
