"""Files as Keras 1 wrote them, rule by rule, against tf_keras or numpy on the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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

L = tf_keras.layers
LINE, PLANE = (9, 3), (8, 7, 3)
Weights = list[tuple[str, Array]]
Lay = Callable[[list[Array]], list[Array]]


def as_is(arrays: list[Array]) -> list[Array]:
    return arrays


def by_gate(order: tuple[int, ...]) -> Lay:
    """Kernel, recurrent kernel and bias of each gate in turn, as Keras 1 kept them."""

    def lay(arrays: list[Array]) -> list[Array]:
        count = len(order)
        return [np.split(array, count, axis=-1)[gate] for gate in order for array in arrays]

    return lay


def conv_1d(arrays: list[Array]) -> list[Array]:
    return [arrays[0][:, None], *arrays[1:]]


def deconvolution(arrays: list[Array]) -> list[Array]:
    return [arrays[0].transpose(0, 1, 3, 2), *arrays[1:]]


CONV_1D = {"nb_filter": 4, "filter_length": 3, "border_mode": "same", "subsample_length": 1}
CONV_2D = {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "valid", "init": "uniform"}
TF = {"dim_ordering": "tf"}
LSTM_1 = {
    "output_dim": 4, "inner_activation": "hard_sigmoid", "activation": "tanh",
    "inner_init": "orthogonal", "forget_bias_init": "one", "consume_less": "cpu",
    "dropout_W": 0.1, "dropout_U": 0.2, "U_regularizer": None, "input_dim": 3, "input_length": 9,
}  # fmt: skip
LSTM_2 = {"recurrent_activation": "hard_sigmoid"}

# name: (shape, class, config of Keras 1, the same layer of tf_keras, Keras 1's arrays)
SAME: dict[str, tuple[Any, str, dict[str, Any], Callable[[], Any], Lay]] = {
    "Dense": (
        (5,), "Dense",
        {"output_dim": 3, "init": "he_normal", "bias": True, "input_dim": 5, "W_regularizer": None,
         "b_constraint": None, "activation": "relu", "activity_regularizer": None},
        lambda: L.Dense(3, activation="relu"), as_is,
    ),
    "TimeDistributedDense": (
        LINE, "TimeDistributedDense", {"output_dim": 4, "input_length": 9, "input_dim": 3},
        lambda: L.Dense(4), as_is,
    ),
    "Convolution1D": (
        LINE, "Convolution1D", CONV_1D, lambda: L.Conv1D(4, 3, padding="same"), conv_1d,
    ),
    "Convolution1D of 1.0": (
        LINE, "Convolution1D", CONV_1D, lambda: L.Conv1D(4, 3, padding="same"),
        lambda arrays: [arrays[0].transpose(2, 1, 0)[..., None], *arrays[1:]],
    ),
    "AtrousConvolution1D": (
        LINE, "AtrousConvolution1D", {**CONV_1D, "atrous_rate": 2},
        lambda: L.Conv1D(4, 3, padding="same", dilation_rate=2), conv_1d,
    ),
    "Convolution2D": (
        PLANE, "Convolution2D", {**CONV_2D, **TF, "subsample": [2, 1], "bias": False},
        lambda: L.Conv2D(4, (3, 2), strides=(2, 1), use_bias=False), as_is,
    ),
    "AtrousConvolution2D": (
        PLANE, "AtrousConvolution2D", {**CONV_2D, **TF, "atrous_rate": [2, 2]},
        lambda: L.Conv2D(4, (3, 2), dilation_rate=2), as_is,
    ),
    "SeparableConvolution2D": (
        PLANE, "SeparableConvolution2D", {**CONV_2D, **TF, "depth_multiplier": 2},
        lambda: L.SeparableConv2D(4, (3, 2), depth_multiplier=2), as_is,
    ),
    "Deconvolution2D": (
        PLANE, "Deconvolution2D",
        {**CONV_2D, **TF, "subsample": [2, 2], "output_shape": [None, 17, 14, 4]},
        lambda: L.Conv2DTranspose(4, (3, 2), strides=2), deconvolution,
    ),
    "Convolution3D": (
        (5, 6, 4, 2), "Convolution3D",
        {"nb_filter": 3, "kernel_dim1": 2, "kernel_dim2": 3, "kernel_dim3": 1, **TF,
         "border_mode": "same", "subsample": [1, 1, 1]},
        lambda: L.Conv3D(3, (2, 3, 1), padding="same"), as_is,
    ),
    "MaxPooling1D": (
        LINE, "MaxPooling1D", {"pool_length": 3, "stride": 2, "border_mode": "valid"},
        lambda: L.MaxPooling1D(3, 2), as_is,
    ),
    "AveragePooling2D": (
        PLANE, "AveragePooling2D",
        {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "same", **TF},
        lambda: L.AveragePooling2D(2, padding="same"), as_is,
    ),
    "GlobalMaxPooling2D": (
        PLANE, "GlobalMaxPooling2D", TF, L.GlobalMaxPooling2D, as_is,
    ),
    "UpSampling1D": (LINE, "UpSampling1D", {"length": 2}, lambda: L.UpSampling1D(2), as_is),
    "UpSampling2D": (
        PLANE, "UpSampling2D", {"size": [2, 3]}, lambda: L.UpSampling2D((2, 3)), as_is,
    ),
    "ZeroPadding2D": (
        PLANE, "ZeroPadding2D", {"padding": [1, 2], **TF}, lambda: L.ZeroPadding2D((1, 2)), as_is,
    ),
    "ZeroPadding2D of four": (
        PLANE, "ZeroPadding2D", {"padding": [1, 2, 3, 4], **TF},
        lambda: L.ZeroPadding2D(((1, 2), (3, 4))), as_is,
    ),
    "ZeroPadding2D by side": (
        PLANE, "ZeroPadding2D", {"padding": {"top_pad": 1, "left_pad": 3}, **TF},
        lambda: L.ZeroPadding2D(((1, 0), (3, 0))), as_is,
    ),
    "Cropping2D": (
        PLANE, "Cropping2D", {"cropping": [[1, 2], [0, 1]], **TF},
        lambda: L.Cropping2D(((1, 2), (0, 1))), as_is,
    ),
    "Dropout": (LINE, "Dropout", {"p": 0.5}, lambda: L.Dropout(0.5), as_is),
    "SpatialDropout2D": (
        PLANE, "SpatialDropout2D", {"p": 0.5}, lambda: L.SpatialDropout2D(0.5), as_is,
    ),
    "GaussianNoise": (LINE, "GaussianNoise", {"sigma": 0.5}, lambda: L.GaussianNoise(0.5), as_is),
    "GaussianDropout": (LINE, "GaussianDropout", {"p": 0.5}, lambda: L.GaussianDropout(0.5), as_is),
    "Embedding": (
        (6,), "Embedding",
        {"input_dim": 10, "output_dim": 4, "input_length": 6, "init": "uniform", "dropout": 0.2,
         "mask_zero": False, "W_constraint": None, "input_dtype": "int32"},
        lambda: L.Embedding(10, 4), as_is,
    ),
    "BatchNormalization": (
        PLANE, "BatchNormalization",
        {"epsilon": 0.01, "mode": 0, "axis": -1, "momentum": 0.9, "beta_init": "zero",
         "gamma_init": "one", "gamma_regularizer": None},
        lambda: L.BatchNormalization(epsilon=0.01), as_is,
    ),
    "LSTM": (LINE, "LSTM", LSTM_1, lambda: L.LSTM(4, **LSTM_2), by_gate((0, 2, 1, 3))),
    "LSTM in one piece": (
        LINE, "LSTM", {**LSTM_1, "consume_less": "gpu", "return_sequences": True},
        lambda: L.LSTM(4, return_sequences=True, **LSTM_2), as_is,
    ),
    "GRU": (
        LINE, "GRU", {**LSTM_1, "go_backwards": True},
        lambda: L.GRU(4, reset_after=False, go_backwards=True, **LSTM_2), by_gate((0, 1, 2)),
    ),
    "SimpleRNN": (
        LINE, "SimpleRNN", {"output_dim": 4, "activation": "tanh", "consume_less": "mem"},
        lambda: L.SimpleRNN(4), as_is,
    ),
    "Bidirectional": (
        LINE, "Bidirectional",
        {"layer": {"class_name": "LSTM", "config": {**LSTM_1, "name": "inner"}},
         "merge_mode": "sum"},
        lambda: L.Bidirectional(L.LSTM(4, **LSTM_2), merge_mode="sum"),
        lambda arrays: [*by_gate((0, 2, 1, 3))(arrays[:3]), *by_gate((0, 2, 1, 3))(arrays[3:])],
    ),
    "TimeDistributed": (
        (4, 8, 7, 3), "TimeDistributed",
        {"layer": {"class_name": "Convolution2D", "config": {**CONV_2D, **TF, "name": "inner"}}},
        lambda: L.TimeDistributed(L.Conv2D(4, (3, 2))), as_is,
    ),
    "LocallyConnected1D": (
        LINE, "LocallyConnected1D", {**CONV_1D, "border_mode": "valid"},
        lambda: L.LocallyConnected1D(4, 3), as_is,
    ),
    "PReLU": (LINE, "PReLU", {"init": "zero"}, L.PReLU, as_is),
    "LeakyReLU": (LINE, "LeakyReLU", {"alpha": 0.2}, lambda: L.LeakyReLU(0.2), as_is),
    "ThresholdedReLU": (
        LINE, "ThresholdedReLU", {"theta": 0.3}, lambda: L.ThresholdedReLU(0.3), as_is,
    ),
    "Activation": (
        LINE, "Activation", {"activation": "hard_sigmoid"},
        lambda: L.Activation("hard_sigmoid"), as_is,
    ),
    "Flatten": (PLANE, "Flatten", {}, L.Flatten, as_is),
    "RepeatVector": ((5,), "RepeatVector", {"n": 3}, lambda: L.RepeatVector(3), as_is),
}  # fmt: skip


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


@pytest.mark.parametrize(
    ("kind", "own", "shapes"),
    [
        ("SReLU", {"t_left_init": "zero", "shared_axes": None}, [(5,)] * 4),
        ("ParametricSoftplus", {"alpha_init": 0.2, "beta_init": 5.0}, [(5,)] * 2),
        ("MaxoutDense", {"output_dim": 3, "nb_feature": 2, "bias": True}, [(2, 5, 3), (2, 3)]),
        ("Highway", {"activation": "tanh", "bias": True}, [(5, 5), (5, 5), (5,), (5,)]),
    ],
)
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
