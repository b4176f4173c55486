"""TensorFlow's operations as neutral operations, with their weights by role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layerscope.models.tensorflow.attributes import (
    data_format,
    dilation,
    flag,
    known_shape,
    padding,
    spatial,
    text,
)
from layerscope.models.tensorflow.constants import whole_numbers
from layerscope.models.tensorflow.moving import moving
from layerscope.models.tensorflow.shapes import BATCH
from layerscope.operations import (
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Normalization,
    Opaque,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Reshape,
    Upsampling,
)


@dataclass(frozen=True)
class Meaning:
    """What an operation does.

    weights: tensors by role. turned: roles that are transposed. training: it always computes
    as in training.
    """

    operation: Operation
    weights: Mapping[str, Any] = field(default_factory=dict)
    turned: frozenset[str] = frozenset()
    training: bool = False


def translate(operation: Any, carries: Callable[[Any], bool], output: int = 0) -> Meaning:
    """The meaning of an operation. carries: whether a tensor depends on the input.

    output: which of its outputs is meant.
    """
    moved = moving(operation, output, carries)
    if moved is not None:
        return Meaning(moved)
    found = _TABLE.get(operation.type)
    if found is not None:
        meaning = found(operation, carries)
        if meaning is not None:
            return meaning
    return Meaning(Opaque(snake(operation.type)))


def snake(name: str) -> str:
    """``ResizeBilinear`` as ``resize_bilinear``."""
    return "".join(
        f"_{c.lower()}" if c.isupper() and i and not name[i - 1].isupper() else c.lower()
        for i, c in enumerate(name)
    )


def _convolution(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    data, kernel = operation.inputs[0], operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None:
        return None
    depthwise = operation.type.startswith("Depthwise")
    channels, filters = shape[-2], shape[-1]
    places = -1 if data_format(operation) == "channels_last" else 1
    given = data.shape[places] if data.shape.rank else None
    groups = max(1, given // channels) if given and not depthwise else 1
    return Meaning(
        Convolution(
            filters=channels * filters if depthwise else filters,
            kernel_size=tuple(shape[:-2]),
            strides=spatial(operation, operation.get_attr("strides")),
            padding=padding(operation),
            dilation=dilation(operation, len(shape) - 2),
            groups=channels if depthwise else groups,
            data_format=data_format(operation),
            depthwise=depthwise,
            depth_multiplier=filters if depthwise else 1,
            use_bias=False,
        ),
        {"kernel": kernel},
    )


def _transposed(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    kernel = operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None or not carries(operation.inputs[2]):
        return None
    return Meaning(
        Convolution(
            filters=shape[-2],
            kernel_size=tuple(shape[:-2]),
            strides=spatial(operation, operation.get_attr("strides")),
            padding=padding(operation),
            dilation=dilation(operation, len(shape) - 2),
            data_format=data_format(operation),
            transposed=True,
            use_bias=False,
        ),
        {"kernel": kernel},
    )


def _pooling(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    function = "max" if operation.type.startswith("Max") else "mean"
    return Meaning(
        Pooling(
            function,
            spatial(operation, operation.get_attr("ksize")),
            spatial(operation, operation.get_attr("strides")),
            padding(operation),
            data_format(operation),
        )
    )


def _dense(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    kernel = operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None or len(shape) != 2 or not carries(operation.inputs[0]):
        return None
    if flag(operation, "transpose_a") or flag(operation, "adj_x"):
        return None
    turned = flag(operation, "transpose_b") or flag(operation, "adj_y")
    units = shape[0] if turned else shape[1]
    roles = frozenset({"kernel"}) if turned else frozenset()
    return Meaning(Dense(units, use_bias=False), {"kernel": kernel}, roles)


def _bias(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    if carries(operation.inputs[1]):
        return Meaning(Elementwise("add"))
    return Meaning(Elementwise("add-bias"), {"bias": operation.inputs[1]})


def _fused_normalization(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    rank = operation.inputs[0].shape.rank or 4
    axis = 1 if data_format(operation) == "channels_first" else rank - 1
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = dict(zip(roles, list(operation.inputs)[1:5], strict=False))
    if any(carries(tensor) for tensor in weights.values()):
        return None
    if flag(operation, "is_training"):
        own = Opaque("batch normalisation by the batch's own statistics")
        return Meaning(own, training=True)
    epsilon = float(operation.get_attr("epsilon"))
    return Meaning(Normalization("batch", (axis,), epsilon), weights)


def _add(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    constant = [i for i in operation.inputs if not carries(i)]
    if len(constant) != 1 or not _along_channels(constant[0], operation.outputs[0]):
        return Meaning(Elementwise("add"))
    return Meaning(Elementwise("add-bias"), {"bias": constant[0]})


def _along_channels(tensor: Any, output: Any) -> bool:
    """Whether a constant has one number for each channel, on the last axis or axis 1."""
    shape, rank = known_shape(tensor), output.shape.rank
    if not shape or not rank or len(shape) > rank:
        return False
    full = [1] * (rank - len(shape)) + shape
    wide = [i for i, size in enumerate(full) if size != 1]
    return wide in ([rank - 1], [1]) and output.shape[wide[0]] == full[wide[0]]


def _of(function: str) -> Callable[[Any, Callable[[Any], bool]], Meaning]:
    def made(operation: Any, carries: Callable[[Any], bool]) -> Meaning:
        constant = [i for i in operation.inputs if not carries(i)]
        binary = len(operation.inputs) == 2 and len(constant) == 1
        return Meaning(Elementwise(function), {"constant": constant[0]} if binary else {})

    return made


def _softmax(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    rank = operation.inputs[0].shape.rank
    if rank is None:
        return None
    return Meaning(Elementwise(snake(operation.type), axis=(rank - 1,)))


def _leaky(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    slope = float(operation.get_attr("alpha"))
    return Meaning(Elementwise("leaky_relu", (("negative_slope", slope),)))


def _concatenation(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    place = -1 if operation.type == "ConcatV2" else 0
    axis, rank = whole_numbers(operation.inputs[place]), operation.outputs[0].shape.rank
    if not axis or rank is None:
        return None
    return Meaning(Concatenation(axis[0] % rank))


def _pad(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    amounts = whole_numbers(operation.inputs[1])
    rank = operation.inputs[0].shape.rank
    if amounts is None or rank is None or len(amounts) != 2 * rank or not 3 <= rank <= 5:
        return None
    pairs = tuple(zip(amounts[::2], amounts[1::2], strict=True))
    mode = {"MirrorPad": text(operation, "mode", "reflect").lower()}.get(operation.type, "zero")
    if pairs[0] == (0, 0) == pairs[-1]:
        return Meaning(Padding(pairs[1:-1], "channels_last", mode))
    if pairs[0] == (0, 0) == pairs[1]:
        return Meaning(Padding(pairs[2:], "channels_first", mode))
    return None


def _permutation(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    order = whole_numbers(operation.inputs[1])
    return Meaning(Permutation(order)) if order is not None else None


def _mean(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    axes, rank = whole_numbers(operation.inputs[1]), operation.inputs[0].shape.rank
    if axes is None or rank is None or not 3 <= rank <= 5:
        return None
    found = tuple(sorted(axis % rank for axis in axes))
    layouts = {
        tuple(range(1, rank - 1)): "channels_last",
        tuple(range(2, rank)): "channels_first",
    }
    if found not in layouts:
        return None
    function = {"Mean": "mean", "Max": "max"}[operation.type]
    keeps = flag(operation, "keep_dims")
    return Meaning(Pooling(function, (), (), "valid", layouts[found], True, keeps))


def _reshape(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    return Meaning(Reshape(snake(operation.type)))


def _resize(operation: Any, carries: Callable[[Any], bool]) -> Meaning | None:
    before, after = operation.inputs[0].shape, operation.outputs[0].shape
    if before.rank != 4 or after.rank != 4:
        return None
    factors = []
    for i in (1, 2):
        if not before[i] or not after[i] or after[i] % before[i] or BATCH in (before[i], after[i]):
            return None
        factors.append(after[i] // before[i])
    method = "nearest" if "Nearest" in operation.type else "bilinear"
    return Meaning(Upsampling(tuple(factors), method))


_TABLE: dict[str, Callable[[Any, Callable[[Any], bool]], Meaning | None]] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), _transposed),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _pooling),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _dense),
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _fused_normalization
    ),
    **dict.fromkeys(("BiasAdd", "BiasAddV1"), _bias),
    **dict.fromkeys(("Add", "AddV2"), _add),
    **dict.fromkeys(("Concat", "ConcatV2"), _concatenation),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), _reshape),
    **dict.fromkeys(("Mean", "Max"), _mean),
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor"), _resize),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Transpose": _permutation,
    "LeakyRelu": _leaky,
    "LRN": lambda operation, carries: Meaning(Elementwise("local_response_normalization")),
    **{
        name: _of(function)
        for name, function in {
            "Relu": "relu",
            "Relu6": "relu6",
            "Elu": "elu",
            "Selu": "selu",
            "Sigmoid": "sigmoid",
            "Tanh": "tanh",
            "Softplus": "softplus",
            "Softsign": "softsign",
            "Exp": "exp",
            "Log": "log",
            "Neg": "negative",
            "Abs": "abs",
            "Square": "square",
            "Sqrt": "sqrt",
            "Rsqrt": "rsqrt",
            "Floor": "floor",
            "Round": "round",
            "Cast": "cast",
            "Sign": "sign",
            "ClipByValue": "clip",
            "AddN": "add",
            "Mul": "multiply",
            "Sub": "subtract",
            "RealDiv": "divide",
            "Div": "divide",
            "Maximum": "maximum",
            "Minimum": "minimum",
            "Pow": "power",
            "SquaredDifference": "squared_difference",
            "Select": "where",
            "SelectV2": "where",
        }.items()
    },
}
