"""Choices that a setting makes (``is_training``), replaced by the branch that is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from layerscope.models.tensorflow.entries import Entries
from layerscope.models.tensorflow.wiring import Wiring, data_inputs, node_of

_BRANCHES = frozenset({"If", "StatelessIf"})
_SWITCHES, _MERGES = frozenset({"Switch", "RefSwitch"}), frozenset({"Merge", "RefMerge"})
_CONST_STEPS = 8


def decided(graph_def: Any, entries: Entries, fixed: set[str]) -> Any:
    """The graph with the choices of settings that are known made.

    fixed: gains the settings that have decided. Choices by the data stay.
    """
    settings = {s.name: s.value for s in entries.settings if s.value is not None}
    return _without_switches(_without_ifs(graph_def, settings, fixed), settings, fixed)


def _without_ifs(graph_def: Any, settings: Mapping[str, float], fixed: set[str]) -> Any:
    wiring = Wiring(graph_def)
    for node in graph_def.node:
        if node.op not in _BRANCHES or not data_inputs(node):
            continue
        source, value = _predicate(wiring, data_inputs(node)[0], settings)
        if value is None:
            continue
        if source in settings:
            fixed.add(source)
        fresh = type(node)()
        fresh.name = node.name
        fresh.op = "StatefulPartitionedCall" if node.op == "If" else "PartitionedCall"
        fresh.input[:] = list(node.input)[1:]
        for key in ("Tin", "Tout"):
            fresh.attr[key].CopyFrom(node.attr[key])
        branch = "then_branch" if value else "else_branch"
        fresh.attr["f"].func.CopyFrom(node.attr[branch].func)
        node.CopyFrom(fresh)
    return graph_def


def _without_switches(graph_def: Any, settings: Mapping[str, float], fixed: set[str]) -> Any:
    """Take away the operations behind a switch's other way; its own way is an identity."""
    wiring = Wiring(graph_def)
    taken: dict[str, int] = {}
    for node in graph_def.node:
        if node.op in _SWITCHES and len(data_inputs(node)) == 2:
            source, value = _predicate(wiring, data_inputs(node)[1], settings)
            if value is not None:
                taken[node.name] = int(value)
                fixed |= {source} & set(settings)
    if not taken:
        return graph_def
    dead = _dead(wiring, taken)
    used = {name for node in graph_def.node for name in node.input}
    copy = type(graph_def)()
    copy.versions.CopyFrom(graph_def.versions)
    copy.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        if node.name in dead:
            continue
        kept = copy.node.add()
        kept.CopyFrom(node)
        if node.name in taken:
            _become_identity(kept, data_inputs(node)[0])
            continue
        inputs = [name for name in node.input if not _is_dead(name, dead, taken)]
        kept.input[:] = [_alive(name, taken) for name in inputs]
        if node.op in _MERGES and len(inputs) < len(node.input):
            if len(data_inputs(kept)) == 1 and f"{node.name}:1" not in used:
                _become_identity(kept, data_inputs(kept)[0])
            else:
                kept.attr["N"].i = len(data_inputs(kept))
    return copy


def _dead(wiring: Wiring, taken: Mapping[str, int]) -> set[str]:
    """The nodes that never run, since a switch goes the other way."""
    found: set[str] = set()
    users: dict[str, list[Any]] = {}
    for node in wiring.graph_def.node:
        for name in dict.fromkeys(map(node_of, node.input)):
            users.setdefault(name, []).append(node)
    waiting = list(taken)
    while waiting:
        for node in users.get(waiting.pop(), ()):
            if node.name in found:
                continue
            gone = [_is_dead(name, found, taken) for name in node.input]
            if node.op in _MERGES:
                gone = [all(_is_dead(name, found, taken) for name in data_inputs(node))]
            if any(gone):
                found.add(node.name)
                waiting.append(node.name)
    return found


def _is_dead(name: str, dead: set[str], taken: Mapping[str, int]) -> bool:
    base = node_of(name)
    if base in dead:
        return True
    if name.startswith("^") or base not in taken:
        return False
    return int(name.partition(":")[2] or 0) != taken[base]


def _alive(name: str, taken: Mapping[str, int]) -> str:
    base = node_of(name)
    return base if base in taken and not name.startswith("^") else name


def _become_identity(node: Any, source: str) -> None:
    """An identity of a value, which waits for nothing."""
    kind = type(node.attr["T"])()
    kind.CopyFrom(node.attr["T"])
    name = node.name
    node.Clear()
    node.name, node.op = name, "Identity"
    node.input.append(source)
    node.attr["T"].CopyFrom(kind)


def _predicate(wiring: Wiring, name: str, settings: Mapping[str, float]) -> tuple[str, bool | None]:
    from tensorflow.python.framework import tensor_util

    invert = False
    for _ in range(_CONST_STEPS):
        node = wiring.nodes.get(node_of(name))
        if node is None:
            break
        if node.name in settings:
            return node.name, bool(settings[node.name]) != invert
        if node.op == "Const":
            value = np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))
            return "", bool(value) != invert if value.ndim == 0 else None
        if node.op not in ("Identity", "LogicalNot", "Cast") or not node.input:
            break
        invert ^= node.op == "LogicalNot"
        name = node.input[0]
    return "", None
