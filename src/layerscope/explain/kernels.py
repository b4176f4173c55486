"""Kernels: a layer's weights by role, as one array of taps × inputs × outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.graph import Node
from layerscope.operations import Convolution, Dense

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Kernel:
    """The weights of a convolution or dense layer, as the layer computes with them.

    values: (\\*taps, inputs of a group, outputs). bias: (outputs,), zeros where there is none.
    groups: how many parts the channels fall into. stages: of a separable convolution, the
    depthwise kernel (\\*taps, inputs, multiplier) and the pointwise one (inputs, multiplier,
    outputs), whose product ``values`` is.
    """

    values: NDArray[Any]
    bias: NDArray[Any]
    groups: int = 1
    stages: tuple[Floats, Floats] | None = None

    @property
    def outputs(self) -> int:
        """The number of output channels."""
        return int(self.values.shape[-1])

    def inputs_of(self, channel: int) -> range:
        """The input channels that an output channel sums over."""
        each = self.values.shape[-2]
        group = channel // (self.outputs // self.groups)
        return range(group * each, (group + 1) * each)


def kernel_of(node: Node, weights: Mapping[str, NDArray[Any]]) -> Kernel:
    """A node's weights in one layout.

    weights: by role, as a Model gives them: ``kernel`` as (\\*taps, inputs of a group, outputs),
    of a transposed convolution as (\\*taps, outputs, inputs), of a depthwise one as (\\*taps,
    inputs, multiplier), of a dense layer as (inputs, outputs); ``depthwise_kernel`` (\\*taps,
    inputs, multiplier) and ``pointwise_kernel`` (\\*ones, inputs × multiplier, outputs) of a
    separable one; ``bias`` as (outputs,). Raises ModelError where these are not there.
    """
    operation = node.operation
    if not isinstance(operation, Convolution | Dense):
        raise ModelError(
            f"expected a convolution or a dense layer to explain but {node.name} is a "
            f"{node.type}. Choose another layer: layerscope layers MODEL."
        )
    if isinstance(operation, Convolution) and operation.separable:
        depthwise, pointwise = (
            _role(node, weights, role, _cast_of(node))
            for role in ("depthwise_kernel", "pointwise_kernel")
        )
        inputs, multiplier = depthwise.shape[-2:]
        pointwise = pointwise.reshape(inputs, multiplier, -1)
        depthwise, pointwise = depthwise.astype(np.float64), pointwise.astype(np.float64)
        values = np.einsum("...im,imo->...io", depthwise, pointwise)
        return Kernel(values, _bias(node, weights, values), 1, (depthwise, pointwise))
    values, groups = _role(node, weights, "kernel", _cast_of(node)), 1
    if isinstance(operation, Convolution):
        groups = operation.groups
        if operation.depthwise:
            values = values.reshape(*values.shape[:-2], 1, -1)
        elif operation.transposed:
            values = np.swapaxes(values, -1, -2)
    return Kernel(values, _bias(node, weights, values), groups)


def _cast_of(node: Node) -> str:
    """The type that the layer rounds its weights to before it computes; "" for their own."""
    return node.dtype if node.dtype in ("float16", "bfloat16") else ""


def _role(node: Node, weights: Mapping[str, NDArray[Any]], role: str, dtype: str) -> NDArray[Any]:
    if role not in weights:
        held = ", ".join(weights) or "none"
        raise ModelError(
            f"expected {node.name} ({node.type}) to hold a weight called {role!r} but its weights "
            f"are: {held}. A layer whose weights are stored otherwise cannot be taken apart."
        )
    if dtype == "bfloat16":
        return _rounded_to_bfloat16(weights[role])
    return weights[role].astype(dtype).astype(np.float64) if dtype else weights[role]


def _rounded_to_bfloat16(values: NDArray[Any]) -> Floats:
    """Single precision cut to its upper half, to the nearest and to even."""
    bits: NDArray[Any] = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32).astype(np.float64)


def _bias(node: Node, weights: Mapping[str, NDArray[Any]], values: NDArray[Any]) -> NDArray[Any]:
    assert isinstance(node.operation, Convolution | Dense)
    if not node.operation.use_bias:
        return np.zeros(values.shape[-1])
    return _role(node, weights, "bias", _cast_of(node))
