"""Pairing: whether two models are one network with two sets of weights."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from layerscope.errors import ModelError
from layerscope.graph import Graph, Node
from layerscope.models import Model


def same_architecture(one: Model, other: Model) -> None:
    """Raise ModelError where two models are not the same network with other weights.

    Compared are the layers in order, what feeds each, and their shapes; not the names, which
    frameworks make up anew for every model.
    """
    first, second = one.graph, other.graph
    for mine, theirs in zip_longest(_told(first), _told(second)):
        if mine is None or theirs is None or mine[1:] != theirs[1:]:
            nodes = [None if told is None else told[0] for told in (mine, theirs)]
            raise ModelError(
                f"expected {_file(other)} to be the same network as {_file(one)}, with other "
                f"weights, but {_differ(*nodes)}. Compare two files of one architecture."
            )


def _told(graph: Graph) -> list[tuple[Any, ...]]:
    """Each input and node, with all that two models must share."""
    nodes = (*graph.inputs, *graph.nodes)
    places = {node.name: i for i, node in enumerate(nodes)}
    return [
        (node, node.type, node.operation, [places.get(name) for name in node.inputs],
         node.shape, node.axes)
        for node in nodes
    ]  # fmt: skip


def _file(model: Model) -> str:
    return model.source.file or model.source.name


def _differ(mine: Node | None, theirs: Node | None) -> str:
    if mine is None or theirs is None:
        more, which = (theirs, "second") if mine is None else (mine, "first")
        assert more is not None
        return f"only the {which} has {more.name} ({more.type})"
    return f"where the first has {_words(mine)}, the second has {_words(theirs)}"


def _words(node: Node) -> str:
    summary = node.operation.summary()
    kind = f"{node.type} {summary}" if summary else node.type
    return f"{node.name} ({kind}; {node.axes.describe(node.shape)})"
