"""Explained: what the explanations of all kinds of nodes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.contributions import TOLERANCE, Explanation
from layerscope.explain.kernels import Floats
from layerscope.graph import Node

# What single precision may round to 0.
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """One output channel of a node that is no convolution or dense layer, for one sample.

    node, channel: what is explained. sources: the nodes that feed it. output: (\\*spatial), as
    the network computed it. residual: the largest difference between the output and what the
    explanation gives, over the output's largest magnitude.
    """

    node: Node
    channel: int
    sources: tuple[Node, ...]
    output: Floats
    residual: float
    records: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def source(self) -> Node:
        """The node that feeds it; the first, where there are several."""
        return self.sources[0]

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.output.shape)) or "one value"
        return (
            f"<{type(self).__name__} {self.node.name}:{self.channel}: {shape}, "
            f"residual {self.residual:.2g}>"
        )


class Explainer(Protocol):
    """A node on one sample, ready to have its channels explained."""

    node: Node

    @property
    def channels(self) -> int:
        """The number of output channels."""

    def explain(self, channel: int) -> Explanation | Explained:
        """One output channel. Raises SelectionError for one that does not exist."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One node's values for one sample. values: the array without its batch axis."""

    node: Node
    values: NDArray[Any]

    @classmethod
    def of(cls, activation: Activation, sample: int) -> Sample:
        """One sample of an activation. Raises SelectionError where there is none."""
        batch = activation.axes.batch
        if batch is None:
            return cls(activation.node, activation.array)
        count = activation.array.shape[batch]
        if not -count <= sample < count:
            raise SelectionError(
                f"There are samples 0 to {count - 1}, but sample {sample} was asked for. "
                "Choose one in that range."
            )
        return cls(activation.node, activation.array.take(sample, axis=batch))

    @property
    def channel_axis(self) -> int | None:
        """The position of the channel axis in ``values``, or None."""
        channel, batch = self.node.axes.channel, self.node.axes.batch
        if channel is None or batch is None:
            return channel
        return channel - (channel > batch)

    @property
    def channels(self) -> int:
        """The number of channels; 1 where there is no channel axis."""
        axis = self.channel_axis
        return 1 if axis is None else int(self.values.shape[axis])

    def plane(self, channel: int, values: NDArray[Any] | None = None) -> Floats:
        """One channel of the values, or of an array that is laid out as they are."""
        array, axis = self.values if values is None else values, self.channel_axis
        one = array if axis is None else array.take(channel, axis=axis)
        found: Floats = np.asarray(one, np.float64)
        return found

    def check_channel(self, channel: int) -> None:
        """Raise SelectionError for a channel that does not exist."""
        if not 0 <= channel < self.channels:
            raise SelectionError(
                f"{self.node.name} has channels 0 to {self.channels - 1}, but channel {channel} "
                "was asked for. Choose one in that range."
            )


def largest(values: NDArray[Any]) -> float:
    """The largest magnitude; 0 of nothing."""
    return float(np.abs(values).max(initial=0))


def agrees(node: Node, made: Floats, output: Floats, added: float = 0.0) -> tuple[bool, float]:
    """Whether rounding explains the difference of two arrays, and the residual.

    added: the magnitude of what was added up, where that cancels.
    """
    if made.shape != output.shape:
        return False, float("inf")
    if not output.size:
        return True, 0.0
    with np.errstate(all="ignore"):
        missing, most = float(np.abs(made - output).max()), largest(output)
    allowed = TOLERANCE.get(node.dtype, 1e-5)
    residual = missing / most if most else 0.0 if missing <= _LEAST else float("inf")
    return bool(missing <= max(allowed * max(most, added), _LEAST)), residual


def checked(
    node: Node, channel: int, made: Floats, output: Floats, what: str, added: float = 0.0
) -> float:
    """The residual, where rounding explains it.

    what: what was made, in words. Raises ModelError where it is not what the network computed.
    """
    same, residual = agrees(node, made, output, added)
    if same:
        return residual
    if not np.isfinite(output).all():
        raise ModelError(
            f"expected finite values but channel {channel} of {node.name} holds NaN or "
            "infinite ones, which cannot be taken apart. layerscope view shows where they "
            "first appear."
        )
    raise ModelError(
        f"expected {what} to be what {node.name} ({node.type}) computed for channel {channel}, "
        f"but they differ by {residual:.2g} of its largest value (allowed is "
        f"{TOLERANCE.get(node.dtype, 1e-5):g}). The layer does something that its description "
        "does not say; nothing was drawn."
    )


def checked_place(node: Node, shape: Sequence[int], at: Sequence[int]) -> tuple[int, ...]:
    """A place in a channel of this shape. Raises SelectionError for one that does not exist."""
    place = tuple(at)
    if len(place) != len(shape) or not all(0 <= i < n for i, n in zip(place, shape, strict=True)):
        last = ",".join(str(n - 1) for n in shape) or "nothing: it has one value a channel"
        given = ",".join(map(str, place)) or "nothing"
        raise SelectionError(
            f"expected a place in {node.name} from {','.join('0' * len(shape)) or 'nothing'} to "
            f"{last} but got {given}."
        )
    return place
