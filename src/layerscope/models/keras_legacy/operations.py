"""Keras 3's operations in the place of the TensorFlow functions that Keras 2 recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from keras.src.ops import core, nn, numpy

from layerscope.errors import ModelError

_BINARY = {
    "add": numpy.Add,
    "subtract": numpy.Subtract,
    "multiply": numpy.Multiply,
    "divide": numpy.TrueDivide,
    "power": numpy.Power,
    "maximum": numpy.Maximum,
    "minimum": numpy.Minimum,
}
_UNARY = {
    "negative": numpy.Negative,
    "absolute": numpy.Absolute,
    "exp": numpy.Exp,
    "log": numpy.Log,
    "sqrt": numpy.Sqrt,
    "square": numpy.Square,
    "sin": numpy.Sin,
    "cos": numpy.Cos,
    "tanh": numpy.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.Relu,
    "relu6": nn.Relu6,
    "elu": nn.Elu,
    "selu": nn.Selu,
    "silu": nn.Silu,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "identity": core.StopGradient,
}
_REDUCTIONS = {"mean": numpy.Mean, "sum": numpy.Sum, "max": numpy.Max, "min": numpy.Min}
_FIRST = ("x", "a", "input", "inputs", "input_tensor", "tensor", "values", "logits", "features")


class _Given:
    """A function's arguments, each taken once; what nobody takes is an error."""

    def __init__(self, name: str, first: Any, others: Mapping[str, Any]) -> None:
        self.name = name
        self.first = first
        self._left = {key: value for key, value in others.items() if value is not None}
        self._left.pop("name", None)

    def take(self, *keys: str, default: Any = None) -> Any:
        for key in keys:
            if key in self._left:
                return self._left.pop(key)
        return default

    def finish(self) -> None:
        if self._left:
            key, value = next(iter(self._left.items()))
            raise ModelError(
                f"layer {self.name!r:.60} is a TensorFlow function with the option "
                f"{key:.40}={value!r:.60}, which is not known. Build the network in code and "
                "open it as FILE.py:name --weights FILE."
            )


def call_operation(function: str, name: str, first: Any, others: Mapping[str, Any]) -> Any:
    """Call the operation on symbolic tensors. Raises ModelError for unknown arguments."""
    given = _Given(name, first, others)
    operation, args = _make(function, given)
    given.finish()
    return operation(*args)


def _make(function: str, given: _Given) -> tuple[Any, tuple[Any, ...]]:
    x, name = given.first, given.name
    if function in _BINARY:
        return _BINARY[function](name=name), (x, given.take("y"))
    if function in _REDUCTIONS:
        axis = given.take("axis")
        keepdims = bool(given.take("keepdims", "keep_dims", default=False))
        return _REDUCTIONS[function](axis=_axes(axis), keepdims=keepdims, name=name), (x,)
    special = _SPECIAL.get(function)
    if special is not None:
        return special(given)
    return _UNARY[function](name=name), (x,)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def _matmul(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    y = given.take("b")
    for key in ("transpose_a", "transpose_b", "adjoint_a", "adjoint_b", "a_is_sparse"):
        if given.take(key) not in (None, False):
            raise ModelError(
                f"layer {given.name!r:.60} is a matrix product with {key}, which is not known. "
                "Build the network in code and open it as FILE.py:name --weights FILE."
            )
    given.take("b_is_sparse")
    return numpy.Matmul(name=given.name), (given.first, y)


def _softmax(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    axis = given.take("axis", "dim", default=-1)
    return nn.Softmax(axis=axis, name=given.name), (given.first,)


def _leaky(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    slope = given.take("alpha", default=0.2)
    return nn.LeakyRelu(negative_slope=slope, name=given.name), (given.first,)


def _relu(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    slope, threshold = given.take("alpha", default=0.0), given.take("threshold", default=0.0)
    largest = given.take("max_value")
    if (slope, threshold) == (0.0, 0.0) and largest in (None, 6.0):
        return (nn.Relu if largest is None else nn.Relu6)(name=given.name), (given.first,)
    raise ModelError(
        f"layer {given.name!r:.60} is a relu with options that are not known here. Build the "
        "network in code and open it as FILE.py:name --weights FILE."
    )


def _concatenate(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    axis = given.take("axis", default=0)
    return numpy.Concatenate(axis=axis, name=given.name), (given.first,)


def _stack(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    return numpy.Stack(axis=given.take("axis", default=0), name=given.name), (given.first,)


def _reshape(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    shape = given.take("shape")
    if not isinstance(shape, list) or not all(isinstance(size, int) for size in shape):
        raise ModelError(
            f"layer {given.name!r:.60} reshapes to a size that is computed, which is not known "
            "here. Build the network in code and open it as FILE.py:name --weights FILE."
        )
    return numpy.Reshape(tuple(shape), name=given.name), (given.first,)


def _transpose(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    axes = given.take("perm")
    if given.take("conjugate") not in (None, False):
        raise ModelError(f"layer {given.name!r:.60} is a conjugate transpose. Expected a real one.")
    return numpy.Transpose(axes=_axes(axes), name=given.name), (given.first,)


def _expand(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    return numpy.ExpandDims(axis=given.take("axis", "dim"), name=given.name), (given.first,)


def _squeeze(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    axis = given.take("axis", "squeeze_dims")
    return numpy.Squeeze(axis=_axes(axis) or None, name=given.name), (given.first,)


def _cast(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    dtype = given.take("dtype")
    return core.Cast(dtype=dtype, name=given.name), (given.first,)


def _clip(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    low, high = given.take("clip_value_min"), given.take("clip_value_max")
    return numpy.Clip(low, high, name=given.name), (given.first,)


def _pad(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    widths = given.take("paddings")
    mode = str(given.take("mode", default="CONSTANT")).lower()
    value = given.take("constant_values", default=0)
    operation = numpy.Pad([tuple(pair) for pair in widths], mode=mode, name=given.name)
    return operation, (given.first, value if mode == "constant" else None)


def _slice(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    spec = given.take("slice_spec")
    spec = spec if isinstance(spec, list) else [spec]
    return numpy.GetItem(name=given.name), (given.first, tuple(_index(given, x) for x in spec))


def _index(given: _Given, value: Any) -> Any:
    if isinstance(value, dict) and value.keys() <= {"start", "stop", "step"}:
        parts = [value.get(key) for key in ("start", "stop", "step")]
        if all(part is None or isinstance(part, int) for part in parts):
            return slice(*parts)
    if isinstance(value, int) or value is None:
        return value
    if value == "...":
        return Ellipsis
    raise ModelError(
        f"layer {given.name!r:.60} takes a slice {value!r:.60} that is not known here. Build the "
        "network in code and open it as FILE.py:name --weights FILE."
    )


def _rsqrt(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    from keras.src.ops import math

    return math.Rsqrt(name=given.name), (given.first,)


def _squared_difference(given: _Given) -> tuple[Any, tuple[Any, ...]]:
    difference = numpy.Subtract(name=f"{given.name}_difference")
    return numpy.Square(name=given.name), (difference(given.first, given.take("y")),)


_SPECIAL: dict[str, Callable[[_Given], tuple[Any, tuple[Any, ...]]]] = {
    "matmul": _matmul,
    "softmax": _softmax,
    "leaky_relu": _leaky,
    "relu": _relu,
    "concatenate": _concatenate,
    "stack": _stack,
    "reshape": _reshape,
    "transpose": _transpose,
    "expand_dims": _expand,
    "squeeze": _squeeze,
    "cast": _cast,
    "clip": _clip,
    "pad": _pad,
    "slice": _slice,
    "rsqrt": _rsqrt,
    "squared_difference": _squared_difference,
}
