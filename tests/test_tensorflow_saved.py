"""SavedModels written in the tests, live sessions and functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import ModelError
from networks import plain_array
from tfgraphs import constant, v1
from which_files import seen

RNG = np.random.default_rng(3)
PICTURE = RNG.random((2, 12, 12, 3)).astype("float32")


@pytest.fixture(scope="module")
def network() -> Any:
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(4, 3, activation="relu", name="c1")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    left = layers.Conv2D(5, 1, name="left")(x)
    right = layers.DepthwiseConv2D(3, padding="same", name="right")(x)
    x = layers.Concatenate(name="both")([left, right])
    x = layers.Dropout(0.5)(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x))
    moved = [np.abs(plain_array(w) + 0.1) for w in model.get_layer("bn").weights]
    model.get_layer("bn").set_weights(moved)
    return model


@pytest.fixture(scope="module")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras writes a SavedModel with TensorFlow only")
    folder = tmp_path_factory.mktemp("saved") / "exported"
    network.export(str(folder), verbose=False)
    return folder


@pytest.mark.opens(
    era="TensorFlow 2", writer="TensorFlow 2", file="SavedModel folder",
    what="an export of Keras 3", against="Keras",
)  # fmt: skip
def test_a_keras_export_equals_keras(network: Any, exported: Path) -> None:
    model = ls.open_model(exported)
    assert [node.name for node in model.graph.inputs] == ["image"]
    assert model.graph.inputs[0].shape == (None, 12, 12, 3)
    acts = ls.extract(model, PICTURE)
    expected = ls.extract(network, PICTURE)
    kinds = [node.operation.kind for node in model.graph]
    assert kinds == [
        "convolution", "elementwise", "elementwise", "normalization", "convolution", "elementwise",
        "convolution", "elementwise", "concatenation", "pooling", "dense", "elementwise",
        "elementwise",
    ]  # fmt: skip
    ends = {"c1": 2, "bn": 3, "left": 5, "right": 7, "both": 8, "pool": 9, "out": 12}
    for name, place in ends.items():
        np.testing.assert_allclose(acts[place].array, expected[name].array, atol=1e-6)
        seen.compared(float(np.abs(acts[place].array - expected[name].array).max()))
        assert str(acts[place].axes) == str(expected[name].axes)
    assert model.graph.parameters == network.count_params()


def test_what_is_laid_out_otherwise_is_left_out(tmp_path: Path) -> None:
    """A dense layer on steps after a loop joins samples and steps in one axis."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((7, 5)),
            layers.LSTM(4, return_sequences=True),
            layers.Dense(3),
            layers.GlobalAveragePooling1D(),
        ]
    )
    network.export(str(tmp_path / "m"), verbose=False)
    model = ls.open_model(tmp_path / "m")
    assert [(node.type, node.shape, str(node.axes)) for node in model.graph] == [
        ("Transpose", (7, None, 5), "TNC"),
        ("Transpose", (None, 7, 4), "NTC"),
        ("Transpose", (None, 7, 4), "NTC"),
        ("Reshape", (None, 7, 3), "NTC"),
        ("BiasAdd", (None, 7, 3), "NTC"),
        ("Mean", (None, 3), "NC"),
    ]
    assert any("not laid out by sample" in note for note in model.source.notes)
    x = RNG.normal(size=(2, 7, 5)).astype("float32")
    acts = ls.extract(model, x)
    np.testing.assert_allclose(list(acts.values())[-1].array, network(x).numpy(), atol=1e-6)


def test_names_are_without_the_calls_of_functions(exported: Path) -> None:
    names = [node.name for node in ls.open_model(exported).graph]
    assert not [name for name in names if "PartitionedCall" in name]
    assert all(name.startswith("functional") for name in names)


class Two(tf.Module):
    """A module with two functions, a choice between them, and a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(constant(RNG, 3, 3, 3, 4), name="kernel")
        self.other = tf.Variable(constant(RNG, 4, 4), name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None, 12, 12, 3], tf.float32, "picture")])
    def maps(self, picture: Any) -> Any:
        return {"maps": tf.nn.relu(tf.nn.conv2d(picture, self.kernel, 1, "SAME"), name="relu")}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "vector")])
    def steps(self, vector: Any) -> Any:
        x = tf.nn.relu(vector, name="first")
        for _ in tf.range(3):
            x = tf.tanh(tf.matmul(x, self.other))
        return {"end": tf.sigmoid(x, name="last")}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    module, folder = Two(), tmp_path_factory.mktemp("saved") / "two"
    tf.saved_model.save(module, str(folder), {"maps": module.maps, "steps": module.steps})
    return module, folder


def test_several_signatures_are_listed(two: tuple[Any, Path]) -> None:
    _, folder = two
    with pytest.raises(ModelError, match="choose one with --signature: maps, steps"):
        ls.open_model(folder)
    with pytest.raises(ModelError, match=r"has no signature 'nothing'\. It has: maps, steps"):
        ls.open_model(folder, signature="nothing")


@pytest.mark.opens(
    era="TensorFlow 2", writer="TensorFlow 2", file="SavedModel folder",
    what="several signatures", against="the function itself", exact=True,
)  # fmt: skip
def test_a_signature_is_chosen(two: tuple[Any, Path], command: Any) -> None:
    module, folder = two
    model = ls.open_model(folder, signature="maps")
    acts = ls.extract(model, PICTURE)
    assert [(a.node.type, a.array.shape) for a in acts.values()] == [
        ("Conv2D", (2, 12, 12, 4)),
        ("Relu", (2, 12, 12, 4)),
    ]
    assert np.array_equal(acts[1].array, module.maps(PICTURE)["maps"].numpy())
    assert np.array_equal(model.weights(acts[0].node.name)["kernel"], module.kernel.numpy())
    listed = command("layers", folder, "--signature", "maps")
    assert (listed.status, "Conv2D" in listed.out) == (0, True)


def test_a_variable_inside_a_loop(two: tuple[Any, Path]) -> None:
    module, folder = two
    model = ls.open_model(folder, signature="steps")
    x = RNG.normal(size=(2, 4)).astype("float32")
    acts = ls.extract(model, x)
    assert [a.node.type for a in acts.values()][0::2] == ["Relu", "Sigmoid"]
    np.testing.assert_allclose(
        list(acts.values())[-1].array, module.steps(x)["end"].numpy(), atol=1e-6
    )
    assert any("cannot be reached" in note for note in model.source.notes)


def test_signatures_are_of_saved_models_only(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.tanh(x)
    path = tmp_path / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(ModelError, match="which has no signatures: leave --signature out"):
        ls.open_model(path, signature="serving_default")


def build_v1() -> tuple[Any, Any]:
    x = v1.placeholder(tf.float32, [None, 12, 12, 3], name="x")
    keep = v1.placeholder_with_default(0.7, [], name="keep_prob")
    w = v1.get_variable("w", initializer=constant(RNG, 3, 3, 3, 4))
    y = tf.nn.conv2d(x, w, 1, "SAME", name="conv")
    y = v1.nn.dropout(y, keep_prob=keep, name="drop")
    return x, tf.nn.relu(y, name="out")


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="SavedModel folder",
    what="variables, resource variables", against="a session of TensorFlow", exact=True,
)  # fmt: skip
@pytest.mark.parametrize("resource", [False, True])
def test_a_saved_model_of_tensorflow_1(tmp_path: Path, resource: bool) -> None:
    (v1.enable_resource_variables if resource else v1.disable_resource_variables)()
    try:
        with tf.Graph().as_default(), v1.Session() as session:
            x, y = build_v1()
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": y})
            wanted = session.run(["conv:0", y], {x: PICTURE, "keep_prob:0": 1.0})
    finally:
        v1.enable_resource_variables()
    acts = ls.extract(tmp_path / "m", PICTURE)
    assert np.array_equal(acts["conv"].array, wanted[0])
    assert np.array_equal(acts["out"].array, wanted[1])


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="live session",
    what="variables, resource variables", against="a session of TensorFlow", exact=True,
)  # fmt: skip
@pytest.mark.parametrize("resource", [False, True])
def test_a_live_session_is_left_as_it_was(resource: bool) -> None:
    (v1.enable_resource_variables if resource else v1.disable_resource_variables)()
    try:
        with tf.Graph().as_default() as graph, v1.Session() as session:
            _, y = build_v1()
            session.run(v1.global_variables_initializer())
            before = graph.as_graph_def().SerializeToString(deterministic=True)
            model = ls.open_model(session)
            acts = ls.extract(model, PICTURE)
            wanted = session.run(["conv:0", y], {"x:0": PICTURE, "keep_prob:0": 1.0})
            assert graph.as_graph_def().SerializeToString(deterministic=True) == before
    finally:
        v1.enable_resource_variables()
    assert np.array_equal(acts["conv"].array, wanted[0])
    assert np.array_equal(acts["out"].array, wanted[1])
    assert model.source.as_json()["notes"] == [
        "keep_prob is set to 1 (inference: everything is kept)"
    ]


def test_a_session_without_values_is_refused() -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        build_v1()
        with pytest.raises(ModelError, match="Initialise or restore them first"):
            ls.open_model(session)


def test_the_main_input_of_several(tmp_path: Path) -> None:
    layers = keras.layers
    vector, image = keras.Input((4,), name="vector"), keras.Input((8, 8, 3), name="image")
    joined = layers.Concatenate()([layers.Flatten()(layers.Conv2D(2, 3)(image)), vector])
    network = keras.Model([vector, image], layers.Dense(3)(joined))
    network.export(str(tmp_path / "m"), verbose=False)
    model = ls.open_model(tmp_path / "m")
    assert {node.name for node in model.graph.inputs} == {"vector", "image"}
    assert model.graph.main_input == "image"


@pytest.mark.opens(
    era="TensorFlow 2", writer="TensorFlow 2", file="ConcreteFunction",
    what="a function of your own", against="the function itself", exact=True,
)  # fmt: skip
def test_a_concrete_function() -> None:
    module = Two()
    model = ls.open_model(module.maps.get_concrete_function())
    acts = ls.extract(model, PICTURE)
    assert [node.name for node in model.graph.inputs] == ["picture"]
    assert np.array_equal(list(acts.values())[-1].array, module.maps(PICTURE)["maps"].numpy())


def test_a_function_holds_more_than_weights() -> None:
    """A tensor that it has taken from outside, and chance, which no value of it comes from."""
    chance, weights = tf.random.Generator.from_seed(1), tf.Variable(constant(RNG, 4, 3))
    shift = tf.constant(constant(RNG, 3))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
    def both(x: Any) -> Any:
        chance.uniform([])
        return tf.nn.relu(tf.matmul(x, weights) + shift)

    model = ls.open_model(both.get_concrete_function())
    x = RNG.normal(size=(2, 4)).astype("float32")
    acts = ls.extract(model, x)
    assert [node.type for node in model.graph] == ["MatMul", "AddV2", "Relu"]
    wanted = np.maximum(x @ weights.numpy() + shift.numpy(), 0)
    np.testing.assert_allclose(list(acts.values())[-1].array, wanted, atol=1e-6)
    assert model.graph.parameters == 15


def test_a_function_of_several_shapes_is_refused() -> None:
    with pytest.raises(ModelError, match="Expected a path to a model"):
        ls.open_model(tf.function(lambda x: x))
