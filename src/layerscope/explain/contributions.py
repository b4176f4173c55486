"""Contributions: what each input channel adds to one output channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.kernels import Floats, Kernel, kernel_of
from layerscope.explain.partial import Slider, Values, slider
from layerscope.explain.windows import Window, windows
from layerscope.graph import Node
from layerscope.operations import Convolution

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "float16": 1e-2, "bfloat16": 5e-2}
"""The largest residual that rounding explains, by the type that the network computes in."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """One output channel taken apart, for one sample.

    node, channel: what is explained. source: the node whose channels are summed. inputs:
    their numbers. maps: (inputs, \\*spatial), the input channels themselves. kernel: (inputs,
    \\*taps). contributions: (inputs, \\*output spatial), the partial map of each input channel.
    bias: one number. pre_activation, output: (\\*output spatial), what the network computed
    before and after its activation function. residual: max \\|sum + bias − pre_activation\\| /
    max \\|pre_activation\\|. stages: of a separable convolution, its depthwise maps (inputs,
    multiplier, \\*output spatial) and their pointwise weights (inputs, multiplier).
    """

    node: Node
    channel: int
    source: Node
    inputs: range
    maps: Values
    kernel: Values
    contributions: Values
    bias: float
    pre_activation: Floats
    output: Floats
    residual: float
    windows: tuple[Window, ...] = ()
    stages: tuple[Values, Values] | None = None
    records: tuple[Any, ...] = field(default=(), repr=False)

    @cached_property
    def sum(self) -> Floats:
        """All contributions added up: (\\*output spatial)."""
        return _sum(self.contributions)

    @cached_property
    def shares(self) -> Floats:
        """Each contribution's share of the energy (sum of squares) of all, from 0 to 1."""
        held = self.contributions
        axes = "abcdefgh"[: held.ndim]
        energy = np.einsum(f"{axes},{axes}->a", held, held, dtype=np.float64)
        total = energy.sum()
        shares: Floats = energy / total if total > 0 else np.zeros_like(energy)
        return shares

    @property
    def function(self) -> str:
        """The name of the activation function; ``"linear"`` for none."""
        return str(getattr(self.node.operation, "activation", "linear"))

    def __repr__(self) -> str:
        return (
            f"<Explanation of {self.node.name}:{self.channel}: {len(self.inputs)} contributions "
            f"of {' × '.join(map(str, self.contributions.shape[1:]))}, "
            f"residual {self.residual:.2g}>"
        )


class Summation:
    """A convolution or dense layer on one sample, ready to have its channels taken apart.

    given: the layer's input. before, after: its output before and after its activation
    function, as the network computed them. weights: by role, laid out as ``kernel_of`` says.
    sample: which of the batch. One output channel's partial maps are held at a time.
    """

    def __init__(
        self,
        given: Activation,
        before: Activation,
        after: Activation,
        weights: Mapping[str, NDArray[Any]],
        sample: int = 0,
    ) -> None:
        self.node, self.source = after.node, given.node
        self.kernel = kernel_of(self.node, weights)
        maps = _channels_first(self.node, given.array, sample)
        # Single precision where the network has no more: half the memory to go through.
        least = np.float64 if self.node.dtype == "float64" else np.float32
        self.maps: Values = maps.astype(np.result_type(maps, least), copy=False)
        self.before = _channels_first(self.node, before.array, sample)
        self.after = _channels_first(self.node, after.array, sample)
        self.windows = self._windows()
        self._ready: tuple[range, Slider] | None = None

    @property
    def channels(self) -> int:
        """The number of output channels."""
        return self.kernel.outputs

    def explain(self, channel: int) -> Explanation:
        """One output channel taken apart.

        Raises SelectionError for a channel that does not exist, ModelError where the sum is
        not what the network computed.
        """
        inputs, kernel = self._kernel(channel)
        maps = self.maps[inputs.start : inputs.stop]
        bias = float(self.kernel.bias[channel])
        before = self.before[channel].astype(np.float64)
        partial = self._slider(inputs).partial_maps(kernel)
        residual = self._check(partial, bias, before, channel)
        return Explanation(
            node=self.node,
            channel=channel,
            source=self.source,
            inputs=inputs,
            maps=maps,
            kernel=kernel,
            contributions=partial,
            bias=bias,
            pre_activation=before,
            output=self.after[channel].astype(np.float64),
            residual=residual,
            windows=self.windows,
            stages=self._stages(channel),
        )

    def largest(self, channel: int) -> float:
        """The largest magnitude of a channel's partial maps, their sum, and that with the bias.

        Nothing is kept or checked: it is for a scale that is common to several channels.
        """
        inputs, kernel = self._kernel(channel)
        partial = self._slider(inputs).largest(kernel)
        before = self.before[channel].astype(np.float64)
        total = before - float(self.kernel.bias[channel])
        return max(partial, *(float(np.abs(x).max(initial=0)) for x in (before, total)))

    def _kernel(self, channel: int) -> tuple[range, Values]:
        """The input channels of an output channel, and their weights (inputs, \\*taps)."""
        if not 0 <= channel < self.channels:
            raise SelectionError(
                f"{self.node.name} has channels 0 to {self.channels - 1}, but channel {channel} "
                "was asked for. Choose one in that range."
            )
        weights = np.moveaxis(self.kernel.values[..., channel], -1, 0)
        return self.kernel.inputs_of(channel), weights.astype(self.maps.dtype)

    def _slider(self, inputs: range) -> Slider:
        """The input channels of a group, laid out once for all its output channels."""
        if self._ready is None or self._ready[0] != inputs:
            own = self.maps[inputs.start : inputs.stop]
            self._ready = inputs, slider(own, self.windows, self.before.shape[1:])
        return self._ready[1]

    def _windows(self) -> tuple[Window, ...]:
        operation = self.node.operation
        if not isinstance(operation, Convolution):
            return ()
        return windows(operation, self.maps.shape[1:], self.before.shape[1:])

    def _stages(self, channel: int) -> tuple[Values, Values] | None:
        if self.kernel.stages is None:
            return None
        depthwise, pointwise = self.kernel.stages
        every = self._slider(range(len(self.maps)))
        kernels = np.moveaxis(depthwise, -2, 0).astype(self.maps.dtype)
        maps = [every.partial_maps(kernels[..., m]) for m in range(kernels.shape[-1])]
        return np.stack(maps, axis=1), pointwise[..., channel]

    def _check(self, partial: Values, bias: float, before: Floats, channel: int) -> float:
        """The residual, where rounding explains it.

        Rounding follows the size of what is added up, which cancels where the sum is small.
        """
        if not before.size:
            return 0.0
        allowed = TOLERANCE.get(self.node.dtype, 1e-5)
        with np.errstate(all="ignore"):
            missing = float(np.abs(_sum(partial) + bias - before).max())
            largest = float(np.abs(before).max())
            added = largest
            if missing > allowed * largest:
                added = float(_sum(np.abs(partial)).max()) + abs(bias)
        residual = missing / largest if largest else 0.0 if missing == 0 else np.inf
        if not np.isfinite(missing) and not np.isfinite(before).all():
            raise ModelError(
                f"expected finite values but channel {channel} of {self.node.name} holds NaN or "
                "infinite ones, which cannot be taken apart. layerscope view shows where they "
                "first appear."
            )
        if not missing <= allowed * max(largest, added):
            raise ModelError(
                f"expected the contributions and the bias to add up to what {self.node.name} "
                f"({self.node.type}) computed for channel {channel}, but they differ by "
                f"{residual:.2g} of its largest value (allowed is {allowed:g}). The layer does "
                "something that its description does not say; nothing was drawn."
            )
        return float(residual)


def _sum(maps: Values) -> Floats:
    """Maps added up in double precision, whatever they are in themselves."""
    total: Floats = maps.sum(axis=0, dtype=np.float64)
    return total


def _channels_first(node: Node, array: NDArray[Any], sample: int) -> NDArray[Any]:
    """One sample with the axis that the layer sums over (or makes) first."""
    if not -len(array) <= sample < len(array):
        raise SelectionError(
            f"There are samples 0 to {len(array) - 1}, but sample {sample} was asked for. "
            "Choose one in that range."
        )
    one = array[sample]
    operation = node.operation
    first = isinstance(operation, Convolution) and operation.data_format == "channels_first"
    return one if first else np.moveaxis(one, -1, 0)


__all__ = ["TOLERANCE", "Explanation", "Kernel", "Summation"]
