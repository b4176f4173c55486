"""Where the channels of a node come from."""

from __future__ import annotations

from dataclasses import dataclass

from layerscope.explain.sizes import result_of
from layerscope.graph import Graph, Node
from layerscope.operations import Concatenation, Elementwise, Padding, Permutation, Submodel


@dataclass(frozen=True)
class Branch:
    """Channels ``start`` to ``stop`` (half-open) of a node, which are channels 0 … of a source."""

    source: str
    start: int
    stop: int

    @property
    def origins(self) -> tuple[str, ...]:
        """For every channel, ``"<node>:<channel>"``."""
        return tuple(f"{self.source}:{i}" for i in range(self.stop - self.start))


def branches(graph: Graph, node: Node) -> tuple[Branch, ...]:
    """The inputs that a concatenation joins along its channel axis; empty for other nodes."""
    joins = isinstance(node.operation, Concatenation) and node.operation.axis == node.axes.channel
    if not joins:
        return ()
    found: list[Branch] = []
    start = 0
    for name in node.inputs:
        channels = graph[name].channels
        if channels is None:
            return ()
        found.append(Branch(name, start, start + channels))
        start += channels
    return tuple(found) if start == node.channels else ()


def origin(graph: Graph, node: Node, channel: int) -> tuple[str, int] | None:
    """The node and channel that a channel is a copy of, through any number of joins.

    Followed are concatenations along the channel axis, permutations, layers that pass their
    input on unchanged, padding, and submodels (whose last inner node makes their output).
    Returns the node itself where it makes its own channels, None where the channel does not
    exist.
    """
    while True:
        if node.channels is not None and not 0 <= channel < node.channels:
            return None
        step = _step(graph, node, channel)
        if step is None:
            return node.name, channel
        node, channel = graph[step[0]], step[1]


def _step(graph: Graph, node: Node, channel: int) -> tuple[str, int] | None:
    """The node and channel one step before, where the channel is a copy."""
    operation = node.operation
    if isinstance(operation, Submodel):
        inner = result_of(graph, node)
        return (inner[0], channel) if len(inner) == 1 else None
    for branch in branches(graph, node):
        if branch.start <= channel < branch.stop:
            return branch.source, channel - branch.start
    if len(node.inputs) != 1 or graph[node.inputs[0]].channels != node.channels:
        return None
    source = graph[node.inputs[0]]
    if isinstance(operation, Permutation):
        axis = node.axes.channel
        same = axis is not None and operation.order[axis] == source.axes.channel
        return (source.name, channel) if same else None
    same = isinstance(operation, Elementwise) and operation.function in ("identity", "linear")
    return (source.name, channel) if same or isinstance(operation, Padding) else None
