"""Keras layers and operations as neutral operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from layerscope.models.keras.between import of_operation
from layerscope.models.keras.functions import (
    function_name,
    keras_class,
    of_activation,
    of_function,
    of_softmax,
    positive,
    settings_of,
    snake_case,
)
from layerscope.models.keras.moving import flatten, moving
from layerscope.operations import (
    Attention,
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Embedding,
    Normalization,
    Opaque,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Recurrent,
    Reshape,
    Upsampling,
)

layers = keras.layers

_DIMENSIONS = ("1D", "2D", "3D")
_IDENTITY_AT_INFERENCE = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout",
    "StochasticDepth", "GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity",
    "Masking",
)  # fmt: skip
_MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot")
_FUNCTIONS = ("ReLU", "LeakyReLU", "PReLU", "ELU", "Rescaling")
_ATTENTIONS = (
    "Attention", "AdditiveAttention", "MultiHeadAttention", "GroupedQueryAttention",
    "GroupQueryAttention",
)  # fmt: skip
_NORMALIZATIONS = (
    "BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization",
    "RMSNormalization", "SpectralNormalization", "Normalization",
)  # fmt: skip


def neutral(
    operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: int = 0
) -> Operation:
    """What a Keras layer or operation does when called with these arguments.

    output: which of the call's outputs is meant.
    """
    if not isinstance(operation, keras.Layer):
        return moving(operation, args, kwargs, output) or of_operation(operation, args)
    for kind in type(operation).__mro__:
        if not kind.__module__.startswith("keras.") or kind in (keras.Layer, object):
            continue
        translate = _BY_CLASS.get(kind.__name__)
        if translate is not None:
            return translate(operation, args)
    return Opaque()


def _convolution(layer: Any, args: tuple[Any, ...]) -> Operation:
    name = keras_class(layer)
    depthwise, separable = "Depthwise" in name, "Separable" in name
    multiplier = int(getattr(layer, "depth_multiplier", 1) or 1) if depthwise or separable else 1
    axis = 1 if layer.data_format == "channels_first" else -1
    channels = args[0].shape[axis] if args else None
    return Convolution(
        filters=int(channels or 0) * multiplier if depthwise else layer.filters,
        kernel_size=tuple(layer.kernel_size),
        strides=tuple(layer.strides),
        padding=_padding_of(layer),
        dilation=tuple(layer.dilation_rate),
        groups=int(channels or 1) if depthwise else int(getattr(layer, "groups", 1)),
        data_format=layer.data_format,
        transposed="Transpose" in name,
        depthwise=depthwise,
        depth_multiplier=multiplier,
        separable=separable,
        output_padding=_optional_tuple(getattr(layer, "output_padding", None)),
        use_bias=bool(layer.use_bias),
        activation=function_name(layer.activation),
    )


def _padding_of(layer: Any) -> Any:
    """``valid`` or ``same``, or the amounts of a layer of an old file that has its own."""
    return getattr(layer, "padding_amounts", None) or layer.padding


def _optional_tuple(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    return (value,) if isinstance(value, int) else tuple(value)


def _pooling(layer: Any, args: tuple[Any, ...]) -> Operation:
    function = "max" if "Max" in keras_class(layer) else "mean"
    window = layer.pool_size
    window = (window,) if isinstance(window, int) else tuple(window)
    strides = layer.strides
    strides = window if strides is None else (strides,) if isinstance(strides, int) else strides
    return Pooling(function, window, tuple(strides), _padding_of(layer), layer.data_format)


def _global_pooling(layer: Any, args: tuple[Any, ...]) -> Operation:
    function = "max" if "Max" in keras_class(layer) else "mean"
    return Pooling(function, (), (), "valid", layer.data_format, True, bool(layer.keepdims))


def _pairs(value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    if isinstance(value, int):
        return ((value, value),) * rank
    if rank == 1 and isinstance(value[0], int):
        return ((value[0], value[-1]),)
    return tuple((int(pair[0]), int(pair[1])) for pair in value)


def _zero_padding(layer: Any, args: tuple[Any, ...]) -> Operation:
    amounts = _pairs(layer.padding, len(args[0].shape) - 2)
    return Padding(amounts, getattr(layer, "data_format", None) or "channels_last")


def _cropping(layer: Any, args: tuple[Any, ...]) -> Operation:
    amounts = _pairs(layer.cropping, len(args[0].shape) - 2)
    return Padding(
        tuple((-before, -after) for before, after in amounts),
        getattr(layer, "data_format", None) or "channels_last",
        "crop",
    )


def _upsampling(layer: Any, args: tuple[Any, ...]) -> Operation:
    size = layer.size
    return Upsampling(
        (size,) if isinstance(size, int) else tuple(size),
        getattr(layer, "interpolation", "nearest"),
        getattr(layer, "data_format", None) or "channels_last",
    )


def _normalization(layer: Any, args: tuple[Any, ...]) -> Operation:
    method = snake_case(keras_class(layer)).replace("_normalization", "")
    axis = getattr(layer, "axis", -1)
    rank = len(args[0].shape) if args else 1
    axes = tuple(axis) if isinstance(axis, list | tuple) else (-1 if axis is None else axis,)
    return Normalization(
        "fixed" if method == "normalization" else method,
        tuple(positive(a, rank) for a in axes),
        float(getattr(layer, "epsilon", 0.0)),
        getattr(layer, "groups", None),
    )


def _recurrent(layer: Any, args: tuple[Any, ...]) -> Operation:
    cell = getattr(layer, "cell", None)
    return Recurrent(
        cell=snake_case(type(cell).__name__.replace("Cell", "") or keras_class(layer)),
        units=int(getattr(cell, "units", 0) or getattr(cell, "filters", 0) or 0),
        returns_steps=bool(layer.return_sequences),
        returns_state=bool(layer.return_state),
        backwards=bool(getattr(layer, "go_backwards", False)),
    )


def _bidirectional(layer: Any, args: tuple[Any, ...]) -> Operation:
    inner = _recurrent(layer.forward_layer, args)
    assert isinstance(inner, Recurrent)
    return Recurrent(inner.cell, inner.units, inner.returns_steps, inner.returns_state, False, True)


def _attention(layer: Any, args: tuple[Any, ...]) -> Operation:
    heads = getattr(layer, "num_heads", None) or getattr(layer, "num_query_heads", None)
    return Attention(snake_case(keras_class(layer)), heads, scores=True)


def _concatenate(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Concatenation(positive(layer.axis, len(args[0][0].shape)))


def _permute(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Permutation((0, *layer.dims))


_Translate = Callable[[Any, tuple[Any, ...]], Operation]
_BY_CLASS: dict[str, _Translate] = {
    **dict.fromkeys((*_MERGES, *_FUNCTIONS), of_function),
    **{name: lambda layer, args: Elementwise("identity") for name in _IDENTITY_AT_INFERENCE},
    "LeakyReLU": lambda layer, args: Elementwise("leaky_relu", settings_of(layer)),
    "LayerScale": lambda layer, args: Elementwise("layer_scale"),
    "PReLU": lambda layer, args: Elementwise("prelu"),
    "Activation": of_activation,
    "Softmax": of_softmax,
    "Concatenate": _concatenate,
    "Permute": _permute,
    "Reshape": lambda layer, args: Reshape("reshape"),
    "Flatten": flatten,
    "RepeatVector": lambda layer, args: Opaque("repeat"),
    "Resizing": lambda layer, args: Opaque("resize"),
    "Dense": lambda layer, args: Dense(
        layer.units, bool(layer.use_bias), function_name(layer.activation)
    ),
    "Embedding": lambda layer, args: Embedding(layer.input_dim, layer.output_dim),
    "RNN": _recurrent,
    "Bidirectional": _bidirectional,
    "TimeDistributed": lambda layer, args: Opaque(
        f"each step through {type(layer.layer).__name__}"
    ),
    **dict.fromkeys(_ATTENTIONS, _attention),
    **dict.fromkeys(_NORMALIZATIONS, _normalization),
}  # fmt: skip
for _n in _DIMENSIONS:
    _BY_CLASS |= {
        **{f"{kind}Conv{_n}": _convolution for kind in ("", "Depthwise", "Separable")},
        f"Conv{_n}Transpose": _convolution,
        f"MaxPooling{_n}": _pooling,
        f"AveragePooling{_n}": _pooling,
        f"GlobalMaxPooling{_n}": _global_pooling,
        f"GlobalAveragePooling{_n}": _global_pooling,
        f"ZeroPadding{_n}": _zero_padding,
        f"Cropping{_n}": _cropping,
        f"UpSampling{_n}": _upsampling,
    }
