"""Windows: which input positions each output position of a sliding operation reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerscope.operations import Convolution, Pooling


@dataclass(frozen=True)
class Window:
    """A sliding window along one axis.

    size: taps. stride, dilation: in positions. before: positions of padding in front.
    inputs, outputs: the axis's length before and after. transposed: the roles of input and
    output exchanged. Tap t of output o reads input ``o·stride + t·dilation − before``.
    """

    size: int
    stride: int
    dilation: int
    before: int
    inputs: int
    outputs: int
    transposed: bool = False

    @property
    def reach(self) -> int:
        """Positions from the first tap to the last, both included."""
        return (self.size - 1) * self.dilation + 1

    def overlap(self, tap: int) -> tuple[slice, slice]:
        """The input positions that a tap reads, and the output positions that they go to."""
        dense, sparse = self.inputs, self.outputs
        if self.transposed:
            dense, sparse = sparse, dense
        shift = tap * self.dilation - self.before
        first = max(0, -(shift // self.stride))
        last = min(sparse, (dense - 1 - shift) // self.stride + 1)
        last = max(first, last)
        start = first * self.stride + shift
        stop = start + (last - first - 1) * self.stride + 1 if last > first else start
        strided, plain = slice(start, stop, self.stride), slice(first, last)
        if last == first:
            strided = plain = slice(0, 0)
        return (plain, strided) if self.transposed else (strided, plain)

    def read_by(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which input positions the wanted output positions read."""
        read = np.zeros(self.inputs, np.bool_)
        for tap in range(self.size):
            source, target = self.overlap(tap)
            read[source] |= wanted[target]
        return read


def windows(
    operation: Convolution | Pooling, inputs: Sequence[int], outputs: Sequence[int]
) -> tuple[Window, ...]:
    """The window along every spatial axis, padded as TensorFlow and Keras pad.

    inputs, outputs: sizes of the spatial axes. ``same`` pads the odd position at the end;
    ``causal`` pads in front only.
    """
    if isinstance(operation, Pooling):
        sizes, dilation, transposed = operation.window, (1,) * len(operation.window), False
    else:
        sizes, dilation = operation.kernel_size, operation.dilation
        transposed = operation.transposed
    found = []
    for i, (size, stride) in enumerate(zip(sizes, operation.strides, strict=True)):
        reach = (size - 1) * dilation[i] + 1
        narrow, wide = (inputs[i], outputs[i]) if transposed else (outputs[i], inputs[i])
        before = _before(operation.padding, i, (narrow - 1) * stride + reach - wide, reach)
        found.append(Window(size, stride, dilation[i], before, inputs[i], outputs[i], transposed))
    return tuple(found)


def output_size(operation: Convolution | Pooling, axis: int, size: int) -> int:
    """The length of a spatial axis after the operation."""
    if isinstance(operation, Pooling):
        reach = operation.window[axis]
    else:
        reach = (operation.kernel_size[axis] - 1) * operation.dilation[axis] + 1
    stride, padding = operation.strides[axis], operation.padding
    if isinstance(operation, Convolution) and operation.transposed:
        extra = operation.output_padding[axis] if operation.output_padding else None
        if padding == "same":
            return size * stride if extra is None else (size - 1) * stride + reach % 2 + extra
        cut = 0 if isinstance(padding, str) else sum(padding[axis])
        more = max(stride - reach, 0) if extra is None else extra
        return (size - 1) * stride + reach + more - cut
    if padding == "same":
        return -(-size // stride)
    added = 0
    if padding == "causal":
        added = reach - 1
    elif not isinstance(padding, str):
        added = sum(padding[axis])
    return (size + added - reach) // stride + 1


def _before(padding: str | tuple[tuple[int, int], ...], axis: int, lacking: int, reach: int) -> int:
    if not isinstance(padding, str):
        return padding[axis][0]
    if padding == "same":
        return max(lacking, 0) // 2
    return reach - 1 if padding == "causal" else 0
