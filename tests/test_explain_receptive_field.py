"""Receptive fields: closed forms, and pixels that are changed to see what they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import layerscope as ls
from kerasmodels import BACKEND, feeds, opened
from layerscope.errors import InputError, ModelError, SelectionError
from layerscope.explain.fields import fields
from layerscope.explain.receptive_field import boxes
from layerscope.models.keras.adapter import KerasModel

pytestmark = pytest.mark.backend
layers = keras.layers


def positive(model: Any, seed: int = 0) -> Any:
    """Give every weight a positive value, so that no rectifier hides what a pixel does."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        fan = np.prod(variable.shape[:-2] if variable.shape[-1] == 1 else variable.shape[:-1])
        values = random.uniform(0.5, 1.5, variable.shape) / fan
        if "moving" in variable.path or "gamma" in variable.path:
            values = np.ones(variable.shape)
        variable.assign(values.astype("float32"))
    return model


def check_box(model: KerasModel, name: str, at: tuple[int, ...], seed: int = 0) -> None:
    """Pixels outside change nothing; of each side of an exact box some pixel does."""
    node, given = model.graph[name], model.graph.inputs[0]
    random = np.random.default_rng(seed)
    shape = (1, *(size or 0 for size in given.shape[1:]))
    x = random.uniform(0.2, 0.8, shape).astype("float32")
    (box,) = boxes(model.graph, name, at)
    place = [slice(None)] * len(node.shape)
    for axis, index in zip(node.axes.spatial, at, strict=True):
        place[axis] = slice(index, index + 1)

    def value(picture: NDArray[Any]) -> NDArray[Any]:
        return model.run(feeds(model, picture), [name])[name][tuple(place)]

    inside = [slice(None)] * len(shape)
    for axis, (start, stop) in zip(given.axes.spatial, box.ranges, strict=True):
        inside[axis] = slice(start, stop)
    still = value(x)
    outside = random.uniform(0.2, 0.8, shape).astype("float32")
    outside[tuple(inside)] = x[tuple(inside)]
    np.testing.assert_array_equal(value(outside), still)
    if box.status != "exact" or box.ranges[0] == (0, 0):  # or a neuron that sees padding alone
        return
    for axis, (start, stop) in zip(given.axes.spatial, box.ranges, strict=True):
        for edge in (start, stop - 1):
            moved = x.copy()
            side = list(inside)
            side[axis] = slice(edge, edge + 1)
            # Far up, so that a maximum follows, and visible after many averages.
            moved[tuple(side)] += 1000
            assert not np.array_equal(value(moved), still), (name, at, box, axis, edge)


def branched() -> Any:
    x = keras.Input((23, 19, 2))
    a = layers.Conv2D(3, 3, strides=2, padding="same", name="a")(x)
    b = layers.MaxPooling2D(3, 2, "same", name="b")(x)
    c = layers.Conv2D(2, 3, dilation_rate=2, padding="same", name="c")(a)
    both = layers.Concatenate(name="both")([a, b, c])
    d = layers.DepthwiseConv2D(3, padding="valid", name="d")(both)
    e = layers.Add(name="e")([layers.Cropping2D(((1, 1), (1, 1)))(both), d])
    f = layers.BatchNormalization(name="f")(e)
    return keras.Model(x, layers.SeparableConv2D(2, (3, 2), name="g")(f))


def up_and_down() -> Any:
    return keras.Sequential(
        [
            keras.Input((15, 14, 1)),
            layers.ZeroPadding2D(((0, 1), (2, 0))),
            layers.Conv2D(2, 3, strides=2, name="down"),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="up"),
            layers.UpSampling2D(3, name="nearest"),
            layers.AveragePooling2D(2, padding="same", name="mean"),
            layers.UpSampling2D(2, interpolation="bilinear", name="bilinear"),
            layers.Conv2DTranspose(1, (2, 3), strides=(3, 1), name="more"),
            layers.Permute((2, 1, 3), name="turned"),
            layers.Conv2D(1, (1, 3), name="last"),
        ]
    )


def sequence() -> Any:
    return keras.Sequential(
        [
            keras.Input((30, 2)),
            layers.Conv1D(2, 3, padding="causal", dilation_rate=2, name="causal"),
            layers.MaxPooling1D(2, name="pool"),
            layers.Conv1DTranspose(2, 4, strides=2, padding="same", name="up"),
        ]
    )


def volume() -> Any:
    return keras.Sequential(
        [
            keras.Input((7, 8, 9, 1)),
            layers.Conv3D(2, 3, strides=2, padding="same", name="a"),
            layers.Conv3D(1, (1, 2, 3), padding="same", name="b"),
        ]
    )


def skipping() -> Any:
    """Strides that leave pixels out, so that the ends of a field are not those of its hull."""
    return keras.Sequential(
        [
            keras.Input((21, 21, 1)),
            layers.Conv2D(1, 1, strides=2, name="a"),
            layers.Conv2D(1, 2, dilation_rate=3, padding="same", name="b"),
            layers.Conv2D(1, 3, strides=4, padding="same", name="c"),
        ]
    )


def wrapped() -> Any:
    inner = keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Conv2D(2, 3, name="c"), layers.ReLU(name="r")],
        name="inner",
    )
    return keras.Sequential([inner, layers.Conv2D(1, 3, name="o")])


@pytest.mark.parametrize("build", [branched, up_and_down, sequence, volume, skipping, wrapped])
def test_changed_pixels_tell_the_same(build: Callable[[], Any]) -> None:
    model = opened(positive(build()))
    random = np.random.default_rng(1)
    for node in model.graph:
        spatial = [node.shape[axis] or 0 for axis in node.axes.spatial]
        corners = [tuple(0 for _ in spatial), tuple(size - 1 for size in spatial)]
        for at in (*corners, tuple(int(random.integers(0, size)) for size in spatial)):
            check_box(model, node.name, at)


@pytest.mark.parametrize(
    ("name", "size"),
    [("VGG16", 48), ("ResNet50", 64), ("MobileNetV2", 64), ("InceptionV3", 107)],
)
def test_changed_pixels_tell_the_same_of_applications(name: str, size: int) -> None:
    if BACKEND != "tensorflow":
        pytest.skip("once is enough for networks of this size")
    build = getattr(keras.applications, name)
    plain = build(weights=None, input_shape=(size, size, 3), include_top=False)
    for layer in plain.layers:
        # A ceiling would hide what is above it.
        if isinstance(layer, layers.ReLU):
            layer.max_value = None
    model = opened(positive(plain))
    random = np.random.default_rng(2)
    for node in random.choice(np.array(model.graph.nodes, object), 6, replace=False):
        at = tuple(int(random.integers(0, node.shape[axis])) for axis in node.axes.spatial)
        check_box(model, node.name, at)


# From each network's kernels and strides: size ← size + (kernel − 1)·stride of what is before.
VGG16 = {
    "block1_conv2": (5, 1),
    "block1_pool": (6, 2),
    "block2_conv2": (14, 2),
    "block3_conv3": (40, 4),
    "block4_conv3": (92, 8),
    "block5_conv3": (196, 16),
    "block5_pool": (212, 32),
}
RESNET50 = {
    "conv1_conv": (7, 2),
    "pool1_pool": (11, 4),
    "conv2_block1_out": (19, 4),
    "conv2_block3_out": (35, 4),
    "conv3_block4_out": (99, 8),
    "conv4_block6_out": (291, 16),
    "conv5_block3_out": (483, 32),
}


@pytest.mark.parametrize(("name", "known"), [("VGG16", VGG16), ("ResNet50", RESNET50)])
def test_sizes_in_closed_form(name: str, known: dict[str, tuple[int, int]]) -> None:
    model = opened(getattr(keras.applications, name)(weights=None, include_top=False))
    found = fields(model.graph, {model.graph.inputs[0].name: (1, 224, 224, 3)})
    for layer, (size, stride) in known.items():
        field = found[layer]
        assert field is not None
        assert (field.size, field.stride) == ((size, size), (stride, stride)), layer


def test_padding_is_where_the_first_field_begins() -> None:
    model = keras.applications.VGG16(weights=None)
    found = fields(opened(model).graph)
    first = found["block1_conv2"]
    assert first is not None
    assert first.padding == (2, 2)
    assert found["fc1"] is None


def test_a_box_of_known_sides() -> None:
    model = keras.Sequential([keras.Input((25, 25, 1)), layers.Conv2D(2, 5, padding="same")])
    box = ls.receptive_field(model, 0, at=(0, 12))
    assert (box.top, box.left, box.bottom, box.right) == (0, 10, 3, 15)
    assert box.ranges == ((0, 3), (10, 15))
    assert box.status == "exact"


def test_what_sees_everything_says_so() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="c"),
            layers.Flatten(name="f"),
            layers.Dense(2, name="d"),
        ]
    )
    box = ls.receptive_field(model, "d", at=())
    assert box.ranges == ((0, 8), (0, 8))
    assert (box.status, box.notes) == ("exact", ("d (Dense) sees all of its input",))
    assert ls.receptive_field(model, "f", channel=0).ranges == ((0, 3), (0, 3))


class Shuffle(layers.Layer):  # type: ignore[misc]
    """Something of the user's own."""

    def call(self, x: Any) -> Any:
        return keras.ops.flip(x, 1)


def test_what_is_not_understood_is_an_upper_bound() -> None:
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), Shuffle(name="own"), layers.Conv2D(2, 3, name="c")]
    )
    box = ls.receptive_field(model, "c", at=(0, 0))
    assert (box.ranges, box.status) == (((0, 8), (0, 8)), "upper bound")
    assert any("is not understood, so it may see everything" in note for note in box.notes)


def test_sizes_that_the_network_leaves_free_are_given() -> None:
    model = keras.Sequential(
        [
            keras.Input((None, None, 1), name="image"),
            layers.Conv2D(2, 3, strides=2, padding="same", name="c"),
            layers.MaxPooling2D(name="p"),
        ]
    )
    assert ls.receptive_field(model, "p", (0, 1), size=(9, 10)).ranges == ((0, 4), (4, 9))
    with pytest.raises(InputError) as caught:
        ls.receptive_field(model, "p", (0, 1))
    assert str(caught.value) == (
        "expected the size of the input 'image', which the network leaves free (batch ?, height "
        "?, width ?, channel 1). Give it: size=(height, width), --size HxW."
    )


def test_a_branch_alone() -> None:
    x = keras.Input((12, 12, 1))
    a, b = layers.Conv2D(2, 1, name="a")(x), layers.Conv2D(3, 3, padding="same", name="b")(x)
    model = keras.Model(x, layers.Concatenate(name="j")([a, b]))
    assert ls.receptive_field(model, "j", (5, 5), channel=1).ranges == ((5, 6), (5, 6))
    assert ls.receptive_field(model, "j", (5, 5), channel=2).ranges == ((4, 7), (4, 7))
    assert ls.receptive_field(model, "j", (5, 5)).ranges == ((4, 7), (4, 7))


def test_messages() -> None:
    model = sequence()
    with pytest.raises(SelectionError) as caught:
        ls.receptive_field(model, "pool", at=(1, 2))
    assert str(caught.value) == (
        "expected a place along the spatial axes of pool (step) but got 2 numbers: (1, 2)."
    )
    with pytest.raises(SelectionError) as caught:
        ls.receptive_field(model, "pool", at=(15,))
    assert str(caught.value) == (
        "pool has 15 places along its step, numbered 0 to 14, but 15 was asked for. Choose one in "
        "that range."
    )
    with pytest.raises(ModelError, match=r"has the spatial axes T. Use box\.ranges"):
        _ = ls.receptive_field(model, "pool", at=(1,)).top
