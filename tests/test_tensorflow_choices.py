"""Choices, loops and functions in training graphs and SavedModels, in both kinds of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import ModelError
from layerscope.operations import Normalization
from tfgraphs import Plain, constant, save, v1

RNG = np.random.default_rng(19)
PICTURE = RNG.random((2, 12, 12, 3)).astype("float32")
KERNEL, LOOPED = constant(RNG, 3, 3, 3, 4), constant(RNG, 4, 4)
MEAN, VARIANCE = constant(RNG, 4), np.abs(constant(RNG, 4)) + 0.1
KINDS = pytest.mark.parametrize("kind", [1, 2], ids=["control flow 1", "control flow 2"])


@contextmanager
def control_flow(kind: int) -> Iterator[None]:
    (v1.enable_control_flow_v2 if kind == 2 else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        v1.enable_control_flow_v2()


def network() -> None:
    """Batch normalisation by tf.cond as in 2016, dropout, a loop, a choice, and the training."""
    x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    training = v1.placeholder(tf.bool, [], name="phase_train")
    with v1.variable_scope("conv1"):
        kernel = v1.get_variable("kernel", initializer=KERNEL)
        y = tf.nn.conv2d(x, kernel, 1, "SAME", name="conv")
        with v1.variable_scope("bn"):
            beta = v1.get_variable("beta", initializer=np.zeros(4, "float32"))
            gamma = v1.get_variable("gamma", initializer=np.ones(4, "float32"))
            mean = v1.get_variable("mean", initializer=MEAN, trainable=False)
            variance = v1.get_variable("variance", initializer=VARIANCE, trainable=False)

            def by_batch() -> Any:
                m, v = tf.nn.moments(y, [0, 1, 2], name="moments")
                moved = [v1.assign(mean, 0.9 * mean + 0.1 * m), v1.assign(variance, v)]
                with tf.control_dependencies(moved):
                    return tf.identity(m), tf.identity(v)

            stored = lambda: (tf.identity(mean), tf.identity(variance))  # noqa: E731
            m, v = tf.cond(training, by_batch, stored)
            y = tf.nn.batch_normalization(y, m, v, beta, gamma, 1e-3, name="bn")
        y = tf.nn.relu(y, name="relu")
    features = tf.reduce_mean(y, [1, 2], name="features")
    looped = v1.get_variable("looped", initializer=LOOPED)
    _, h = tf.while_loop(
        lambda i, h: i < 3, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, looped))), [0, features]
    )
    h = tf.cond(tf.reduce_sum(h) > 0, lambda: h * 2.0, lambda: h - 1.0)
    logits = tf.identity(tf.multiply(h, 3.0, name="logits"))
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    v1.train.AdamOptimizer().minimize(tf.reduce_mean(loss))


def normalised(training: bool) -> np.ndarray[Any, Any]:
    y = tf.nn.conv2d(PICTURE, KERNEL, 1, "SAME").numpy()
    mean, variance = (y.mean((0, 1, 2)), y.var((0, 1, 2))) if training else (MEAN, VARIANCE)
    found: np.ndarray[Any, Any] = (y - mean) / np.sqrt(variance + 1e-3)
    return found


@KINDS
def test_a_training_graph_of_its_time(tmp_path: Path, kind: int) -> None:
    with control_flow(kind):
        prefix = save(tmp_path, network, resource=kind == 2)
    model = ls.open_model(tmp_path)
    names = [node.name for node in model.graph]
    assert names[:4] == ["conv1/conv", "conv1/bn/bn/add_1", "conv1/relu", "features"]
    assert names[-1] == "logits"
    assert len(names) == 7
    assert model.graph["conv1/bn/bn/add_1"].operation == Normalization(
        "batch", (3,), pytest.approx(1e-3)
    )
    weights = model.weights("conv1/bn/bn/add_1")
    assert np.array_equal(weights["moving_mean"], MEAN)
    assert np.array_equal(weights["moving_variance"], VARIANCE)
    assert "phase_train is set to 0 (inference)" in model.source.notes
    assert sum("cannot be reached" in note for note in model.source.notes) == 2

    acts = ls.extract(model, PICTURE)
    np.testing.assert_allclose(acts["conv1/bn/bn/add_1"].array, normalised(False), atol=1e-5)
    wanted = Plain(prefix).run(["logits"], {"x": PICTURE, "phase_train": False})[0]
    np.testing.assert_allclose(acts["logits"].array, wanted, atol=1e-5)


@KINDS
def test_the_phase_by_hand_takes_the_other_branch(tmp_path: Path, kind: int) -> None:
    with control_flow(kind):
        prefix = save(tmp_path, network, resource=kind == 2)
    model = ls.open_model(tmp_path)
    layers = ["conv1/bn/bn/add_1", "logits"]
    acts = ls.extract(model, {"x": PICTURE, "phase_train": True}, layers)
    np.testing.assert_allclose(acts["conv1/bn/bn/add_1"].array, normalised(True), atol=1e-4)
    plain = Plain(prefix)
    wanted = plain.run(["logits"], {"x": PICTURE, "phase_train": True})[0]
    np.testing.assert_allclose(acts["logits"].array, wanted, atol=1e-5)
    # What the model holds is as it was: nothing has been trained.
    after = ls.extract(model, PICTURE, layers)
    np.testing.assert_allclose(after["conv1/bn/bn/add_1"].array, normalised(False), atol=1e-5)


@KINDS
def test_on_the_command_line(tmp_path: Path, command: Any, kind: int) -> None:
    with control_flow(kind):
        save(tmp_path, network, resource=kind == 2)
    np.save(tmp_path / "x.npy", PICTURE)
    for value, training in (("false", False), ("1", True)):
        out = tmp_path / f"{value}.npz"
        done = command(
            "extract", tmp_path, tmp_path / "x.npy", f"phase_train={value}", "-o", out,
            "-l", "conv1/*",
        )  # fmt: skip
        assert done.status == 0
        with np.load(out) as arrays:
            found = arrays["conv1/bn/bn/add_1"]
        np.testing.assert_allclose(found, normalised(training), atol=1e-4)


class Module(tf.Module):
    """A function that calls another one, whose choice the caller makes."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(KERNEL)

    @tf.function
    def inner(self, x: Any, training: Any) -> Any:
        y = tf.nn.conv2d(x, self.kernel, 1, "SAME", name="conv")
        y = tf.cond(training, lambda: tf.nn.dropout(y, 0.5), lambda: tf.nn.relu(y, name="quiet"))
        return {"features": tf.reduce_mean(y, [1, 2]), "second": tf.split(y, 2, axis=3)[1]}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 12, 12, 3], tf.float32, "picture"),
            tf.TensorSpec([], tf.bool, "training"),
        ]
    )
    def serve(self, picture: Any, training: Any) -> Any:
        once = self.inner(picture, training)
        again = self.inner(picture + 1.0, training)
        return {"sum": once["features"] + again["features"], "part": again["second"]}


def test_functions_in_functions(tmp_path: Path) -> None:
    module = Module()
    tf.saved_model.save(module, str(tmp_path / "m"), {"serve": module.serve})
    model = ls.open_model(tmp_path / "m")
    assert [node.name for node in model.graph.inputs] == ["picture", "training"]
    assert model.source.notes == ("training is set to 0 (inference)",)
    kinds = [node.type for node in model.graph]
    assert (kinds.count("Conv2D"), kinds.count("Relu"), kinds.count("If")) == (2, 2, 0)
    # Two calls of one function stay two sets of nodes.
    assert len({node.name for node in model.graph}) == len(model.graph)
    acts = ls.extract(model, PICTURE)
    maps = [np.maximum(tf.nn.conv2d(x, KERNEL, 1, "SAME"), 0) for x in (PICTURE, PICTURE + 1)]
    wanted = {"sum": sum(m.mean((1, 2)) for m in maps), "part": maps[1][..., 2:]}
    found = {acts[name].array.ndim: acts[name].array for name in model.graph.outputs}
    np.testing.assert_allclose(found[2], wanted["sum"], atol=1e-5)
    np.testing.assert_allclose(found[4], wanted["part"], atol=1e-5)
    with pytest.raises(ModelError, match="is not there with training=True, by which"):
        ls.extract(model, {"picture": PICTURE, "training": True})
    convolved = [n.name for n in model.graph if n.type == "Conv2D"]
    given = {"picture": PICTURE, "training": True}
    other = ls.extract(model, given, convolved)
    assert np.array_equal(other[convolved[0]].array, acts[convolved[0]].array)


def test_a_function_of_tensorflow_1(tmp_path: Path) -> None:
    """Defun: a function that is called by its name, as an operation of its own."""
    from tensorflow.python.framework import function

    @function.Defun(tf.float32, tf.float32)
    def both(x: Any, y: Any) -> Any:
        return tf.nn.relu(x - y, name="less"), tf.nn.relu(x + y, name="more")

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        less, more = both(x, v1.get_variable("w", initializer=LOOPED[0]))
        tf.subtract(more, less, name="out")

    model = ls.open_model(save(tmp_path, build))
    x = RNG.normal(size=(3, 4)).astype("float32")
    wanted = np.maximum(x + LOOPED[0], 0) - np.maximum(x - LOOPED[0], 0)
    acts = ls.extract(model, x)
    assert [node.type for node in model.graph] == ["Sub", "Relu", "AddV2", "Relu", "Sub"]
    np.testing.assert_allclose(acts["out"].array, wanted, rtol=1e-6)


@pytest.mark.parametrize("where", ["graph", "function"])
def test_two_nodes_of_one_name_are_refused(tmp_path: Path, where: str) -> None:
    """TensorFlow's own optimizer ends the whole process on such a graph."""

    @tf.function
    def inner(x: Any) -> Any:
        return tf.tanh(x, name="inside")

    with tf.Graph().as_default() as graph:
        tf.identity(inner(v1.placeholder(tf.float32, [None, 4], name="x")), name="y")
    graph_def = graph.as_graph_def()
    nodes = graph_def.node if where == "graph" else graph_def.library.function[0].node_def
    nodes.append(nodes[-1])
    path = tmp_path / "net.pb"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelError, match=r"is damaged: two of its nodes are called '\w+'\."):
        ls.open_model(path)
