"""Where the channels of a node come from."""

from __future__ import annotations

from dataclasses import dataclass

from layerscope.graph import Graph, Node
from layerscope.operations import Concatenation


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
