"""What a queue, an iterator or a parser feeds into a graph, made placeholders of the graph."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from layerscope.models.tensorflow.wiring import Wiring, data_inputs, node_of

_BATCHES = re.compile(r"QueueDequeue(Many|UpTo)(V2)?")
_ONE = re.compile(r"QueueDequeue(V2)?")
_PLACEHOLDER = "Placeholder"
_STRING = 7
_NAME = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True)
class Feed:
    """A tensor that data come by. name: of the placeholder that takes its place.

    dtype: as protobuf counts them. shape: a TensorShapeProto, or None. source: what gives its
    value in the graph, in words.
    """

    tensor: str
    name: str
    dtype: int
    shape: Any
    source: str

    @property
    def note(self) -> str:
        """What is recorded of it."""
        return f"{self.name} gets its values from {self.source}: what is given takes their place"


def find_feeds(wiring: Wiring, given: Mapping[str, Any]) -> list[Feed]:
    """Everything that feeds a graph without being a placeholder.

    given: a signature's inputs, as TensorInfo, some of which may be inner tensors.
    """
    found = [_stated(wiring, info) for info in given.values() if _is_inner(wiring, info)]
    inner = {node_of(feed.tensor) for feed in found}
    used = _used(wiring.graph_def)
    for node in wiring.graph_def.node:
        if node.name not in inner:
            found += [feed for feed in _of_node(wiring, node) if feed.tensor in used]
    taken = set(wiring.nodes)
    unique: list[Feed] = []
    for feed in found:
        while feed.name in taken and feed.name != node_of(feed.tensor):
            feed = replace(feed, name=f"{feed.name}_")
        taken.add(feed.name)
        unique.append(feed)
    return unique


def with_placeholders(graph_def: Any, feeds: Sequence[Feed]) -> Any:
    """A copy of a graph in which each of the tensors is a placeholder."""
    copy = type(graph_def)()
    copy.versions.CopyFrom(graph_def.versions)
    copy.library.CopyFrom(graph_def.library)
    names = {feed.tensor: feed.name for feed in feeds}
    left = {node_of(tensor) for tensor in _used(graph_def) - set(names)}
    gone = {node_of(feed.tensor) for feed in feeds} - left
    for feed in feeds:
        node = copy.node.add()
        node.name, node.op = feed.name, _PLACEHOLDER
        node.attr["dtype"].type = feed.dtype
        if feed.shape is None:
            node.attr["shape"].shape.unknown_rank = True
        else:
            node.attr["shape"].shape.CopyFrom(feed.shape)
    for node in graph_def.node:
        if node.name in gone:
            continue
        kept = copy.node.add()
        kept.CopyFrom(node)
        kept.input[:] = [
            names.get(_whole(name), name)
            for name in node.input
            if not (name.startswith("^") and node_of(name) in gone)
        ]
    return copy


def _used(graph_def: Any) -> set[str]:
    return {_whole(name) for node in graph_def.node for name in data_inputs(node)}


def _is_inner(wiring: Wiring, info: Any) -> bool:
    """Whether a signature's input is the only value of an operation, and no placeholder."""
    node = wiring.nodes.get(node_of(info.name))
    return (
        node is not None
        and not node.op.startswith(_PLACEHOLDER)
        and _whole(info.name).endswith(":0")
        and info.dtype != _STRING
        and len(node.attr["_output_shapes"].list.shape) <= 1
    )


def _stated(wiring: Wiring, info: Any) -> Feed:
    shape = None if info.tensor_shape.unknown_rank else info.tensor_shape
    name = node_of(info.name)
    source = f"an operation ({wiring.nodes[name].op})"
    return Feed(_whole(info.name), name, info.dtype, shape, source)


def _of_node(wiring: Wiring, node: Any) -> Iterator[Feed]:
    if node.op == "IteratorGetNext":
        yield from _values(node, "output_types", _shapes(node, "output_shapes"), "an iterator")
    elif _BATCHES.fullmatch(node.op):
        yield from _values(node, "component_types", _batched(wiring, node), "a queue")
    elif _ONE.fullmatch(node.op):
        feeds = list(_values(node, "component_types", _queued(wiring, node), "a queue"))
        yield from (_as_batch(wiring, feed) for feed in feeds)
    elif node.op in ("ParseExample", "ParseExampleV2"):
        yield from _parsed(wiring, node)


def _values(node: Any, types: str, shapes: Sequence[Any], source: str) -> Iterator[Feed]:
    for place, dtype in enumerate(node.attr[types].list.type):
        stated = node.attr["_output_shapes"].list.shape
        shape = (stated if len(stated) > place else shapes)[place : place + 1]
        known = shape[0] if len(shape) and not shape[0].unknown_rank else None
        name = f"{node.name}_{place}" if place else node.name
        yield Feed(f"{node.name}:{place}", name, dtype, known, f"{source} ({node.op})")


def _shapes(node: Any, attr: str) -> list[Any]:
    return list(node.attr[attr].list.shape)


def _queued(wiring: Wiring, node: Any) -> list[Any]:
    """The shapes of one sample's values, as the queue states them."""
    queue = wiring.nodes.get(node_of(node.input[0])) if node.input else None
    return [] if queue is None else _shapes(queue, "shapes")


def _batched(wiring: Wiring, node: Any) -> list[Any]:
    found = []
    for shape in _queued(wiring, node):
        whole = type(shape)(unknown_rank=shape.unknown_rank)
        whole.dim.add(size=-1)
        whole.dim.extend(shape.dim)
        found.append(whole)
    return found


def _as_batch(wiring: Wiring, feed: Feed) -> Feed:
    """A single sample that the graph makes a batch of one: the batch is fed."""
    users = wiring.consumers.get(node_of(feed.tensor), [])
    users = [u for u in users if feed.tensor in map(_whole, data_inputs(u))]
    if len(users) != 1 or feed.shape is None:
        return feed
    user = users[0]
    axis = _axis(wiring, user)
    if axis != 0:
        return feed
    shape = type(feed.shape)()
    shape.dim.add(size=1)
    shape.dim.extend(feed.shape.dim)
    return Feed(f"{user.name}:0", user.name, feed.dtype, shape, feed.source)


def _axis(wiring: Wiring, node: Any) -> int | None:
    """Where an operation adds an axis of one, or None where it does something else."""
    from tensorflow.python.framework import tensor_util

    if node.op == "Pack" and len(data_inputs(node)) == 1:
        return int(node.attr["axis"].i)
    source = wiring.nodes.get(node_of(node.input[1])) if node.op == "ExpandDims" else None
    if source is None or source.op != "Const":
        return None
    return int(tensor_util.MakeNdarray(source.attr["value"].tensor).reshape(-1)[0])


def _parsed(wiring: Wiring, node: Any) -> Iterator[Feed]:
    """The dense values that are parsed out of serialised examples."""
    sparse, shapes = len(node.attr["sparse_types"].list.type), _shapes(node, "dense_shapes")
    first = 3 if node.op == "ParseExampleV2" else 2 + sparse
    keys = [key for name in data_inputs(node)[first:] for key in _texts(wiring, name)]
    for place, dtype in enumerate(node.attr["Tdense"].list.type):
        known = shapes[place] if place < len(shapes) and not shapes[place].unknown_rank else None
        whole = None
        if known is not None:
            whole = type(known)()
            whole.dim.add(size=-1)
            whole.dim.extend(known.dim)
        key = keys[place] if place < len(keys) else ""
        name, source = f"{node.name}/{key or place}", f"a parser of examples ({node.op})"
        if dtype != _STRING:
            yield Feed(f"{node.name}:{3 * sparse + place}", name, dtype, whole, source)


def _texts(wiring: Wiring, name: str) -> list[str]:
    """The words in a constant; empty ones for what could be no part of a name."""
    node = wiring.nodes.get(node_of(name))
    values = [] if node is None else node.attr["value"].tensor.string_val
    words = [value.decode(errors="replace") for value in values]
    return [word if _NAME.fullmatch(word) else "" for word in words]


def _whole(name: str) -> str:
    return name if ":" in name else f"{name}:0"
