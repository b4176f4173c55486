"""Training, data types, and the values before an activation function."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import oracle
from kerasmodels import (
    agrees,
    dense,
    everything,
    feeds,
    names,
    one,
    opened,
    small_weights,
    weights,
    whole_numbers,
)
from layerscope.errors import ModelError

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


def test_layers_for_training_hand_through_what_they_get() -> None:
    inputs = keras.Input((6, 6, 1), name="i")
    x = layers.RandomFlip(name="flip")(inputs)
    x = layers.RandomContrast(0.5, name="contrast")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.GaussianNoise(0.5, name="noise")(x)
    model = keras.Model(inputs, x)
    picture = whole_numbers(2, 6, 6, 1)
    found = opened(model)
    for stream in (False, True):
        for array in everything(found, picture, stream=stream).values():
            assert_array_equal(array, picture)
    drop = one(found, "drop", np.ones((2, 6, 6, 1), "float32"), training=True)
    assert 0 < np.count_nonzero(drop == 0) < drop.size


def test_training_that_is_written_into_the_model_is_honoured_for_that_layer_alone() -> None:
    inputs = keras.Input((2,), name="i")
    first = layers.BatchNormalization(name="first", epsilon=0.0)
    second = layers.BatchNormalization(name="second", epsilon=0.0)
    model = keras.Model(inputs, second(first(inputs, training=True)))
    for layer in (first, second):
        layer.moving_mean.assign([1.0, 1.0])
        layer.moving_variance.assign([4.0, 4.0])
    x = np.array([[0.0, 2.0], [2.0, 6.0]], "float32")
    for stream in (False, True):
        found = everything(model, x, stream=stream)
        assert_allclose(found["first"], [[-1, -1], [1, 1]], rtol=1e-6)
        assert_allclose(found["second"], [[-1, -1], [0, 0]], rtol=1e-6, atol=1e-6)


def test_a_training_run_uses_batch_statistics_and_changes_nothing() -> None:
    inputs = keras.Input((2,), name="i")
    layer = layers.BatchNormalization(name="bn", epsilon=0.0)
    model = keras.Model(inputs, layer(inputs))
    before = weights(layer)
    x = np.array([[0.0, 2.0], [2.0, 6.0]], "float32")
    assert_allclose(one(model, "bn", x, training=True), [[-1, -1], [1, 1]], rtol=1e-6)
    assert_array_equal(one(model, "bn", x), x)
    for old, new in zip(before, weights(layer), strict=True):
        assert_array_equal(old, new)


def test_a_block_that_branches_on_training() -> None:
    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layers.ReLU(name="a"), layers.ReLU(name="b")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.a(x) if training else self.b(x)

    model = Block()
    x = whole_numbers(2, 3)
    model(x)
    assert names(model) == ["b"]
    assert_array_equal(one(model, "b", x), np.maximum(x, 0))
    with pytest.raises(ModelError) as caught:
        one(model, "b", x, training=True)
    assert str(caught.value) == "The network does not compute b in this forward pass."


def test_a_missing_input_is_named() -> None:
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    model = keras.Model([a, b], layers.Add()([a, b]))
    with pytest.raises(ModelError) as caught:
        opened(model).run({"a": whole_numbers(1, 1)}, [])
    assert "takes the inputs a, b, but was given a. Give an array for each." in str(caught.value)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy: str) -> None:
    inputs = keras.Input((6, 6, 2), name="i")
    x = layers.Conv2D(2, 3, activation="relu", name="c", dtype=policy)(inputs)
    x = ops.add(x, x)
    model = small_weights(keras.Model(inputs, layers.Flatten(name="f", dtype=policy)(x)))
    picture = whole_numbers(2, 6, 6, 2)
    found = everything(model, picture)
    conv = oracle.relu(oracle.convolution(picture, *weights(model.get_layer("c"))))
    wanted = {"mixed_float16": np.float16, "mixed_bfloat16": np.float32}[policy]
    assert {array.dtype for array in found.values()} == {np.dtype(wanted)}
    # Whole numbers below 256 are exact in both.
    assert np.abs(conv).max() < 256
    assert_array_equal(found["c"], conv)
    assert_array_equal(found["f"], 2 * conv.reshape(2, -1))
    assert one(model, "c:pre", picture).dtype == wanted


def test_a_mixed_block_with_operations_in_it() -> None:
    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__(dtype="mixed_bfloat16")
            self.a = layers.Dense(3, name="a", dtype="mixed_bfloat16")

        def call(self, x: Any) -> Any:
            return ops.relu(self.a(x) + x)

    model = Block()
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)
    found = agrees(model, x)
    assert list(found)[-1].startswith("relu")
    assert_array_equal(found["a"], dense(x, model.a))


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", oracle.relu),
        ("softmax", oracle.softmax),
        (lambda x: x * x, np.square),
        (layers.LeakyReLU(negative_slope=0.5), lambda x: np.where(x < 0, x / 2, x)),
        ("linear", lambda x: x),
    ],
)
def test_values_before_the_fused_activation_function(
    activation: Any, function: Callable[[Any], Any]
) -> None:
    inputs = keras.Input((5, 5, 2), name="i")
    made = [
        layers.Conv2D(2, 3, activation=activation, name="c")(inputs),
        layers.DepthwiseConv2D(3, activation=activation, name="w")(inputs),
        layers.SeparableConv2D(2, 3, activation=activation, name="s")(inputs),
        layers.Conv2DTranspose(2, 3, strides=2, activation=activation, name="t")(inputs),
        layers.Dense(2, activation=activation, name="d")(inputs),
    ]
    model = small_weights(keras.Model(inputs, made))
    own = {name: model.get_layer(name).activation for name in "cwstd"}
    x = whole_numbers(2, 5, 5, 2)
    wanted = {
        "c": oracle.convolution(x, *weights(model.get_layer("c"))),
        "w": oracle.depthwise(x, *weights(model.get_layer("w"))),
        "t": oracle.transposed(x, *weights(model.get_layer("t")), (2, 2), "valid"),
        "d": dense(x, model.get_layer("d")),
    }
    d, p, b = weights(model.get_layer("s"))
    wanted["s"] = oracle.convolution(oracle.depthwise(x, d), p, b)
    asked = [f"{name}{suffix}" for name in wanted for suffix in (":pre", "")]
    found = opened(model)
    for stream in (False, True):
        values = found.run(feeds(found, x), asked, stream=stream)
        alone = found.run(feeds(found, x), asked[::2], stream=stream)
        for name, expected in wanted.items():
            assert_array_equal(values[f"{name}:pre"], expected)
            assert_array_equal(alone[f"{name}:pre"], expected)
            assert_allclose(values[name], function(expected), rtol=1e-5, atol=1e-6)
    for name, activation_ in own.items():
        assert model.get_layer(name).activation is activation_
