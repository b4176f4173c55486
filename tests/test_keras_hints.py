"""What a Keras model tells of the values it expects."""

from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from kerasmodels import BACKEND, opened
from layerscope.hints import range_of
from layerscope.inputs import prepare

pytestmark = pytest.mark.backend
layers = keras.layers


def model_of(*stack: Any, name: str | None = None) -> Any:
    return keras.Sequential([keras.Input((32, 32, 3)), *stack], name=name)


def normalization(mean: float, variance: float = 1.0) -> Any:
    return layers.Normalization(mean=[mean] * 3, variance=[variance] * 3, name="n")


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
        ([layers.Rescaling(2, -1, name="r")], "0..1", "layer 'r' rescales inside the model"),
        ([layers.Rescaling(0.5, 0.5)], "-1..1", None),
        ([layers.Rescaling([1 / 58, 1 / 57, 1 / 57], [-2.1, -2, -1.8])], "0..255", None),
        ([layers.Rescaling(1 / 255), layers.Rescaling(2, -1)], "0..255", None),
        ([layers.Rescaling(255), layers.Rescaling(1 / 127.5, -1)], "0..1", None),
        # ImageNet's statistics, of values from 0 to 1, behind a division by 255.
        ([layers.Rescaling(1 / 255), normalization(0.45, 0.05)], "0..255", None),
        ([layers.Rescaling(1 / 127.5, -1), normalization(-0.1, 0.2)], "0..255", None),
        ([normalization(-0.1, 0.25)], "-1..1", None),
        ([normalization(0.0, 0.25)], "-1..1", None),
        # What only darkens pictures, as the statistics of MNIST.
        ([normalization(0.1307, 0.095)], "0..1", None),
        ([normalization(33.3, 6178.0)], "0..255", None),
        ([normalization(0.0), layers.Rescaling(1 / 255)], "0..255", None),
        ([keras.Sequential([layers.RandomFlip(), layers.Rescaling(1 / 255)])], "0..255", None),
        ([layers.Rescaling(1.0, name="r")], None, None),
        ([normalization(0.0)], None, None),
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


@pytest.mark.parametrize(
    ("stack", "doubt"),
    [
        ([layers.Rescaling(0.1, name="r")], "the way layer 'r' rescales fits no usual range"),
        ([layers.Rescaling(2.0, -9.0, name="r")], "the way layer 'r' rescales fits no usual range"),
        ([layers.Rescaling(0.0, name="r")], "the way layer 'r' rescales fits no usual range"),
        ([normalization(5000.0)], "the way layer 'n' normalises fits no usual range"),
        ([normalization(-5.0, 2.0)], "the way layer 'n' normalises fits no usual range"),
    ],
)
def test_odd_numbers_claim_nothing_and_say_so(stack: list[Any], doubt: str) -> None:
    model = opened(model_of(*stack, layers.Conv2D(2, 3)))
    assert (model.hints.range, model.hints.doubt) == (None, doubt)
    pixels = np.full((32, 32, 3), 51, np.uint8)
    pixels[:16] = 102
    picture = Image.fromarray(pixels)
    (batch,) = prepare(picture, model.graph.inputs, hints=model.hints).batches(1)
    assert batch.records[0][0].steps[-1] == (
        f"divided by 255 (auto: {doubt}; if trained on another one, give --range)"
    )
    (fed,) = batch.feeds.values()
    np.testing.assert_allclose(fed[0], pixels / 255, rtol=1e-6)
    found = [f for f in ls.check(model, picture) if doubt in f.message]
    assert [(f.level, f.code) for f in found] == [("note", "input-range")]


@pytest.mark.parametrize("scale", [1 / 255, 1 / 127.5, 1 / 128, 2.0, 1.0, 255.0, 0.5, 127.5])
@pytest.mark.parametrize("to", [0.0, -1.0, -0.5, 0.5])
def test_what_is_claimed_gives_usual_values(scale: float, to: float) -> None:
    """Whatever is claimed, its two ends are near what networks are trained on."""
    ends = {"0..1": (0, 1), "-1..1": (-1, 1), "0..255": (0, 255)}
    found = range_of(np.array([scale]), np.array([to]))
    if found is None:
        return
    low, high = (scale * end + to for end in ends[found])
    assert -1.01 <= low <= 0.5
    assert 0.49 <= high <= 255
    # No other range is mapped to less than a tenth, or to more than ten times as much.
    assert 0.5 <= high - low <= 255


def test_an_adapted_normalization() -> None:
    layer = layers.Normalization(name="n")
    layer.adapt(np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32"))
    assert opened(model_of(layer, layers.Conv2D(2, 3))).hints.range == "0..255"
