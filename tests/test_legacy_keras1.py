"""Files as Keras 1 wrote them, rule by rule, against tf_keras or numpy on the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras1_corpus import CONV_2D, SAME, TF
from layerscope.errors import ModelError, UntrustedError
from layerscope.models import open_model
from legacy_files import (
    Array,
    assert_same,
    feed,
    keras_1_file,
    layerscope_nodes,
    random_weights,
    sequential_1,
    tf_keras,
    tf_keras_nodes,
    write_groups,
)
from which_files import seen

pytestmark = pytest.mark.backend

Weights = list[tuple[str, Array]]
KERAS_1 = {"era": "Keras 1", "writer": "the tests, as Keras 1 did", "file": ".h5"}
opens = partial(pytest.mark.opens, **{**KERAS_1, "against": "NumPy"})
refused = partial(pytest.mark.opens, **KERAS_1, refused=True)


@opens(what="{name}", against="the tf_keras layer of the same meaning")
@pytest.mark.parametrize("version", ["1.2.2", None])
@pytest.mark.parametrize("name", SAME)
def test_a_layer(name: str, version: str | None, tmp_path: Path) -> None:
    shape, kind, config, make, lay = SAME[name]
    dtype = "int32" if kind == "Embedding" else "float32"
    given = tf_keras.Input(shape, dtype=dtype)
    layer = make()
    model = random_weights(tf_keras.Model(given, layer(given)))
    arrays = lay(layer.get_weights())
    own = {"name": "only", "trainable": True, "batch_input_shape": [None, *shape], **config}
    weights = [(f"only_{i}:0", array) for i, array in enumerate(arrays)]
    # The word of one layer tells the version where none is written.
    known = ("Dropout", {"name": "last", "p": 0.5, "input_dtype": "float32"})
    path = keras_1_file(
        tmp_path / "m.h5", sequential_1((kind, own), known), {"only": weights, "last": []}, version
    )
    array = feed((None, *shape), dtype)
    expected = tf_keras_nodes(model, [array])[layer.name]
    opened = open_model(path)
    assert_same(layerscope_nodes(opened, [array]), {"only": expected, "last": expected})


TH = {"dim_ordering": "th", "border_mode": "valid"}


def correlated(x: Array, kernel: Array) -> Array:
    """A valid correlation, channels first; kernel: (filters, channels, rows, columns)."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))
    return np.einsum("ncijab,fcab->nfij", windows, kernel)


@opens(what="kernels written by Theano")
@pytest.mark.parametrize(
    ("suffix", "given", "flipped"),
    [("", None, True), (":0", None, False), ("", False, False), (":0", True, True)],
)
def test_theano_kernels(suffix: str, given: bool | None, flipped: bool, tmp_path: Path) -> None:
    """'th': a convolution turns its kernel by 180°; the dense layer takes channels first."""
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(4, 3, 3, 2)), random.normal(size=4)
    dense = random.normal(size=(4 * 6 * 6, 2))
    config = sequential_1(
        ("Convolution2D", {"name": "c", **TH, "nb_filter": 4, "nb_row": 3, "nb_col": 2,
                           "batch_input_shape": [None, 3, 8, 7]}),
        ("Flatten", {"name": "f"}),
        ("Dense", {"name": "d", "output_dim": 2, "bias": False}),
    )  # fmt: skip
    groups = {
        "c": [(f"c_W{suffix}", kernel), (f"c_b{suffix}", bias)],
        "d": [(f"d_W{suffix}", dense)],
    }
    path = keras_1_file(tmp_path / "m.h5", config, groups)
    opened = open_model(path, theano_kernels=given)
    x = feed((None, 3, 8, 7))
    plain = correlated(x, kernel[:, :, ::-1, ::-1] if flipped else kernel)
    conv = plain + bias[:, None, None]
    flat = conv.reshape(2, -1)
    assert_same(layerscope_nodes(opened, [x]), {"c": conv, "f": flat, "d": flat @ dense})
    assert ("turned by 180°" in opened.source.notes[0]) == flipped
    assert opened.source.as_json()["notes"] == list(opened.source.notes)


@opens(what="a data format that is not stated")
def test_an_ordering_that_is_missing_is_taken_from_the_convolutions(tmp_path: Path) -> None:
    config = sequential_1(
        ("ZeroPadding2D", {"name": "z", "padding": [1, 1], "batch_input_shape": [None, 3, 8, 7]}),
        ("Convolution2D", {"name": "c", **TH, "nb_filter": 4, "nb_row": 1, "nb_col": 1}),
        ("UpSampling2D", {"name": "u", "size": [2, 2]}),
    )
    kernel = np.random.default_rng(0).normal(size=(4, 3, 1, 1))
    groups = {"c": [("c_W", kernel), ("c_b", np.zeros(4))]}
    opened = open_model(keras_1_file(tmp_path / "m.h5", config, groups))
    x = feed((None, 3, 8, 7))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    conv = correlated(padded, kernel)
    expected = {"z": padded, "c": conv, "u": conv.repeat(2, axis=2).repeat(2, axis=3)}
    assert_same(layerscope_nodes(opened, [x]), expected)
    assert "z: data format channels_first, as in the network's other layers" in opened.source.notes


@opens(what="kernels of dim_ordering 'th'")
@pytest.mark.parametrize("rank", [2, 3])
def test_separable_and_3d_kernels_of_th(rank: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    if rank == 3:
        kernel = random.normal(size=(4, 3, 2, 2, 2))
        own = {"nb_filter": 4, "kernel_dim1": 2, "kernel_dim2": 2, "kernel_dim3": 2}
        layer, shape = ("Convolution3D", own), (3, 5, 4, 6)
        weights = [("c_W:0", kernel), ("c_b:0", np.zeros(4))]
    else:
        depth, point = random.normal(size=(2, 3, 2, 2)), random.normal(size=(4, 6, 1, 1))
        own = {"nb_filter": 4, "nb_row": 2, "nb_col": 2, "depth_multiplier": 2}
        layer, shape = ("SeparableConvolution2D", own), (3, 5, 4)
        weights = [("c_d:0", depth), ("c_p:0", point), ("c_b:0", np.zeros(4))]
    own |= {"name": "c", **TH, "batch_input_shape": [None, *shape]}
    x = feed((None, *shape))
    opened = open_model(keras_1_file(tmp_path / "m.h5", sequential_1(layer), {"c": weights}))
    if rank == 3:
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2, 2), (2, 3, 4))
        expected = np.einsum("ncijkabd,fcabd->nfijk", windows, kernel)
    else:
        windows = np.lib.stride_tricks.sliding_window_view(x, (2, 2), (2, 3))
        planes = np.einsum("ncijab,mcab->ncmij", windows, depth)
        planes = planes.reshape(2, 6, *planes.shape[3:])
        expected = np.einsum("nkij,fk->nfij", planes, point[:, :, 0, 0])
    assert_same(layerscope_nodes(opened, [x]), {"c": expected})


def by_hand(name: str, x: Array, w: list[Array]) -> Array:
    if name == "SReLU":
        t_left, a_left, t_right, a_right = w
        right = t_left + np.abs(t_right)
        middle = np.where(x < t_left, t_left + a_left * (x - t_left), x)
        return np.where(x > right, right + a_right * (x - right), middle)
    if name == "ParametricSoftplus":
        return w[0] * np.log1p(np.exp(w[1] * x))
    if name == "MaxoutDense":
        return np.max(np.stack([x @ k + b for k, b in zip(*w, strict=True)], 1), axis=1)
    gate = 1 / (1 + np.exp(-(x @ w[1] + w[3])))
    return np.tanh(x @ w[0] + w[2]) * gate + (1 - gate) * x


WITHOUT_A_NAMESAKE: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("SReLU", {"t_left_init": "zero", "shared_axes": None}, [(5,)] * 4),
    ("ParametricSoftplus", {"alpha_init": 0.2, "beta_init": 5.0}, [(5,)] * 2),
    ("MaxoutDense", {"output_dim": 3, "nb_feature": 2, "bias": True}, [(2, 5, 3), (2, 3)]),
    ("Highway", {"activation": "tanh", "bias": True}, [(5, 5), (5, 5), (5,), (5,)]),
]


@opens(what="{kind}")
@pytest.mark.parametrize(("kind", "own", "shapes"), WITHOUT_A_NAMESAKE)
def test_layers_without_a_namesake(
    kind: str, own: dict[str, Any], shapes: list[Any], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape) for shape in shapes]
    config = sequential_1((kind, {"name": "only", "batch_input_shape": [None, 5], **own}))
    weights = [(f"only_{i}:0", array) for i, array in enumerate(arrays)]
    x = feed((None, 5))
    opened = open_model(keras_1_file(tmp_path / "m.h5", config, {"only": weights}))
    assert_same(layerscope_nodes(opened, [x]), {"only": by_hand(kind, x, arrays)})


MODES: dict[str, Callable[[Array, Array], Array]] = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "max": np.maximum,
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "dot": lambda a, b: (a * b).sum(axis=1, keepdims=True),
    "cos": lambda a, b: (
        (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    )[:, None, None],
}  # fmt: skip


def branch(name: str) -> dict[str, Any]:
    layer = {"name": f"{name}_dense", "output_dim": 4, "batch_input_shape": [None, 5]}
    config = [{"class_name": "Dense", "config": layer}]
    return {"class_name": "Sequential", "config": config, "name": name}


@opens(what="Merge: {mode}")
@pytest.mark.parametrize("mode", MODES)
def test_merged_branches(mode: str, tmp_path: Path) -> None:
    merge = {"name": "merge", "mode": mode, "concat_axis": -1, "dot_axes": -1, "mode_type": "raw",
             "layers": [branch("left"), branch("right")]}  # fmt: skip
    config = sequential_1(("Merge", merge), ("Activation", {"name": "act", "activation": "tanh"}))
    random = np.random.default_rng(0)
    kernels = {side: random.normal(size=(5, 4)) for side in ("left", "right")}
    groups = {
        f"{side}_dense": [(f"{side}_W:0", kernel), (f"{side}_b:0", np.zeros(4))]
        for side, kernel in kernels.items()
    }
    opened = open_model(keras_1_file(tmp_path / "m.h5", config, groups))
    x, y = feed((None, 5), seed=1), feed((None, 5), seed=2)
    left, right = x @ kernels["left"], y @ kernels["right"]
    merged = MODES[mode](left, right)
    expected = {"left": left, "right": right, "merge": merged, "act": np.tanh(merged)}
    assert_same(layerscope_nodes(opened, [x, y]), expected)


@opens(what="functional models, shared layers")
def test_functional_models_with_merges_and_shared_layers(tmp_path: Path) -> None:
    def layer(kind: str, name: str, nodes: list[Any], **own: Any) -> dict[str, Any]:
        config = {"name": name, **own}
        return {"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes}

    config = {
        "class_name": "Model",
        "config": {
            "name": "model_1",
            "layers": [
                layer("InputLayer", "in", [], batch_input_shape=[None, 5], input_dtype="float32",
                      sparse=False),
                layer("Dense", "d", [[["in", 0, 0]], [["d", 0, 0]]], output_dim=5, input_dim=None),
                layer("Merge", "m", [[["d", 0, 0], ["d", 1, 0]]], mode="concat", concat_axis=1,
                      mode_type="raw", dot_axes=-1),
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["m", 0, 0]],
        },
    }  # fmt: skip
    kernel = np.random.default_rng(0).normal(size=(5, 5))
    groups = {"d": [("d_W:0", kernel), ("d_b:0", np.ones(5))]}
    opened = open_model(keras_1_file(tmp_path / "m.h5", config, groups))
    x = feed((None, 5))
    first = x @ kernel + 1
    second = first @ kernel + 1
    expected = {"d": first, "d@1": second, "m": np.concatenate([first, second], axis=1)}
    assert_same(layerscope_nodes(opened, [x]), expected)


@refused(what="{layer[0]}")
@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        (("BatchNormalization", {"mode": 2}), ModelError, "mode 2.*Expected mode 0"),
        (("Lambda", {"function": ["c", None, None], "function_type": "lambda"}), UntrustedError,
         "'x' is a Lambda layer.*--trust"),
        (("Lambda", {"function": "own", "function_type": "function"}), ModelError,
         "function 'own'.*--custom"),
        (("MyLayer", {}), ModelError, "class 'MyLayer'.*--custom"),
        (("KerasLayer", {"handle": "https://example.org"}), ModelError, "'KerasLayer'.*--custom"),
        (("Merge", {"mode": "c", "mode_type": "lambda", "layers": []}), UntrustedError,
         "Merge by Python code.*FILE.py:name"),
        (("Convolution2D", {"dim_ordering": "xy"}), ModelError, "dim_ordering 'xy'"),
        (("LSTM", {"output_dim": 2, "time_major": True}), ModelError, "time_major=True"),
        (("Activation", {"activation": "mine"}), ModelError, "function 'mine'.*--custom"),
        (("Deconvolution2D", {**CONV_2D, **TF, "output_shape": [None, 99, 99, 4]}), ModelError,
         "deconvolution to"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused(
    layer: tuple[str, dict[str, Any]], error: type[ModelError], words: str, tmp_path: Path
) -> None:
    kind, own = layer
    config = sequential_1((kind, {"name": "x", "batch_input_shape": [None, 8, 7, 3], **own}))
    path = keras_1_file(tmp_path / "m.h5", config, {})
    with pytest.raises(error, match=f"(?s){words}") as caught:
        open_model(path)
    assert str(path) in str(caught.value)
    seen.refused(caught.value)


@opens(file="JSON or YAML and weights", what="architecture and weights apart")
def test_json_and_yaml_architectures(tmp_path: Path) -> None:
    import h5py

    config = sequential_1(("Dense", {"name": "d", "output_dim": 2, "batch_input_shape": [None, 5]}))
    kernel = np.random.default_rng(0).normal(size=(5, 2))
    weights = tmp_path / "w.h5"
    with h5py.File(weights, "w") as file:
        write_groups(file, {"d": [("d_W", kernel), ("d_b", np.ones(2))]})
    text = (
        "class_name: Sequential\nconfig:\n- class_name: Dense\n  config:\n"
        "    batch_input_shape: !!python/tuple [null, 5]\n    name: !!python/unicode 'd'\n"
        "    output_dim: &id001 2\n    bias: true\nkeras_version: 1.2.2\n"
    )
    files = {"m.json": json.dumps(config), "m.yaml": text, "m.txt": json.dumps(json.dumps(config))}
    x = feed((None, 5))
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        opened = open_model(tmp_path / name, weights=weights)
        assert_same(layerscope_nodes(opened, [x]), {"d": x @ kernel + 1})
        with pytest.raises(ModelError, match=r"architecture without weights.*--weights"):
            open_model(tmp_path / name)
