"""Live sessions and functions as models; what they hold is read, and they are left as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.protocol import Source
from layerscope.models.tensorflow.freezing import Signature, freeze
from layerscope.models.tensorflow.opening import model_of
from layerscope.models.tensorflow.runtime import framework

if TYPE_CHECKING:
    from layerscope.models.tensorflow.adapter import TensorFlowModel


def wrap_session(session: Any) -> TensorFlowModel:
    """A live tf.compat.v1.Session as a Model; the session and its graph are left as they are."""
    graph_def = session.graph.as_graph_def(add_shapes=True)

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        tensors = [_reading(session.graph.get_operation_by_name(name)) for name in names]
        try:
            arrays = session.run(tensors)
        except Exception as error:
            text = " ".join(str(getattr(error, "message", error)).split())[:200]
            raise ModelError(
                f"The session's variables cannot be read: {text}. Initialise or restore them first."
            ) from error
        return dict(zip(names, arrays, strict=True))

    frozen = freeze("The session's graph", graph_def, values, trust=True)
    return model_of(frozen, Source("session", None, "session", framework()))


def _reading(operation: Any) -> Any:
    """A tensor with a variable's value that the graph has already."""
    output = operation.outputs[0]
    if operation.type != "VarHandleOp":
        return output
    for user in output.consumers():
        if user.type == "ReadVariableOp":
            return user.outputs[0]
    raise ModelError(
        f"The session's graph never reads the variable {operation.name!r} as a whole. "
        "Add one tf.identity of it to the graph."
    )


def wrap_function(function: Any) -> TensorFlowModel:
    """A ConcreteFunction as a Model."""
    graph_def = function.graph.as_graph_def(add_shapes=True)
    captures = {inner.op.name: outer for outer, inner in function.graph.captures}
    nodes = {node.name: node for node in graph_def.node}
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    found: dict[str, Any] = {}
    for name, outer in captures.items():
        if id(outer) in variables:
            found[name] = variables[id(outer)]
            _become_variable(nodes[name], found[name])
        elif hasattr(outer, "numpy") and outer.dtype.is_numpy_compatible:
            _become_constant(nodes[name], outer)

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        return {name: np.asarray(found[name].numpy()) for name in names}

    given = (tensor for tensor in function.graph.inputs if tensor.op.name not in captures)
    signature = Signature(
        {tensor.op.name: tensor.name for tensor in given},
        {tensor.name: tensor.name for tensor in function.graph.outputs},
    )
    name = getattr(function, "name", b"function")
    text = name.decode() if isinstance(name, bytes) else str(name)
    frozen = freeze(f"The function {text}", graph_def, values, signature=signature, trust=True)
    return model_of(frozen, Source(text, None, "function", framework()))


def _become_variable(node: Any, variable: Any) -> None:
    name = node.name
    node.Clear()
    node.name, node.op = name, "VarHandleOp"
    node.attr["dtype"].type = variable.dtype.as_datatype_enum
    node.attr["shape"].shape.CopyFrom(variable.shape.as_proto())


def _become_constant(node: Any, tensor: Any) -> None:
    from tensorflow.python.framework import tensor_util

    name = node.name
    node.Clear()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = tensor.dtype.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(tensor.numpy()))
