"""Every kind of layer against numpy: values, shape, axes and the number of parameters."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import oracle
from kerasmodels import everything, one, opened, small_weights, table, to_numpy, whole_numbers

pytestmark = pytest.mark.backend
layers = keras.layers

Oracle = Callable[..., Any]


def weights_of(layer: Any) -> list[Any]:
    return [to_numpy(weight).astype(np.float64) for weight in layer.weights]


def single(layer: Any, *shape: int | None) -> Any:
    inputs = keras.Input(shape)
    return small_weights(keras.Model(inputs, layer(inputs)))


CONVOLUTIONS: list[tuple[str, Callable[[], Any], tuple[int, ...], Oracle, str, int]] = [
    ("1d", lambda: layers.Conv1D(2, 3), (7, 2), oracle.convolution, "NTC", 14),
    (
        "1d causal", lambda: layers.Conv1D(2, 3, padding="causal", dilation_rate=2), (7, 2),
        lambda x, k, b: oracle.convolution(x, k, b, padding="causal", dilation=(2,)), "NTC", 14,
    ),
    ("2d", lambda: layers.Conv2D(3, (3, 2)), (5, 6, 2), oracle.convolution, "NHWC", 39),
    (
        "2d same", lambda: layers.Conv2D(2, (4, 3), padding="same", use_bias=False), (5, 6, 2),
        lambda x, k: oracle.convolution(x, k, padding="same"), "NHWC", 48,
    ),
    (
        "2d stride", lambda: layers.Conv2D(2, 3, strides=(2, 3), padding="same"), (7, 8, 1),
        lambda x, k, b: oracle.convolution(x, k, b, strides=(2, 3), padding="same"), "NHWC", 20,
    ),
    (
        "2d dilation", lambda: layers.Conv2D(2, 3, dilation_rate=(2, 1)), (7, 6, 2),
        lambda x, k, b: oracle.convolution(x, k, b, dilation=(2, 1)), "NHWC", 38,
    ),
    (
        "2d groups", lambda: layers.Conv2D(4, 2, groups=2), (4, 4, 6),
        lambda x, k, b: oracle.convolution(x, k, b, groups=2), "NHWC", 52,
    ),
    (
        "3d", lambda: layers.Conv3D(2, (2, 1, 3), strides=(1, 2, 1)), (3, 4, 5, 2),
        lambda x, k, b: oracle.convolution(x, k, b, strides=(1, 2, 1)), "NDHWC", 26,
    ),
    (
        "relu", lambda: layers.Conv2D(2, 2, activation="relu"), (4, 4, 2),
        lambda x, k, b: oracle.relu(oracle.convolution(x, k, b)), "NHWC", 18,
    ),
    (
        "depthwise", lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        (5, 4, 2), lambda x, k, b: oracle.depthwise(x, k, b, padding="same"), "NHWC", 40,
    ),
    (
        "depthwise 1d", lambda: layers.DepthwiseConv1D(3, strides=2), (7, 2),
        lambda x, k, b: oracle.depthwise(x, k, b, strides=(2,)), "NTC", 8,
    ),
    (
        "separable", lambda: layers.SeparableConv2D(3, 3, depth_multiplier=2), (5, 5, 2),
        lambda x, d, p, b: oracle.convolution(oracle.depthwise(x, d), p, b), "NHWC", 51,
    ),
    (
        "separable 1d", lambda: layers.SeparableConv1D(3, 3, padding="same"), (6, 2),
        lambda x, d, p, b: oracle.convolution(oracle.depthwise(x, d, padding="same"), p, b),
        "NTC", 15,
    ),
    (
        "transpose valid", lambda: layers.Conv2DTranspose(2, 3, strides=2), (3, 4, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (2, 2), "valid"), "NHWC", 38,
    ),
    (
        "transpose same", lambda: layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        (3, 4, 2), lambda x, k, b: oracle.transposed(x, k, b, (2, 2), "same"), "NHWC", 38,
    ),
    (
        "transpose 1d", lambda: layers.Conv1DTranspose(2, 2, strides=3), (4, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (3,), "valid"), "NTC", 10,
    ),
    (
        "transpose 3d", lambda: layers.Conv3DTranspose(1, 2, strides=2), (2, 3, 2, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (2, 2, 2), "valid"), "NDHWC", 17,
    ),
    ("dense", lambda: layers.Dense(3), (4,), lambda x, k, b: x @ k + b, "NC", 15),
    ("dense on maps", lambda: layers.Dense(3), (2, 3, 4), lambda x, k, b: x @ k + b, "NHWC", 15),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "shape", "expected", "axes", "parameters"),
    [row[1:] for row in CONVOLUTIONS],
    ids=[row[0] for row in CONVOLUTIONS],
)
def test_weighted_layers_compute_what_loops_compute(
    build: Callable[[], Any], shape: tuple[int, ...], expected: Oracle, axes: str, parameters: int
) -> None:
    layer = build()
    model = single(layer, *shape)
    x = whole_numbers(2, *shape)
    wanted = expected(x.astype(np.float64), *weights_of(layer))
    (row,) = table(model)
    source = opened(model).graph.inputs[0].name
    kind = type(layer).__name__
    assert row == (layer.name, kind, (source,), (None, *wanted.shape[1:]), axes, parameters)
    # Whole numbers this small are exact in float32, in whatever order they are added.
    assert_array_equal(one(model, layer.name, x), wanted)
    assert_array_equal(one(model, layer.name, x, stream=True), wanted)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: layers.Conv2D(4, 3, padding="same", strides=2, data_format="channels_first"),
            lambda x, k, b: oracle.convolution(x, k, b, strides=(2, 2), padding="same"),
        ),
        (
            lambda: layers.DepthwiseConv2D(3, data_format="channels_first"),
            lambda x, k, b: oracle.depthwise(x, k, b),
        ),
        (
            lambda: layers.MaxPooling2D(2, data_format="channels_first"),
            lambda x: oracle.pooling(x, (2, 2), (2, 2), "valid", "max"),
        ),
        (
            lambda: layers.UpSampling2D(2, data_format="channels_first"),
            lambda x: x.repeat(2, axis=1).repeat(2, axis=2),
        ),
    ],
)
def test_channels_first_is_the_same_layer_on_turned_arrays(
    build: Callable[[], Any], expected: Oracle
) -> None:
    layer = build()
    model = single(layer, 2, 5, 6)
    x = whole_numbers(2, 2, 5, 6)
    wanted = expected(np.moveaxis(x, 1, -1).astype(np.float64), *weights_of(layer))
    (node,) = opened(model).graph
    assert str(node.axes) == "NCHW"
    assert opened(model).graph.inputs[0].axes == node.axes
    assert_array_equal(one(model, layer.name, x), np.moveaxis(wanted, -1, 1))


POOLINGS: list[tuple[Callable[[], Any], tuple[int, ...], Oracle, str]] = [
    (
        lambda: layers.MaxPooling2D(2), (5, 6, 2),
        lambda x: oracle.pooling(x, (2, 2), (2, 2), "valid", "max"), "NHWC",
    ),
    (
        lambda: layers.MaxPooling2D(3, strides=2, padding="same"), (5, 6, 2),
        lambda x: oracle.pooling(x, (3, 3), (2, 2), "same", "max"), "NHWC",
    ),
    (
        lambda: layers.AveragePooling2D(2, strides=1, padding="same"), (4, 4, 2),
        lambda x: oracle.pooling(x, (2, 2), (1, 1), "same", "mean"), "NHWC",
    ),
    (
        lambda: layers.AveragePooling1D(2), (6, 2),
        lambda x: oracle.pooling(x, (2,), (2,), "valid", "mean"), "NTC",
    ),
    (
        lambda: layers.MaxPooling3D(2), (4, 2, 4, 2),
        lambda x: oracle.pooling(x, (2, 2, 2), (2, 2, 2), "valid", "max"), "NDHWC",
    ),
    (lambda: layers.GlobalMaxPooling2D(), (4, 4, 3), lambda x: x.max(axis=(1, 2)), "NC"),
    (lambda: layers.GlobalAveragePooling2D(), (4, 4, 3), lambda x: x.mean(axis=(1, 2)), "NC"),
    (
        lambda: layers.GlobalAveragePooling2D(keepdims=True), (4, 4, 3),
        lambda x: x.mean(axis=(1, 2), keepdims=True), "NHWC",
    ),
    (lambda: layers.GlobalAveragePooling1D(), (4, 3), lambda x: x.mean(axis=1), "NC"),
    (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), (3, 3, 2),
     lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), "NHWC"),
    (lambda: layers.Cropping2D(((1, 0), (0, 2))), (4, 4, 2), lambda x: x[:, 1:, :-2], "NHWC"),
    (
        lambda: layers.UpSampling2D((2, 3)), (2, 3, 2),
        lambda x: x.repeat(2, axis=1).repeat(3, axis=2), "NHWC",
    ),
    (lambda: layers.Permute((2, 1, 3)), (2, 3, 4), lambda x: x.transpose(0, 2, 1, 3), "NWHC"),
    (lambda: layers.Flatten(), (2, 3, 4), lambda x: x.reshape(2, -1), "NC"),
    (lambda: layers.Rescaling(0.5, offset=1), (2, 2, 1), lambda x: x * 0.5 + 1, "NHWC"),
    (lambda: layers.ReLU(max_value=2.0), (2, 2, 1), lambda x: np.clip(x, 0, 2), "NHWC"),
    (
        lambda: layers.LeakyReLU(negative_slope=0.5), (2, 2, 1),
        lambda x: np.where(x < 0, x / 2, x), "NHWC",
    ),
    (lambda: layers.Dropout(0.5), (2, 2, 1), lambda x: x, "NHWC"),
    (lambda: layers.GaussianNoise(0.9), (4,), lambda x: x, "NC"),
    (lambda: layers.RandomFlip(), (4, 4, 1), lambda x: x, "NHWC"),
    (lambda: layers.RandomRotation(0.3), (4, 4, 1), lambda x: x, "NHWC"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "shape", "expected", "axes"), POOLINGS)
def test_layers_without_weights_compute_what_numpy_computes(
    build: Callable[[], Any], shape: tuple[int, ...], expected: Oracle, axes: str
) -> None:
    layer = build()
    model = single(layer, *shape)
    x = whole_numbers(2, *shape)
    wanted = expected(x.astype(np.float64))
    (row,) = table(model)
    assert row[3:] == ((None, *wanted.shape[1:]), axes, 0)
    assert_allclose(one(model, layer.name, x), wanted, rtol=2e-7)


def test_batch_normalization_uses_the_moving_statistics() -> None:
    layer = layers.BatchNormalization(epsilon=0.25)
    model = single(layer, 3, 3, 2)
    for variable, values in zip(
        layer.weights, ([2.0, -1.0], [1.0, 2.0], [3.0, -2.0], [3.75, 0.0]), strict=True
    ):
        variable.assign(np.array(values))
    x = whole_numbers(2, 3, 3, 2)
    wanted = np.stack([(x[..., 0] - 3) / 2 * 2 + 1, (x[..., 1] + 2) / 0.5 * -1 + 2], axis=-1)
    assert_array_equal(one(model, layer.name, x), wanted)
    assert table(model)[0][3:] == ((None, 3, 3, 2), "NHWC", 8)


def test_layer_normalization() -> None:
    layer = layers.LayerNormalization(epsilon=0.5)
    model = single(layer, 4, 6)
    x = whole_numbers(2, 4, 6).astype(np.float64)
    gamma, beta = weights_of(layer)
    centred = x - x.mean(axis=-1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 0.5) * gamma + beta
    assert_allclose(one(model, layer.name, x.astype("float32")), wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda a, b: layers.Add()([a, b]), lambda a, b: a + b),
        (lambda a, b: layers.Subtract()([a, b]), lambda a, b: a - b),
        (lambda a, b: layers.Multiply()([a, b]), lambda a, b: a * b),
        (lambda a, b: layers.Average()([a, b]), lambda a, b: (a + b) / 2),
        (lambda a, b: layers.Maximum()([a, b]), np.maximum),
        (lambda a, b: layers.Concatenate()([a, b]), lambda a, b: np.concatenate([a, b], -1)),
        (
            lambda a, b: layers.Concatenate(axis=1)([a, b]),
            lambda a, b: np.concatenate([a, b], 1),
        ),
        (lambda a, b: a + b, lambda a, b: a + b),
        (lambda a, b: a * b - 2.0, lambda a, b: a * b - 2),
        (
            lambda a, b: keras.ops.concatenate([a, b], axis=-1),
            lambda a, b: np.concatenate([a, b], -1),
        ),
        (lambda a, b: keras.ops.maximum(a, b), np.maximum),
        (lambda a, b: (a + b)[:, 1:, ::2], lambda a, b: (a + b)[:, 1:, ::2]),
    ],
)  # fmt: skip
def test_joining_two_inputs(build: Callable[..., Any], expected: Oracle) -> None:
    a, b = keras.Input((4, 5, 2)), keras.Input((4, 5, 2))
    model = keras.Model([a, b], build(a, b))
    x, y = whole_numbers(2, 4, 5, 2), whole_numbers(2, 4, 5, 2, seed=2)
    found = everything(model, x, y)
    assert_array_equal(list(found.values())[-1], expected(x, y))
    assert table(model)[-1][4] == "NHWC"
