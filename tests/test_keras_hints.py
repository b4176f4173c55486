"""What a Keras model tells of the values it expects."""

from typing import Any

import keras
import numpy as np
import pytest

from kerasmodels import BACKEND, opened

pytestmark = pytest.mark.backend
layers = keras.layers


def model_of(*stack: Any, name: str | None = None) -> Any:
    return keras.Sequential([keras.Input((32, 32, 3)), *stack], name=name)


def normalization(mean: float) -> Any:
    return layers.Normalization(mean=[mean] * 3, variance=[1.0] * 3, name="n")


@pytest.mark.parametrize(
    ("stack", "expected", "reason"),
    [
        ([layers.Rescaling(1 / 255, name="r")], "0..255", "layer 'r' rescales inside the model"),
        (
            [layers.RandomFlip(), layers.Rescaling(1 / 127.5, -1, name="r")],
            "0..255",
            "layer 'r' rescales inside the model",
        ),
        ([normalization(0.45)], "0..1", "layer 'n' normalises inside the model"),
        ([normalization(120.0)], "0..255", "layer 'n' normalises inside the model"),
        ([layers.Conv2D(2, 3), layers.Rescaling(0.1)], None, None),
        ([], None, None),
    ],
)
def test_layers_at_the_start_tell_the_range(
    stack: list[Any], expected: str | None, reason: str | None
) -> None:
    hints = opened(model_of(*stack, layers.Conv2D(2, 3))).hints
    assert hints.range == expected
    if reason is not None:
        assert hints.reason == reason


@pytest.mark.skipif(BACKEND == "jax", reason="making the weights takes JAX a minute")
@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (keras.applications.VGG16, "caffe"),
        (keras.applications.MobileNetV2, "-1..1"),
        (keras.applications.EfficientNetB0, "0..255"),
    ],
)
def test_known_networks_also_when_nested(build: Any, expected: str) -> None:
    base = build(weights=None, input_shape=(32, 32, 3), include_top=False)
    assert opened(base).hints.range == expected
    inputs = keras.Input((32, 32, 3))
    nested = keras.Model(inputs, layers.Flatten()(base(inputs)))
    assert opened(nested).hints.range == expected


def test_a_network_that_only_bears_the_name_tells_nothing() -> None:
    assert opened(model_of(layers.Conv2D(2, 3), name="vgg16")).hints.range is None


def test_an_adapted_normalization() -> None:
    layer = layers.Normalization(name="n")
    layer.adapt(np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32"))
    assert opened(model_of(layer, layers.Conv2D(2, 3))).hints.range == "0..255"
