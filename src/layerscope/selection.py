"""Choosing nodes: by name, number, slice, glob, type, or as a value before its activation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from layerscope.errors import SelectionError
from layerscope.graph import Graph, Node
from layerscope.operations import Convolution, Dense

_NUMBER = re.compile(r"-?\d+")
_SLICE = re.compile(r"(-?\d+)?:(-?\d+)?(?::(-?\d+))?")


def select(graph: Graph, wanted: Sequence[str | int] | str | int | None) -> tuple[Node, ...]:
    """The nodes asked for, in the order of the network, each once.

    wanted: any number of selectors; None is every node. A selector is a name
    (``"conv2d_1"``), an index (``3``, ``-1``), a slice (``"0:8"``), a glob
    (``"block?_conv*"``, where ``*`` crosses ``/`` and ``[`` is itself), a type
    (``"type:Conv2D"``), or ``"conv2d:pre"`` for the values before a fused activation
    function. An exact name wins over everything.

    Raises SelectionError for a selector that matches nothing.
    """
    if wanted is None:
        return graph.nodes
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        wanted = [wanted]
    found = {node.name: node for selector in wanted for node in _matches(graph, selector)}
    place = {node.name: i for i, node in enumerate((*graph.inputs, *graph.nodes))}

    def position(node: Node) -> tuple[int, bool]:
        """A value before an activation function comes right before the value after it."""
        own = node.name in place
        return place[node.name if own else node.name.removesuffix(":pre")], own

    return tuple(sorted(found.values(), key=position))


def _matches(graph: Graph, selector: str | int) -> Sequence[Node]:
    if isinstance(selector, bool) or not isinstance(selector, str | int):
        raise SelectionError(
            f"A layer is chosen by name or number, but got {selector!r} "
            f"({type(selector).__name__})."
        )
    if isinstance(selector, int):
        return [_by_number(graph, selector)]
    if selector in graph:
        return [graph[selector]]
    if _NUMBER.fullmatch(selector):
        return [_by_number(graph, int(selector))]
    ends = _SLICE.fullmatch(selector)
    if ends:
        return _by_slice(graph, selector, [int(end) if end else None for end in ends.groups()])
    if selector.startswith("type:"):
        return _by_type(graph, selector.removeprefix("type:"))
    if selector.endswith(":pre") and selector.removesuffix(":pre") in graph:
        return [_before_activation(graph[selector.removesuffix(":pre")])]
    if any(mark in selector for mark in "*?"):
        pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in selector)
        named = [n for n in graph.nodes if re.fullmatch(pattern, n.name, re.DOTALL)]
        if named:
            return named
    raise SelectionError(_unknown(graph, selector))


def _by_number(graph: Graph, index: int) -> Node:
    if not -len(graph) <= index < len(graph):
        raise SelectionError(
            f"There is no layer {index}: the network has {len(graph)}, numbered 0 to "
            f"{len(graph) - 1} (or -1 to -{len(graph)} from the end)."
        )
    return graph.nodes[index]


def _by_slice(graph: Graph, selector: str, ends: list[int | None]) -> Sequence[Node]:
    if ends[2] == 0:
        raise SelectionError(f"The slice {selector!r} has a step of 0. Give another step.")
    nodes = graph.nodes[slice(*ends)]
    if not nodes:
        raise SelectionError(
            f"The slice {selector!r} holds no layer: the network has {len(graph)}, "
            f"numbered 0 to {len(graph) - 1}."
        )
    return nodes


def _by_type(graph: Graph, type_: str) -> Sequence[Node]:
    nodes = [node for node in graph.nodes if node.type == type_]
    if nodes:
        return nodes
    types = sorted({node.type for node in graph.nodes})
    raise SelectionError(
        f"There is no layer of the type {type_!r}. The network has: {', '.join(types)}."
    )


def _before_activation(node: Node) -> Node:
    if not isinstance(node.operation, Convolution | Dense):
        raise SelectionError(
            f"{node.name} ({node.type}) has no fused activation function, so there is no "
            f"{node.name}:pre. Its inputs are: {', '.join(node.inputs)}."
        )
    return replace(
        node,
        name=f"{node.name}:pre",
        index=None,
        operation=replace(node.operation, activation="linear"),
    )


def _unknown(graph: Graph, selector: str) -> str:
    names = [node.name for node in (*graph.inputs, *graph.nodes)]
    near = get_close_matches(selector, names, n=3, cutoff=0.5)
    lower = {name.lower(): name for name in names}
    near = near or [lower[n] for n in get_close_matches(selector.lower(), lower, n=3, cutoff=0.5)]
    hint = f"Did you mean {', '.join(near)}?" if near else f"The first are: {', '.join(names[:5])}."
    return f"There is no layer {selector!r}. {hint} All of them: layerscope layers MODEL."
