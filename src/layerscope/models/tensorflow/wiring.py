"""Following the edges of a GraphDef, before TensorFlow is given it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from layerscope.models.tensorflow.safety import called

_TRAINING_SCOPE = re.compile(r"(^|/)gradients(_\d+)?/|(^|/)[^/]*_grad(_\d+)?/")
_TRAINING_TYPE = re.compile(
    r"(Sparse|Resource|ResourceSparse)?Apply[A-Z].*|(Resource)?Assign.*|.*Summary(V2)?|.*Grad(V\d)?"
    r"|Save.*|Restore.*|BroadcastGradientArgs|Assert|Scatter(Add|Sub|Update)|.*Enqueue.*"
)
# Control edges to these order side effects, which a graph of constants has none of.
_ORDERING = frozenset({"NoOp", "Assert", "Print", "ControlTrigger"})
SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})


def node_of(name: str) -> str:
    """The node that an input's name refers to."""
    return name.removeprefix("^").split(":")[0]


def is_training(node: Any) -> bool:
    """Whether a node belongs to training: gradients, updates, summaries, checkpoints."""
    return bool(_TRAINING_SCOPE.search(node.name) or _TRAINING_TYPE.fullmatch(node.op))


class Wiring:
    """The nodes of a GraphDef by name, and their edges."""

    def __init__(self, graph_def: Any) -> None:
        self.graph_def = graph_def
        self.nodes: dict[str, Any] = {node.name: node for node in graph_def.node}

    @cached_property
    def consumers(self) -> dict[str, list[Any]]:
        """For every node's name, the nodes that take one of its outputs."""
        found: dict[str, list[Any]] = defaultdict(list)
        for node in self.graph_def.node:
            for name in dict.fromkeys(map(node_of, data_inputs(node))):
                found[name].append(node)
        return found

    def reached(
        self, start: Iterable[str], passes: Callable[[Any], bool] = lambda node: True
    ) -> dict[str, None]:
        """The nodes whose values depend on those named, in the order they are met."""
        found: dict[str, None] = {}
        waiting = list(start)
        while waiting:
            for node in self.consumers.get(waiting.pop(), ()):
                if node.name in found or node.op in SHAPES or not passes(node):
                    continue
                found[node.name] = None
                waiting.append(node.name)
        return found

    def behind(self, start: Iterable[str]) -> set[str]:
        """The nodes that those named are computed from, themselves included."""
        found: set[str] = set()
        waiting = list(start)
        while waiting:
            name = waiting.pop()
            if name in found or name not in self.nodes:
                continue
            found.add(name)
            waiting += [node_of(i) for i in self.nodes[name].input if self._needed(i)]
        return found

    def pruned(self, targets: Iterable[str]) -> Any:
        """A copy with only what the targets need, and the functions that this calls."""
        kept = self.behind(targets)
        copy = type(self.graph_def)()
        copy.versions.CopyFrom(self.graph_def.versions)
        for node in self.graph_def.node:
            if node.name in kept:
                added = copy.node.add()
                added.CopyFrom(node)
                added.device = ""
                drop_unknown(added)
                added.input[:] = [i for i in node.input if self._needed(i)]
        functions = {f.signature.name: f for f in self.graph_def.library.function}
        needed: dict[str, None] = {}
        waiting = [name for node in copy.node for name in (*called(node), node.op)]
        while waiting:
            name = waiting.pop()
            if name in functions and name not in needed:
                needed[name] = None
                waiting += [
                    n for node in functions[name].node_def for n in (*called(node), node.op)
                ]
        copy.library.function.extend(functions[name] for name in needed)
        return copy

    def in_branches(self) -> list[Any]:
        """The nodes in an order of computation in which every branch is whole."""
        used = {node_of(name) for node in self.graph_def.node for name in node.input}
        waiting = [(node.name, False) for node in self.graph_def.node if node.name not in used]
        waiting += [(node.name, False) for node in self.graph_def.node if node.name in used]
        waiting.reverse()
        seen: set[str] = set()
        found: list[Any] = []
        while waiting:
            name, done = waiting.pop()
            if done:
                found.append(self.nodes[name])
            elif name not in seen and name in self.nodes:
                seen.add(name)
                waiting.append((name, True))
                waiting += [(node_of(i), False) for i in reversed(self.nodes[name].input)]
        return found

    def _needed(self, name: str) -> bool:
        if not name.startswith("^"):
            return True
        node = self.nodes.get(node_of(name))
        return node is not None and node.op not in _ORDERING and not is_training(node)


def drop_unknown(node: Any) -> None:
    """Drop attributes that the operation no longer has, as TensorFlow would, but silently."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        return
    known = {attr.name for attr in definition.attr}
    for name in [n for n in node.attr if n not in known and not n.startswith("_")]:
        del node.attr[name]


def data_inputs(node: Any) -> list[str]:
    """The names of a node's inputs, without those that only order the computation."""
    return [name for name in node.input if not name.startswith("^")]
