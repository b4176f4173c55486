"""Layers of Keras 1 and 2 that Keras 3 has no longer, for the networks that hold them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from layerscope.models.keras_legacy.activations import HARD_SIGMOID


def keras2_hard_sigmoid(x: Any) -> Any:
    """The hard sigmoid of Keras 1 and 2: ``0.2 x + 0.5``, held between 0 and 1."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


class ThresholdedReLU(keras.layers.Layer):  # type: ignore[misc]
    """``x`` where it is above theta, and 0 elsewhere."""

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = float(theta)

    def call(self, inputs: Any) -> Any:
        return inputs * ops.cast(inputs > self.theta, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class _PerFeature(keras.layers.Layer):  # type: ignore[misc]
    """A layer with weights for each place of its input, but for the axes that share them."""

    def __init__(self, shared_axes: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or ())
        self.shared_axes = axes

    def _weights_for(self, input_shape: Any, *names: str) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes:
            shape[axis - 1] = 1
        for name in names:
            setattr(self, name, self.add_weight(shape=shape, initializer="zeros", name=name))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class SReLU(_PerFeature):
    """Keras 1's S-shaped rectified linear function, with four weights for each place."""

    def build(self, input_shape: Any) -> None:
        self._weights_for(input_shape, "t_left", "a_left", "t_right", "a_right")

    def call(self, inputs: Any) -> Any:
        right = self.t_left + ops.absolute(self.t_right)
        below = self.t_left + self.a_left * (inputs - self.t_left)
        above = right + self.a_right * (inputs - right)
        within = ops.where(inputs <= self.t_left, below, inputs)
        return ops.where(inputs >= right, above, within)


class ParametricSoftplus(_PerFeature):
    """Keras 1's ``alpha * log(1 + exp(beta * x))`` with weights for each place."""

    def build(self, input_shape: Any) -> None:
        self._weights_for(input_shape, "alphas", "betas")

    def call(self, inputs: Any) -> Any:
        return ops.softplus(self.betas * inputs) * self.alphas


class MaxoutDense(keras.layers.Layer):  # type: ignore[misc]
    """Keras 1's largest of several linear maps."""

    def __init__(self, units: int, nb_feature: int = 4, use_bias: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.units, self.nb_feature, self.use_bias = units, nb_feature, use_bias

    def build(self, input_shape: Any) -> None:
        sizes = (self.nb_feature, input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=sizes, initializer="zeros", name="kernel")
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.nb_feature, self.units), initializer="zeros", name="bias"
            )

    def call(self, inputs: Any) -> Any:
        outputs = ops.einsum("bi,fio->bfo", inputs, self.kernel)
        return ops.max(outputs + self.bias if self.use_bias else outputs, axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)


class Highway(keras.layers.Layer):  # type: ignore[misc]
    """Keras 1's dense layer with a gate that lets its input pass."""

    def __init__(self, activation: Any = "linear", use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation, self.use_bias = keras.activations.get(activation), use_bias

    def build(self, input_shape: Any) -> None:
        size = input_shape[-1]
        for name in ("kernel", "kernel_carry"):
            setattr(self, name, self.add_weight((size, size), "zeros", name=name))
        if self.use_bias:
            for name in ("bias", "bias_carry"):
                setattr(self, name, self.add_weight((size,), "zeros", name=name))

    def call(self, inputs: Any) -> Any:
        gate, made = ops.matmul(inputs, self.kernel_carry), ops.matmul(inputs, self.kernel)
        if self.use_bias:
            gate, made = gate + self.bias_carry, made + self.bias
        gate = ops.sigmoid(gate)
        return self.activation(made) * gate + (1 - gate) * inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class CosineMerge(keras.layers.Layer):  # type: ignore[misc]
    """Keras 1's cosine proximity of two inputs along an axis of each."""

    def __init__(self, axes: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes
        self._dot = keras.layers.Dot(axes)

    def call(self, inputs: Any) -> Any:
        first, second = inputs
        norm = self._dot([first, first]) * self._dot([second, second])
        scale = ops.maximum(ops.sqrt(norm), keras.config.epsilon())
        return ops.expand_dims(self._dot([first, second]) / scale, 1)


class _LocallyConnected(keras.layers.Layer):  # type: ignore[misc]
    """A convolution with a kernel of its own at each place (``padding="valid"``)."""

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if padding != "valid":
            raise ValueError(f"padding {padding!r} of a locally connected layer is not known")
        self.filters, self.use_bias, self.padding = int(filters), use_bias, padding
        self.kernel_size, self.strides = self._sizes(kernel_size), self._sizes(strides)
        self.data_format = data_format
        self.activation = keras.activations.get(activation)

    def _sizes(self, value: Any) -> tuple[int, ...]:
        values = (value,) * self.rank if isinstance(value, int) else tuple(value)
        if len(values) != self.rank or not all(isinstance(x, int) and x > 0 for x in values):
            raise ValueError(f"expected {self.rank} sizes, but got {value!r}")
        return values

    def _places(self, input_shape: Any) -> tuple[int, ...]:
        first = self.data_format == "channels_first"
        sizes = input_shape[2:] if first else input_shape[1:-1]
        if None in sizes:
            raise ValueError("a locally connected layer needs an input of a known size")
        return tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(sizes, self.kernel_size, self.strides, strict=True)
        )

    def build(self, input_shape: Any) -> None:
        self.places = self._places(input_shape)
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        features = channels
        count = 1
        for kernel, places in zip(self.kernel_size, self.places, strict=True):
            features, count = features * kernel, count * places
        self.kernel = self.add_weight((count, features, self.filters), "zeros", name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((*self.places, self.filters), "zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        spatial = inputs if not first else ops.moveaxis(inputs, 1, -1)
        patches = self._patches(spatial)
        if first:
            # Features of a patch are ordered channel first, as the kernel's are.
            patches = ops.moveaxis(patches, -1, 2)
        shape = ops.shape(patches)
        flat = ops.reshape(patches, (shape[0], shape[1], self.kernel.shape[1]))
        outputs = ops.einsum("npf,pfo->npo", flat, self.kernel)
        outputs = ops.reshape(outputs, (shape[0], *self.places, self.filters))
        bias = self.bias if self.use_bias else 0.0
        if first:
            outputs = ops.moveaxis(outputs, -1, 1)
            if self.use_bias:
                # The bias is stored channel last, but was read in memory's order.
                bias = ops.reshape(bias, (self.filters, *self.places))
        return self.activation(outputs + bias)

    def _patches(self, inputs: Any) -> Any:
        """(batch, places, positions in the kernel, channels)."""
        offsets: list[tuple[int, ...]] = [()]
        for size in self.kernel_size:
            offsets = [(*offset, i) for offset in offsets for i in range(size)]
        found = []
        for offset in offsets:
            at = tuple(
                slice(start, start + stride * (places - 1) + 1, stride)
                for start, stride, places in zip(offset, self.strides, self.places, strict=True)
            )
            found.append(inputs[(slice(None), *at)])
        stacked = ops.stack(found, axis=-2)
        shape = ops.shape(stacked)
        count = 1
        for places in self.places:
            count *= places
        return ops.reshape(stacked, (shape[0], count, len(offsets), shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        places = self._places(input_shape)
        if self.data_format == "channels_first":
            return (input_shape[0], self.filters, *places)
        return (input_shape[0], *places, self.filters)


class LocallyConnected1D(_LocallyConnected):
    """A locally connected layer along steps."""

    rank = 1


class LocallyConnected2D(_LocallyConnected):
    """A locally connected layer on pictures."""

    rank = 2


OWN_OBJECTS: dict[str, Any] = {
    HARD_SIGMOID: keras2_hard_sigmoid,
    **{
        f"layerscope>{kind.__name__}": kind
        for kind in (
            ThresholdedReLU, SReLU, ParametricSoftplus, MaxoutDense, Highway, CosineMerge,
            LocallyConnected1D, LocallyConnected2D,
        )
    },
}  # fmt: skip
