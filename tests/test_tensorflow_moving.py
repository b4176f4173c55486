"""TensorFlow's slices, splits, gathers and stacks: traced, and explained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import layerscope as ls
from layerscope.explain.chain import Chained
from layerscope.explain.provenance import Tracing, origins
from layerscope.explain.scaling import Scaled
from layerscope.explain.sizes import sizes_of
from layerscope.operations import Elementwise, Gather, Opaque, Slice, Stack
from networks import Command
from tfgraphs import Plain, constant, frozen

v1 = tf.compat.v1


def shuffled(x: Any) -> Any:
    x = tf.reshape(x, [-1, 4, 5, 2, 3])
    return tf.reshape(tf.transpose(x, [0, 1, 2, 4, 3]), [-1, 4, 5, 6])


MOVES: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "slice": (lambda x: x[..., :3], [0, 1, 2]),
    "steps": (lambda x: x[:, 1:, ::2, 1::2], [1, 3, 5]),
    "backwards": (lambda x: x[..., ::-1], [5, 4, 3, 2, 1, 0]),
    "one": (lambda x: x[..., 2], [2]),
    "last": (lambda x: x[:, :, -1, -3:], [3, 4, 5]),
    "tf.slice": (lambda x: tf.slice(x, [0, 1, 0, 2], [-1, 2, -1, 3]), [2, 3, 4]),
    "split": (lambda x: tf.split(x, 3, axis=3)[1], [2, 3]),
    "sized split": (lambda x: tf.split(x, [1, -1, 2], axis=-1)[1], [1, 2, 3]),
    "unstack": (lambda x: tf.unstack(x, axis=-1)[4], [4]),
    "gather": (lambda x: tf.gather(x, [5, 0, 0], axis=3), [5, 0, 0]),
    "reverse": (lambda x: tf.reverse(x, [3]), [5, 4, 3, 2, 1, 0]),
    "stack": (
        lambda x: tf.reshape(tf.stack([x[..., :3], x[..., 3:]], axis=4), [-1, 4, 5, 6]),
        [0, 3, 1, 4, 2, 5],
    ),
    "shuffle": (shuffled, [0, 3, 1, 4, 2, 5]),
    "squeeze": (lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]), [0, 1, 2, 3, 4, 5]),
    "flat": (lambda x: tf.reshape(x, [-1, 120]), [0, 1, 2, 3, 4, 5] * 20),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_only_moves_values_is_traced(tmp_path: Path, name: str) -> None:
    function, expected = MOVES[name]

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4, 5, 6], name="x")
        # A layer that says that the last axis is the channels.
        x = tf.nn.max_pool2d(x, 1, 1, "VALID", name="p")
        tf.nn.relu(function(x), name="end")

    file = frozen(tmp_path / "m.pb", build)
    model = ls.open_model(file)
    graph = model.graph
    last = graph[graph["end"].inputs[0]]
    assert list(origins(graph, last)) == [("p", channel) for channel in expected]
    given = np.arange(1, 121, dtype=np.float32).reshape(1, 4, 5, 6)
    (output,) = Plain(file).run([last.name], {"x": given})
    axis = last.axes.channel
    channels = output[0][None] if axis is None else np.moveaxis(output[0], axis - 1, 0)
    tracing = Tracing(graph, last, sizes_of(graph))
    for channel, source in enumerate(expected):
        places = tracing.channel(channel)
        assert places is not None
        assert (channels[channel] == given[0, ..., source].reshape(-1)[places.flat]).all()


def test_operations_are_named_for_what_they_do(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4, 4, 6], name="x")
        a, b = tf.split(x, 2, axis=3, name="split")
        tf.gather(x, [1, 1], axis=3, name="gather")
        tf.stack([a, b], axis=1, name="stack")
        tf.nn.leaky_relu(x, 0.3, name="leaky")
        # Which rows are taken depends on the data.
        rows = tf.cast(tf.reduce_sum(x, [1, 2, 3]), tf.int32)
        tf.gather(x, rows * 0, axis=1, name="unknown")

    graph = ls.open_model(frozen(tmp_path / "m.pb", build)).graph
    assert isinstance(graph["split"].operation, Slice)
    assert graph["split"].operation != graph["split[1]"].operation
    assert graph["gather"].operation == Gather(3, (1, 1))
    assert graph["stack"].operation == Stack(1)
    slope = graph["leaky"].operation
    assert isinstance(slope, Elementwise)
    assert dict(slope.settings)["negative_slope"] == pytest.approx(0.3)
    assert isinstance(graph["unknown"].operation, Opaque)


def network(folder: Path) -> Path:
    """Convolution, bias, batch normalisation and rectifier as TensorFlow 1 writes them."""
    rng = np.random.default_rng(4)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 9, 3], name="x")
        y = tf.nn.conv2d(x, constant(rng, 3, 3, 3, 4), 2, "SAME", name="conv")
        y = tf.nn.bias_add(y, constant(rng, 4), name="bias")
        numbers = [constant(rng, 4) for _ in range(3)]
        variance = np.abs(constant(rng, 4)) + 0.1
        y = v1.nn.fused_batch_norm(
            y, *numbers[:2], numbers[2], variance, epsilon=0.01, is_training=False, name="norm"
        )[0]
        y = tf.nn.relu(y * 0.5, name="relu")
        left, right = tf.split(y, 2, axis=3, name="split")
        tf.concat([right, tf.tanh(left, name="tanh")], 3, name="join")

    return frozen(folder / "m.pb", build)


def test_a_chain_of_single_operations_is_one(tmp_path: Path) -> None:
    file = network(tmp_path)
    x = np.random.default_rng(1).normal(size=(1, 8, 9, 3)).astype(np.float32)
    for channel in range(4):
        e = ls.explain(file, x, "relu", channel, chain=True)
        assert isinstance(e, Chained)
        assert [node.name for node in e.nodes] == ["conv", "bias", "norm", "mul", "relu"]
        (output,) = Plain(file).run(["relu"], {"x": x})
        assert_allclose(np.maximum(e.sum + e.bias, 0), output[0, ..., channel], atol=1e-5)
        assert e.residual <= 1e-5
    e = ls.explain(file, x, "bias", 2)
    assert isinstance(e, Scaled)
    assert float(e.scale) == 1
    conv, bias = Plain(file).run(["conv", "bias"], {"x": x})
    assert_allclose(e.shift, (bias - conv)[0, 0, 0, 2], rtol=1e-5, atol=1e-7)


def test_a_joined_channel_goes_to_its_source(tmp_path: Path, command: Command) -> None:
    file = network(tmp_path)
    x = np.random.default_rng(1).normal(size=(8, 9, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = command(
        "explain", file, tmp_path / "x.npy", "-l", "join", "-c", "1", "--chain",
        "-o", tmp_path / "out", "--range", "as-is",
    )  # fmt: skip
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert "join, channel 1, is relu, channel 3: that is explained." in lines
    assert "relu, channel 3: the sum of 3 partial maps of x" in lines
    assert (tmp_path / "out" / "relu-chain-3.png").is_file()


@pytest.mark.slow
def test_every_node_of_a_frozen_squeezenet(material: Path) -> None:
    model = ls.open_model(material / "tf" / "customvision_squeezenet_model.pb")
    picture = material / "images" / "photos" / "skimage_chelsea.png"
    ends = {}
    for node in model.graph.nodes[:30]:
        channel = (node.channels or 1) // 2
        e = ls.explain(model, picture, node.name, channel)
        assert e.residual <= 1e-5, node.name
        if node.type == "Relu":
            e = ls.explain(model, picture, node.name, channel, chain=True)
            assert e.residual <= 1e-5, node.name
            assert_allclose(e.output, np.maximum(e.pre_activation, 0))
            ends[node.name] = len(e.nodes)
    assert set(ends.values()) == {3}
    graph = model.graph
    (joined,) = (node for node in graph if node.name == "fire3_concat")
    assert origins(graph, joined)[70] == ("fire3_expand3x3/fire3_expand3x3", 6)
    flat = graph["fc/Reshape"]
    assert origins(graph, flat) == tuple(("pool10", i) for i in range(512))
