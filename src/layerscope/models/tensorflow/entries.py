"""Where data enter a graph: its placeholders, sorted into inputs, settings and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layerscope.models.tensorflow.settings import Setting, find_setting, is_known, is_scalar
from layerscope.models.tensorflow.wiring import Wiring, data_inputs, is_training, node_of

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"})
_DECODERS = frozenset({"DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeGif"})
_LEGACY_SHAPES = 24  # the producer version from which a scalar placeholder says that it is one
_BOOL = 10
_WEIGHTED = frozenset(
    "Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2 MatMul "
    "BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum FusedBatchNorm FusedBatchNormV2 "
    "FusedBatchNormV3 PartitionedCall StatefulPartitionedCall While StatelessWhile Gather GatherV2 "
    "ResourceGather Enter".split()
)
_RANKS = {
    **dict.fromkeys(
        "Conv2D DepthwiseConv2dNative MaxPool MaxPoolV2 AvgPool FusedBatchNorm FusedBatchNormV2 "
        "FusedBatchNormV3 ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea LRN "
        "SpaceToDepth DepthToSpace".split(),
        4,
    ),
    **dict.fromkeys("Conv3D MaxPool3D AvgPool3D".split(), 5),
    "MatMul": 2,
}
_KEEPS_RANK = frozenset(
    "Identity Cast Sub Add AddV2 Mul RealDiv Div Pad PadV2 MirrorPad Relu StopGradient "
    "CheckNumerics Sigmoid Tanh Switch PlaceholderWithDefault BiasAdd Abs Square Minimum Maximum "
    "ClipByValue".split()
)


@dataclass(frozen=True)
class Entry:
    """One tensor that is fed. name: how it is shown. tensor: its name in the graph."""

    name: str
    tensor: str


@dataclass(frozen=True)
class Entries:
    """What a graph is fed. left_out: placeholders that only the loss or the training needs."""

    inputs: tuple[Entry, ...]
    settings: tuple[Setting, ...] = ()
    left_out: tuple[str, ...] = ()
    main: str | None = None


def find_entries(
    wiring: Wiring,
    given: Mapping[str, str] | None = None,
    fed: frozenset[str] = frozenset(),
) -> Entries:
    """Sort a graph's placeholders.

    given: names and tensors of a signature's inputs, if any. fed: placeholders that stand for
    what a queue or an iterator gave, and so are no settings.
    """
    legacy = 0 < wiring.graph_def.versions.producer < _LEGACY_SHAPES
    named = {node_of(tensor): name for name, tensor in (given or {}).items()}
    wide: list[Any] = []
    settings: list[Setting] = []
    for node in wiring.graph_def.node:
        if node.op in PLACEHOLDERS and _numeric(node):
            if node.name not in fed and _is_setting(wiring, node, legacy):
                settings.append(find_setting(wiring, node, _default(wiring, node)))
            elif (
                node.op != "PlaceholderWithDefault"
                or node.name in named
                or _is_wide(wiring, node, fed)
            ):
                wide.append(node)
    shaped = [n for n in wide if n.attr["shape"].shape.dim or rank_of(wiring, n.name)]
    if shaped and given is None:
        settings += [find_setting(wiring, n, None) for n in wide if n not in shaped and _bare(n)]
        wide = [n for n in wide if n in shaped or not _bare(n)]
    names = {node.name for node in wide}
    reach = {
        name: wiring.reached([name], lambda n: not is_training(n) and n.name not in names)
        for name in names
    }
    wide = [node for node in wide if reach[node.name]]
    inputs = [Entry(named.get(n.name, n.name), f"{n.name}:0") for n in wide]
    left_out: list[str] = []
    if given is None:
        heavy = [n.name for n in wide if any(_weighted(wiring, r) for r in reach[n.name])]
        if heavy:
            left_out = [n.name for n in wide if n.name not in heavy and _used(wiring, n, reach)]
            inputs = [entry for entry in inputs if node_of(entry.tensor) in heavy]
    if not inputs:
        inputs = [Entry(name, tensor) for name, tensor in _decoded(wiring)]
    return Entries(tuple(inputs), tuple(settings), tuple(left_out))


def rank_of(wiring: Wiring, name: str) -> tuple[int, int | None] | None:
    """The rank that an input without a stated shape must have, and its channels if they show."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop(0)
        for user in wiring.consumers.get(current, ()):
            inputs = [node_of(i) for i in data_inputs(user)]
            if user.op in _RANKS and inputs[0] == current:
                return _RANKS[user.op], _channels(wiring, user, inputs)
            if user.op in _KEEPS_RANK and user.name not in seen and _alone(wiring, inputs, current):
                seen.add(user.name)
                waiting.append(user.name)
    return None


def _alone(wiring: Wiring, inputs: list[str], current: str) -> bool:
    """Whether the other inputs come from no placeholder, so that this one gives the shape."""
    others = wiring.behind(name for name in inputs if name != current)
    return not any(wiring.nodes[name].op in PLACEHOLDERS for name in others)


def _channels(wiring: Wiring, user: Any, inputs: list[str]) -> int | None:
    """What the kernel of the first convolution or matrix product says of its input."""
    if user.op not in ("Conv2D", "Conv3D", "DepthwiseConv2dNative", "MatMul"):
        return None
    kernel = wiring.nodes.get(inputs[1])
    while kernel is not None and kernel.op == "Identity":
        kernel = wiring.nodes.get(node_of(kernel.input[0]))
    if kernel is None or kernel.op != "Const":
        return None
    sizes = [dim.size for dim in kernel.attr["value"].tensor.tensor_shape.dim]
    if len(sizes) < 2 or (user.op == "MatMul" and user.attr["transpose_b"].b):
        return None
    return int(sizes[0] if user.op == "MatMul" else sizes[-2])


def _bare(node: Any) -> bool:
    """Whether a placeholder says nothing of its shape."""
    return node.op in PLACEHOLDERS and not node.attr["shape"].shape.dim


def _numeric(node: Any) -> bool:
    from tensorflow.python.framework import dtypes

    dtype = dtypes.as_dtype(node.attr["dtype"].type or 1)
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _is_setting(wiring: Wiring, node: Any, legacy: bool) -> bool:
    scalar = is_scalar(node, legacy)
    if scalar is not None:
        return scalar
    return bool(node.attr["dtype"].type == _BOOL or is_known(wiring, node))


def _is_wide(wiring: Wiring, node: Any, fed: frozenset[str]) -> bool:
    source = wiring.nodes.get(node_of(node.input[0])) if node.input else None
    return source is not None and (source.op == "Const" or source.name in fed)


def _default(wiring: Wiring, node: Any) -> float | bool | None:
    if node.op != "PlaceholderWithDefault" or not node.input:
        return None
    source = wiring.nodes.get(node_of(node.input[0]))
    if source is None or source.op != "Const":
        return None
    from tensorflow.python.framework import tensor_util

    value = np.asarray(tensor_util.MakeNdarray(source.attr["value"].tensor))
    return value.item() if value.ndim == 0 else None


def _used(wiring: Wiring, node: Any, reach: Mapping[str, Mapping[str, None]]) -> bool:
    """Whether a placeholder leads to more than another queue."""
    ends = {node.name, *reach[node.name]}
    queued = {n for n in ends if any("Enqueue" in u.op for u in wiring.consumers.get(n, ()))}
    return not queued


def _weighted(wiring: Wiring, name: str) -> bool:
    return wiring.nodes[name].op in _WEIGHTED


def _decoded(wiring: Wiring) -> list[tuple[str, str]]:
    """For a graph that decodes a picture itself: where the decoded batch comes by."""
    for node in wiring.graph_def.node:
        if node.op not in _DECODERS:
            continue
        current = node
        for _ in range(6):
            users = wiring.consumers.get(current.name, ())
            if current.op == "ExpandDims":
                return [(current.name, f"{current.name}:0")]
            if len(users) != 1:
                break
            current = users[0]
    return []


def main_input(wiring: Wiring, inputs: Sequence[Entry]) -> str | None:
    """The input that feeds the first convolution; without one, the only input."""
    if len(inputs) == 1:
        return inputs[0].name
    by_node = {node_of(entry.tensor): entry.name for entry in inputs}
    nearest: dict[str, str] = dict(by_node)
    waiting = list(by_node)
    while waiting:
        current = waiting.pop(0)
        for user in wiring.consumers.get(current, ()):
            if user.op.startswith(("Conv2D", "Conv3D", "DepthwiseConv2d")):
                return nearest[current]
            if user.name not in nearest:
                nearest[user.name] = nearest[current]
                waiting.append(user.name)
    return None
