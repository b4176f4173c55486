"""The layout mistake, in the model and in the input; the cures are built and tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from checks import found, layers, noise, only, stack
from layerscope.operations import Convolution

LAST, FIRST = "channels_last", "channels_first"
CONVOLUTIONS: list[tuple[Any, dict[str, Any], tuple[int, ...]]] = [
    (layers.Conv2D, {"filters": 10, "kernel_size": 8, "padding": "same"}, (1, 32, 32)),
    (layers.Conv2D, {"filters": 16, "kernel_size": 3, "padding": "same"}, (3, 64, 64)),
    (layers.Conv2D, {"filters": 6, "kernel_size": 5, "padding": "same"}, (3, 48, 64)),
    (layers.Conv2D, {"filters": 4, "kernel_size": 5, "padding": "same", "strides": 2}, (3, 9, 9)),
    (layers.Conv2D, {"filters": 4, "kernel_size": 3, "padding": "same", "use_bias": False},
     (1, 28, 28)),
    (layers.DepthwiseConv2D, {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
     (3, 32, 32)),
    (layers.SeparableConv2D, {"filters": 5, "kernel_size": 3, "depth_multiplier": 2,
                              "padding": "same"}, (3, 32, 32)),
    (layers.Conv1D, {"filters": 7, "kernel_size": 5, "padding": "same"}, (1, 128)),
    (layers.Conv3D, {"filters": 2, "kernel_size": 3, "padding": "same"}, (1, 16, 16, 16)),
]  # fmt: skip


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


def net(kind: Any, options: dict[str, Any], shape: tuple[int, ...], data_format: str) -> Any:
    return stack(shape, kind(**options, data_format=data_format, name="conv"))


def outcome(model: Any) -> str:
    """Keras's own output shape and parameters, as the message tells them."""
    return f"{tuple(model.output_shape)} with {model.count_params():,} parameters"


@pytest.mark.parametrize("data_format", [LAST, FIRST])
@pytest.mark.parametrize(("kind", "options", "picture"), CONVOLUTIONS)
def test_both_cures_are_what_keras_then_makes(
    kind: Any, options: dict[str, Any], picture: tuple[int, ...], data_format: str
) -> None:
    first, last = picture, (*picture[1:], picture[0])
    wrong = first if data_format == LAST else last
    right = last if data_format == LAST else first
    other = FIRST if data_format == LAST else LAST
    one = only(net(kind, options, wrong, data_format), None, "layout")
    assert one.level in ("error", "warning")
    assert one.node == "conv"
    cured = [net(kind, options, right, data_format), net(kind, options, wrong, other)]
    put, keep = one.remedy.split(" Or keep")
    assert f"Input({right})" in put
    assert outcome(cured[0]) in put
    assert f'data_format="{other}"' in keep
    assert outcome(cured[1]) in keep
    for model in cured:
        assert found(model, None, "layout") == []


def test_the_use_case_is_told_in_these_words() -> None:
    model = net(layers.Conv2D, CONVOLUTIONS[0][1], (1, 32, 32), LAST)
    one = only(model, None, "layout")
    assert one.as_json() == {
        "level": "error",
        "code": "layout",
        "node": "conv",
        "message": "The input x has the shape (1, 32, 32), which looks like 1 channel of 32×32; "
        "conv (channels_last) reads it as height 1, width 32, channel 32, and gives (None, 1, "
        "32, 10) with 20,490 parameters. The signs: a height of 1; 32 channels, more than a "
        "picture has; as many channels as the width; a kernel of 8 along the height of 1; 32×32 "
        "would be a picture.",
        "remedy": "Either put the channels last, Input((32, 32, 1)): conv then gives (None, 32, "
        "32, 10) with 650 parameters. Or keep the shape and set "
        'data_format="channels_first" in every layer that has it: (None, 10, 32, 32) with 650 '
        "parameters.",
    }
    # The kernel that is too large and the 32 channels are part of it, and not said again.
    assert {f.code for f in ls.check(model)} == {"layout", "untrained"}


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        # Each sign alone, and networks that are meant so.
        ((1, 64, 3), {"kernel_size": 5, "padding": "same"}),  # one row, kernel higher than it
        ((1, 1000, 12), {"kernel_size": (1, 7)}),  # a signal with 12 leads
        ((1, 64, 64), {"kernel_size": (1, 3)}),  # a kernel for one row
        ((3, 3, 200), {"kernel_size": 3}),  # a hyperspectral patch
        ((5, 64, 64), {"kernel_size": 3}),  # five rows are no usual channels
        ((4, 4, 512), {"kernel_size": 3}),  # features of another network
        ((1, 1, 2048), {"kernel_size": 1}),
        ((64, 64, 64), {"kernel_size": 3}),  # as many channels as columns
        ((64, 128, 1), {"kernel_size": (1, 64), "padding": "same"}),  # EEG
        ((32, 32, 32), {"kernel_size": 8, "padding": "same"}),
        ((224, 224, 3), {"kernel_size": 7, "strides": 2}),
        ((None, None, 3), {"kernel_size": 3}),
    ],
)
def test_no_sign_suffices_alone(shape: tuple[int | None, ...], options: dict[str, Any]) -> None:
    model = stack(shape, layers.Conv2D(8, **options, data_format=LAST))
    assert found(model, None, "layout") == []


def test_what_lies_before_the_convolution_does_not_hide_it() -> None:
    model = stack(
        (1, 32, 32),
        layers.Rescaling(1 / 255),
        layers.BatchNormalization(),
        layers.Conv2D(4, 3, padding="same", data_format=LAST, name="conv"),
        layers.Conv2D(4, 3, padding="same", data_format=LAST),
    )
    assert only(model, None, "layout").node == "conv"
    turned = stack((1, 32, 32), layers.Permute((2, 3, 1)), layers.Conv2D(4, 3, data_format=LAST))
    assert found(turned, None, "layout") == []


CASES: list[tuple[tuple[int, ...], str, tuple[int, ...]]] = [
    ((32, 32, 3), LAST, (3, 32, 32)),
    ((32, 32, 3), LAST, (5, 3, 32, 32)),
    ((28, 20, 1), LAST, (2, 1, 28, 20)),
    ((28, 20, 1), LAST, (1, 28, 20)),
    ((3, 32, 32), FIRST, (32, 32, 3)),
    ((3, 32, 32), FIRST, (4, 32, 32, 3)),
    ((1, 28, 20), FIRST, (28, 20, 1)),
    ((1, 28, 20), FIRST, (2, 28, 20, 1)),
    ((3, 30, 30), FIRST, (64, 48, 3)),
]


@pytest.mark.parametrize(("shape", "data_format", "given"), CASES)
def test_an_array_that_is_laid_out_the_other_way(
    shape: tuple[int, ...], data_format: str, given: tuple[int, ...]
) -> None:
    model = stack(shape, layers.Conv2D(4, 3, data_format=data_format))
    array = noise(*given)
    one = only(model, array, "input-layout")
    come, want = ("first", "last") if data_format == LAST else ("last", "first")
    assert (one.level, one.node) == ("error", "x")
    assert f"laid out channels {come}" in one.message
    assert f"channels {want}" in one.message
    assert str(given) in one.message
    # The cure is carried out as it is written.
    words = one.remedy.removeprefix("Give ")
    expression, _, said = words.partition(", of shape ")
    moved = eval(expression, {"numpy": np, "array": array})
    assert said == f"{moved.shape}."
    again = [f for f in ls.check(model, moved) if f.level == "error"]
    assert again == []
    # Nothing was run, so nothing is said of activations; the model's findings are there.
    assert {f.code for f in ls.check(model, array)} & {"dead", "saturated"} == set()
    assert any(f.code == "untrained" for f in ls.check(model, array))


@pytest.mark.parametrize(
    ("shape", "given", "code", "words"),
    [
        ((32, 32, 3), (32, 32, 5), "input-channels", "takes 3 channels, not 5"),
        ((32, 32, 3), (2, 32, 32, 4), "input-channels", "takes 3 channels, not 4"),
        ((8, 8, 1), (7, 8, 8), "input-channels", "takes 1 channel, not 8"),
        ((1, 32, 32), (32, 32), "input-layout", "a matrix"),
        ((32, 32, 3), (7,), "input-layout", "1 dimension"),
        ((32, 32, 3), (1, 1, 1, 32, 32, 3), "input-layout", "6 dimensions"),
    ],
)
def test_other_shapes_that_cannot_be_fed(
    shape: tuple[int, ...], given: tuple[int, ...], code: str, words: str
) -> None:
    model = stack(shape, layers.Conv2D(4, 3, padding="same", data_format=LAST))
    one = only(model, np.zeros(given, np.float32), code)
    assert one.level == "error"
    assert words in one.message
    assert one.remedy.endswith(".")


def test_samples_without_a_channel_axis_get_the_index_that_mends_them() -> None:
    model = stack((8, 8, 1), layers.Conv2D(4, 3, data_format=LAST))
    array = noise(7, 8, 8)
    one = only(model, array, "input-channels")
    assert one.remedy == "If these are 7 samples without a channel axis, give array[..., None]."
    assert found(model, array[..., None], "input-channels", "input-layout") == []


def test_a_network_that_is_laid_out_wrongly_is_to_be_mended_first(tmp_path: Path) -> None:
    np.save(tmp_path / "disc.npy", noise(32, 32))
    model = net(layers.Conv2D, CONVOLUTIONS[0][1], (1, 32, 32), LAST)
    one = only(model, tmp_path / "disc.npy", "input-layout")
    assert one.message == (
        f"{tmp_path / 'disc.npy'} has shape (32, 32), a matrix; input 'x' takes height 1, "
        "width 32, channel 32."
    )
    assert one.remedy == (
        "Mend the shape of the network's own input first, as the finding layout says."
    )


def test_sequences_and_volumes_are_never_stretched() -> None:
    model = stack((50, 2), layers.Conv1D(4, 3, data_format=LAST))
    one = only(model, noise(3, 2, 50), "input-layout")
    assert one.remedy == "Give numpy.moveaxis(array, 1, -1), of shape (3, 50, 2)."
    assert "must agree" in only(model, noise(3, 60, 2), "input-layout").remedy


def test_a_picture_for_a_network_that_takes_none(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    model = stack((1, 32, 32), layers.Conv2D(4, 3, padding="same", data_format=LAST))
    assert {f.code for f in ls.check(model, tmp_path / "a.png")} >= {"layout", "input-layout"}
    vector = stack((7,), layers.Dense(2))
    assert only(vector, tmp_path / "a.png", "input-layout").level == "error"


def test_values_that_cannot_be_fed_are_findings_too() -> None:
    model = stack((8, 8, 1), layers.Conv2D(2, 3, data_format=LAST))
    for bad in (np.zeros((8, 8, 1), complex), np.zeros((0, 8, 8, 1)), np.array([["a", "b"]])):
        one = only(model, bad, "input-range")
        assert one.level == "error"
    whole = keras.Sequential(
        [keras.Input((8, 8, 1), dtype="uint8", name="x"), layers.Rescaling(1 / 255)]
    )
    assert "fractions" in only(whole, noise(1, 8, 8, 1), "input-range").message


def test_what_can_be_fed_is_run_though_something_beside_it_cannot() -> None:
    model = stack((32, 32, 3), layers.Conv2D(4, 3, activation="relu", name="conv"))
    model.layers[0].set_weights([model.layers[0].get_weights()[0], np.full(4, -1e6, "float32")])
    both = found(model, [noise(32, 32, 3), noise(3, 32, 32)], "input-layout", "dead")
    assert [(f.code, f.level) for f in both] == [("input-layout", "error"), ("dead", "error")]
    assert "of 1 sample" in both[1].message


def test_the_size_that_a_network_cannot_be_run_on() -> None:
    model = stack(
        (None, None, 3), layers.Conv2D(4, 3, name="a"), layers.MaxPooling2D(4, name="pool"),
        layers.Conv2D(4, 5, name="b"),
    )  # fmt: skip
    one = only(model, noise(1, 10, 10, 3), "collapsed")
    assert (one.level, one.node) == ("error", "b")
    assert one.message == (
        "Nothing is left of the maps at b: it is fed 2×2, and its kernel of 5×5 does not fit in "
        "there."
    )
    assert found(model, noise(1, 10, 10, 3), "input-layout") == []
    assert found(model, noise(1, 64, 64, 3), "collapsed") == []


def test_two_inputs_are_looked_at_one_by_one() -> None:
    a, b = keras.Input((1, 32, 32), name="a"), keras.Input((32, 32, 1), name="b")
    left = layers.Conv2D(4, 3, padding="same", name="left", data_format=LAST)(a)
    right = layers.Conv2D(4, 3, padding="same", name="right", data_format=LAST)(b)
    model = keras.Model([a, b], [left, right])
    assert only(model, None, "layout").node == "left"
    fed = {"a": noise(1, 1, 32, 32), "b": noise(1, 1, 32, 32)}
    assert only(model, fed, "input-layout").node == "b"


def test_convolutions_are_what_layout_is_judged_by() -> None:
    graph = ls.open_model(stack((1, 32, 32), layers.Flatten(), layers.Dense(3))).graph
    assert not any(isinstance(node.operation, Convolution) for node in graph)
    assert found(stack((1, 32, 32), layers.Flatten(), layers.Dense(3)), None, "layout") == []
