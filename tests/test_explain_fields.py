"""Size, stride and padding of receptive fields: published figures, and the boxes themselves."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import pytest

import layerscope as ls
from kerasmodels import BACKEND, opened
from layerscope.errors import InputError
from layerscope.explain.fields import Field, fields
from layerscope.explain.receptive_field import boxes
from layerscope.explain.sizes import sizes_of
from networks import Command, saved

pytestmark = pytest.mark.backend
layers = keras.layers
once = pytest.mark.skipif(BACKEND != "tensorflow", reason="once is enough for whole networks")

# (size, stride, padding) from the table that comes with Araujo, Norris and Sim, "Computing
# Receptive Fields of Convolutional Neural Networks", Distill 2019: RECEPTIVE_FIELD_TABLE.md of
# the library google-research/receptive_field, at 224×224 for VGG-16 and at any size for the others.
# The networks there are TF-Slim's; what is compared is laid out alike here.
PUBLISHED: dict[str, dict[str, tuple[int, int, int]]] = {
    "VGG16": {
        "block1_conv1": (3, 1, 1),
        "block1_pool": (6, 2, 2),
        "block2_conv1": (10, 2, 4),
        "block2_pool": (16, 4, 6),
        "block3_conv1": (24, 4, 10),
        "block3_conv2": (32, 4, 14),
        "block3_pool": (44, 8, 18),
        "block4_conv1": (60, 8, 26),
        "block4_conv2": (76, 8, 34),
        "block4_pool": (100, 16, 42),
        "block5_conv1": (132, 16, 58),
        "block5_conv2": (164, 16, 74),
        "block5_pool": (212, 32, 90),
    },
    "InceptionV3": {
        "conv2d": (3, 2, 0),
        "conv2d_1": (7, 2, 0),
        "conv2d_2": (11, 2, 2),
        "max_pooling2d": (15, 4, 2),
        "conv2d_3": (15, 4, 2),
        "conv2d_4": (23, 4, 2),
        "max_pooling2d_1": (31, 8, 2),
        "mixed0": (63, 8, 18),
        "mixed1": (95, 8, 34),
        "mixed2": (127, 8, 50),
        "mixed3": (159, 16, 58),
        "mixed4": (351, 16, 154),
        "mixed5": (543, 16, 250),
        "mixed6": (735, 16, 346),
        "mixed7": (927, 16, 442),
        "mixed8": (1055, 32, 490),
        "mixed9": (1183, 32, 554),
        "mixed10": (1311, 32, 618),
    },
}
INCEPTION_V4 = {
    "Conv2d_1a_3x3/Relu": (3, 2, 0),
    "Conv2d_2a_3x3/Relu": (7, 2, 0),
    "Conv2d_2b_3x3/Relu": (11, 2, 2),
    "Mixed_3a/concat": (15, 4, 2),
    "Mixed_4a/concat": (47, 4, 14),
    "Mixed_5a/concat": (55, 8, 14),
    "Mixed_5b/concat": (87, 8, 30),
    "Mixed_5e/concat": (183, 8, 78),
    "Mixed_6a/concat": (215, 16, 86),
    "Mixed_6h/concat": (1559, 16, 758),
    "Mixed_7a/concat": (1687, 32, 806),
    "Mixed_7d/concat": (2071, 32, 998),
}
# The table has 483 and 32 for TF-Slim's resnet_v1_50, whose blocks stride in their last layer;
# those of Keras stride in their first, as He et al. (2015) have it. So the sizes in between are
# worked out by hand: size + (kernel − 1)·stride of what is before, from 7 and 11 of the stem.
PUBLISHED["ResNet50"] = {
    "conv1_conv": (7, 2, 3),
    "pool1_pool": (11, 4, 5),
    "conv2_block1_out": (11 + 2 * 4, 4, 5 + 4),
    "conv2_block3_out": (11 + 3 * 2 * 4, 4, 5 + 3 * 4),
    "conv3_block4_out": (35 + 4 * 2 * 8, 8, 17 + 4 * 8),
    "conv4_block6_out": (99 + 6 * 2 * 16, 16, 49 + 6 * 16),
    "conv5_block3_out": (483, 32, 145 + 3 * 32),
}


def check(found: dict[str, Field | None], known: dict[str, tuple[int, int, int]]) -> None:
    for layer, (size, stride, padding) in known.items():
        assert found[layer] == Field((size,) * 2, (Fraction(stride),) * 2, (padding,) * 2)


@once
@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_figures(name: str) -> None:
    keras.utils.clear_session()
    model = opened(getattr(keras.applications, name)(weights=None, include_top=False))
    shapes = {model.graph.inputs[0].name: (1, 224, 224, 3)}
    check(fields(model.graph, shapes), PUBLISHED[name])


@once
def test_published_figures_of_a_graph_of_tensorflow_1(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "examples"))
    from inception_v4 import inception_v4  # type: ignore[import-not-found]

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        inception_v4(1 / 32)
        session.run(tf.compat.v1.global_variables_initializer())
        graph = ls.open_model(session).graph
    sys.modules.pop("inception_v4")
    check(fields(graph), {f"InceptionV4/{name}": told for name, told in INCEPTION_V4.items()})


def up_and_down() -> Any:
    x = keras.Input((64, 61, 1))
    y = layers.ZeroPadding2D(((0, 1), (2, 0)), name="pad")(x)
    y = layers.Conv2D(2, 3, strides=2, dilation_rate=1, name="down")(y)
    y = layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="up")(y)
    y = layers.UpSampling2D(3, name="nearest")(y)
    y = layers.AveragePooling2D(2, padding="same", name="mean")(y)
    y = layers.UpSampling2D(2, interpolation="bilinear", name="bilinear")(y)
    y = layers.Conv2D(1, (3, 2), dilation_rate=(2, 3), name="wide")(y)
    y = layers.UpSampling2D(3, interpolation="bilinear", name="odd")(y)
    y = layers.Permute((2, 1, 3), name="turned")(y)
    y = layers.Conv2D(1, (1, 3), strides=(2, 1), name="last")(y)
    return keras.Model(x, layers.Cropping2D(((1, 0), (2, 3)), name="cut")(y))


def residual() -> Any:
    x = keras.Input((40, 44, 2))
    a = layers.Conv2D(3, 3, strides=2, padding="same", name="a")(x)
    b = layers.MaxPooling2D(5, 2, "same", name="b")(x)
    both = layers.Add(name="both")([a, layers.Conv2D(3, 1, name="c")(b)])
    return keras.Model(x, layers.Concatenate(name="d")([both, layers.Conv2D(1, 3, 1, "same")(b)]))


@pytest.mark.parametrize("build", [up_and_down, residual])
def test_boxes_lie_where_the_figures_say(build: Any) -> None:
    """Of each neuron far enough inside: its box begins and ends where the closed form has it."""
    graph = opened(build()).graph
    sizes, found = sizes_of(graph), fields(graph)
    given, enlarged = sizes[graph.inputs[0].name], False
    for node in graph:
        field = found[node.name]
        assert field is not None, node.name
        # On the turned maps, rows of the node are columns of the input.
        order = (1, 0) if node.name in ("turned", "last", "cut") else (0, 1)
        enlarged = enlarged or node.name == "up"  # after it, fields differ among neurons
        widest = [0, 0]
        shape = [sizes[node.name][axis] for axis in node.axes.spatial]
        for place in range(max(shape)):
            at = tuple(min(place, size - 1) for size in shape)
            (box,) = boxes(graph, node.name, at)
            for axis in range(2):
                start = at[axis] * field.stride[axis] - field.padding[axis]
                first, stop = box.ranges[order[axis]]
                size = given[1 + order[axis]]
                if first == 0 or stop == size:  # cut off, or a neuron that sees padding alone
                    continue
                widest[axis] = max(widest[axis], stop - first)
                if not enlarged:
                    assert (first, stop - first) == (start, field.size[axis]), (node.name, at)
        assert tuple(widest) == field.size, node.name


def test_no_field_of_one_size() -> None:
    x = keras.Input((16, 16, 2))
    slow = layers.UpSampling2D(2, name="up")(layers.Conv2D(2, 2, 2, name="half")(x))
    thin = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    y = layers.Add(name="apart")([slow, layers.Conv2D(2, 2, padding="same", name="fast")(x)])
    z = layers.Multiply(name="weighed")([x, thin])
    w = layers.Dense(2, name="dense")(layers.Flatten(name="flat")(x))
    soft = layers.Softmax(axis=1, name="soft")(x)
    found = fields(opened(keras.Model(x, [y, z, w, soft])).graph)
    none = {name for name, field in found.items() if field is None}
    assert none == {"mean", "weighed", "dense", "flat", "soft"}
    assert found["apart"] is not None
    assert found["apart"].size == (3, 3)


def test_one_of_two_inputs() -> None:
    a, b = keras.Input((16, 16, 1), name="a"), keras.Input((16, 16, 1), name="b")
    near, far = (
        layers.Conv2D(1, 3, padding="same", name="near")(a),
        layers.Conv2D(1, 5, padding="same", name="far")(b),
    )
    model = keras.Model([a, b], layers.Add(name="sum")([near, far]))
    graph = opened(model).graph
    assert [ls.receptive_field(model, "sum", input=n).field.size for n in "ab"] == [(3, 3), (5, 5)]
    assert fields(graph, given="a")["far"] is None


def test_on_the_command_line(tmp_path: Path, command: Command) -> None:
    model = keras.Sequential(
        [
            keras.Input((16, 12, 1), name="image"),
            layers.Conv2D(2, (3, 5), strides=2, name="conv"),
            layers.UpSampling2D(4, name="up"),
            layers.GlobalMaxPooling2D(name="all"),
        ]
    )
    path = saved(model, tmp_path / "m.keras")
    done = command("layers", path, "--receptive-fields")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0][-3:] == ["sees", "stride", "padding"]
    assert rows[1][-3:] == ["1×1", "1", "0"]
    assert rows[2][-3:] == ["3×5", "2", "0"]
    assert rows[3][-3:] == ["3×5", "0.5", "0"]
    assert rows[4][-1] == "–"
    told = json.loads(command("layers", path, "--json").out)["nodes"]
    assert [node["receptive_field"] for node in told] == [
        {"size": [3, 5], "stride": [2, 2], "padding": [0, 0]},
        {"size": [3, 5], "stride": [0.5, 0.5], "padding": [0, 0]},
        None,
    ]


def test_where_the_size_is_free(networks: Path, command: Command) -> None:
    path = networks / "free.keras"
    assert json.loads(command("layers", path, "--json").out)["nodes"][0]["receptive_field"] is None
    done = command("layers", path, "--receptive-fields")
    assert done.status == 1
    assert done.message == (
        "expected the size of the input 'image', which the network leaves free (batch ?, height "
        "?, width ?, channel 3). Give it: size=(height, width), --size HxW."
    )
    rows = command("layers", path, "--receptive-fields", "--size", "9x9").out.splitlines()
    assert rows[2].split()[-3:] == ["3×3", "1", "0"]
    with pytest.raises(InputError):
        fields(ls.open_model(path).graph)
