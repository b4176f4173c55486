"""Layers of Keras 1 and 2 that Keras 3 has no longer, for the networks that hold them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from layerscope.models.keras_legacy.activations import HARD_SIGMOID
from layerscope.models.keras_legacy.local import LocallyConnected1D, LocallyConnected2D
from layerscope.models.keras_legacy.resized import RandomCrop, RandomHeight, RandomWidth


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


class RandomFourierFeatures(keras.layers.Layer):  # type: ignore[misc]
    """Keras 2's cosine of a fixed linear map, whose scale may have been trained."""

    def __init__(self, output_dim: int, scale: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dim = int(output_dim)

    def build(self, input_shape: Any) -> None:
        shapes = {
            "kernel_scale": (1,),
            "unscaled_kernel": (input_shape[-1], self.output_dim),
            "bias": (self.output_dim,),
        }
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(shape, "ones", name=name))

    def call(self, inputs: Any) -> Any:
        kernel = self.unscaled_kernel / self.kernel_scale
        return ops.cos(ops.matmul(inputs, kernel) + self.bias)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.output_dim)


OWN_OBJECTS: dict[str, Any] = {
    HARD_SIGMOID: keras2_hard_sigmoid,
    **{
        f"layerscope>{kind.__name__}": kind
        for kind in (
            ThresholdedReLU, SReLU, ParametricSoftplus, MaxoutDense, Highway, CosineMerge,
            RandomFourierFeatures, RandomCrop, RandomHeight, RandomWidth, LocallyConnected1D,
            LocallyConnected2D,
        )
    },
}  # fmt: skip
