"""What a graph's own arithmetic tells of the range and the colours that it expects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import layerscope as ls
from tfgraphs import Plain, constant, frozen, save, v1

RNG = np.random.default_rng(17)
PIXELS = RNG.integers(0, 256, (12, 12, 3), dtype=np.uint8)
KERNEL = constant(RNG, 3, 3, 3, 4)
CAFFE = [103.939, 116.779, 123.68]  # blue, green, red

Prepared = Callable[[Any], Any]


def centred(x: Any) -> Any:
    return (x - 127.5) / 127.5


def inception(x: Any) -> Any:
    """As in the graph of 2015 that classifies pictures."""
    return tf.multiply(tf.subtract(x, 128.0, name="Sub"), 0.0078125, name="Mul")


def caffe_in_the_graph(x: Any) -> Any:
    """VGG's: 0 to 1 in, times 255, parted, each mean subtracted, blue first."""
    red, green, blue = tf.split(x * 255.0, 3, axis=3)
    return tf.concat([blue - CAFFE[0], green - CAFFE[1], red - CAFFE[2]], axis=3)


def turned(x: Any) -> Any:
    return x[..., ::-1] - tf.constant(CAFFE)


def mean_picture(x: Any) -> Any:
    return x - tf.constant(RNG.normal(120, 5, (12, 12, 3)).astype("float32"))


def normalised(x: Any) -> Any:
    mean, variance = np.float32([120, 115, 104]), np.float32([4900, 4700, 5000])
    ones = np.float32([1, 1, 1])
    return tf.nn.batch_normalization(x, mean, tf.constant(variance), 0 * ones, ones, 1e-3)


def fused(x: Any) -> Any:
    mean, variance = np.float32([0.48, 0.45, 0.4]), np.float32([0.05, 0.05, 0.05])
    ones = np.float32([1, 1, 1])
    return v1.nn.fused_batch_norm(x, ones, 0 * ones, mean, variance, 1e-3, is_training=False)[0]


CASES: list[tuple[Prepared, str, str | None, str]] = [
    (lambda x: x / 255.0, "0..255", None, "'truediv' divides by 255"),
    (lambda x: x * (1 / 255), "0..255", None, "'mul' multiplies by 0.0039216"),
    (lambda x: x / 127.5 - 1, "0..255", None, "'truediv' divides by 127.5, 'sub' subtracts 1"),
    (lambda x: 1 - x / 127.5, "0..255", None, "'truediv' divides by 127.5, 'sub' subtracts 1"),
    (centred, "0..255", None, "'sub' subtracts 127.5, 'truediv' divides by 127.5"),
    (inception, "0..255", None, "'Sub' subtracts 128, 'Mul' multiplies by 0.0078125"),
    (lambda x: x - tf.constant(CAFFE), "0..255", "bgr", "'sub' subtracts 103.94, 116.78, 123.68"),
    (lambda x: x - tf.constant(CAFFE[::-1]), "0..255", None, "'sub' subtracts 123.68, 116.78, 103"),
    (turned, "0..255", None, "'sub' subtracts 103.94, 116.78, 123.68"),
    (mean_picture, "0..255", None, "'sub' subtracts 1"),
    (normalised, "0..255", None, "normalises values around 120, 115, 104"),
    (lambda x: (x - 0.5) * 2.0, "0..1", None, "'sub' subtracts 0.5, 'mul' multiplies by 2"),
    (lambda x: x * 2.0 - 1.0, "0..1", None, "'mul' multiplies by 2, 'sub' subtracts 1"),
    (caffe_in_the_graph, "0..1", None, "'mul' multiplies by 255"),
    (
        lambda x: (x - tf.constant([0.485, 0.456, 0.406])) / tf.constant([0.229, 0.224, 0.225]),
        "0..1", None, "'sub' subtracts 0.485, 0.456, 0.406, 'truediv' divides by 0.229, 0.224",
    ),
    (fused, "0..1", None, "normalises values around 0.48, 0.45, 0.4"),
]  # fmt: skip


def network(prepared: Prepared) -> Callable[[], None]:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        y = tf.nn.conv2d(prepared(x), tf.constant(KERNEL), 1, "SAME", name="conv")
        tf.nn.relu(y, name="out")

    return build


@pytest.mark.parametrize(("prepared", "range", "color", "words"), CASES)
def test_the_range_that_the_arithmetic_is_for(
    tmp_path: Path, prepared: Prepared, range: str, color: str | None, words: str
) -> None:
    path = frozen(tmp_path / "net.pb", network(prepared))
    Image.fromarray(PIXELS).save(tmp_path / "x.png")
    hints = ls.open_model(path).hints
    assert (hints.range, hints.color) == (range, color)
    assert words in hints.reason
    assert hints.reason.endswith(" in the graph")

    acts = ls.extract(path, tmp_path / "x.png")
    (step,) = [s for s in acts.inputs[0][0].steps if "0..255" in s or "divided by 255" in s]
    assert words in step
    fed = PIXELS.astype("float32")[None] / (1 if range == "0..255" else 255)
    fed = fed[..., ::-1] if color == "bgr" else fed
    wanted = Plain(path).run(["out"], {"x": fed})[0]
    np.testing.assert_allclose(acts["out"].array, wanted, atol=1e-4)


@pytest.mark.parametrize(
    "prepared",
    [
        lambda x: x,
        lambda x: x * 1.5,
        lambda x: x - 0.05,
        lambda x: tf.nn.relu(x) / 255.0,
        lambda x: 255.0 / (x + 1.0),
        lambda x: x / tf.reduce_max(x),
        lambda x: tf.image.per_image_standardization(x[0])[None],
        lambda x: x * 0.0,
        lambda x: x * tf.constant(np.nan),
    ],
)
def test_nothing_is_told_where_nothing_is_certain(tmp_path: Path, prepared: Prepared) -> None:
    hints = ls.open_model(frozen(tmp_path / "net.pb", network(prepared))).hints
    assert (hints.range, hints.color) == (None, None)


def test_where_the_input_is_used_twice_nothing_is_told(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        tf.concat([x / 255.0, x], 3, name="both")

    assert ls.open_model(frozen(tmp_path / "net.pb", build)).hints.range is None


def test_variables_and_other_layouts(tmp_path: Path) -> None:
    """A mean that was a variable, for channels first."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 3, 12, 12], name="x")
        start = np.reshape(np.float32(CAFFE), (1, 3, 1, 1))
        mean = v1.get_variable("mean", initializer=start)
        y = tf.nn.conv2d(x - mean, tf.constant(KERNEL), 1, "SAME", data_format="NCHW")
        tf.nn.relu(y, name="out")

    hints = ls.open_model(save(tmp_path, build)).hints
    assert (hints.range, hints.color) == ("0..255", "bgr")


def test_the_arithmetic_is_believed_before_the_name(tmp_path: Path) -> None:
    """A network of tf.slim takes -1..1, but for its preprocessing inside the graph."""

    def build(inside: bool) -> Callable[[], None]:
        def made() -> None:
            x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
            y = centred(x) if inside else x
            with tf.name_scope("InceptionV3/Conv2d_1a_3x3"):
                tf.nn.conv2d(y, tf.constant(KERNEL), 2, "VALID", name="Conv2D")

        return made

    plain, inside = (
        ls.open_model(frozen(tmp_path / f"{inside}.pb", build(inside))).hints
        for inside in (False, True)
    )
    assert (plain.range, plain.reason) == ("-1..1", "the graph is a InceptionV3 of tf.slim's")
    assert inside.range == "0..255"


def test_the_products_network_of_the_material(material: Path) -> None:
    """Its batch normalisation takes pixels: with 0..1 nearly every map would be flat."""
    model = ls.open_model(material / "tf" / "customvision_squeezenet_model.pb")
    assert model.hints.range == "0..255"
    acts = ls.extract(model, material / "images" / "photos" / "serve_kitten.jpg", [0])
    values = next(iter(acts.values())).array
    assert np.abs(values.mean()) < 1 < values.std() < 2
