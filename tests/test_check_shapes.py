"""Sizes, kernels and strides, and what convolutions do with channels."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import layerscope as ls
from checks import found, layers, noise, only, stack
from layerscope.models.keras.cures import _adds_along_width
from networks import saved

LAST = "channels_last"


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


def read_by_keras(layer: Any, size: int) -> float:
    """The share of inner positions that change something, by moving each of them."""
    layer.build((1, size, size, 1))
    layer.set_weights([np.ones_like(w) for w in layer.get_weights()])
    base = keras.ops.convert_to_numpy(layer(np.zeros((1, size, size, 1), np.float32)))
    inner = range(size // 4, size - size // 4)
    moved = np.zeros((len(inner) ** 2, size, size, 1), np.float32)
    for i, (row, column) in enumerate(itertools.product(inner, inner)):
        moved[i, row, column] = 1.0
    made = keras.ops.convert_to_numpy(layer(moved))
    return float((made != base).any(axis=(1, 2, 3)).mean())


@pytest.mark.parametrize("strides", [1, 2, 3, 4, (1, 3), (4, 2)])
@pytest.mark.parametrize("kernel", [1, 2, 3, (3, 1)])
def test_strides_that_skip(kernel: Any, strides: Any) -> None:
    size = 48
    layer = layers.Conv2D(1, kernel, strides=strides, use_bias=False, data_format=LAST)
    read = read_by_keras(layer, size)
    seen = found(
        stack((size, size, 1), layers.Conv2D(1, kernel, strides=strides, name="c")),
        None,
        "skipping-stride",
    )
    assert bool(seen) == (read < 1)
    for one in seen:
        assert one.level == ("note" if kernel == 1 else "warning")
        assert f"so that {round(100 * (1 - read))} % of the positions" in one.message
        assert one.node == "c"


@pytest.mark.parametrize(("window", "strides"), [(2, 2), (3, 2), (2, 3), (1, 2), (2, None)])
def test_pooling_that_skips(window: int, strides: int | None) -> None:
    read = read_by_keras(layers.MaxPooling2D(window, strides, data_format=LAST), 24)
    model = stack((24, 24, 1), layers.MaxPooling2D(window, strides))
    assert bool(found(model, None, "skipping-stride")) == (read < 1)


def test_dilation_with_a_stride_leaves_gaps() -> None:
    # Keras has no layer with both, but a TensorFlow graph may.
    from layerscope.axes import Axes
    from layerscope.explain.checkup.shapes import _stride
    from layerscope.graph import Node
    from layerscope.operations import Convolution

    for kernel, stride, dilation in itertools.product((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4)):
        read = {o * stride + t * dilation for o in range(50) for t in range(kernel)}
        share = len({p for p in read if 24 <= p < 24 + 12}) / 12
        operation = Convolution(1, (kernel,), (stride,), "valid", (dilation,))
        node = Node("c", 0, "c", "Conv1D", operation, ("x",), (None, 9, 1), Axes.parse("NTC"))
        seen = list(_stride(node))
        assert bool(seen) == (share < 1), (kernel, stride, dilation)
        for one in seen:
            assert f"so that {round(100 * (1 - share))} % of" in one.message


@pytest.mark.parametrize(
    ("shape", "body", "level"),
    [
        ((5, 5, 1), [layers.Conv2D(1, 7, padding="same")], "warning"),
        ((5, 5, 1), [layers.Conv2D(1, 5, padding="same")], None),
        ((5, 9, 1), [layers.Conv2D(1, (5, 9))], None),
        ((9, 9, 1), [layers.Conv2D(1, 5, dilation_rate=3, padding="same")], "warning"),
        ((9, 9, 1), [layers.Conv2D(1, 3, dilation_rate=3, padding="same")], None),
        ((8, 8, 1), [layers.MaxPooling2D(4), layers.Conv2D(1, 3, padding="same")], "note"),
        ((8, 1), [layers.Conv1D(1, 9, padding="causal")], "warning"),
        ((4, 4, 1), [layers.Conv2DTranspose(1, 8)], None),
    ],
)
def test_kernels_larger_than_their_input(
    shape: tuple[int, ...], body: list[Any], level: str | None
) -> None:
    seen = found(stack(shape, *body), None, "kernel-larger-than-input")
    assert [one.level for one in seen] == ([level] if level else [])


def test_maps_of_one_value_before_further_convolutions() -> None:
    body = [layers.MaxPooling2D(8, name="pool"), layers.Conv2D(2, 3, padding="same", name="c")]
    one = only(stack((8, 8, 1), *body), None, "collapsed")
    assert (one.level, one.node) == ("note", "pool")
    assert one.message == (
        "From pool on the maps are 1×1, one value each, and a layer with a larger kernel still "
        "follows (c)."
    )
    assert found(stack((16, 16, 1), *body), None, "collapsed") == []
    plain = [layers.MaxPooling2D(8), layers.Conv2D(2, 1), layers.Flatten(), layers.Dense(2)]
    assert found(stack((8, 8, 1), *plain), None, "collapsed") == []


def test_why_six_maps_and_not_24() -> None:
    model = stack(
        (25, 25, 1),
        layers.Conv2D(4, 5, padding="same", activation="relu", name="conv2d"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="conv2d_1"),
    )
    one = only(model, None, "summed-channels")
    assert one.as_json() == {
        "level": "note",
        "code": "summed-channels",
        "node": "conv2d_1",
        "message": "conv2d_1 gives 6 maps and not 24: each filter has 4 kernels of 3×3, one for "
        "each input channel, and sums what they give (6 × 4 = 24 partial maps, summed to 6).",
        "remedy": "To see the partial maps: layerscope explain MODEL INPUT -l conv2d_1 -c all",
    }


@pytest.mark.parametrize(
    ("layer", "partial"),
    [
        (layers.Conv2D(6, 3), 6 * 8),
        (layers.Conv2D(6, 3, groups=2), 6 * 4),
        (layers.Conv2D(8, 3, groups=8), None),
        (layers.DepthwiseConv2D(3), None),
        (layers.SeparableConv2D(6, 3, depth_multiplier=2), 6 * 16),
        (layers.Conv2DTranspose(6, 3), 6 * 8),
        (layers.Conv2D(1, 1), 8),
        (layers.Dense(6), None),
    ],
)
def test_how_many_partial_maps_there_are(layer: Any, partial: int | None) -> None:
    """By Keras's own weights: a kernel for every partial map."""
    model = stack((9, 9, 8), layer)
    seen = found(model, None, "summed-channels")
    assert bool(seen) == (partial is not None)
    for one in seen:
        assert f"and not {partial}:" in one.message
        kernel = layer.get_weights()[1 if "Separable" in type(layer).__name__ else 0]
        assert np.prod(kernel.shape[-2:]) == partial


def test_the_partial_maps_are_what_explain_shows() -> None:
    model = stack((9, 9, 3), layers.Conv2D(5, 3, name="it's $(c)"))
    one = only(model, None, "summed-channels")
    assert one.remedy.endswith("-l 'it'\"'\"'s $(c)' -c all")
    e = ls.explain(model, noise(1, 9, 9, 3), "it's $(c)", 2)
    assert len(e.contributions) * 5 == 15
    assert "5 × 3 = 15 partial maps" in one.message


def test_a_shared_layer_is_told_of_once() -> None:
    x = keras.Input((9, 9, 4), name="x")
    conv = layers.Conv2D(4, 3, padding="same", name="c")
    model = keras.Model(x, conv(conv(x)))
    assert only(model, None, "summed-channels").node == "c"


def test_layers_that_are_told_to_train() -> None:
    x = keras.Input((9, 9, 4), name="x")
    y = layers.Dropout(0.5, name="drop")(x, training=True)
    y = layers.BatchNormalization(name="bn")(y, training=True)
    y = layers.Dropout(0.5, name="calm")(y)
    y = layers.BatchNormalization(name="still")(y, training=False)
    model = keras.Model(x, layers.RandomFlip(name="flip")(y))
    seen = found(model, None, "training-mode")
    assert [(one.level, one.node) for one in seen] == [("warning", "drop"), ("warning", "bn")]
    assert "partly random" in seen[0].message
    assert "statistics of the batch" in seen[1].message
    # What they are said to do, they do.
    dropped = ls.extract(model, noise(2, 9, 9, 4) + 1, layers="drop")["drop"].array
    assert 0.4 < (dropped == 0).mean() < 0.6


def test_training_that_is_said_of_a_nested_model_or_in_code() -> None:
    inner = keras.Sequential(
        [keras.Input((6, 6, 2)), layers.Dropout(0.5, name="drop"), layers.Conv2D(2, 3, name="c")],
        name="inner",
    )
    x = keras.Input((6, 6, 2), name="x")
    assert [f.node for f in found(keras.Model(x, inner(x)), None, "training-mode")] == []
    told = keras.Model(x, inner(x, training=True))
    assert [f.node for f in found(told, None, "training-mode")] == ["inner/drop"]

    class Own(keras.Model):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.drop = layers.Dropout(0.5, name="drop")

        def call(self, x: Any) -> Any:
            return self.drop(x, training=True)

    own = Own()
    own(noise(1, 4))
    assert [f.node for f in found(own, None, "training-mode")] == ["drop"]


def test_training_survives_saving(tmp_path: Path) -> None:
    x = keras.Input((9, 9, 4), name="x")
    y = layers.BatchNormalization(name="bn")(x, training=True)
    path = saved(keras.Model(x, y), tmp_path / "m.keras")
    assert only(path, None, "training-mode").node == "bn"


def test_the_bias_that_keras_adds_along_the_width() -> None:
    def net(filters: int) -> Any:
        return stack(
            (1, 12, 12),
            layers.Conv2D(filters, 3, padding="same", data_format="channels_first", name="c"),
        )

    assert _adds_along_width(), "Keras is cured: the code and its finding can go"
    model = net(12)
    one = only(model, None, "backend-bug")
    assert (one.level, one.node) == ("warning", "c")
    assert one.message.startswith("c: its bias is added along the channels; Keras ")
    opened = ls.open_model(model)
    assert opened.graph["c"].fault
    assert one.message == f"{opened.source.notes[0]}."
    assert found(net(11), None, "backend-bug") == []
    # What layerscope shows is right, and what Keras gives is not.
    bias = np.arange(12, dtype="float32")
    model.get_layer("c").set_weights([np.zeros((3, 3, 1, 12), "float32"), bias])
    zeros = np.zeros((1, 1, 12, 12), "float32")
    own = ls.extract(model, zeros)["c"].array
    np.testing.assert_array_equal(own[0, :, 5, 7], bias)
    assert (keras.ops.convert_to_numpy(model(zeros))[0, :, 5, 7] != bias).any()
