"""From the calls of a Keras model to a Graph."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from layerscope.axes import Axes
from layerscope.graph import Graph, Node, Shape
from layerscope.layout import Step, find_axes
from layerscope.models.keras.calls import Call, Trace, told_of_training
from layerscope.models.keras.functions import own_code
from layerscope.models.keras.naming import output_name
from layerscope.models.keras.translate import neutral
from layerscope.operations import Attention, Input, Operation, Submodel


def build_graph(trace: Trace, parameters: int) -> Graph:
    """The Graph of a traced or recorded model; parameters: the whole model's count."""
    hidden = {name for call in trace.calls if call.hidden for name in call.output_names}
    found = [(call, _operation(call)) for call in trace.calls if not call.hidden]
    axes = find_axes(_steps(trace, found, hidden), keras.config.image_data_format())
    nodes: list[Node] = []
    counted: set[int] = set()
    for call, operation in found:
        for i, (name, shape, dtype) in enumerate(_outputs(call, operation)):
            has_weights = i == 0 and isinstance(call.operation, keras.Layer)
            nodes.append(
                Node(
                    name=name,
                    index=len(nodes),
                    layer=call.operation.name,
                    type=type(call.operation).__name__,
                    operation=_operation(call, i) if i < len(call.outputs) else operation,
                    inputs=tuple(name for name in call.inputs if name not in hidden),
                    shape=shape,
                    axes=axes[name],
                    parameters=call.operation.count_params() if has_weights else 0,
                    dtype=dtype,
                    shared=id(call.operation) in counted,
                    hides=call.derived or (not call.submodel and own_code(call.operation)),
                    training=_always_training(call),
                )
            )
        counted.add(id(call.operation))
    inputs = tuple(_input(name, tensor, axes[name]) for name, tensor in trace.inputs.items())
    return Graph(inputs, tuple(nodes), trace.outputs, parameters)


def _always_training(call: Call) -> bool:
    """Whether a layer that heeds training is told so by the model itself."""
    layer = call.operation
    if not isinstance(layer, keras.Layer) or not layer._call_has_training_arg:
        return False
    told = told_of_training(layer, call.kwargs)
    return bool(call.training if told is None else told)


def scores_shape(call: Call, operation: Operation) -> Shape | None:
    """The shape of the attention scores that a call can give, or None."""
    if not isinstance(operation, Attention) or len(call.outputs) != 1:
        return None
    given = inspect.signature(call.operation.call).bind(*call.args, **call.kwargs).arguments
    if "inputs" in given:
        query, value = given["inputs"][:2]
    else:
        query, value = given["query"], given["value"]
    heads = (operation.heads,) if operation.heads else ()
    return (query.shape[0], *heads, *query.shape[1:-1], *value.shape[1:-1])


def _operation(call: Call, output: int = 0) -> Operation:
    if call.submodel:
        return Submodel()
    return neutral(call.operation, call.args, call.kwargs, output)


def _outputs(call: Call, operation: Operation) -> list[tuple[str, Shape, str]]:
    found: list[tuple[str, Shape, str]] = [
        (name, tuple(tensor.shape), str(tensor.dtype))
        for name, tensor in zip(call.output_names, call.outputs, strict=True)
    ]
    scores = scores_shape(call, operation)
    if scores is not None:
        found.append((output_name(call.name, 1), scores, found[0][2]))
    return found


def _steps(trace: Trace, found: list[tuple[Call, Operation]], hidden: set[str]) -> list[Step]:
    steps = [Step(name, Input(), (), len(tensor.shape)) for name, tensor in trace.inputs.items()]
    first_name = {id(tensor): name for name, tensor in trace.inputs.items()}
    for call, operation in found:
        inputs = tuple(name for name in call.inputs if name not in hidden)
        for tensor, name in zip(call.outputs, call.output_names, strict=True):
            first_name.setdefault(id(tensor), name)
        for i, (name, shape, _) in enumerate(_outputs(call, operation)):
            alias = first_name[id(call.outputs[i])] if call.submodel else name
            steps.append(
                Step(name, operation, inputs, len(shape), i, alias if alias != name else None)
            )
    return steps


def _input(name: str, tensor: Any, axes: Axes) -> Node:
    return Node(
        name=name,
        index=None,
        layer=name,
        type="InputLayer",
        operation=Input(),
        inputs=(),
        shape=tuple(tensor.shape),
        axes=axes,
        dtype=str(tensor.dtype),
    )
