"""TensorFlow's operations as neutral operations, with their weights by role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerscope.models.tensorflow import weighted
from layerscope.models.tensorflow.attributes import data_format, flag, padding, spatial, text
from layerscope.models.tensorflow.constants import whole_numbers
from layerscope.models.tensorflow.meaning import Carries, Meaning
from layerscope.models.tensorflow.moving import moving
from layerscope.models.tensorflow.shapes import BATCH
from layerscope.operations import (
    Concatenation,
    Elementwise,
    Opaque,
    Padding,
    Permutation,
    Pooling,
    Reshape,
    Upsampling,
)


def translate(operation: Any, carries: Carries, output: int = 0) -> Meaning:
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


def _pooling(operation: Any, carries: Carries) -> Meaning | None:
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


def _of(function: str) -> Callable[[Any, Carries], Meaning]:
    def made(operation: Any, carries: Carries) -> Meaning:
        constant = [i for i in operation.inputs if not carries(i)]
        binary = len(operation.inputs) == 2 and len(constant) == 1
        return Meaning(Elementwise(function), {"constant": constant[0]} if binary else {})

    return made


def _softmax(operation: Any, carries: Carries) -> Meaning | None:
    rank = operation.inputs[0].shape.rank
    if rank is None:
        return None
    return Meaning(Elementwise(snake(operation.type), axis=(rank - 1,)))


def _leaky(operation: Any, carries: Carries) -> Meaning | None:
    slope = float(operation.get_attr("alpha"))
    return Meaning(Elementwise("leaky_relu", (("negative_slope", slope),)))


def _concatenation(operation: Any, carries: Carries) -> Meaning | None:
    place = -1 if operation.type == "ConcatV2" else 0
    axis, rank = whole_numbers(operation.inputs[place]), operation.outputs[0].shape.rank
    if not axis or rank is None:
        return None
    return Meaning(Concatenation(axis[0] % rank))


def _pad(operation: Any, carries: Carries) -> Meaning | None:
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


def _permutation(operation: Any, carries: Carries) -> Meaning | None:
    order = whole_numbers(operation.inputs[1])
    return Meaning(Permutation(order)) if order is not None else None


def _mean(operation: Any, carries: Carries) -> Meaning | None:
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


def _reshape(operation: Any, carries: Carries) -> Meaning | None:
    return Meaning(Reshape(snake(operation.type)))


def _resize(operation: Any, carries: Carries) -> Meaning | None:
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


_TABLE: dict[str, Callable[[Any, Carries], Meaning | None]] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), weighted.convolution),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), weighted.transposed),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _pooling),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), weighted.dense),
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), weighted.fused_normalization
    ),
    **dict.fromkeys(("BiasAdd", "BiasAddV1"), weighted.bias),
    **dict.fromkeys(("Add", "AddV2"), weighted.add),
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
