"""Findings on TensorFlow graphs, which are drawn from the same neutral operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from checks import found, noise, only  # noqa: E402
from tfgraphs import constant, frozen, v1  # noqa: E402


def graph(tmp_path: Path, after: Callable[[Any], Any], shape: Any = (None, 8, 8, 2)) -> Path:
    """A convolution, something, and a rectifier, as a frozen graph."""
    rng = np.random.default_rng(0)

    def build() -> None:
        x = v1.placeholder(tf.float32, shape, "x")
        y = tf.nn.conv2d(x, constant(rng, 3, 3, shape[-1], 4), 1, "SAME", name="conv")
        tf.nn.relu(after(y), name="out")

    return frozen(tmp_path / "g.pb", build)


def own_statistics(y: Any) -> Any:
    return v1.nn.fused_batch_norm(y, tf.ones(4), tf.zeros(4), is_training=True, name="bn")[0]


@pytest.mark.parametrize(
    ("after", "node"),
    [
        (own_statistics, "bn"),
        (lambda y: tf.nn.dropout(y, rate=0.5, name="drop"), "drop/SelectV2"),
        (lambda y: tf.multiply(y, tf.floor(v1.random_uniform(tf.shape(y)) + 0.5), name="m"), "m"),
        (lambda y: tf.identity(y), None),
        (lambda y: y * v1.placeholder_with_default(0.5, (), "keep_prob"), None),
    ],
)
def test_training_that_is_written_into_the_graph(
    tmp_path: Path, after: Callable[[Any], Any], node: str | None
) -> None:
    seen = found(graph(tmp_path, after), None, "training-mode")
    assert [(one.level, one.node) for one in seen] == ([("warning", node)] if node else [])


def test_a_dropout_that_a_setting_turns_off(tmp_path: Path) -> None:
    def after(y: Any) -> Any:
        keep = v1.placeholder_with_default(0.5, (), "keep_prob")
        return tf.multiply(y / keep, tf.floor(v1.random_uniform(tf.shape(y)) + keep), name="m")

    assert found(graph(tmp_path, after), noise(1, 8, 8, 2), "training-mode") == []


def test_the_layout_mistake_names_no_layer_of_keras(tmp_path: Path) -> None:
    one = only(graph(tmp_path, tf.identity, (None, 1, 32, 32)), None, "layout")
    assert one.node == "conv"
    assert "an input of shape (32, 32, 1)" in one.remedy
    assert "Input(" not in one.remedy
    assert found(graph(tmp_path, tf.identity), None, "layout") == []


def test_an_array_laid_out_the_other_way(tmp_path: Path) -> None:
    one = only(graph(tmp_path, tf.identity), noise(1, 2, 8, 8), "input-layout")
    assert one.remedy == "Give numpy.moveaxis(array, 1, -1), of shape (1, 8, 8, 2)."


def test_dead_channels_and_why_four_maps(tmp_path: Path) -> None:
    path = graph(tmp_path, lambda y: tf.nn.bias_add(y, [-99.0, 0.5, -99.0, 0.5], name="bias"))
    one = only(path, noise(1, 8, 8, 2), "dead")
    assert (one.node, one.message) == (
        "out",
        "2 of 4 channels of out are 0 in all 64 values of 1 sample: 0 and 2.",
    )
    assert "4 × 2 = 8 partial maps" in only(path, None, "summed-channels").message
