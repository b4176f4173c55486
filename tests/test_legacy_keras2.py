"""Files that tf_keras writes: every layer that Keras 3 has too, and every way to join them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras2_corpus import FIRST, LINE, MERGES, PLANE, SINGLE, of_one
from layerscope.errors import ModelError, UntrustedError
from layerscope.models import open_model
from legacy_files import (
    assert_same,
    compare,
    computed,
    feed,
    layerscope_nodes,
    random_weights,
    tf_keras,
    tf_keras_nodes,
    written,
)
from which_files import seen

# NumPy warns of the way in which torch hands over whole numbers.
pytestmark = [pytest.mark.backend, pytest.mark.filterwarnings("ignore:__array__ implementation")]

L = tf_keras.layers
KERAS_2 = {"era": "Keras 2", "writer": "tf_keras", "file": ".h5, .keras"}
opens = partial(pytest.mark.opens, **KERAS_2, against="tf_keras")
refused = partial(pytest.mark.opens, **KERAS_2, refused=True)


@opens(what="{name}")
@pytest.mark.parametrize("name", SINGLE)
def test_a_layer(name: str, tmp_path: Path) -> None:
    shape, make = SINGLE[name]
    with computed(on_jax=not name.startswith(("Hashing", "IntegerLookup"))):
        compare(of_one(shape, make()), tmp_path)


@opens(what="{name}, channels first")
@pytest.mark.parametrize("name", FIRST)
def test_a_layer_of_channels_first(name: str, tmp_path: Path) -> None:
    shape, make = FIRST[name]
    compare(of_one(shape, make()), tmp_path)


@opens(what="{name}")
@pytest.mark.parametrize("name", MERGES)
def test_a_layer_of_two_inputs(name: str, tmp_path: Path) -> None:
    inputs = [tf_keras.Input(LINE), tf_keras.Input(LINE)]
    compare(tf_keras.Model(inputs, MERGES[name]()(inputs)), tmp_path)


@opens(what="HashedCrossing")
def test_a_layer_of_whole_numbers_in_pairs(tmp_path: Path) -> None:
    inputs = [tf_keras.Input((1,), dtype="int32") for _ in range(2)]
    with computed(on_jax=False):
        compare(tf_keras.Model(inputs, L.HashedCrossing(7)(inputs)), tmp_path)


@opens(what="losses and metrics added to the network")
def test_losses_in_the_network_are_left_out(tmp_path: Path) -> None:
    """A variational autoencoder's loss holds functions that do not open."""
    import tensorflow as tf

    given = tf_keras.Input((5,))
    inner = L.Dense(3, name="inner")(given)
    out = L.Dense(5, name="out")(inner)
    model = tf_keras.Model(given, out)
    model.add_loss(tf.reduce_mean(tf.math.bessel_i0(L.ReLU(name="aside")(inner) - 1.0)))
    model.add_metric(tf.math.lgamma(out), name="own", aggregation="mean")
    for opened in compare(model, tmp_path, without=("aside", "tf.", "add_")):
        assert [node.name for node in opened.graph] == ["inner", "out"]
        (note,) = opened.source.notes
        assert "since only losses and metrics are computed from them: aside, tf.math.sub" in note


@opens(what="MultiHeadAttention")
def test_attention_of_several_heads(tmp_path: Path) -> None:
    given = tf_keras.Input(LINE)
    other = L.Dense(3)(given)
    compare(tf_keras.Model(given, L.MultiHeadAttention(2, 4)(given, other)), tmp_path)
    out = L.MultiHeadAttention(2, 4, value_dim=5)(given, other, key=given)
    with computed(on_jax=False):
        compare(tf_keras.Model(given, out), tmp_path)


@opens(what="recurrent layers that are given a state")
def test_recurrent_layers_that_are_given_a_state(tmp_path: Path) -> None:
    given = tf_keras.Input(LINE)
    _, hidden, cell = L.LSTM(4, return_state=True)(given)
    out = L.LSTM(4, return_sequences=True)(given, initial_state=[hidden, cell])
    compare(tf_keras.Model(given, out), tmp_path)


def block(name: str | None = None) -> Any:
    given = tf_keras.Input((6, 6, 2))
    x = L.Conv2D(2, 3, padding="same", name="conv")(given)
    x = L.BatchNormalization(name="norm")(x)
    x = L.Conv2D(2, 3, padding="same", name="conv_again")(x)
    return tf_keras.Model(given, L.Add(name="sum")([x, given]), name=name)


@opens(what="nested models, called twice")
def test_nested_models_called_twice(tmp_path: Path) -> None:
    inner = block("inner")
    given = tf_keras.Input((6, 6, 2))
    x = inner(inner(given))
    head = tf_keras.Sequential([L.Flatten(), L.Dense(3)], name="head")
    compare(tf_keras.Model(given, [head(x), x]), tmp_path)


@opens(what="nested models, frozen in part")
@pytest.mark.parametrize("frozen", ["inner", "one layer", "middle"])
def test_nested_models_that_are_frozen(frozen: str, tmp_path: Path) -> None:
    inner = block("inner")
    middle = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), inner, L.BatchNormalization()])
    if frozen == "one layer":
        inner.get_layer("conv").trainable = False
    else:
        (inner if frozen == "inner" else middle).trainable = False
    given = tf_keras.Input((6, 6, 2))
    compare(tf_keras.Model(given, L.Conv2D(2, 1)(middle(given))), tmp_path)


@opens(what="TimeDistributed models")
def test_time_distributed_models(tmp_path: Path) -> None:
    given = tf_keras.Input((3, 6, 6, 2))
    compare(tf_keras.Model(given, L.TimeDistributed(block())(given)), tmp_path)


@opens(what="shared layers")
def test_shared_layers(tmp_path: Path) -> None:
    one, two = tf_keras.Input((5,)), tf_keras.Input((5,))
    shared = L.Dense(4)
    compare(tf_keras.Model([one, two], L.Concatenate()([shared(two), shared(one)])), tmp_path)


@opens(what="Sequential models without an input layer")
def test_sequential_models_without_an_input_layer(tmp_path: Path) -> None:
    model = tf_keras.Sequential([L.Conv2D(2, 3), L.Flatten(), L.Dense(2)])
    model.build((None, 6, 6, 1))
    random_weights(model)
    x = feed((None, 6, 6, 1))
    expected = model(x).numpy()
    for suffix in (".h5", ".keras"):
        opened = open_model(written(model, tmp_path / f"model{suffix}"))
        last = opened.graph.outputs[0]
        assert_same({last: layerscope_nodes(opened, [x])[last]}, {last: expected})


@opens(what="names with a /")
def test_names_with_a_slash_are_renamed_and_noted(tmp_path: Path) -> None:
    given = tf_keras.Input((5,), name="in")
    x = L.Dense(4, name="a/b")(given)
    model = random_weights(tf_keras.Model(given, L.Dense(3, name="a_b")(x)))
    array = feed((None, 5))
    expected = tf_keras_nodes(model, [array])
    for suffix in (".h5", ".keras"):
        opened = open_model(written(model, tmp_path / f"model{suffix}"))
        found = layerscope_nodes(opened, [array])
        assert_same(found, {"a_b_1": expected["a/b"], "a_b": expected["a_b"]})
        assert any("a/b: called a_b_1" in note for note in opened.source.notes)


@opens(file=".h5", what="mixed precision (bfloat16)")
def test_mixed_precision(tmp_path: Path) -> None:
    given = tf_keras.Input((5,))
    policy = tf_keras.mixed_precision.Policy("mixed_bfloat16")
    x = L.Dense(4, dtype=policy)(given)
    model = random_weights(tf_keras.Model(given, L.Dense(3, dtype="float32")(x)))
    array = feed((None, 5))
    opened = open_model(written(model, tmp_path / "model.h5"))
    expected = model(array).numpy()
    last = opened.graph.outputs[0]
    assert opened.graph[opened.graph.nodes[0].name].dtype == "bfloat16"
    assert_same({"x": layerscope_nodes(opened, [array])[last]}, {"x": expected}, 2e-2)


def functions() -> dict[str, Callable[[Any], Any]]:
    import tensorflow as tf

    return {
        "arithmetic": lambda x: (2.0 * x - 1) / (x * x + 3.0) + (1 - x) ** 2,
        "extremes": lambda x: tf.maximum(x, 0.1) - tf.minimum(x, 0.2),
        "slices": lambda x: x[:, 1:-1, ::2, 0],
        "reductions": lambda x: tf.reduce_mean(x, [1, 2]) + tf.reduce_max(x, axis=(1, 2)),
        "sums": lambda x: tf.reduce_sum(x, -1, keepdims=True) + tf.reduce_min(x, -1, keepdims=True),
        "functions": lambda x: tf.tanh(tf.exp(-tf.abs(x))) + tf.sqrt(tf.square(x) + 1.0),
        "activations": lambda x: tf.nn.relu6(x) + tf.nn.elu(x) + tf.nn.silu(x) + tf.sigmoid(x),
        "more activations": lambda x: tf.nn.selu(x) + tf.nn.softplus(x) + tf.nn.softmax(x),
        "leaky": lambda x: tf.nn.leaky_relu(x, 0.3) + tf.nn.leaky_relu(x),
        "concatenation": lambda x: tf.concat([x, tf.nn.relu(x)], axis=-1),
        "stack": lambda x: tf.stack([x, x * 2.0], axis=1),
        "shape": lambda x: tf.expand_dims(tf.transpose(x, [0, 2, 1, 3]), 1),
        "squeeze": lambda x: tf.squeeze(tf.reshape(x, (-1, 1, 56, 3)), 1),
        "pad": lambda x: tf.pad(tf.clip_by_value(x, -1.0, 1.0), [[0, 0], [1, 2], [0, 0], [0, 0]]),
        "identity": lambda x: tf.identity(x) + tf.stop_gradient(x),
        "matmul": lambda x: tf.matmul(x, tf.transpose(x, [0, 1, 3, 2])),
        "roots": lambda x: tf.math.rsqrt(tf.cast(tf.math.log(x * x + 2.0), "float32")),
    }


@opens(what="TensorFlow functions: {name}")
@pytest.mark.parametrize("name", functions())
def test_tensorflow_functions(name: str, tmp_path: Path) -> None:
    given = tf_keras.Input(PLANE)
    compare(tf_keras.Model(given, functions()[name](given)), tmp_path)


@refused(what="other TensorFlow functions")
def test_tensorflow_functions_that_are_not_listed(tmp_path: Path) -> None:
    import tensorflow as tf

    given = tf_keras.Input(PLANE)
    path = written(tf_keras.Model(given, tf.image.flip_up_down(given)), tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"image\.flip_up_down.*not among those") as caught:
        open_model(path)
    seen.refused(caught.value)


@opens(file="JSON and weights", what="architecture and weights apart")
def test_architecture_and_weights_apart(tmp_path: Path) -> None:
    model = random_weights(block())
    architecture, weights = tmp_path / "model.json", tmp_path / "weights.h5"
    architecture.write_text(model.to_json())
    model.save_weights(weights)
    array = feed((None, 6, 6, 2))
    found = layerscope_nodes(open_model(architecture, weights=weights), [array])
    assert_same(found, tf_keras_nodes(model, [array]))


@refused(file="JSON and weights", what="weights of another network")
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    architecture, weights = tmp_path / "model.json", tmp_path / "weights.h5"
    architecture.write_text(of_one((5,), L.Dense(3)).to_json())
    of_one((5,), L.Dense(4, name="other")).save_weights(weights)
    with pytest.raises(ModelError, match=r"takes arrays of the shapes \(5,3\), \(3,\)"):
        open_model(architecture, weights=weights)
    given = tf_keras.Input((5,))
    two = tf_keras.Model(given, L.Dense(2, name="second")(L.Dense(3, name="other")(given)))
    two.save_weights(weights)
    with pytest.raises(ModelError, match="do not belong together") as caught:
        open_model(architecture, weights=weights)
    seen.refused(caught.value)


@opens(file="JSON and weights", what="weights under other names")
def test_weights_under_other_names_are_taken_in_order_and_noted(tmp_path: Path) -> None:
    architecture, weights = tmp_path / "model.json", tmp_path / "weights.h5"
    architecture.write_text(of_one((5,), L.Dense(3, name="one")).to_json())
    model = random_weights(of_one((5,), L.Dense(3, name="other")))
    model.save_weights(weights)
    opened = open_model(architecture, weights=weights)
    array = feed((None, 5))
    assert_same({"x": layerscope_nodes(opened, [array])["one"]}, {"x": model(array).numpy()})
    assert any("order of the layers" in note for note in opened.source.notes)


@opens(file=".h5", what="very many layers")
def test_names_cut_into_several_attributes(tmp_path: Path) -> None:
    given = tf_keras.Input((5,))
    x = given
    for i in range(40):
        x = L.Dense(5, name=f"layer_{i}_" + "n" * 2000)(x)
    model = random_weights(tf_keras.Model(given, x))
    path = written(model, tmp_path / "m.h5")
    array = feed((None, 5))
    found = layerscope_nodes(open_model(path), [array])
    assert_same(found, tf_keras_nodes(model, [array]))


@opens(file=".h5", what="CuDNNLSTM, CuDNNGRU")
def test_cudnn_layers(tmp_path: Path) -> None:
    """CuDNN keeps two biases, and each gate's kernel transposed in memory."""
    import h5py

    given = tf_keras.Input(LINE)
    lstm = L.LSTM(4, name="lstm", return_sequences=True)
    gru = L.GRU(4, name="gru")
    model = random_weights(tf_keras.Model(given, gru(lstm(given))))
    array = feed((None, *LINE))
    expected = tf_keras_nodes(model, [array])
    path = written(model, tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"].replace('"LSTM"', '"CuDNNLSTM"')
        file.attrs["model_config"] = config.replace('"GRU"', '"CuDNNGRU"')
        for name, gates in (("lstm", 4), ("gru", 3)):
            group = file[f"model_weights/{name}"]
            kernel, recurrent, bias = (group[n] for n in group.attrs["weight_names"])
            for data, memory in ((kernel, True), (recurrent, False)):
                parts = np.split(data[()], gates, axis=1)
                new = [cudnn(part, memory) for part in parts]
                data[...] = np.concatenate(new, axis=1)
            stored = bias[()]
            both = np.stack([stored * 0.25, stored * 0.75]) if gates == 4 else stored
            place, weight = bias.name, group.attrs["weight_names"][2]
            del file[place]
            group.create_dataset(weight, data=both.reshape(-1))
    assert_same(layerscope_nodes(open_model(path), [array]), expected)


def cudnn(gate: Any, memory: bool) -> Any:
    """One gate's kernel as CuDNN holds it: (units, inputs) in memory, the recurrent one turned."""
    return gate.T.reshape(gate.shape) if memory else gate.T


@opens(what="Lambda, with --trust")
@refused(what="Lambda, without --trust")
def test_lambda_layers_are_refused_without_trust(tmp_path: Path) -> None:
    given = tf_keras.Input((5,))
    model = tf_keras.Model(given, L.Lambda(lambda x: x * 2, name="twice")(given))
    for suffix in (".h5", ".keras"):
        path = written(model, tmp_path / f"m{suffix}")
        with pytest.raises(UntrustedError, match=r"'twice' is a Lambda.*--trust") as caught:
            open_model(path)
        seen.refused(caught.value)
        array = feed((None, 5))
        found = layerscope_nodes(open_model(path, trust=True), [array])
        assert_same(found, {"twice": array * 2})


@opens(file=".h5", what="classes of your own, with --custom")
@refused(file=".h5", what="classes of your own, without --custom")
def test_custom_layers_and_functions_are_supplied(tmp_path: Path) -> None:
    class Twice(L.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2

    def cube(x: Any) -> Any:
        return x**3

    given = tf_keras.Input((5,))
    model = random_weights(
        tf_keras.Model(given, L.Dense(3, activation=cube, name="d")(Twice(name="t")(given)))
    )
    path = written(model, tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"'t' is of the class 'Twice'.*--custom ") as caught:
        open_model(path)
    seen.refused(caught.value)
    code = tmp_path / "own.py"
    code.write_text(
        "import keras\n\nclass Twice(keras.layers.Layer):\n"
        "    def call(self, inputs):\n        return inputs * 2\n"
    )
    with pytest.raises(ModelError, match=r"'d' has the activation function 'cube'.*--custom"):
        open_model(path, custom=code)
    with code.open("a") as file:
        file.write("\ndef cube(x):\n    return x ** 3\n")
    array = feed((None, 5))
    found = layerscope_nodes(open_model(path, custom=code), [array])
    assert_same(found, tf_keras_nodes(model, [array]))


@refused(file=".keras", what="subclassed models, without their code")
def test_subclassed_models_are_refused(tmp_path: Path) -> None:
    class Own(tf_keras.Model):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.dense = L.Dense(3)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    model = Own()
    model(feed((None, 5)))
    path = written(model, tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"'own' is of a class of its own.*code") as caught:
        open_model(path)
    seen.refused(caught.value)
