"""Graphs of TensorFlow 1 written in the tests: settings, loops, choices, layouts, labels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import ModelError
from layerscope.operations import Convolution, Normalization, Padding, Pooling, Upsampling
from tfgraphs import Plain, constant, frozen, save, v1
from which_files import seen

RNG = np.random.default_rng(5)
PICTURE = RNG.random((2, 12, 12, 3)).astype("float32")


def variable(name: str, *shape: int) -> Any:
    return v1.get_variable(name, initializer=constant(RNG, *shape))


def training_network() -> None:
    """As people wrote it: a scope for each layer, dropout, a loss, an optimizer, summaries."""
    images = v1.placeholder(tf.float32, [None, 12, 12, 3], name="images")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    keep = v1.placeholder(tf.float32, name="keep_prob")
    with v1.variable_scope("conv1"):
        net = tf.nn.conv2d(images, variable("W", 3, 3, 3, 4), 1, "SAME", name="conv")
        net = tf.nn.relu(tf.nn.bias_add(net, variable("b", 4), name="bias"), name="relu")
    net = tf.nn.max_pool2d(net, 2, 2, "VALID", name="pool1")
    v1.summary.histogram("pool1", net)
    flat = tf.reshape(net, [-1, 6 * 6 * 4], name="flat")
    dropped = v1.nn.dropout(flat, keep_prob=keep, name="dropout")
    logits = tf.add(tf.matmul(dropped, variable("fc/W", 144, 10)), variable("fc/b", 10), "logits")
    tf.nn.softmax(logits, name="probabilities")
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    loss = tf.reduce_mean(entropy, name="loss")
    v1.summary.scalar("loss", loss)
    v1.train.AdamOptimizer().minimize(loss)
    v1.summary.merge_all()
    tf.equal(tf.argmax(logits, 1), labels, name="correct")


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="MetaGraph (.meta) and checkpoint",
    what="a training graph, with dropout, optimizer and labels",
    against="a session of TensorFlow", exact=True,
)  # fmt: skip
def test_a_training_graph_shows_its_inference(tmp_path: Path) -> None:
    prefix = save(tmp_path, training_network)
    model = ls.open_model(tmp_path)
    names = [node.name for node in model.graph]
    assert names[:4] == ["conv1/conv", "conv1/bias", "conv1/relu", "pool1"]
    assert "probabilities" in names
    assert not [n for n in names if "gradients" in n or n in ("correct", "loss") or "Adam" in n]
    assert [node.name for node in model.graph.inputs] == ["images", "keep_prob"]
    assert model.graph.main_input == "images"
    assert model.source.notes[0] == "keep_prob is set to 1 (inference: everything is kept)"
    assert any("left out: labels" in note for note in model.source.notes)

    acts = ls.extract(model, PICTURE)
    shown = [n for n in acts if not n.startswith("dropout")]
    wanted = Plain(prefix).run(shown, {"images": PICTURE, "keep_prob": 1.0})
    for name, expected in zip(shown, wanted, strict=True):
        assert np.array_equal(acts[name].array, expected), name


def test_a_setting_is_fed_by_hand(tmp_path: Path) -> None:
    save(tmp_path, training_network)
    model = ls.open_model(tmp_path)
    acts = ls.extract(model, {"images": PICTURE, "keep_prob": 0.5}, layers=["flat", "dropout*"])
    values = list(acts.values())
    flat, dropped = values[0].array, values[-1].array
    kept = dropped != 0
    assert 0.3 < kept[flat != 0].mean() < 0.7
    np.testing.assert_allclose(dropped[kept], 2 * flat[kept], rtol=1e-6)


def test_on_the_command_line(tmp_path: Path, command: Any) -> None:
    save(tmp_path, training_network)
    np.save(tmp_path / "x.npy", PICTURE)
    listed = command("layers", tmp_path)
    assert listed.status == 0
    assert "conv1/conv" in listed.out
    out = tmp_path / "o.npz"
    words = (f"images={tmp_path / 'x.npy'}", "keep_prob=0.5")
    assert command("extract", tmp_path, *words, "-o", out, "-l", "flat").status == 0
    assert np.load(out)["flat"].shape == (2, 144)


def test_an_optional_default_is_a_setting(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        keep = v1.placeholder_with_default(0.5, [], name="keep_prob")
        strength = v1.placeholder_with_default(3.0, [], name="strength")
        y = tf.multiply(tf.matmul(x, constant(RNG, 4, 2)), strength, name="y")
        v1.nn.dropout(y, keep_prob=keep, name="d")

    path = frozen(tmp_path / "net.pb", build)
    model = ls.open_model(path)
    x = RNG.random((3, 4)).astype("float32")
    acts = ls.extract(model, x)
    assert np.array_equal(acts["y"].array, Plain(path).run(["y"], {"x": x})[0])
    assert np.array_equal(list(acts.values())[-1].array, acts["y"].array)
    twice = ls.extract(model, {"x": x, "strength": 6})
    np.testing.assert_allclose(twice["y"].array, 2 * acts["y"].array, rtol=1e-6)


def test_an_unknown_scalar_is_asked_for(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        alpha = v1.placeholder(tf.float32, [], name="alpha")
        y = tf.matmul(x, constant(RNG, 4, 2), name="y")
        tf.multiply(y, alpha, name="z")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    x = np.ones((1, 4), "float32")
    assert ls.extract(model, x, "y")["y"].array.shape == (1, 2)
    with pytest.raises(ModelError, match="needs a value for alpha, which is not known"):
        ls.extract(model, x)
    assert ls.extract(model, {"x": x, "alpha": 2.0})["z"].array.shape == (1, 2)


@pytest.mark.parametrize("v2", [False, True])
def test_the_phase_decides_a_branch(tmp_path: Path, v2: bool) -> None:
    """Batch normalisation under tf.cond: the inference branch is shown, in both kinds of cond."""
    gamma, beta, mean = constant(RNG, 3), constant(RNG, 3), constant(RNG, 3)
    variance = np.abs(constant(RNG, 3)) + 0.1

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        training = v1.placeholder(tf.bool, [], name="is_training")
        y = tf.nn.conv2d(x, constant(RNG, 3, 3, 3, 3), 1, "SAME", name="conv")

        def trained() -> Any:
            m, v = tf.nn.moments(y, [0, 1, 2])
            return tf.nn.batch_normalization(y, m, v, beta, gamma, 1e-3)

        def inferred() -> Any:
            found = v1.nn.fused_batch_norm(
                y, tf.constant(gamma), tf.constant(beta), mean, variance, 1e-3, is_training=False
            )
            return found[0]

        z = tf.cond(training, trained, inferred)
        tf.nn.relu(z, name="out")

    (v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2)()
    try:
        path = frozen(tmp_path / "net.pb", build)
    finally:
        v1.enable_control_flow_v2()
    model = ls.open_model(path)
    kinds = [(node.type, node.operation.kind) for node in model.graph]
    assert kinds == [
        ("Conv2D", "convolution"),
        ("FusedBatchNormV3", "normalization"),
        ("Relu", "elementwise"),
    ]
    assert "is_training is set to 0 (inference)" in model.source.notes
    acts = ls.extract(model, PICTURE)
    wanted = Plain(path).run(["conv", "out"], {"x": PICTURE, "is_training": False})
    assert np.array_equal(acts["conv"].array, wanted[0])
    # TensorFlow fuses the normalisation with what follows it.
    np.testing.assert_allclose(acts["out"].array, wanted[1], atol=1e-6)
    node = model.graph.nodes[1]
    weights = model.weights(node.name)
    assert np.array_equal(weights["moving_variance"], variance)
    with pytest.raises(ModelError, match="is not there with is_training=True, by which the graph"):
        ls.extract(model, {"x": PICTURE, "is_training": True})


@pytest.mark.parametrize("v2", [False, True])
def test_what_is_outside_a_loop_is_shown(tmp_path: Path, v2: bool) -> None:
    kernel = constant(RNG, 4, 4)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        before = tf.nn.relu(x, name="before")
        _, after = tf.while_loop(
            lambda i, y: i < 3, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, kernel))), [0, before]
        )
        tf.sigmoid(after, name="after")

    (v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2)()
    try:
        path = frozen(tmp_path / "net.pb", build)
    finally:
        v1.enable_control_flow_v2()
    model = ls.open_model(path)
    assert [n.name for n in (model.graph.nodes[0], model.graph.nodes[-1])] == ["before", "after"]
    assert len(model.graph) == 3
    loop = model.graph.nodes[1]
    assert loop.inputs == ("before",)
    assert model.graph["after"].inputs == (loop.name,)
    assert any("cannot be reached" in note for note in model.source.notes)
    x = RNG.normal(size=(3, 4)).astype("float32")
    y = np.maximum(x, 0)
    for _ in range(3):
        y = np.tanh(y @ kernel)
    acts = ls.extract(model, x)
    np.testing.assert_allclose(acts[loop.name].array, y, atol=1e-6)
    np.testing.assert_allclose(acts["after"].array, 1 / (1 + np.exp(-y)), atol=1e-6)


def test_a_choice_by_the_data_is_named(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.cond(tf.reduce_sum(x) > 0, lambda: tf.exp(x), lambda: tf.tanh(x))
        tf.abs(y, name="after")

    v1.disable_control_flow_v2()
    try:
        path = frozen(tmp_path / "net.pb", build)
    finally:
        v1.enable_control_flow_v2()
    model = ls.open_model(path)
    assert [n.type for n in model.graph] == ["Merge", "Abs"]
    assert any("inside the choice" in note for note in model.source.notes)
    x = np.ones((2, 4), "float32")
    np.testing.assert_allclose(ls.extract(model, x)["after"].array, np.exp(x), rtol=1e-6)
    np.testing.assert_allclose(ls.extract(model, -x)["after"].array, np.tanh(x), rtol=1e-6)


def test_every_kind_of_operation(tmp_path: Path) -> None:
    """One of each, by its neutral operation, and all values as TensorFlow has them."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        padded = tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]], name="padded")
        tf.pad(x, [[0, 0], [1, 1], [2, 2], [0, 0]], mode="REFLECT", name="mirrored")
        depthwise = tf.nn.depthwise_conv2d(
            padded, constant(RNG, 3, 3, 3, 2), [1, 2, 2, 1], "VALID", name="depthwise"
        )
        left, right = tf.split(depthwise, 2, axis=3, name="split")
        joined = tf.concat([right, left, depthwise], -1, name="joined")
        dilated = v1.nn.convolution(
            joined, constant(RNG, 3, 3, 12, 5), "SAME", dilation_rate=[2, 2], name="dilated"
        )
        explicit = tf.nn.conv2d(
            dilated, constant(RNG, 3, 3, 5, 4), 1, [[0, 0], [1, 0], [0, 1], [0, 0]], name="explicit"
        )
        grouped = tf.nn.conv2d(explicit, constant(RNG, 1, 1, 2, 6), 1, "SAME", name="grouped")
        size = tf.shape(grouped)
        up = tf.nn.conv2d_transpose(
            grouped, constant(RNG, 2, 2, 3, 6), tf.stack([size[0], 10, 12, 3]), 2, name="up"
        )
        resized = v1.image.resize_nearest_neighbor(up, [20, 24], name="resized")
        tf.nn.lrn(resized, name="lrn")
        tf.nn.avg_pool2d(resized, 3, 2, "SAME", name="mean_pool")
        tf.nn.leaky_relu(resized, name="leaky")
        tf.transpose(resized, [0, 3, 1, 2], name="turned")
        pooled = tf.reduce_mean(resized, [1, 2], name="everywhere")
        kept = tf.reduce_mean(resized, [1, 2], keepdims=True, name="kept")
        tf.squeeze(kept, [1, 2], name="squeezed")
        dense = tf.matmul(pooled, constant(RNG, 7, 3), transpose_b=True, name="dense")
        tf.add_n([dense, dense, dense], name="thrice")
        tf.slice(dense, [0, 1], [-1, 3], name="sliced")
        tf.multiply(dense, 3.0, name="tripled")

    path = frozen(tmp_path / "net.pb", build)
    model = ls.open_model(path)
    graph = model.graph
    acts = ls.extract(model, PICTURE)
    wanted = Plain(path).run(list(acts), {"x": PICTURE})
    for activation, expected in zip(acts.values(), wanted, strict=True):
        node = activation.node
        assert np.array_equal(activation.array, expected), node.name
        assert node.shape[1:] == expected.shape[1:], node.name
        assert node.shape[0] is None

    def operation(name: str) -> Any:
        return graph[name].operation

    assert operation("padded") == Padding(((1, 1), (2, 2)))
    assert operation("mirrored").mode == "reflect"
    assert operation("depthwise") == Convolution(
        6, (3, 3), (2, 2), "valid", (1, 1), 3, depthwise=True, depth_multiplier=2, use_bias=False
    )
    assert [n for n in acts if n.startswith("split")] == ["split", "split[1]"]
    assert graph["joined"].inputs == ("split[1]", "split", "depthwise")
    dilated = next(n for n in graph if n.name.startswith("dilated"))
    assert dilated.operation.dilation == (2, 2)  # type: ignore[attr-defined]
    assert not [n for n in graph if n.type == "SpaceToBatchND"]
    assert operation("explicit").padding == ((1, 0), (0, 1))
    assert operation("grouped").groups == 2
    assert operation("up").transposed
    assert operation("up").filters == 3
    assert operation("resized") == Upsampling((2, 2), "nearest")
    assert operation("mean_pool") == Pooling("mean", (3, 3), (2, 2), "same")
    assert str(graph["turned"].axes) == "NCHW"
    assert operation("everywhere") == Pooling("mean", (), (), "valid", everywhere=True)
    assert operation("kept").keepdims
    assert str(graph["squeezed"].axes) == "NC"
    assert operation("dense").units == 7
    assert model.weights("dense")["kernel"].shape == (3, 7)
    assert operation("thrice").function == "add"
    assert graph["thrice"].inputs == ("dense", "dense", "dense")
    assert operation("tripled").function == "multiply"


def test_a_dilated_convolution_in_a_frozen_graph_of_2017(tmp_path: Path) -> None:
    """Space to batch, convolve, batch to space: one node, equal to the dilated convolution."""
    kernel = constant(RNG, 3, 3, 3, 4)

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        wide = tf.space_to_batch(x, [2, 2], [[2, 2], [2, 2]], name="to_batch")
        inner = tf.nn.conv2d(wide, kernel, 1, "VALID", name="inner")
        y = tf.batch_to_space(inner, [2, 2], [[0, 0], [0, 0]], name="back")
        tf.nn.relu(y, name="out")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert [node.name for node in model.graph] == ["back", "out"]
    operation = model.graph["back"].operation
    assert operation == Convolution(4, (3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), use_bias=False)
    wanted = tf.nn.conv2d(PICTURE, kernel, 1, "SAME", dilations=2).numpy()
    np.testing.assert_allclose(ls.extract(model, PICTURE)["back"].array, wanted, atol=1e-6)
    assert np.array_equal(model.weights("back")["kernel"], kernel)


def test_channels_first_runs_on_a_cpu(tmp_path: Path) -> None:
    kernel, bias = constant(RNG, 3, 3, 3, 4), constant(RNG, 4)
    gamma, beta, mean = constant(RNG, 4), constant(RNG, 4), constant(RNG, 4)
    variance = np.abs(constant(RNG, 4)) + 0.5

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 3, 12, 12], name="x")
        y = tf.nn.conv2d(x, kernel, 1, "SAME", data_format="NCHW", name="conv")
        y = tf.nn.bias_add(y, bias, data_format="NCHW", name="bias")
        y = v1.nn.fused_batch_norm(
            y, gamma, beta, mean, variance, 1e-3, data_format="NCHW", is_training=False, name="bn"
        )[0]
        y = tf.nn.max_pool2d(tf.nn.relu(y, name="relu"), 2, 2, "VALID", "NCHW", name="pool")
        tf.reduce_mean(y, [2, 3], name="mean")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert str(model.graph.inputs[0].axes) == "NCHW"
    assert {str(node.axes) for node in model.graph} == {"NCHW", "NC"}
    feed = PICTURE.transpose(0, 3, 1, 2)
    acts = ls.extract(model, feed)
    y = tf.nn.conv2d(PICTURE, kernel, 1, "SAME").numpy() + bias
    np.testing.assert_allclose(acts["bias"].array, y.transpose(0, 3, 1, 2), atol=1e-5)
    y = (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(acts["bn"].array, y.transpose(0, 3, 1, 2), atol=1e-5)
    y = np.maximum(y, 0).reshape(2, 6, 2, 6, 2, 4).max((2, 4))
    np.testing.assert_allclose(acts["pool"].array, y.transpose(0, 3, 1, 2), atol=1e-5)


def test_channels_first_runs_without_kernels_for_it(tmp_path: Path) -> None:
    """Without oneDNN, TensorFlow has none on a CPU."""
    kernel, own = constant(RNG, 3, 3, 3, 4), constant(RNG, 3, 3, 4, 1)
    mean, scale = constant(RNG, 4), np.abs(constant(RNG, 4)) + 0.5

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 3, 12, 12], name="x")
        edges = [[0, 0], [0, 0], [1, 1], [2, 0]]
        y = tf.nn.conv2d(x, kernel, [1, 1, 1, 2], edges, data_format="NCHW", name="conv")
        y = v1.nn.fused_batch_norm(
            y, scale, mean, mean, scale, 1e-3, data_format="NCHW", is_training=False, name="bn"
        )[0]
        y = tf.nn.depthwise_conv2d(y, own, [1] * 4, "SAME", data_format="NCHW", name="own")
        y = tf.nn.bias_add(y, mean, data_format="NCHW", name="bias")
        y = tf.nn.max_pool2d(y, [2, 3], [2, 1], "VALID", "NCHW", name="pool")
        tf.nn.avg_pool2d(y, [3, 1], [3, 1], "VALID", "NCHW", name="means")

    path = frozen(tmp_path / "net.pb", build)
    feed, out = tmp_path / "x.npy", tmp_path / "o.npz"
    np.save(feed, PICTURE.transpose(0, 3, 1, 2))
    subprocess.run(
        [sys.executable, "-m", "layerscope", "extract", path, feed, "-o", out],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
        check=True,
        capture_output=True,
    )
    y = tf.nn.conv2d(PICTURE, kernel, [1, 1, 2, 1], [[0, 0], [1, 1], [2, 0], [0, 0]])
    wanted = {"conv": y}
    y = (y - mean) / np.sqrt(scale + 1e-3) * scale + mean
    wanted["bn"] = y
    y = tf.nn.depthwise_conv2d(y, own, [1] * 4, "SAME")
    wanted["own"] = y
    wanted["bias"] = y = y + mean
    wanted["pool"] = y = tf.nn.max_pool2d(y, [2, 3], [2, 1], "VALID")
    wanted["means"] = tf.nn.avg_pool2d(y, [3, 1], [3, 1], "VALID")
    with np.load(out) as arrays:
        assert list(arrays) == list(wanted)
        for name, expected in wanted.items():
            first = np.asarray(expected).transpose(0, 3, 1, 2)
            np.testing.assert_allclose(arrays[name], first, atol=1e-5, err_msg=name)


def test_dropout_as_it_was_written_in_2016(tmp_path: Path) -> None:
    """x / keep · ⌊keep + random⌋, with placeholders that say nothing of their shapes."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        share = v1.placeholder(tf.float32, name="p")
        strength = v1.placeholder(tf.float32, name="strength")
        y = tf.divide(x, share, name="div")
        y = tf.multiply(y, tf.floor(share + tf.random.uniform(tf.shape(x))), name="mul")
        y = tf.matmul(y * strength, constant(RNG, 4, 2), name="out")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert [node.name for node in model.graph.inputs] == ["x", "p", "strength"]
    assert model.source.notes == ("p is set to 1 (inference: everything is kept)",)
    x = RNG.random((2, 4)).astype("float32")
    acts = ls.extract(model, {"x": x, "strength": 1})
    assert np.array_equal(acts["mul"].array, x)


def test_early_nodes_run_only_what_they_need(tmp_path: Path) -> None:
    """A late operation that fails when it runs does not hinder the early ones."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        early = tf.matmul(x, constant(RNG, 4, 6), name="early")
        tf.reshape(early, [-1, 4], name="late")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    x = np.ones((1, 4), "float32")
    assert ls.extract(model, x, "early")["early"].array.shape == (1, 6)
    with pytest.raises(ModelError, match="TensorFlow cannot run net"):
        model.run({"x": x}, ["late"])


def test_two_inputs_and_the_main_one(tmp_path: Path) -> None:
    def build() -> None:
        extra = v1.placeholder(tf.float32, [None, 2], name="extra")
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        y = tf.nn.conv2d(x, constant(RNG, 3, 3, 3, 4), 1, "SAME", name="conv")
        y = tf.concat([tf.reduce_mean(y, [1, 2]), extra], 1, name="both")
        tf.matmul(y, constant(RNG, 6, 2), name="out")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert model.graph.main_input == "x"
    np.save(tmp_path / "x.npy", PICTURE)
    np.save(tmp_path / "e.npy", np.ones((2, 2), "float32"))
    acts = ls.extract(model, [str(tmp_path / "x.npy"), f"extra={tmp_path / 'e.npy'}"])
    assert np.array_equal(acts["both"].array[:, 4:], np.ones((2, 2)))


def test_an_unknown_size_is_asked_for(tmp_path: Path, command: Any) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, name="x")
        y = tf.nn.conv2d(x, constant(RNG, 3, 3, 3, 4), 2, "SAME", name="conv")
        tf.nn.relu(y, name="out")

    path = frozen(tmp_path / "net.pb", build)
    model = ls.open_model(path)
    assert model.graph.inputs[0].shape == (None, None, None, 3)
    assert model.graph["out"].shape == (None, None, None, 4)
    model.accept({"input": (1, 20, 30, 3)})
    assert model.graph["out"].shape == (None, 10, 15, 4)
    done = command("layers", path, "--size", "20x30")
    assert "10" in done.out
    assert ls.extract(path, PICTURE, size=None)["out"].array.shape == (2, 6, 6, 4)


def test_a_shape_that_nothing_tells_comes_with_the_input(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, name="x")
        tf.tanh(x, name="y")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    with pytest.raises(ModelError, match="does not say what shape its input 'x' has"):
        _ = model.graph
    x = np.ones((2, 3), "float32")
    np.testing.assert_allclose(ls.extract(model, x)["y"].array, np.tanh(x), rtol=1e-6)


def test_a_graph_with_a_fixed_batch(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [1, 12, 12, 3], name="x")
        y = tf.nn.conv2d(x, constant(RNG, 3, 3, 3, 4), 2, "SAME", name="conv")
        tf.reshape(y, [1, 144], name="flat")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert model.graph["flat"].shape == (1, 144)
    acts = ls.extract(model, PICTURE)
    assert acts["flat"].array.shape == (2, 144)


def test_batch_normalisation_as_arithmetic(tmp_path: Path) -> None:
    beta, gamma, mean = constant(RNG, 3), constant(RNG, 3), constant(RNG, 3)
    variance = np.abs(constant(RNG, 3)) + 0.1

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
        tf.nn.batch_normalization(x, mean, tf.constant(variance), beta, gamma, 0.01, name="bn")
        tf.nn.batch_normalization(x, mean, tf.constant(variance), beta, None, 0.01, name="plain")
        tf.add(tf.multiply(x, 2.0, name="double"), 1.0, name="shifted")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    norms = [n for n in model.graph if isinstance(n.operation, Normalization)]
    assert [n.name for n in norms] == ["bn/add_1", "plain/add_1"]
    assert norms[0].operation == Normalization("batch", (3,), pytest.approx(0.01))
    weights = model.weights(norms[0].name)
    made = (PICTURE - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + 0.01)
    made = made * weights["gamma"] + weights["beta"]
    np.testing.assert_allclose(ls.extract(model, PICTURE)[norms[0].name].array, made, atol=1e-5)
    assert {"double", "shifted"} <= {n.name for n in model.graph}


def test_a_picture_decoded_in_the_graph(tmp_path: Path) -> None:
    """The classify_image graph of 2015 takes a JPEG's bytes: the decoded picture is fed."""

    def build() -> None:
        data = v1.placeholder(tf.string, [], name="DecodeJpeg/contents")
        picture = tf.cast(tf.io.decode_jpeg(data, 3, name="DecodeJpeg"), tf.float32, name="Cast")
        batch = tf.expand_dims(picture, 0, name="ExpandDims")
        small = v1.image.resize_bilinear(batch, [8, 8], name="Resize")
        tf.nn.conv2d(small, constant(RNG, 3, 3, 3, 2), 1, "SAME", name="conv")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert [(n.name, n.shape) for n in model.graph.inputs] == [("ExpandDims", (1, None, None, 3))]
    acts = ls.extract(model, PICTURE[:1])
    assert acts["conv"].array.shape == (1, 8, 8, 2)


def test_training_as_a_whole_is_refused(tmp_path: Path) -> None:
    save(tmp_path, training_network)
    with pytest.raises(ModelError, match=r"feed its placeholders by hand: keep_prob=VALUE"):
        ls.extract(tmp_path, PICTURE, training=True)


def test_several_checkpoints_and_the_one_that_is_meant(tmp_path: Path) -> None:
    save(tmp_path, training_network, "model-1")
    save(tmp_path, training_network, "model-2")
    assert ls.open_model(tmp_path).source.name == "model-2"
    (tmp_path / "checkpoint").unlink()
    with pytest.raises(ModelError, match=r"give one of model-1\.meta, model-2\.meta"):
        ls.open_model(tmp_path)
    assert ls.open_model(tmp_path / "model-1.meta").source.name == "model-1"


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file=".pb",
    what="a graph that is not frozen", refused=True,
)  # fmt: skip
def test_a_graph_that_is_not_frozen_is_refused(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.matmul(x, variable("W", 4, 2), name="y")

    path = frozen(tmp_path / "net.pb", build)
    with pytest.raises(ModelError, match="a graph that is not frozen: it has variables") as caught:
        ls.open_model(path)
    seen.refused(caught.value)


def test_text_form(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.matmul(x, constant(RNG, 4, 2), name="y")

    with tf.Graph().as_default() as graph:
        build()
    path = tmp_path / "net.pbtxt"
    path.write_text(str(graph.as_graph_def()))
    assert [n.name for n in ls.open_model(path).graph] == ["y"]
