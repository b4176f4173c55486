"""From the calls of a Keras model to a Graph."""

from __future__ import annotations

from typing import Any

import keras

from layerscope.axes import Axes
from layerscope.graph import Graph, Node, Shape
from layerscope.layout import Step, find_axes
from layerscope.models.keras.calls import Call, Trace, symbolic_tensors
from layerscope.models.keras.naming import output_name
from layerscope.models.keras.translate import neutral
from layerscope.operations import Attention, Input, Operation, Submodel


def build_graph(trace: Trace, parameters: int) -> Graph:
    """The Graph of a traced or recorded model; parameters: the whole model's count."""
    found = [(call, _operation(call)) for call in trace.calls]
    axes = find_axes(_steps(trace, found), keras.config.image_data_format())
    nodes: list[Node] = []
    for call, operation in found:
        for i, (name, shape, dtype) in enumerate(_outputs(call, operation)):
            counted = i == 0 and isinstance(call.operation, keras.Layer)
            nodes.append(
                Node(
                    name=name,
                    index=len(nodes),
                    layer=call.operation.name,
                    type=type(call.operation).__name__,
                    operation=operation,
                    inputs=call.inputs,
                    shape=shape,
                    axes=axes[name],
                    parameters=call.operation.count_params() if counted else 0,
                    dtype=dtype,
                    shared=call.repeated,
                )
            )
    inputs = tuple(_input(name, tensor, axes[name]) for name, tensor in trace.inputs.items())
    return Graph(inputs, tuple(nodes), trace.outputs, parameters)


def scores_shape(call: Call, operation: Operation) -> Shape | None:
    """The shape of the attention scores that a call can give, or None."""
    if not isinstance(operation, Attention) or len(call.outputs) != 1:
        return None
    tensors = symbolic_tensors((call.args, dict(call.kwargs)))
    if not tensors:
        return None
    query = tensors[0]
    key = tensors[2] if operation.heads and len(tensors) > 2 else tensors[min(1, len(tensors) - 1)]
    heads = (operation.heads,) if operation.heads else ()
    return (query.shape[0], *heads, query.shape[1], key.shape[1])


def _operation(call: Call) -> Operation:
    return Submodel() if call.submodel else neutral(call.operation, call.args, call.kwargs)


def _outputs(call: Call, operation: Operation) -> list[tuple[str, Shape, str]]:
    found: list[tuple[str, Shape, str]] = [
        (name, tuple(tensor.shape), str(tensor.dtype))
        for name, tensor in zip(call.output_names, call.outputs, strict=True)
    ]
    scores = scores_shape(call, operation)
    if scores is not None:
        found.append((output_name(call.name, 1), scores, found[0][2]))
    return found


def _steps(trace: Trace, found: list[tuple[Call, Operation]]) -> list[Step]:
    steps = [Step(name, Input(), (), len(tensor.shape)) for name, tensor in trace.inputs.items()]
    first_name: dict[int, str] = {}
    for call, operation in found:
        for tensor, name in zip(call.outputs, call.output_names, strict=True):
            first_name.setdefault(id(tensor), name)
        for i, (name, shape, _) in enumerate(_outputs(call, operation)):
            alias = first_name[id(call.outputs[i])] if call.submodel else None
            steps.append(
                Step(name, operation, call.inputs, len(shape), i, alias if alias != name else None)
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
