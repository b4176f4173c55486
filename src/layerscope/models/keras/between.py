"""Operations between layers (``keras.ops``) as neutral operations."""

from __future__ import annotations

from typing import Any

from layerscope.models.keras.functions import axes_of, positive, rank_of, settings_of, snake_case
from layerscope.operations import (
    Concatenation,
    Elementwise,
    Opaque,
    Operation,
    Permutation,
    Reshape,
)

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "ExpandDims", "Ravel")
# Operations between layers that act on each element alone, or on pairs of elements.
_ELEMENTWISE_OPERATIONS = frozenset(
    "Add Subtract Multiply Divide TrueDivide Maximum Minimum Power Negative Absolute Abs Exp Log "
    "Sqrt Square Relu Relu6 Sigmoid HardSigmoid Silu Swish HardSilu Tanh Gelu Elu Selu Celu "
    "LeakyRelu Softplus Softsign LogSigmoid Mish Softmax LogSoftmax Clip Cast Where Sign Round "
    "Floor Ceil Sin Cos Rsqrt Reciprocal Identity StopGradient Mod FloorDivide Erf Greater Less "
    "Equal NotEqual GreaterEqual LessEqual LogicalNot LogicalAnd LogicalOr NanToNum".split()
)


def of_operation(operation: Any, args: tuple[Any, ...]) -> Operation:
    """What an operation called with these arguments does."""
    name = type(operation).__name__
    if name in _ELEMENTWISE_OPERATIONS:
        axis = operation.axis if name in ("Softmax", "LogSoftmax") else ()
        axes = axes_of(axis, rank_of(args))
        return Elementwise(snake_case(name), settings_of(operation), axes)
    if name in ("Concatenate", "Append"):
        tensors = args[0] if args and isinstance(args[0], list | tuple) else args
        return Concatenation(positive(getattr(operation, "axis", 0), len(tensors[0].shape)))
    if name in _RESHAPES:
        return Reshape(snake_case(name))
    if name == "Transpose":
        rank = len(args[0].shape)
        axes = operation.axes or tuple(reversed(range(rank)))
        return Permutation(tuple(positive(a, rank) for a in axes))
    return Opaque(snake_case(name))
