"""Keras 1 configs in the words of Keras 2: a pure function on plain dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.config import (
    CHANNELS_LAST,
    Config,
    as_config,
    as_layers,
    is_model,
    text_of,
)
from layerscope.models.keras_legacy.merge import merge_layer, merged_sequential

_CLASSES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D",
    "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconv2D": "Conv2DTranspose",
    "TimeDistributedDense": "Dense",
}
_RENAMED = {
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "stride": "strides",
    "bias": "use_bias",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "length": "size",
    "p": "rate",
    "sigma": "stddev",
    "inner_activation": "recurrent_activation",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
}
_OF_SIZE = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
# How training starts and what it is held to; every weight is read from the file.
_OF_TRAINING = frozenset(
    "init inner_init forget_bias_init beta_init gamma_init t_left_init a_left_init t_right_init "
    "a_right_init alpha_init beta_init transform_bias consume_less weights "
    "W_regularizer U_regularizer b_regularizer activity_regularizer gamma_regularizer "
    "beta_regularizer depthwise_regularizer pointwise_regularizer W_constraint U_constraint "
    "b_constraint depthwise_constraint pointwise_constraint".split()
)
_ORDERINGS = {"tf": CHANNELS_LAST, "th": "channels_first", "default": None}
_WORDS_OF_KERAS_1 = frozenset(
    "nb_filter border_mode dim_ordering nb_row nb_col subsample W_regularizer inner_init "
    "inner_activation consume_less input_dtype subsample_length filter_length mode_type".split()
)


def is_keras_1(config: Any) -> bool:
    """Whether a model's config speaks Keras 1, where no version is written."""
    for layer in _every_layer(config):
        name = layer.get("class_name")
        inner = layer.get("config")
        if name in _CLASSES or name in ("Merge", "MaxoutDense", "Highway", "SReLU"):
            return True
        if isinstance(inner, dict) and (
            _WORDS_OF_KERAS_1 & inner.keys() or ("output_dim" in inner and name != "Embedding")
        ):
            return True
    return False


def as_keras_2(model: Config) -> dict[str, Any]:
    """A Keras 1 model (``class_name`` and ``config``) as Keras 2 would have written it.

    Raises ModelError, naming the layer, where Keras 2 has no words for it.
    """
    kind, config = text_of(model.get("class_name")), model.get("config")
    name = config.get("name") if isinstance(config, dict) else model.get("name")
    if kind == "Sequential":
        layers = [_layer(layer) for layer in as_layers(config)]
        if layers and layers[0]["class_name"] == "Merge":
            return merged_sequential(str(name or "sequential"), layers)
        return {
            "class_name": "Sequential",
            "config": {"name": name or "sequential", "layers": layers},
        }
    config = as_config(config)
    if "layers" not in config:
        return {"class_name": kind, "config": config}
    layers = []
    for layer in as_layers(config):
        found = _layer(layer)
        if found["class_name"] == "Merge":
            found = merge_layer(found)
        nodes = [_node(node) for node in layer.get("inbound_nodes") or ()]
        layers.append({**found, "name": layer.get("name"), "inbound_nodes": nodes})
    return {"class_name": "Functional", "config": {**config, "layers": layers}}


def _node(node: Any) -> Any:
    if not isinstance(node, list):
        raise ModelError(f"The call {node!r:.60} of a layer is not as Keras 1 writes it.")
    return [[*part, {}] if isinstance(part, list) and len(part) == 3 else part for part in node]


def _layer(layer: Config) -> dict[str, Any]:
    if is_model(layer):
        return {**as_keras_2(layer), "name": _name(layer)}
    kind = text_of(layer.get("class_name"))
    config = as_config(layer.get("config"))
    if kind == "Merge":
        branches = [_layer(branch) for branch in as_layers(config.get("layers") or [])]
        return {"class_name": "Merge", "config": {**config, "layers": branches}}
    if kind in ("TimeDistributed", "Bidirectional") and "layer" in config:
        inner = _layer(as_config(config["layer"]))
        return {"class_name": kind, "config": {**_shaped(config), "layer": inner}}
    return {"class_name": _CLASSES.get(kind, kind), "config": _renamed(kind, config)}


def _name(layer: Config) -> Any:
    inner = layer.get("config")
    return layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None)


def _renamed(kind: str, config: Config) -> dict[str, Any]:
    found = {
        _RENAMED.get(key, key): value
        for key, value in _shaped(config, keep_sizes=kind == "Embedding").items()
        if key not in _OF_TRAINING
    }
    if "dim_ordering" in found:
        ordering = found.pop("dim_ordering")
        if ordering not in _ORDERINGS:
            raise ModelError(
                f"Layer {config.get('name')!r} has the dim_ordering {ordering!r}. "
                "Expected 'th' or 'tf'."
            )
        found["data_format"] = _ORDERINGS[ordering]
    for sizes in _OF_SIZE:
        if sizes[0] in found:
            found["kernel_size"] = [found.pop(size, None) for size in sizes]
    if kind == "Embedding":
        found.pop("dropout", None)
    else:
        _rename(found, "output_dim", "units")
    if kind in ("Deconvolution2D", "Deconv2D"):
        found["deconvolved"] = found.pop("output_shape", None)
    if kind in ("LSTM", "GRU", "SimpleRNN", "ConvLSTM2D"):
        found["consume_less"] = config.get("consume_less", "cpu")
    if kind == "BatchNormalization":
        mode = found.pop("mode", 0)
        if mode != 0:
            raise ModelError(
                f"Layer {config.get('name')!r} is a BatchNormalization of mode {mode!r}, which "
                "normalises by each sample or batch; Keras has had none since version 2. "
                "Expected mode 0."
            )
    if kind in ("ZeroPadding1D", "ZeroPadding2D"):
        found["padding"] = _padding(found.get("padding"), kind == "ZeroPadding1D")
    return found


def _rename(found: dict[str, Any], old: str, new: str) -> None:
    if old in found:
        found[new] = found.pop(old)


def _shaped(config: Config, keep_sizes: bool = False) -> dict[str, Any]:
    """The config with the input's shape in one place and under its later name."""
    found = dict(config)
    dtype = found.pop("input_dtype", None)
    size, length = found.get("input_dim"), found.get("input_length")
    if not keep_sizes:
        found.pop("input_dim", None)
        if "batch_input_shape" not in found and isinstance(size, int):
            steps = () if "input_length" not in found else (length,)
            found["batch_input_shape"] = [None, *steps, size]
    found.pop("input_length", None)
    if dtype is not None and "batch_input_shape" in found:
        found["input_dtype"] = dtype
    return found


def _padding(padding: Any, line: bool) -> Any:
    if isinstance(padding, Mapping) and line:
        return [padding.get(side, 0) for side in ("left_pad", "right_pad")]
    if isinstance(padding, Mapping):
        sides = ("top_pad", "bottom_pad", "left_pad", "right_pad")
        padding = [padding.get(side, 0) for side in sides]
    if isinstance(padding, list) and len(padding) == 4:
        return [[padding[0], padding[1]], [padding[2], padding[3]]]
    return padding


def _every_layer(config: Any) -> Iterator[Config]:
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
