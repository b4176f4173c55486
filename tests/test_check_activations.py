"""Dead channels, saturation, NaN and scale, against numpy on the arrays themselves."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import layerscope as ls
from checks import found, layers, noise, only, stack
from layerscope.axes import Axes
from layerscope.statistics import Tally


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


def with_bias(values: list[float], activation: str = "relu", **options: Any) -> Any:
    """A convolution of noise whose channels are held up or down by their biases."""
    model = stack(
        (12, 12, 2),
        layers.Conv2D(len(values), 3, activation=activation, name="conv", **options),
        layers.MaxPooling2D(name="pool"),
        layers.Conv2D(2, 3, name="next"),
    )
    kernel, _ = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([np.abs(kernel), np.array(values, "float32")])
    return model


def dead_channels(array: NDArray[Any]) -> list[int]:
    return [i for i in range(array.shape[-1]) if not array[..., i].any()]


def test_dead_channels_behind_a_rectifier() -> None:
    model = with_bias([0.1, -50, 0.1, -50, -50, 0.1])
    x = noise(3, 12, 12, 2)
    dead = dead_channels(ls.extract(model, x)["conv"].array)
    assert dead == [1, 3, 4]
    one = only(model, x, "dead")
    assert one.as_json() == {
        "level": "note",
        "code": "dead",
        "node": "conv",
        "message": "3 of 6 channels of conv are 0 in all 300 values of 3 samples: 1, 3 and 4.",
        "remedy": "Other pictures may wake them: give more.",
    }
    # Pooling hands them on, and is not told of again.
    assert dead_channels(ls.extract(model, x)["pool"].array) == dead


@pytest.mark.parametrize(
    ("biases", "samples", "level"),
    [
        ([-50] * 9 + [0.1], 1, "note"),
        ([-50] * 9 + [0.1], 9, "note"),
        ([-50] * 9 + [0.1], 10, "warning"),
        ([-50] * 8 + [0.1, 0.1], 40, "note"),
        ([-50, -50, -50], 1, "error"),
        ([0.1, 0.1, 0.1], 40, None),
    ],
)
def test_how_bad_dead_channels_are(biases: list[float], samples: int, level: str | None) -> None:
    seen = found(with_bias(biases), noise(samples, 12, 12, 2), "dead")
    assert [one.level for one in seen][:1] == ([level] if level else [])
    words = "1 sample" if samples == 1 else f"{samples} samples"
    assert all(words in one.message for one in seen)


def test_a_channel_that_one_picture_of_many_wakes_is_alive() -> None:
    model = with_bias([-3.0, 0.1])
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([np.abs(kernel), bias])
    x = noise(40, 12, 12, 2) * 0.1
    assert "1 of 2 channels" in only(model, x, "dead").message
    x[33, 5:9, 5:9] = 50
    assert found(model, x, "dead") == []


def test_dense_neurons_are_not_judged_by_a_few_values() -> None:
    model = stack((6,), layers.Dense(40, activation="relu", name="d"), layers.Dense(2))
    dead = dead_channels(ls.extract(model, noise(1, 6) - 0.5)["d"].array)
    assert dead
    assert found(model, noise(1, 6) - 0.5, "dead") == []
    model.get_layer("d").set_weights([np.zeros((6, 40)), np.r_[-1.0, np.ones(39)]])
    seen = found(model, noise(20, 6), "dead")
    assert seen[0].message == "1 of 40 channels of d is 0 in all 20 values of 20 samples: 0."


def test_channels_that_hold_one_number() -> None:
    model = with_bias([0.5, 2.0, 0.1], activation="linear")
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 1] = 0
    model.get_layer("conv").set_weights([kernel, bias])
    array = ls.extract(model, noise(2, 12, 12, 2))["conv"].array
    assert [i for i in range(3) if np.ptp(array[..., i]) == 0] == [1]
    one = only(model, noise(2, 12, 12, 2), "dead")
    assert (one.level, one.node) == ("note", "conv")
    assert one.message == (
        "1 of 3 channels of conv holds one number in all 200 values of 2 samples: 1."
    )


def test_what_is_handed_on_is_told_where_it_begins() -> None:
    model = stack(
        (12, 12, 1),
        layers.Conv2D(3, 3, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.LeakyReLU(name="leaky"),
        layers.Activation("sigmoid", name="s"),
        layers.Conv2D(2, 1, name="last"),
    )
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 2] = 0
    model.get_layer("conv").set_weights([kernel, bias + 1])
    assert [one.node for one in found(model, noise(1, 12, 12, 1), "dead")] == ["conv"]


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_saturation_is_the_share_at_the_ends(function: str, scale: float) -> None:
    model = stack((12, 12, 2), layers.Conv2D(4, 3, name="c"), layers.Activation(function, name="f"),
                  layers.Conv2D(2, 3))  # fmt: skip
    kernel, bias = model.get_layer("c").get_weights()
    model.get_layer("c").set_weights([kernel * scale, bias])
    x = noise(2, 12, 12, 2) - 0.5
    values = ls.extract(model, x)["f"].array
    low, high = (0.01, 0.99) if function == "sigmoid" else (-0.99, 0.99)
    share = float(((values <= low) | (values >= high)).mean())
    seen = found(model, x, "saturated")
    wanted = "warning" if share >= 0.9 else "note" if share > 0.5 else None
    assert [one.level for one in seen] == ([wanted] if wanted else [])
    for one in seen:
        assert one.node == "f"
        percent = "over 99" if 0.995 <= share < 1 else str(round(100 * share))
        assert one.message.startswith(f"{percent} % of the values of f ({function})")
    assert (scale == 1000.0) <= (wanted == "warning")


def test_a_fused_function_saturates_too_but_the_last_layer_may() -> None:
    body = [layers.Conv2D(4, 3, activation="tanh", name="c"), layers.Flatten()]
    model = stack((12, 12, 1), *body, layers.Dense(30, activation="sigmoid", name="out"))
    for layer in ("c", "out"):
        weights = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([1e4 * w for w in weights])
    assert [one.node for one in found(model, noise(1, 12, 12, 1), "saturated")] == ["c"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_input_that_is_not_finite(value: float) -> None:
    model = with_bias([0.1, 0.2])
    x = noise(2, 12, 12, 2)
    x[1, 3, 4, 0] = x[0, 0, 0, 0] = value
    one = only(model, x, "not-finite")
    assert (one.level, one.node) == ("error", "x")
    kind = "2 NaN" if np.isnan(value) else "2 infinite"
    assert one.message.startswith(f"The input itself holds {kind} values")
    assert found(model, noise(2, 12, 12, 2), "not-finite") == []


def test_the_first_layer_that_makes_nan() -> None:
    x = keras.Input((6, 6, 1), name="x")
    y = layers.Conv2D(2, 3, padding="same", name="a")(x)
    y = layers.Activation("relu", name="r")(y)
    z = keras.ops.log(y)
    z = layers.Conv2D(2, 3, name="b")(z)
    model = keras.Model(x, layers.ReLU(name="c")(z))
    fed = noise(1, 6, 6, 1) - 0.5
    arrays = ls.extract(model, fed)
    broken = [name for name, a in arrays.items() if not np.isfinite(a.array).all()]
    one = only(model, fed, "not-finite")
    assert one.node == broken[0] == "log"
    count = int(np.isinf(arrays["log"].array).sum())
    assert f"log is the first layer with {count} infinite values, and 2 layers after it" in (
        one.message
    )
    assert "Its input and its weights are finite" in one.message


def test_weights_that_are_nan_need_no_input() -> None:
    model = with_bias([0.1, 0.2])
    kernel, bias = model.get_layer("next").get_weights()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("next").set_weights([kernel, bias])
    one = only(model, None, "not-finite")
    assert (one.level, one.node) == ("error", "next")
    assert one.message == (
        f"1 of the {kernel.size} numbers in the kernel of next are NaN or infinite."
    )
    seen = found(model, noise(1, 12, 12, 2), "not-finite")
    assert {f.node for f in seen} == {"next"}
    assert any("kernel already hold them" in f.message for f in seen)


def test_float16_overflows() -> None:
    layer = layers.Conv2D(1, 1, dtype="float16", name="half")
    model = stack((8, 8, 1), layer, layers.ReLU())
    layer.set_weights([np.full((1, 1, 1, 1), 6e4), np.zeros(1)])
    one = only(model, 100 * noise(1, 8, 8, 1), "not-finite")
    assert one.node == "half"
    assert one.remedy == "float16 ends at 65504: run the network in float32."


def chain(factor: float, depth: int = 12) -> Any:
    """Convolutions of 1×1 that each multiply by a factor."""
    body = [layers.Conv2D(4, 1, name=f"c{i}") for i in range(depth)]
    model = stack((8, 8, 4), *body)
    for layer in body:
        layer.set_weights([factor * np.eye(4)[None, None] * 1.01, np.full(4, 1e-30)])
    return model


@pytest.mark.parametrize(
    ("factor", "word"), [(10, "grows"), (0.1, "shrinks"), (2, None), (1, None)]
)
def test_the_scale_along_the_network(factor: float, word: str | None) -> None:
    model, x = chain(factor), noise(2, 8, 8, 4)
    stds = {name: float(a.array.std()) for name, a in ls.extract(model, x).items()}
    seen = found(model, x, "scale-drift")
    assert len(seen) == (word is not None)
    for one in seen:
        far = next(n for n, s in stds.items() if max(s / stds["c0"], stds["c0"] / s) > 1e5)
        assert (one.level, one.node) == ("warning", far)
        assert f"{word} from {stds['c0']:.3g} at c0 to {stds[far]:.3g} at {far}" in one.message


def test_a_network_that_nobody_trained_may_drift() -> None:
    wide = keras.initializers.RandomNormal(0, 1)
    body = [
        layers.Conv2D(8, 3, padding="same", kernel_initializer=wide, use_bias=False)
        for _ in range(8)
    ]
    seen = found(stack((8, 8, 8), *body), noise(1, 8, 8, 8), "scale-drift", "untrained")
    assert [(one.code, one.level) for one in seen] == [
        ("untrained", "warning"),
        ("scale-drift", "note"),
    ]


def test_constant_channels_of_a_tally_in_batches() -> None:
    random = np.random.default_rng(0)
    tally = Tally()
    for k in range(3):
        batch = random.normal(size=(2, 5, 4))
        batch[..., 0], batch[..., 1], batch[..., 2] = 0, 7.5, 3 + k
        tally.add(batch, Axes.parse("NTC"))
    figures = tally.statistics()
    assert (figures.dead, figures.constant) == ((0,), (1,))


def test_a_network_of_fixed_batch_and_several_batches_agree() -> None:
    model = with_bias([0.1, -50, 0.1])
    x = noise(70, 12, 12, 2)
    whole = only(model, x, "dead").message
    assert "in all 7,000 values of 70 samples: 1." in whole
