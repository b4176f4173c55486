"""TensorFlow operations that Keras 2.0 to 2.3 recorded as layers, against tf_keras."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tf_keras.src.engine.base_layer import TensorFlowOpLayer

from layerscope.errors import ModelError
from layerscope.models import open_model
from layerscope.models.keras_legacy.node_def import read_node_def
from layerscope.models.keras_legacy.op_layers import operation_types
from legacy_files import (
    assert_same,
    feed,
    layerscope_nodes,
    tf_keras,
    tf_keras_nodes,
    written,
)

pytestmark = pytest.mark.backend

L = tf_keras.layers
PLANE = (8, 7, 3)


def operation_layer(function: Callable[..., Any], shapes: Sequence[Any], name: str) -> Any:
    """A layer of the operation that a function ends with; what it makes itself are constants."""
    with tf.Graph().as_default():
        given = [tf.compat.v1.placeholder("float32", shape) for shape in shapes]
        operation = function(*given).op
        constants = {
            i: tf.get_static_value(value)
            for i, value in enumerate(operation.inputs)
            if all(value is not x for x in given)
        }
        # A constant at each such place, as Keras itself would have found it.
        node = operation.node_def
        for i in constants:
            node.input[i] = f"{name}/{i}"
    return TensorFlowOpLayer(node.SerializeToString(), name, constants)


def network(function: Callable[..., Any], *before: Any) -> Any:
    """The operation on the outputs of layers that are called on one input."""
    given = tf_keras.Input(PLANE)
    sources = [layer(given) for layer in before] or [given]
    layer = operation_layer(function, [x.shape for x in sources], "op")
    return tf_keras.Model(given, layer(sources if len(sources) > 1 else sources[0]))


ARRAY = np.linspace(-1, 2, 3, dtype=np.float32)
raw = tf.raw_ops
opens = partial(pytest.mark.opens, era="Keras 2", writer="tf_keras", against="tf_keras")
ONE: dict[str, Callable[[Any], Any]] = {
    "Add": lambda x: raw.Add(x=x, y=1.5),
    "AddV2": lambda x: x + ARRAY,
    "Sub": lambda x: 1.0 - x,
    "Mul": lambda x: ARRAY * x,
    "RealDiv": lambda x: x / 127.5,
    "Maximum": lambda x: tf.maximum(x, 0.1),
    "Minimum": lambda x: tf.minimum(x, ARRAY),
    "Pow": lambda x: x**2.0,
    "SquaredDifference": lambda x: tf.math.squared_difference(x, ARRAY),
    "BiasAdd": lambda x: tf.nn.bias_add(x, ARRAY),
    "Neg": lambda x: -x,
    "Abs": tf.abs,
    "Exp": tf.exp,
    "Sin": tf.sin,
    "Cos": tf.cos,
    "Tanh": tf.tanh,
    "Sigmoid": tf.sigmoid,
    "Square": tf.square,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Elu": tf.nn.elu,
    "Selu": tf.nn.selu,
    "LeakyRelu": lambda x: tf.nn.leaky_relu(x, 0.3),
    "Softplus": tf.nn.softplus,
    "Softsign": tf.nn.softsign,
    "Softmax": lambda x: raw.Softmax(logits=x),
    "Identity": lambda x: raw.Identity(input=x),
    "StopGradient": tf.stop_gradient,
    "Mean": lambda x: tf.reduce_mean(x, [1, 2]),
    "Sum": lambda x: tf.reduce_sum(x, -1, keepdims=True),
    "Max": lambda x: tf.reduce_max(x, 1),
    "Min": lambda x: tf.reduce_min(x, [2], keepdims=True),
    "Reshape": lambda x: tf.reshape(x, (-1, 56, 3)),
    "Transpose": lambda x: tf.transpose(x, [0, 3, 1, 2]),
    "ExpandDims": lambda x: tf.expand_dims(x, 1),
    "Cast": lambda x: raw.Cast(x=x, DstT=tf.float64),
    "ClipByValue": lambda x: raw.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.5),
    "Pad": lambda x: raw.Pad(input=x, paddings=[[0, 0], [1, 2], [0, 0], [0, 0]]),
    "PadV2": lambda x: tf.pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]], constant_values=2.5),
    "MirrorPad": lambda x: tf.pad(x, [[0, 0], [1, 2], [1, 1], [0, 0]], "REFLECT"),
    "BatchMatMulV2": lambda x: tf.matmul(x, np.eye(3, 4, dtype=np.float32)),
    "StridedSlice": lambda x: x[:, 1:-1, ::2, 0],
}
POSITIVE = L.Activation("softplus")
# On the outputs of layers before it.
AFTER: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "Log": (tf.math.log, (POSITIVE,)),
    "Sqrt": (tf.sqrt, (POSITIVE,)),
    "Rsqrt": (tf.math.rsqrt, (POSITIVE,)),
    "Squeeze": (lambda x: tf.squeeze(x, [2]), (L.Reshape((8, 1, 21)),)),
    "Squeeze all": (tf.squeeze, (L.Reshape((8, 1, 21)),)),
    "AddV2": (lambda x, y: x + y, (L.ReLU(), POSITIVE)),
    "Maximum": (tf.maximum, (L.ReLU(), POSITIVE)),
    "ConcatV2": (lambda x, y: tf.concat([x, y], axis=1), (L.ReLU(), POSITIVE)),
    "Pack": (lambda x, y: tf.stack([x, y], axis=2), (L.ReLU(), POSITIVE)),
    "BatchMatMul": (
        lambda x, y: raw.BatchMatMul(x=x, y=y), (L.ReLU(), L.Permute((1, 3, 2)))
    ),
    "BatchMatMulV2": (
        lambda x, y: raw.BatchMatMulV2(x=x, y=y), (L.ReLU(), L.Permute((1, 3, 2)))
    ),
    "MatMul": (
        lambda x: raw.MatMul(a=x, b=np.eye(168, 5, dtype=np.float32)), (L.Flatten(),)
    ),
}  # fmt: skip


def compared(model: Any, path: Path) -> None:
    arrays = [feed(x.shape, seed=i) for i, x in enumerate(model.inputs)]
    expected = tf_keras_nodes(model, arrays)
    assert_same(layerscope_nodes(open_model(written(model, path)), arrays), expected)


@opens(file="{suffix}", what="TensorFlowOpLayer: {name}")
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("name", ONE)
def test_an_operation(name: str, suffix: str, tmp_path: Path) -> None:
    compared(network(ONE[name]), tmp_path / f"m{suffix}")


@opens(file=".h5", what="TensorFlowOpLayer: {name}")
@pytest.mark.parametrize("name", AFTER)
def test_an_operation_after_layers(name: str, tmp_path: Path) -> None:
    function, before = AFTER[name]
    compared(network(function, *before), tmp_path / "m.h5")


def test_every_operation_that_opens_is_compared() -> None:
    assert {name.split()[0] for name in (*ONE, *AFTER)} == operation_types()


@opens(file=".h5", what="TensorFlowOpLayer: as TensorFlow 2.0 wrote it")
def test_a_description_in_bytes_is_read_too(tmp_path: Path) -> None:
    """As TensorFlow 2.0 and 2.1 wrote it."""
    for name in ("Max", "StridedSlice", "Cast"):
        model = network(ONE[name])
        path = written(model, tmp_path / f"{name}.h5")
        array = feed((None, *PLANE))
        expected = tf_keras_nodes(model, [array])
        data = model.layers[-1].node_def.SerializeToString()
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            config["config"]["layers"][-1]["config"]["node_def"] = data.decode("utf-8")
            file.attrs["model_config"] = json.dumps(config)
        assert_same(layerscope_nodes(open_model(path), [array]), expected)


def test_a_cast_to_64_bits_says_so_where_the_backend_has_32(tmp_path: Path) -> None:
    import keras

    notes = open_model(written(network(ONE["Cast"]), tmp_path / "m.h5")).source.notes
    said = (
        "tf_op_layer_op: cast to float32 and not float64, since JAX computes in 32 bits "
        "(set JAX_ENABLE_X64=1 for 64)"
    )
    assert (said in notes) == (keras.backend.backend() == "jax")


def changed(path: Path, **changes: Any) -> Path:
    """The file with other entries in its last layer's config."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][-1]["config"] |= changes
        file.attrs["model_config"] = json.dumps(config)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"node_def": {"op": "WriteFile"}}, r"'tf_op_layer_op' .* 'WriteFile', .*not among"),
        ({"node_def": {"op": "PyFunc", "attr": {}}}, "'PyFunc', which is not among"),
        ({"node_def": {"op": "Shape"}}, "'Shape', which is not among"),
        ({"node_def": "\u00ff\u00ff"}, "description cannot be read"),
        ({"node_def": "\n\u00ff"}, "description cannot be read"),
        ({"node_def": [1]}, "description cannot be read"),
        ({"node_def": {}}, "'', which is not among"),
        ({"constants": {"7": 1.0}}, "a constant at 7"),
        ({"constants": {"-1": 1.0}}, "a constant at '-1'"),
        ({"constants": {}}, "1 inputs in the place of 2"),
        ({"node_def": {"op": "Mean"}, "constants": {"0": 1.0}}, "size or axis that is computed"),
        ({"node_def": {"op": "AddV2", "attr": {"own": {"i": "3"}}}}, "own=3"),
    ],
)
def test_what_is_not_known_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = changed(written(network(ONE["AddV2"]), tmp_path / "m.h5"), **changes)
    with pytest.raises(ModelError, match=words):
        open_model(path)


ATTRIBUTES = st.recursive(
    st.none() | st.text(max_size=4) | st.integers() | st.just(10**400),
    lambda inner: st.dictionaries(
        st.sampled_from(["T", "axis", "i", "s", "f", "b", "list", "type"]), inner, max_size=4
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.text(max_size=40)
    | st.dictionaries(st.sampled_from(["op", "attr", "name", "input"]), ATTRIBUTES, max_size=3)
)
def test_any_description_is_read_or_refused(stored: Any) -> None:
    said = ""
    try:
        found = read_node_def("x", stored)
        assert isinstance(found.op, str)
    except ModelError as error:
        said = str(error)
    assert len(said) < 300
