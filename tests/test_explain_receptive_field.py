"""Receptive fields: closed forms, and pixels that are changed to see what they move."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from kerasmodels import opened
from layerscope.errors import InputError, ModelError, SelectionError
from layerscope.explain.regions import Regions
from networks import plain_array
from perturbed import check_box, positive

pytestmark = pytest.mark.backend
layers = keras.layers


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
    shape = (1, *(size or 0 for size in model.graph.inputs[0].shape[1:]))
    random = np.random.default_rng(1)
    for node in model.graph:
        spatial = [node.shape[axis] or 0 for axis in node.axes.spatial]
        corners = [tuple(0 for _ in spatial), tuple(size - 1 for size in spatial)]
        for at in (*corners, tuple(int(random.integers(0, size)) for size in spatial)):
            assert check_box(model, node.name, at, shape).status == "exact"


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


def see(model: Any, layer: str, *at: int, channel: int | None = None) -> tuple[Any, str]:
    box = ls.receptive_field(model, layer, at, channel=channel)
    return box.ranges, box.status


class Twice(layers.Conv2D):  # type: ignore[misc]
    """A convolution that looks elsewhere too."""

    def call(self, x: Any) -> Any:
        return super().call(keras.ops.flip(x, 1))


def elsewhere(x: Any) -> Any:
    """An activation function of the user's own."""
    return keras.ops.flip(x, 1)


def test_code_of_ones_own_is_an_upper_bound() -> None:
    everything = ((0, 8), (0, 8))
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, name="plain", activation="relu"),
            layers.Conv2D(2, 3, name="fused", activation=elsewhere),
            layers.Activation(elsewhere, name="own"),
            layers.Activation(layers.LeakyReLU(), name="known"),
        ]
    )
    assert see(model, "plain", 0, 0) == (((0, 3), (0, 3)), "exact")
    for layer in ("fused", "own", "known"):
        assert see(model, layer, 0, 0) == (everything, "upper bound")
    model = keras.Sequential([keras.Input((8, 8, 1)), Twice(2, 3, name="c")])
    box = ls.receptive_field(model, "c", (0, 0))
    assert (box.ranges, box.status) == (everything, "upper bound")
    assert box.notes == ("c (Twice) may do more than is known, so it may see everything",)
    assert box.field is None
    # It is so: the last row moves the first neuron.
    picture = np.zeros((1, 8, 8, 1), "float32")
    still = plain_array(model(picture))
    picture[:, -1] = 1
    assert not np.array_equal(plain_array(model(picture))[:, 0], still[:, 0])


class Recorded(keras.Model):  # type: ignore[misc]
    """What Keras cannot trace: between its layers it works with the backend's own tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = layers.Conv2D(2, 3, name="a"), layers.Conv2D(2, 3, name="b")
        self.c = layers.MaxPooling2D(2, name="c")

    def call(self, x: Any) -> Any:
        y = self.a(x)
        if isinstance(y, keras.KerasTensor):
            raise TypeError("a tensor of the backend is needed")
        return self.c(self.b(y[:, 1:]))


def test_operations_that_a_recorded_model_may_hide() -> None:
    model = Recorded()
    model(np.zeros((1, 12, 12, 1), "float32"))
    graph = opened(model).graph
    assert [node.name for node in graph if node.hides] == ["b"]
    assert see(model, "a", 0, 0) == (((0, 3), (0, 3)), "exact")
    for layer in ("b", "c"):
        assert see(model, layer, 0, 0) == (((0, 12), (0, 12)), "upper bound")


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (layers.Softmax(), ((2, 5), (3, 6))),
        (layers.Softmax(axis=1), ((0, 8), (3, 6))),
        (layers.Softmax(axis=(1, 2)), ((0, 8), (0, 9))),
        (layers.Activation("softmax"), ((2, 5), (3, 6))),
    ],
)
def test_a_softmax_sees_all_of_its_axes(layer: Any, wanted: Any) -> None:
    x = keras.Input((8, 9, 1))
    y = layers.Conv2D(2, 3, name="c")(x)
    layer.name = "s"
    model = opened(positive(keras.Model(x, layer(y))))
    assert see(model, "s", 2, 3, channel=0) == (wanted, "exact")


def test_a_softmax_after_a_convolution_with_channels_first() -> None:
    """Keras takes a fused softmax along the last axis, which is then the width."""
    layer = layers.Conv2D(
        2, 3, data_format="channels_first", activation="softmax", groups=2, name="c"
    )
    model = opened(positive(keras.Sequential([keras.Input((2, 8, 9)), layer])))
    assert see(model, "c", 2, 3) == (((2, 5), (0, 9)), "exact")
    last = keras.Sequential(
        [keras.Input((8, 9, 2)), layers.Conv2D(2, 3, activation="softmax", name="c")]
    )
    assert see(last, "c", 2, 3) == (((2, 5), (3, 6)), "exact")


def test_branches_that_take_different_channels_are_kept_apart() -> None:
    """The wide branch is seen at one place; a union of places and channels would widen it."""
    x = keras.Input((14, 14, 1))
    wide = layers.Conv2D(1, 7, padding="same", name="wide")(x)
    both = layers.Concatenate(name="both")([wide, layers.Conv2D(1, 1, name="plain")(x)])
    around = layers.Conv2D(1, 5, padding="same", name="around")(both[..., 1:])
    model = keras.Model(x, layers.Concatenate(name="all")([both[..., :1], around]))
    shape = (1, 14, 14, 1)
    box = check_box(opened(positive(model)), "all", (6, 6), shape)
    assert (box.ranges, box.status) == (((3, 10), (3, 10)), "exact")
    assert see(model, "all", 6, 6, channel=1) == (((4, 9), (4, 9)), "exact")


def test_regions_that_hold_one_another_are_one() -> None:
    regions = Regions()
    for masks in (
        ([True, False], [True, False, False]),
        ([False, True], [True, True, False]),
        ([False, True], [True, False, False]),
        ([True, False], [False, False, False]),
    ):
        regions.add(tuple(np.array(mask) for mask in masks))
    assert [[m.tolist() for m in held] for held in regions.held] == [
        [[True, False], [True, False, False]],
        [[False, True], [True, True, False]],
    ]
    assert (regions.hull(0), regions.hull(1), regions.exact) == ((0, 2), (0, 2), True)


def test_too_many_regions_become_one_that_is_no_longer_exact() -> None:
    regions = Regions()
    for place in range(17):
        regions.add(tuple(np.arange(17) == place for _ in range(2)))
    assert len(regions.held) == 1
    assert not regions.exact
    assert regions.hull(1) == (0, 17)


def test_the_box_in_the_picture_before_it_was_resized(tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (90, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    model = positive(keras.Sequential([keras.Input((30, 30, 3)), layers.Conv2D(2, 3, name="c")]))
    acts = ls.extract(model, tmp_path / "a.png", "c")
    (record,) = acts.inputs[0]
    box = ls.receptive_field(model, "c", (4, 7))
    assert box.ranges == ((4, 7), (7, 10))
    inside = box.in_picture(record)
    # Bilinear shrinking by 3 weighs 3 pixels to each side of a centre, all but the outermost;
    # by 4/3 it weighs 1 1/3 to each side: from (7 + 1/2)·4/3 − 4/3 to (9 + 1/2)·4/3 + 4/3.
    assert inside.ranges == ((11, 22), (9, 14))
    assert inside.status == "exact"
    changed = np.random.default_rng(6).integers(0, 256, pixels.shape, dtype=np.uint8)
    place = slice(inside.top, inside.bottom), slice(inside.left, inside.right)
    changed[place] = pixels[place]
    Image.fromarray(changed).save(tmp_path / "b.png")
    other = ls.extract(model, tmp_path / "b.png", "c")
    assert np.array_equal(other["c"].array[:, 4, 7], acts["c"].array[:, 4, 7])
    for edge in ((inside.top, 12), (inside.bottom - 1, 12), (15, inside.left), (15, 13)):
        changed = pixels.copy()
        changed[edge] = 255 - changed[edge]
        line = (edge[0], place[1]) if edge[1] == 12 else (place[0], edge[1])
        changed[line] = np.where(pixels[line] < 128, 255, 0)
        Image.fromarray(changed).save(tmp_path / "b.png")
        other = ls.extract(model, tmp_path / "b.png", "c")
        assert not np.array_equal(other["c"].array[:, 4, 7], acts["c"].array[:, 4, 7]), edge


def test_there_is_no_picture_behind_a_sequence() -> None:
    model = sequence()
    acts = ls.extract(model, np.zeros((1, 30, 2), "float32"), "pool")
    assert ls.receptive_field(model, "pool", (1,)).in_picture(acts.inputs[0][0]) is None


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
