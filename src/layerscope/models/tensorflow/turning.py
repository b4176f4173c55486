"""Channels-first operations where there are no kernels for them: channels last, between turns."""

from __future__ import annotations

from typing import Any

_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_OPERATIONS = frozenset(
    "Conv2D DepthwiseConv2dNative MaxPool AvgPool BiasAdd FusedBatchNorm FusedBatchNormV2 "
    "FusedBatchNormV3".split()
)
_BY_AXIS = ("strides", "ksize", "dilations")
_INNER = "/layerscope_channels_last"


def turned(graph_def: Any) -> Any:
    """A copy in which channels-first operations are done with the channels last.

    Every operation's output keeps its name and its layout. Transposed convolutions and
    three-dimensional operations are left as they are.
    """
    copy = type(graph_def)()
    copy.versions.CopyFrom(graph_def.versions)
    copy.library.CopyFrom(graph_def.library)
    moved = {node.name for node in graph_def.node if _is_first(node)}
    for name, order in (("to_last", _LAST), ("to_first", _FIRST)):
        _order(copy, name + _INNER, order)
    for node in graph_def.node:
        inner = copy.node.add()
        inner.CopyFrom(node)
        inner.input[:] = [_further(name, moved) for name in node.input]
        if node.name not in moved:
            continue
        kind = node.attr["T"]
        inner.name = node.name + _INNER
        inner.attr["data_format"].s = b"NHWC"
        for attr in _BY_AXIS:
            if attr in node.attr:
                stored = list(node.attr[attr].list.i)
                inner.attr[attr].list.i[:] = [stored[i] for i in _LAST]
        if "explicit_paddings" in node.attr and node.attr["explicit_paddings"].list.i:
            flat = list(node.attr["explicit_paddings"].list.i)
            pairs = [flat[2 * i : 2 * i + 2] for i in _LAST]
            inner.attr["explicit_paddings"].list.i[:] = [v for pair in pairs for v in pair]
        _transpose(copy, inner.name + "/in", inner.input[0], "to_last" + _INNER, kind)
        inner.input[0] = inner.name + "/in"
        _transpose(copy, node.name, inner.name, "to_first" + _INNER, kind)
    return copy


def _is_first(node: Any) -> bool:
    return node.op in _OPERATIONS and node.attr["data_format"].s == b"NCHW"


def _further(name: str, moved: set[str]) -> str:
    """Outputs after the first come from the operation itself, and not from its turn."""
    base, _, place = name.partition(":")
    return f"{base}{_INNER}:{place}" if base in moved and place not in ("", "0") else name


def _order(graph_def: Any, name: str, order: tuple[int, ...]) -> None:
    from tensorflow.core.framework import types_pb2

    node = graph_def.node.add()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = types_pb2.DT_INT32
    tensor = node.attr["value"].tensor
    tensor.dtype = types_pb2.DT_INT32
    tensor.tensor_shape.dim.add(size=len(order))
    tensor.int_val.extend(order)


def _transpose(graph_def: Any, name: str, source: str, order: str, kind: Any) -> None:
    from tensorflow.core.framework import types_pb2

    node = graph_def.node.add()
    node.name, node.op = name, "Transpose"
    node.input.extend([source, order])
    node.attr["T"].CopyFrom(kind)
    node.attr["Tperm"].type = types_pb2.DT_INT32
