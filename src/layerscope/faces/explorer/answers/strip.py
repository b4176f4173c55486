"""The strip of layers: parallel branches side by side, nested models and blocks folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from layerscope.faces.explorer.answers.blocks import fold
from layerscope.faces.explorer.answers.branches import (
    Branches,
    Region,
    Step,
    find_branches,
    lay_out,
    wiring,
)

Node = Mapping[str, Any]
Piece = dict[str, Any]
_LONG = 48
_MOST_BRANCHES = 6


def strip(nodes: Sequence[Node]) -> list[Piece]:
    """A network's nodes, as a manifest has them, inputs first, as a tree of pieces.

    A piece is ``{"node": place}``, ``{"branches": [pieces, …], "fork": place, "join": place}``
    or ``{"fold": title, "items": pieces}``; a place is a position in ``nodes``.

    >>> def node(name, *inputs):
    ...     return {"name": name, "type": "Add", "inputs": inputs, "operation": {"kind": "opaque"}}
    >>> strip([node("in"), node("a", "in"), node("b", "in"), node("c", "a", "b")])[1]
    {'branches': [[{'node': 1}], [{'node': 2}]], 'fork': 0, 'join': 3}
    """
    return _Strip(nodes).pieces(range(len(nodes)), 0)


class _Strip:
    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.places = {str(node["name"]): i for i, node in enumerate(nodes)}
        inputs = wiring(nodes)
        self.found: Branches = find_branches(
            {name: sources for name, sources in inputs.items() if sources}
        )

    def pieces(self, places: Sequence[int], level: int) -> list[Piece]:
        """The pieces of consecutive nodes whose names share ``level`` parts of their path."""
        result: list[Piece] = []
        for block, held in groupby(places, key=lambda i: self._block(i, level)):
            own = list(held)
            if block:
                title = "/".join(str(self.nodes[own[0]]["name"]).split("/")[: level + 1])
                result.append({"fold": title, "items": self.pieces(own, level + 1)})
            else:
                result += self._blocks(own)
        return result

    def _block(self, place: int, level: int) -> str:
        parts = str(self.nodes[place]["name"]).split("/")
        return parts[level] if len(parts) > level + 1 else ""

    def _blocks(self, places: Sequence[int]) -> list[Piece]:
        if len(places) <= _LONG:
            return self._laid_out(places)
        first = 0
        while self.nodes[places[first]]["operation"]["kind"] == "input":
            first += 1
        result: list[Piece] = [{"node": place} for place in places[:first]]
        rest = places[first:]
        for block in fold([self.nodes[place] for place in rest]):
            own = rest[block.start : block.stop]
            inner = self._laid_out(own)
            result += [{"fold": block.title, "items": inner}] if len(own) > 1 else inner
        return result

    def _laid_out(self, places: Sequence[int]) -> list[Piece]:
        names = [str(self.nodes[place]["name"]) for place in places]
        return [self._piece(step) for step in lay_out(names, self.found, _MOST_BRANCHES)]

    def _piece(self, step: Step) -> Piece:
        if not isinstance(step, Region):
            return {"node": self.places[step]}
        return {
            "branches": [[self._piece(part) for part in branch] for branch in step.branches],
            "fork": self.places[step.fork],
            "join": self.places[step.join],
        }
