"""Keras layers and operations as neutral operations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import keras

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
_RESHAPES = ("Reshape", "Flatten", "Squeeze", "ExpandDims", "Ravel")
_BACKENDS = ("tensorflow", "jax", "torch")
# Operations between layers that act on each element alone, or on pairs of elements.
_ELEMENTWISE_OPERATIONS = frozenset(
    "Add Subtract Multiply Divide TrueDivide Maximum Minimum Power Negative Absolute Abs Exp Log "
    "Sqrt Square Relu Relu6 Sigmoid HardSigmoid Silu Swish HardSilu Tanh Gelu Elu Selu Celu "
    "LeakyRelu Softplus Softsign LogSigmoid Mish Softmax LogSoftmax Clip Cast Where Sign Round "
    "Floor Ceil Sin Cos Rsqrt Reciprocal Identity StopGradient Mod FloorDivide Erf Greater Less "
    "Equal NotEqual GreaterEqual LessEqual LogicalNot LogicalAnd LogicalOr NanToNum".split()
)


def function_name(function: Any) -> str:
    """The name of an activation function; ``linear`` for none."""
    if function is None:
        return "linear"
    name = getattr(function, "__name__", None) or getattr(function, "name", None)
    return str(name or type(function).__name__)


def snake_case(name: str) -> str:
    """``BatchNormalization`` as ``batch_normalization``."""
    spaced = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", spaced).lower()


def neutral(
    operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: int = 0
) -> Operation:
    """What a Keras layer or operation does when called with these arguments.

    output: which of the call's outputs is meant.
    """
    if not isinstance(operation, keras.Layer):
        return moving(operation, args, kwargs, output) or _of_operation(operation, args)
    for kind in type(operation).__mro__:
        if not kind.__module__.startswith("keras.") or kind in (keras.Layer, object):
            continue
        translate = _BY_CLASS.get(kind.__name__)
        if translate is not None:
            return translate(operation, args)
    return Opaque()


def _of_operation(operation: Any, args: tuple[Any, ...]) -> Operation:
    name = type(operation).__name__
    if name in _ELEMENTWISE_OPERATIONS:
        axis = operation.axis if name in ("Softmax", "LogSoftmax") else ()
        axes = _axes(axis, _rank(args))
        return Elementwise(snake_case(name), _settings(operation), axes)
    if name in ("Concatenate", "Append"):
        tensors = args[0] if args and isinstance(args[0], list | tuple) else args
        return Concatenation(_positive(getattr(operation, "axis", 0), len(tensors[0].shape)))
    if name in _RESHAPES:
        return Reshape(snake_case(name))
    if name == "Transpose":
        rank = len(args[0].shape)
        axes = operation.axes or tuple(reversed(range(rank)))
        return Permutation(tuple(_positive(a, rank) for a in axes))
    return Opaque(snake_case(name))


def own_code(operation: Any) -> bool:
    """Whether code of a person's own may do more than the operation's neutral form says."""
    if not isinstance(operation, keras.Layer):
        return False
    caller = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    function = getattr(operation, "activation", None)
    home = caller.__module__.split(".")[0]
    return home not in ("keras", "layerscope") or not _is_known(function)


def _is_known(function: Any) -> bool:
    """Whether an activation function is what its name says."""
    if function is None or isinstance(function, keras.Layer):
        return function is None or not own_code(function)
    home = str(getattr(function, "__module__", "")).split(".")[0]
    name = function_name(function)
    return home == "keras" or (home in _BACKENDS and hasattr(keras.activations, name))


def _axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes as Keras takes them: one, several, or None for all."""
    if axis is None:
        return tuple(range(rank))
    several = axis if isinstance(axis, list | tuple) else (axis,)
    return tuple(_positive(int(a), rank) for a in several)


def _rank(args: tuple[Any, ...]) -> int:
    """The rank of the first tensor: before it may stand a number, as in ``1 - x``."""
    return next((len(x.shape) for x in args if hasattr(x, "shape")), 1)


def _positive(axis: int, rank: int) -> int:
    return axis if axis >= 0 else axis + rank


def _convolution(layer: Any, args: tuple[Any, ...]) -> Operation:
    name = _keras_class(layer)
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


def _keras_class(layer: Any) -> str:
    own = (kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return next(own).__name__


def _pooling(layer: Any, args: tuple[Any, ...]) -> Operation:
    function = "max" if "Max" in _keras_class(layer) else "mean"
    window = layer.pool_size
    window = (window,) if isinstance(window, int) else tuple(window)
    strides = layer.strides
    strides = window if strides is None else (strides,) if isinstance(strides, int) else strides
    return Pooling(function, window, tuple(strides), _padding_of(layer), layer.data_format)


def _global_pooling(layer: Any, args: tuple[Any, ...]) -> Operation:
    function = "max" if "Max" in _keras_class(layer) else "mean"
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
    method = snake_case(_keras_class(layer)).replace("_normalization", "")
    axis = getattr(layer, "axis", -1)
    rank = len(args[0].shape) if args else 1
    axes = tuple(axis) if isinstance(axis, list | tuple) else (-1 if axis is None else axis,)
    return Normalization(
        "fixed" if method == "normalization" else method,
        tuple(_positive(a, rank) for a in axes),
        float(getattr(layer, "epsilon", 0.0)),
        getattr(layer, "groups", None),
    )


def _recurrent(layer: Any, args: tuple[Any, ...]) -> Operation:
    cell = getattr(layer, "cell", None)
    return Recurrent(
        cell=snake_case(type(cell).__name__.replace("Cell", "") or _keras_class(layer)),
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
    return Attention(snake_case(_keras_class(layer)), heads, scores=True)


def _concatenate(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Concatenation(_positive(layer.axis, len(args[0][0].shape)))


def _permute(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Permutation((0, *layer.dims))


def _function(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Elementwise(snake_case(_keras_class(layer)).replace("re_lu", "relu"), _settings(layer))


# The numbers of functions by attribute, with the values that are usual.
_SETTINGS: dict[str, dict[str, tuple[str, float | None]]] = {
    "ReLU": {
        "max_value": ("max_value", None),
        "negative_slope": ("negative_slope", 0.0),
        "threshold": ("threshold", 0.0),
    },
    "LeakyReLU": {"negative_slope": ("negative_slope", None)},
    "LeakyRelu": {"negative_slope": ("negative_slope", None)},
    "ELU": {"alpha": ("alpha", 1.0)},
    "Elu": {"alpha": ("alpha", 1.0)},
    "Celu": {"alpha": ("alpha", 1.0)},
    "Gelu": {"approximate": ("approximate", 0.0)},
    "Clip": {"x_min": ("low", None), "x_max": ("high", None)},
}


def _settings(operation: Any) -> tuple[tuple[str, float], ...]:
    """The numbers of a function that are not the usual ones."""
    found = []
    for attribute, (name, usual) in _SETTINGS.get(_keras_class(operation), {}).items():
        value = getattr(operation, attribute, None)
        number = float(value) if isinstance(value, int | float) else None
        if number is not None and number != usual:
            found.append((name, number))
    return tuple(found)


def _softmax(layer: Any, args: tuple[Any, ...]) -> Operation:
    return Elementwise("softmax", _settings(layer), _axes(layer.axis, len(args[0].shape)))


def _activation(layer: Any, args: tuple[Any, ...]) -> Operation:
    name = function_name(layer.activation)
    axis = -1 if name in ("softmax", "log_softmax") else ()
    return Elementwise(name, axis=_axes(axis, len(args[0].shape)))


_Translate = Callable[[Any, tuple[Any, ...]], Operation]
_BY_CLASS: dict[str, _Translate] = {
    **dict.fromkeys((*_MERGES, *_FUNCTIONS), _function),
    **{name: lambda layer, args: Elementwise("identity") for name in _IDENTITY_AT_INFERENCE},
    "LeakyReLU": lambda layer, args: Elementwise("leaky_relu", _settings(layer)),
    "LayerScale": lambda layer, args: Elementwise("layer_scale"),
    "PReLU": lambda layer, args: Elementwise("prelu"),
    "Activation": _activation,
    "Softmax": _softmax,
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
