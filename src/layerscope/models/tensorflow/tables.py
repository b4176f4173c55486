"""Lookup tables: which are filled by the file's own initialisation, and what depends on others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.errors import ModelError, UntrustedError
from layerscope.models.tensorflow.allowed import FILLING, LOOKING
from layerscope.models.tensorflow.safety import called
from layerscope.models.tensorflow.wiring import Wiring, data_inputs, node_of

_RESOURCE = 20
_RESTORING = frozenset({"Restore", "RestoreSlice", "RestoreV2"})
_NAMED = 3


@dataclass(frozen=True)
class Tables:
    """A graph without what needs tables that are empty.

    ends: the tensors that were asked for; for one that is left out, those that led to it.
    fillers: operations to be run once, which fill the tables that are left.
    """

    graph_def: Any
    ends: tuple[str, ...]
    fillers: tuple[str, ...]
    notes: tuple[str, ...]


def find_fillers(wiring: Wiring, needed: Iterable[str]) -> list[str]:
    """The nodes of the whole graph that fill the tables among those needed."""
    tables = {name for name in needed if wiring.nodes[name].op in LOOKING}
    if not tables:
        return []
    filling = _filling_functions(wiring.graph_def)
    found = []
    for node in wiring.graph_def.node:
        if node.op in FILLING or filling.intersection((*called(node), node.op)):
            handles = {_handle(wiring, name) for name in data_inputs(node)}
            if handles & tables:
                found.append(node.name)
    return found


def without_empty_tables(
    where: str, graph_def: Any, inputs: Sequence[str], ends: Sequence[str], *, trust: bool
) -> Tables:
    """Leave out what looks into tables that nothing fills.

    graph_def: with its functions inlined. inputs: names of the nodes that are fed. ends:
    tensors that the graph returns. Raises UntrustedError or ModelError where nothing is left.
    """
    wiring = Wiring(graph_def)
    fillers = [n.name for n in graph_def.node if n.op in FILLING and _can_run(wiring, n.name)]
    filled = {_handle(wiring, i) for name in fillers for i in data_inputs(wiring.nodes[name])}
    empty = [node.name for node in graph_def.node if _is_table(node) and node.name not in filled]
    if not empty:
        return Tables(graph_def, tuple(ends), tuple(fillers), ())
    gone = _behind_tables(wiring, empty)
    if not set(wiring.reached(inputs)) - gone:
        raise _refused(where, wiring, empty, trust)
    copy = type(graph_def)()
    copy.versions.CopyFrom(graph_def.versions)
    copy.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        if node.name not in gone:
            kept = copy.node.add()
            kept.CopyFrom(node)
            kept.input[:] = [name for name in node.input if node_of(name) not in gone]
    looking = [n.name for n in graph_def.node if n.name in gone and n.name not in empty]
    notes = (_note(wiring, empty, trust),) if looking else ()
    return Tables(
        copy, _led_to(wiring, ends, gone), tuple(f for f in fillers if f not in gone), notes
    )


def _filling_functions(graph_def: Any) -> set[str]:
    """The names of functions that fill a table, by themselves or by what they call."""
    calls = {
        function.signature.name: {
            name for node in function.node_def for name in (*called(node), node.op)
        }
        for function in graph_def.library.function
    }
    found = {name for name, inner in calls.items() if inner & FILLING}
    while more := {name for name, inner in calls.items() if inner & found} - found:
        found |= more
    return found


def _handle(wiring: Wiring, name: str) -> str:
    """The node that a resource comes from, through identities."""
    node = wiring.nodes.get(node_of(name))
    while node is not None and node.op == "Identity" and node.input:
        name, node = node.input[0], wiring.nodes.get(node_of(node.input[0]))
    return node_of(name)


def _can_run(wiring: Wiring, filler: str) -> bool:
    """Whether a table is filled by the graph itself, and not out of a checkpoint."""
    return not any(wiring.nodes[name].op in _RESTORING for name in wiring.behind([filler]))


def _is_table(node: Any) -> bool:
    if node.op.startswith("Placeholder"):
        return bool(node.attr["dtype"].type == _RESOURCE)
    return node.op in LOOKING and not node.op.startswith("Lookup")


def _behind_tables(wiring: Wiring, empty: Sequence[str]) -> set[str]:
    """The tables, and all nodes whose values depend on them."""
    found = set(empty)
    waiting = list(empty)
    while waiting:
        for node in wiring.consumers.get(waiting.pop(), ()):
            if node.name not in found:
                found.add(node.name)
                waiting.append(node.name)
    return found


def _led_to(wiring: Wiring, ends: Sequence[str], gone: set[str]) -> tuple[str, ...]:
    found = dict.fromkeys(end for end in ends if node_of(end) not in gone)
    for end in ends:
        waiting, seen = [end], {end}
        while waiting:
            tensor = waiting.pop()
            if node_of(tensor) not in gone:
                found.setdefault(tensor if ":" in tensor else f"{tensor}:0")
                continue
            fresh = [i for i in data_inputs(wiring.nodes[node_of(tensor)]) if i not in seen]
            seen.update(fresh)
            waiting += reversed(fresh)
    return tuple(found)


def _note(wiring: Wiring, empty: Sequence[str], trust: bool) -> str:
    if trust:
        return f"left out: what looks into {_listed(wiring, empty)}, which nothing in it fills"
    return (
        f"left out: what looks into {_listed(wiring, empty)}; --trust runs the initialisation "
        "that fills it"
    )


def _refused(where: str, wiring: Wiring, empty: Sequence[str], trust: bool) -> ModelError:
    tables = _listed(wiring, empty)
    if trust:
        return ModelError(
            f"{where}: everything behind its input looks into {tables}, and nothing in the graph "
            "fills it. Expected a graph with the operation that initialises the table."
        )
    return UntrustedError(
        f"{where}: everything behind its input looks into {tables}, which the file's "
        "initialisation fills. Nothing was run. Give --trust (in Python, trust=True) where you "
        "know where the model comes from."
    )


def _listed(wiring: Wiring, names: Sequence[str]) -> str:
    words = [f"{name!r} ({wiring.nodes[name].op})" for name in names[:_NAMED]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    kind = "the tables" if len(names) > 1 else "the table"
    return f"{kind} {', '.join(words)}{more}"
