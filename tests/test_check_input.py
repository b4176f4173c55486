"""What is fed: its range, its channels, its proportions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from checks import found, layers, noise, only, stack, trained


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


def colour(*size: int) -> Any:
    return np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)


def rescaling() -> Any:
    return stack((32, 32, 3), layers.Rescaling(1 / 255, name="r"), layers.Conv2D(4, 3))


def test_zero_to_one_for_a_network_that_divides_by_255() -> None:
    one = only(rescaling(), noise(2, 32, 32, 3), "input-range")
    assert one.level == "error"
    assert one.node == "x"
    assert one.message.endswith(
        ", and the network expects 0 to 255 (layer 'r' rescales inside the model)."
    )
    assert one.remedy == "Multiply the array by 255, or give the picture's file."
    assert found(rescaling(), 255 * noise(2, 32, 32, 3), "input-range") == []
    # Zeros and ones may be a black-and-white picture with values from 0 to 255 … or not.
    mask = (noise(1, 32, 32, 3) > 0.5).astype("float32")
    assert only(rescaling(), mask, "input-range").level == "warning"


def test_pictures_that_layerscope_prepares_itself_are_right(tmp_path: Path) -> None:
    Image.fromarray(colour(32, 32)).save(tmp_path / "a.png")
    for model in (rescaling(), stack((32, 32, 3), layers.Conv2D(4, 3))):
        assert found(model, tmp_path / "a.png", "input-range") == []
    one = only(rescaling(), tmp_path / "a.png", "input-range", range="0..1")
    assert one.level == "error"


def test_a_rescaling_that_is_not_from_255() -> None:
    model = stack((32, 32, 3), layers.Rescaling(2.0, offset=-1.0), layers.Conv2D(4, 3))
    assert found(model, noise(1, 32, 32, 3), "input-range") == []


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("VGG16", "unit", "the mean of each channel subtracted"),
        ("VGG16", "raw", "the mean of each channel subtracted"),
        ("MobileNetV2", "raw", "−1 to 1"),
        ("MobileNetV2", "unit", "−1 to 1"),
        ("DenseNet121", "raw", "ImageNet's mean"),
    ],
)
def test_families_with_ranges_of_their_own(name: str, values: str, words: str) -> None:
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    array = noise(1, 32, 32, 3) * (255 if values == "raw" else 1)
    one = only(model, array, "input-range")
    # The family is known, and not how this very network was trained.
    assert one.level == "warning"
    assert words in one.message
    expected = ls.open_model(model).hints.range
    assert f"--range {expected}" in one.remedy
    assert found(model, array, "input-range", range=expected) == []


def first_normalization(scale: float) -> Any:
    """A network trained, as its statistics tell, on values ``scale`` times as large as 0..1."""
    model = stack(
        (32, 32, 1),
        layers.Conv2D(4, 3, use_bias=False, name="conv"),
        layers.BatchNormalization(name="bn"),
    )
    made = keras.Model(model.inputs[0], model.get_layer("conv").output)(noise(8, 32, 32, 1) * scale)
    made = keras.ops.convert_to_numpy(made)
    mean, variance = made.mean((0, 1, 2)), made.var((0, 1, 2))
    model.get_layer("bn").set_weights([np.ones(4), np.zeros(4), mean, variance])
    return model


@pytest.mark.parametrize(("trained_on", "fed", "word"), [(255, 1, "less"), (1, 255, "more")])
def test_the_first_normalisation_knows_the_scale(trained_on: int, fed: int, word: str) -> None:
    model = first_normalization(trained_on)
    one = only(model, fed * noise(1, 32, 32, 1, seed=3), "input-range")
    assert one.level == "warning"
    assert f"times {word} than in training" in one.message
    times = float(one.message.split(" varies ")[1].split()[0])
    assert times == pytest.approx(255, rel=0.25)
    assert found(model, trained_on * noise(1, 32, 32, 1, seed=3), "input-range") == []
    assert found(model, trained_on * noise(1, 32, 32, 1) / 5, "input-range") == []


def test_raw_pixels_into_a_first_layer_that_saturates() -> None:
    model = stack(
        (32, 32, 1), layers.Conv2D(4, 5, activation="tanh", name="first"), layers.Conv2D(2, 3)
    )
    one = only(model, 255 * noise(1, 32, 32, 1), "input-range")
    assert one.level == "warning"
    assert "first, the first sigmoid or tanh" in one.message
    assert found(model, noise(1, 32, 32, 1), "input-range") == []
    calm = stack((32, 32, 1), layers.Conv2D(4, 5, activation="relu"))
    assert found(calm, 255 * noise(1, 32, 32, 1), "input-range") == []


def test_a_blank_picture_is_noted_and_nothing_else_made_of_it() -> None:
    model = stack((16, 16, 3), layers.Conv2D(4, 3, activation="relu"))
    all_ = ls.check(trained(model), np.zeros((1, 16, 16, 3), np.float32))
    assert [(f.level, f.code) for f in all_] == [
        ("note", "input-range"),
        ("note", "summed-channels"),
    ]
    assert "0 everywhere" in all_[0].message


def test_grey_for_colour_and_colour_for_grey(tmp_path: Path) -> None:
    Image.fromarray(colour(16, 16)).save(tmp_path / "colour.png")
    Image.fromarray(colour(16, 16)[..., 0]).save(tmp_path / "grey.png")
    three = stack((16, 16, 3), layers.Conv2D(4, 3))
    one_ = stack((16, 16, 1), layers.Conv2D(4, 3))
    grey = only(three, tmp_path / "grey.png", "input-channels")
    assert (grey.level, grey.node) == ("note", "x")
    assert grey.message.startswith("grey.png is grey, and the network takes colour")
    assert only(three, noise(1, 16, 16, 1), "input-channels").level == "note"
    bright = only(one_, tmp_path / "colour.png", "input-channels")
    assert bright.message.startswith("colour.png is in colour")
    assert found(three, tmp_path / "colour.png", "input-channels") == []
    assert found(one_, tmp_path / "grey.png", "input-channels") == []
    both = only(three, [tmp_path / "grey.png", tmp_path / "grey.png"], "input-channels")
    assert both.message.startswith("grey.png is grey")


@pytest.mark.parametrize(
    ("size", "level", "words"),
    [
        ((16, 16), None, ""),
        ((64, 64), None, ""),
        ((16, 24), "note", "24×16 to 16×16: one side by 1.5 times"),
        ((60, 20), "note", "20×60 to 16×16: one side by 3 times"),
        ((8, 160), "warning", "160×8 to 16×16: one side by 20 times"),
    ],
)
def test_squeezed_pictures(
    tmp_path: Path, size: tuple[int, int], level: str | None, words: str
) -> None:
    Image.fromarray(colour(*size)).save(tmp_path / "a.png")
    seen = found(stack((16, 16, 3), layers.Conv2D(4, 3)), tmp_path / "a.png", "input-layout")
    assert [one.level for one in seen] == ([level] if level else [])
    for one in seen:
        assert words in one.message


def test_several_pictures_are_told_of_together(tmp_path: Path) -> None:
    for i, size in enumerate([(16, 16), (16, 32), (16, 20)]):
        Image.fromarray(colour(*size)).save(tmp_path / f"{i}.png")
    model = stack((16, 16, 3), layers.Conv2D(4, 3))
    one = only(model, tmp_path, "input-layout")
    assert one.message.startswith("2 of 3 samples, 1.png most, are squeezed from 32×16 to 16×16")


def test_a_free_size_and_other_inputs_are_left_alone() -> None:
    model = stack((None, None, 3), layers.Conv2D(4, 3))
    assert found(model, noise(1, 20, 50, 3), "input-layout", "input-range") == []
    vector = stack((6,), layers.Dense(3))
    assert found(vector, 200 * noise(4, 6), "input-layout", "input-range") == []
