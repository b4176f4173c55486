"""``TensorFlowOpLayer``: a TensorFlow operation that Keras 2.0 to 2.3 recorded as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.calls import Call, Ref
from layerscope.models.keras_legacy.config import Config, as_config
from layerscope.models.keras_legacy.node_def import NodeDef, read_node_def

_WITHOUT_MEANING = frozenset(
    "T Tidx Tshape Tperm Tdim Tpaddings Index SrcT N Truncate data_format "
    "grad_a grad_b grad_x grad_y".split()
)


@dataclass(frozen=True)
class _Form:
    """How an operation is said as a function of operations.py.

    takes: what its inputs are called; the first is the function's first argument. numbers: those
    of them that are no tensors. attributes: the operation's own, under the function's names.
    """

    function: str
    takes: tuple[str, ...]
    numbers: tuple[str, ...] = ()
    attributes: Mapping[str, str] = ()  # type: ignore[assignment]


_AXIS = ("axis",)
_FORMS: dict[str, _Form] = {
    **{
        name: _Form(function, ("x", "y"))
        for name, function in {
            "Add": "add", "AddV2": "add", "Sub": "subtract", "Mul": "multiply",
            "RealDiv": "divide", "Maximum": "maximum", "Minimum": "minimum", "Pow": "power",
            "SquaredDifference": "squared_difference", "BiasAdd": "add",
        }.items()
    },
    **{
        name: _Form(name.lower(), ("x",))
        for name in (
            "Exp", "Log", "Sqrt", "Rsqrt", "Square", "Sin", "Cos", "Tanh", "Sigmoid", "Relu",
            "Relu6", "Elu", "Selu", "Softplus", "Softsign", "Softmax", "Identity",
        )
    },
    "Neg": _Form("negative", ("x",)),
    "Abs": _Form("absolute", ("x",)),
    "StopGradient": _Form("identity", ("x",)),
    "LeakyRelu": _Form("leaky_relu", ("x",), (), {"alpha": "alpha"}),
    **{
        name: _Form(name.lower(), ("x", "axis"), _AXIS, {"keep_dims": "keepdims"})
        for name in ("Mean", "Sum", "Max", "Min")
    },
    "Reshape": _Form("reshape", ("x", "shape"), ("shape",)),
    "Transpose": _Form("transpose", ("x", "perm"), ("perm",)),
    "ExpandDims": _Form("expand_dims", ("x", "axis"), _AXIS),
    "Squeeze": _Form("squeeze", ("x",), (), {"squeeze_dims": "axis"}),
    "Cast": _Form("cast", ("x",), (), {"DstT": "dtype"}),
    "ClipByValue": _Form(
        "clip", ("x", "clip_value_min", "clip_value_max"), ("clip_value_min", "clip_value_max")
    ),
    "Pad": _Form("pad", ("x", "paddings"), ("paddings",)),
    "PadV2": _Form(
        "pad", ("x", "paddings", "constant_values"), ("paddings", "constant_values")
    ),
    "MirrorPad": _Form("pad", ("x", "paddings"), ("paddings",), {"mode": "mode"}),
    "MatMul": _Form(
        "matmul", ("a", "b"), (), {"transpose_a": "transpose_a", "transpose_b": "transpose_b"}
    ),
    **dict.fromkeys(
        ("BatchMatMul", "BatchMatMulV2"),
        _Form("matmul", ("a", "b"), (), {"adj_x": "adjoint_a", "adj_y": "adjoint_b"}),
    ),
}  # fmt: skip


def operation_types() -> frozenset[str]:
    """The types of operations that open."""
    return frozenset((*_FORMS, *_SPECIAL))


def rewrite_operation(
    name: str, config: Config, calls: Sequence[Call]
) -> tuple[str, tuple[Call, ...]]:
    """An operation's function, and its calls with the constants of the config in their places.

    Raises ModelError where the operation is not among those that open.
    """
    node = read_node_def(name, config.get("node_def"))
    form = _FORMS.get(node.op)
    if form is None and node.op not in _SPECIAL:
        raise ModelError(
            f"layer {name!r:.60} is the TensorFlow operation {node.op!r:.60}, which is not among "
            "those that open. Build the network in code and open it as FILE.py:name --weights FILE."
        )
    constants = {
        _position(name, key): _constant(value)
        for key, value in as_config(config.get("constants") or {}).items()
    }
    function = form.function if form is not None else _SPECIAL[node.op][0]
    made = []
    for call in calls:
        inputs = _inputs(name, call, constants)
        made.append(
            _plain(name, node, form, inputs)
            if form is not None
            else _SPECIAL[node.op][1](name, node, inputs)
        )
    return function, tuple(made)


def _position(name: str, key: str) -> int:
    if not key.isdecimal() or len(key) > 6:
        raise _odd(name, f"a constant at {key!r:.20}")
    return int(key)


def _constant(value: Any) -> Any:
    """A number, or an array of numbers."""
    if isinstance(value, dict):
        inner = as_config(value.get("config", value))
        value = inner.get("value")
    if isinstance(value, list):
        found = np.asarray(value)
        return found.astype(np.float32) if found.dtype == np.float64 else found
    return value


def _inputs(name: str, call: Call, constants: Mapping[int, Any]) -> list[Any]:
    """The inputs of the operation: outputs of layers, and constants at their positions."""
    given = list(call.first) if isinstance(call.first, list) else [call.first]
    if call.others or not all(isinstance(ref, Ref) for ref in given):
        raise _odd(name, "arguments of another kind")
    for position, value in sorted(constants.items()):
        if position > len(given):
            raise _odd(name, f"a constant at {position}")
        given.insert(position, value)
    return given


def _plain(name: str, node: NodeDef, form: _Form, inputs: list[Any]) -> Call:
    if len(inputs) != len(form.takes):
        raise _odd(name, f"{len(inputs)} inputs in the place of {len(form.takes)}")
    if node.attributes.get("data_format", "NHWC") not in ("NHWC", b"NHWC"):
        raise _odd(name, f"the data format {node.attributes['data_format']!r:.20}")
    others = {
        key: _number(name, value) if key in form.numbers else value
        for key, value in zip(form.takes[1:], inputs[1:], strict=True)
    }
    attributes = dict(form.attributes)
    for key, value in node.attributes.items():
        if key in attributes:
            others[attributes[key]] = value
        elif key not in _WITHOUT_MEANING and not key.startswith("_"):
            raise _odd(name, f"{key:.40}={value!r:.40}")
    if others.get("axis") == []:
        del others["axis"]
    if "dtype" in others and others["dtype"] is None:
        raise _odd(name, "a dtype that NumPy has not")
    return Call(inputs[0], others)


def _number(name: str, value: Any) -> Any:
    """What must be a constant, as plain numbers."""
    if isinstance(value, Ref):
        raise _odd(name, "a size or axis that is computed")
    return value.tolist() if isinstance(value, np.ndarray) else value


def _concatenate(name: str, node: NodeDef, inputs: list[Any]) -> Call:
    if len(inputs) < 2:
        raise _odd(name, "nothing to join")
    return Call(inputs[:-1], {"axis": _number(name, inputs[-1])})


def _stack(name: str, node: NodeDef, inputs: list[Any]) -> Call:
    return Call(inputs, {"axis": node.attributes.get("axis", 0)})


def _slice(name: str, node: NodeDef, inputs: list[Any]) -> Call:
    """TensorFlow's begin, end, stride and masks as the parts between the brackets."""
    if len(inputs) != 4:
        raise _odd(name, f"{len(inputs)} inputs in the place of 4")
    begin, end, strides = (_number(name, value) for value in inputs[1:])
    if not all(isinstance(part, list) for part in (begin, end, strides)):
        raise _odd(name, "a slice without lists")
    masks = {
        key: int(node.attributes.get(f"{key}_mask", 0))
        for key in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    spec: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            spec.append("...")
        elif masks["new_axis"] & bit:
            spec.append(None)
        elif masks["shrink_axis"] & bit:
            spec.append(start)
        else:
            first = None if masks["begin"] & bit else start
            last = None if masks["end"] & bit else stop
            spec.append({"start": first, "stop": last, "step": step})
    return Call(inputs[0], {"slice_spec": spec})


_SPECIAL: dict[str, tuple[str, Callable[[str, NodeDef, list[Any]], Call]]] = {
    "ConcatV2": ("concatenate", _concatenate),
    "Pack": ("stack", _stack),
    "StridedSlice": ("slice", _slice),
}


def _odd(name: str, what: str) -> ModelError:
    return ModelError(
        f"layer {name!r:.60} is a TensorFlow operation with {what}, which is not known here. "
        "Build the network in code and open it as FILE.py:name --weights FILE."
    )
