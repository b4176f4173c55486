"""Contributions: what each input channel adds to one output channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.kernels import Floats, Kernel, kernel_of
from layerscope.explain.windows import Window, windows
from layerscope.graph import Node
from layerscope.operations import Convolution

_BLOCK = 1 << 15
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
    maps: Floats
    kernel: Floats
    contributions: Floats
    bias: float
    pre_activation: Floats
    output: Floats
    residual: float
    windows: tuple[Window, ...] = ()
    stages: tuple[Floats, Floats] | None = None
    records: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def sum(self) -> Floats:
        """All contributions added up: (\\*output spatial)."""
        total: Floats = self.contributions.sum(axis=0)
        return total

    @property
    def shares(self) -> Floats:
        """Each contribution's share of the energy (sum of squares) of all, from 0 to 1."""
        energy = np.square(self.contributions).reshape(len(self.contributions), -1).sum(axis=1)
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
        self.maps = np.ascontiguousarray(
            _channels_first(self.node, given.array, sample), np.float64
        )
        self.before = _channels_first(self.node, before.array, sample)
        self.after = _channels_first(self.node, after.array, sample)
        self.windows = self._windows()

    @property
    def channels(self) -> int:
        """The number of output channels."""
        return self.kernel.outputs

    def explain(self, channel: int) -> Explanation:
        """One output channel taken apart.

        Raises SelectionError for a channel that does not exist, ModelError where the sum is
        not what the network computed.
        """
        if not 0 <= channel < self.channels:
            raise SelectionError(
                f"{self.node.name} has channels 0 to {self.channels - 1}, but channel {channel} "
                "was asked for. Choose one in that range."
            )
        inputs = self.kernel.inputs_of(channel)
        maps = self.maps[inputs.start : inputs.stop]
        kernel = np.moveaxis(self.kernel.values[..., channel], -1, 0).astype(np.float64)
        bias = float(self.kernel.bias[channel])
        before = self.before[channel].astype(np.float64)
        partial = partial_maps(maps, kernel, self.windows, before.shape)
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
            stages=self._stages(channel, before.shape),
        )

    def _windows(self) -> tuple[Window, ...]:
        operation = self.node.operation
        if not isinstance(operation, Convolution):
            return ()
        return windows(operation, self.maps.shape[1:], self.before.shape[1:])

    def _stages(self, channel: int, shape: tuple[int, ...]) -> tuple[Floats, Floats] | None:
        if self.kernel.stages is None:
            return None
        depthwise, pointwise = self.kernel.stages
        maps = [
            partial_maps(self.maps, np.moveaxis(depthwise[..., m], -1, 0), self.windows, shape)
            for m in range(depthwise.shape[-1])
        ]
        return np.stack(maps, axis=1), pointwise[..., channel]

    def _check(self, partial: Floats, bias: float, before: Floats, channel: int) -> float:
        """The residual, where rounding explains it.

        Rounding follows the size of what is added up, which cancels where the sum is small.
        """
        if not before.size:
            return 0.0
        allowed = TOLERANCE.get(self.node.dtype, 1e-5)
        with np.errstate(all="ignore"):
            missing = float(np.abs(partial.sum(axis=0) + bias - before).max())
            largest = float(np.abs(before).max())
            added = largest
            if missing > allowed * largest:
                added = float(np.abs(partial).sum(axis=0).max()) + abs(bias)
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


def partial_maps(
    maps: Floats, kernel: Floats, along: tuple[Window, ...], shape: tuple[int, ...]
) -> Floats:
    """Each input channel under its own kernel: (inputs, \\*shape).

    maps: (inputs, \\*spatial). kernel: (inputs, \\*taps). along: a window for each spatial axis;
    none for a dense layer, whose other axes stay as they are.
    """
    if not along:
        return maps * kernel.reshape(len(kernel), *(1,) * (maps.ndim - 1))
    result = np.zeros((len(maps), *shape))
    taps = [
        (tap, *_slices([window.overlap(t) for window, t in zip(along, tap, strict=True)]))
        for tap in product(*(range(window.size) for window in along))
    ]
    # A few channels at a time, so that they stay in the processor's cache.
    several = max(1, _BLOCK // max(1, maps[:1].size, result[:1].size))
    scratch = np.empty(result[:several].shape)
    for start in range(0, len(maps), several):
        part = slice(start, start + several)
        own, into, weights = maps[part], result[part], kernel[part]
        for tap, read, written in taps:
            chosen: tuple[Any, ...] = (slice(None), *tap)
            target = into[written]
            made = scratch[tuple(slice(0, size) for size in target.shape)]
            weight = weights[chosen].reshape(-1, *(1,) * len(along))
            target += np.multiply(own[read], weight, out=made)
    return result


def _slices(pairs: list[tuple[slice, slice]]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Where a tap reads and where that goes, in every channel."""
    return (
        (slice(None), *(pair[0] for pair in pairs)),
        (slice(None), *(pair[1] for pair in pairs)),
    )


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


__all__ = ["TOLERANCE", "Explanation", "Kernel", "Summation", "partial_maps"]
