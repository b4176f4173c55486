"""Locally connected layers: convolutions with a kernel of their own at each place."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

# The ways in which Keras 2 kept the kernels: by place, as a full matrix, and as a sparse one.
BY_PLACE, FULL, SPARSE = 1, 2, 3


class _LocallyConnected(keras.layers.Layer):  # type: ignore[misc]
    """implementation: how the file keeps the kernels; here they are kept by place."""

    rank = 2

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str = "channels_last",
        activation: Any = None,
        use_bias: bool = True,
        implementation: Any = BY_PLACE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.implementation = BY_PLACE if implementation is None else implementation
        if self.implementation not in (BY_PLACE, FULL, SPARSE):
            raise ValueError(f"implementation {implementation!r:.40} is not known")
        if padding != "valid" and (padding, self.implementation) not in (
            ("same", FULL),
            ("same", SPARSE),
        ):
            raise ValueError(f"padding {padding!r:.40} of a locally connected layer is not known")
        self.filters, self.use_bias, self.padding = int(filters), use_bias, padding
        self.kernel_size, self.strides = self._sizes(kernel_size), self._sizes(strides)
        self.data_format = data_format
        self.activation = keras.activations.get(activation)

    def _sizes(self, value: Any) -> tuple[int, ...]:
        values = (value,) * self.rank if isinstance(value, int) else tuple(value)
        if len(values) != self.rank or not all(isinstance(x, int) and x > 0 for x in values):
            raise ValueError(f"expected {self.rank} sizes, but got {value!r:.40}")
        return values

    @property
    def _first(self) -> bool:
        return bool(self.data_format == "channels_first")

    def _places(self, input_shape: Any) -> tuple[int, ...]:
        sizes = input_shape[2:] if self._first else input_shape[1:-1]
        if None in sizes:
            raise ValueError("a locally connected layer needs an input of a known size")
        if self.padding == "same":
            return tuple(-(-n // s) for n, s in zip(sizes, self.strides, strict=True))
        return tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(sizes, self.kernel_size, self.strides, strict=True)
        )

    def build(self, input_shape: Any) -> None:
        self.places = self._places(input_shape)
        self.sizes = tuple(input_shape[2:] if self._first else input_shape[1:-1])
        self.channels = input_shape[1 if self._first else -1]
        # The window of the first place begins half a kernel before the input.
        starts = [k // 2 if self.padding == "same" else 0 for k in self.kernel_size]
        ends = [
            max(0, (places - 1) * stride + kernel - start - size)
            for places, stride, kernel, start, size in zip(
                self.places, self.strides, self.kernel_size, starts, self.sizes, strict=True
            )
        ]
        self.amounts = tuple(zip(starts, ends, strict=True))
        features = self.channels * math.prod(self.kernel_size)
        shape = (math.prod(self.places), features, self.filters)
        self.kernel = self.add_weight(shape, "zeros", name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((*self.places, self.filters), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        spatial = ops.moveaxis(inputs, 1, -1) if self._first else inputs
        if any(map(any, self.amounts)):
            spatial = ops.pad(spatial, ((0, 0), *self.amounts, (0, 0)))
        patches = self._patches(spatial)
        if self._first:
            # Features of a patch are ordered channel first, as the kernel's are.
            patches = ops.moveaxis(patches, -1, 2)
        shape = ops.shape(patches)
        flat = ops.reshape(patches, (shape[0], shape[1], self.kernel.shape[1]))
        outputs = ops.einsum("npf,pfo->npo", flat, self.kernel)
        outputs = ops.reshape(outputs, (shape[0], *self.places, self.filters))
        bias = self.bias if self.use_bias else 0.0
        if self._first:
            outputs = ops.moveaxis(outputs, -1, 1)
            if self.use_bias:
                # The bias is stored channel last, but was read in memory's order.
                bias = ops.reshape(bias, (self.filters, *self.places))
        return self.activation(outputs + bias)

    def _patches(self, inputs: Any) -> Any:
        """(batch, places, positions in the kernel, channels)."""
        found = []
        for offset in product(*map(range, self.kernel_size)):
            at = tuple(
                slice(start, start + stride * (places - 1) + 1, stride)
                for start, stride, places in zip(offset, self.strides, self.places, strict=True)
            )
            found.append(inputs[(slice(None), *at)])
        stacked = ops.stack(found, axis=-2)
        shape = ops.shape(stacked)
        return ops.reshape(stacked, (shape[0], math.prod(self.places), len(found), shape[-1]))

    def from_file(self, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
        """The arrays that a file keeps, with the kernels by place.

        Raises ValueError or IndexError where they do not fit.
        """
        if self.implementation == BY_PLACE or not arrays:
            return arrays
        kernel, *others = arrays
        made = np.zeros(tuple(self.kernel.shape), kernel.dtype)
        place, feature, source = (one[:, None] for one in self._connections())
        filters = np.arange(self.filters, dtype=np.int32)
        # Where each filter's value at a place lies among a sample's values.
        outs = filters * math.prod(self.places) + place
        if not self._first:
            outs = place * self.filters + filters
        if self.implementation == FULL:
            inner, outer = (*self.sizes, self.channels), (*self.places, self.filters)
            if self._first:
                inner, outer = (self.channels, *self.sizes), (self.filters, *self.places)
            if kernel.shape != (*inner, *outer):
                return arrays
            matrix = kernel.reshape(math.prod(inner), math.prod(outer))
            made[place[:, 0], feature[:, 0]] = matrix[source, outs]
        else:
            # One number for each connection, ordered by the output's place, then the input's.
            if kernel.shape != (outs.size,):
                return arrays
            order = np.lexsort((np.broadcast_to(source, outs.shape).ravel(), outs.ravel()))
            row, filter_ = np.divmod(order, self.filters)
            made[place[row, 0], feature[row, 0], filter_] = kernel
        return [made, *others]

    def _connections(self) -> tuple[NDArray[np.int32], ...]:
        """Every connection: a place, a feature of its patch, and the input's number.

        The numbers are those of a sample's values in memory.
        """
        rank, taps = self.rank, math.prod(self.kernel_size)
        places = np.indices(self.places, np.int32).reshape(rank, -1, 1)
        offsets = np.indices(self.kernel_size, np.int32).reshape(rank, 1, -1)
        strides, before, sizes = (
            np.array(values, np.int32).reshape(rank, 1, 1)
            for values in (self.strides, [start for start, _ in self.amounts], self.sizes)
        )
        at = places * strides + offsets - before
        inside = ((at >= 0) & (at < sizes)).all(axis=0)
        place, tap = np.nonzero(inside)
        index = np.ravel_multi_index(tuple(at[:, inside]), self.sizes)
        channel = np.tile(np.arange(self.channels), len(place))
        place, tap, index = (np.repeat(one, self.channels) for one in (place, tap, index))
        feature, source = tap * self.channels + channel, index * self.channels + channel
        if self._first:
            feature = channel * taps + tap
            source = channel * math.prod(self.sizes) + index
        return tuple(one.astype(np.int32) for one in (place, feature, source))

    def compute_output_shape(self, input_shape: Any) -> Any:
        places = self._places(input_shape)
        if self._first:
            return (input_shape[0], self.filters, *places)
        return (input_shape[0], *places, self.filters)


class LocallyConnected1D(_LocallyConnected):
    """A locally connected layer along steps."""

    rank = 1


class LocallyConnected2D(_LocallyConnected):
    """A locally connected layer on pictures."""

    rank = 2
