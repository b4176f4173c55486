"""Grouping: the channels of a picture by the branch that they come from."""

from __future__ import annotations

from collections.abc import Mapping

from layerscope.activation import Activation
from layerscope.explain.copies import is_copy
from layerscope.explain.provenance import Origins, branches, numbers_words
from layerscope.explain.sizes import result_of
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Attention,
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Embedding,
    Input,
    Normalization,
    Pooling,
    Recurrent,
    Submodel,
)
from layerscope.render import Group
from layerscope.render.options import Channels, choose

_MOST = 12


class Grouping:
    """The groups of every activation of a network.

    activations: what was run, whose sizes are known.
    """

    def __init__(self, graph: Graph, activations: Mapping[str, Activation]) -> None:
        sizes = {}
        for name, activation in activations.items():
            batch, shape = activation.axes.batch, activation.array.shape
            sizes[name] = tuple(1 if axis == batch else n for axis, n in enumerate(shape))
        self.graph, self.origins = graph, Origins(graph, sizes)

    @classmethod
    def sized(cls, graph: Graph, sizes: Mapping[str, tuple[int, ...]]) -> Grouping:
        """The same where only the sizes are known. sizes: of every node, batch of one."""
        made = cls(graph, {})
        made.origins = Origins(graph, sizes)
        return made

    def of(
        self, activation: Activation, chosen: Channels | int | str | None = None
    ) -> tuple[Group, ...] | None:
        """The branches of a concatenation, or the nodes that slices and the like come from.

        chosen: the channels that are drawn, as ``draw`` takes them; these stay in one group and
        in their order. Returns None where the node makes its own channels.
        """
        node = activation.node
        if node.name not in self.graph or not self._copies(node):
            return None
        found = self.origins.channels(node)
        sources = [None if name == node.name else f"{name}:{i}" for name, i in found]
        if not any(sources) or len(found) != activation.planes().shape[1]:
            return None
        if chosen is not None:
            picked = choose(chosen, len(found), node.name)
            return (Group("", tuple(picked), tuple(sources[i] for i in picked)),)
        joined = branches(self.graph, node)
        parts: list[tuple[str, list[int]]] = [
            (branch.source, list(range(branch.start, branch.stop))) for branch in joined
        ] or list(self._by_node(found).items())
        whole = len(parts) == 1 and all(i == own for i, (_, own) in enumerate(found))
        vector = activation.axes.kind == "vector"
        mixed = any(numbers[-1] - numbers[0] >= len(numbers) for _, numbers in parts)
        # A vector is read by its order, and a node that changes no number needs no heading.
        if whole or len(parts) > _MOST or (vector and mixed):
            return (Group("", range(len(found)), tuple(sources)),)
        return tuple(
            Group(
                self._label(name, numbers, bool(joined), found),
                tuple(numbers),
                tuple(sources[i] for i in numbers),
            )
            for name, numbers in parts
        )

    def _copies(self, node: Node) -> bool:
        return isinstance(node.operation, Submodel) or is_copy(node.operation)

    def _by_node(self, found: tuple[tuple[str, int], ...]) -> dict[str, list[int]]:
        parts: dict[str, list[int]] = {}
        for i, (name, _) in enumerate(found):
            parts.setdefault(name, []).append(i)
        return parts

    def _label(
        self, name: str, numbers: list[int], joined: bool, found: tuple[tuple[str, int], ...]
    ) -> str:
        label = f"{numbers_words(numbers)} {kind_of(self.graph, self.graph[name])}: {name}"
        own = [found[i][1] for i in numbers]
        # A branch is used whole; of other nodes it matters which channels are taken.
        if joined or own == list(range(self.graph[name].channels or 0)):
            return label
        return f"{label}, channel{'s' if len(own) > 1 else ''} {numbers_words(own)}"


def kind_of(graph: Graph, node: Node) -> str:
    """What makes a node's values, in a word or two.

    Of an activation function or a normalisation it is what comes before it.
    """
    while True:
        operation = node.operation
        inner = result_of(graph, node) if isinstance(operation, Submodel) else ()
        passing = isinstance(operation, Normalization) or (
            not isinstance(operation, Concatenation)
            and (isinstance(operation, Elementwise) or is_copy(operation))
        )
        if len(inner) == 1:
            node = graph[inner[0]]
        elif passing and len(node.inputs) == 1:
            node = graph[node.inputs[0]]
        else:
            return _word(node)


def _word(node: Node) -> str:
    operation = node.operation
    if isinstance(operation, Convolution):
        if operation.depthwise:
            return "depthwise conv"
        return "transposed conv" if operation.transposed else "conv"
    if isinstance(operation, Pooling):
        kind = {"max": "max-pool", "mean": "average-pool"}.get(operation.function, "pool")
        return f"global {kind}" if operation.everywhere else kind
    if isinstance(operation, Elementwise):
        return operation.function.replace("_", " ")
    if isinstance(operation, Recurrent):
        return operation.cell.replace("_", " ")
    known = Attention | Concatenation | Dense | Embedding | Input
    return operation.kind if isinstance(operation, known) else node.type
