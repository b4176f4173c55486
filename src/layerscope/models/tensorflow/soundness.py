"""Checks of a graph's edges before TensorFlow has it, which ends the process on some wrong ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.tensorflow.wiring import node_of

_MERGES = frozenset({"Merge", "RefMerge"})
_BACK = frozenset({"NextIteration", "RefNextIteration"})
_LONGEST = 80


def check_edges(where: str, graph_def: Any) -> None:
    """Raise ModelError for inputs that are not there, and for nodes that feed themselves.

    Loops of TensorFlow 1 go in a circle through a Merge and a NextIteration only.
    """
    nodes = {node.name: node for node in graph_def.node}
    for node in graph_def.node:
        for name in node.input:
            source = nodes.get(node_of(name))
            place = name.partition(":")[2]
            if source is None or not (name.startswith("^") or _has_output(source, place)):
                raise ModelError(
                    f"{where} is damaged: {_short(node.name)} takes {_short(name)}, which is not "
                    "there."
                )
        _check_count(where, node)
    _check_order(where, nodes)


def _has_output(node: Any, place: str) -> bool:
    if place and not place.isdecimal():
        return False
    return len(place) < 6 and int(place or 0) < _total(node, "output_arg")


def _check_count(where: str, node: Any) -> None:
    wanted = _total(node, "input_arg")
    found = sum(not name.startswith("^") for name in node.input)
    if wanted != found:
        raise ModelError(
            f"{where} is damaged: {_short(node.name)} ({_short(node.op)}) takes {wanted} inputs, "
            f"and has {found}."
        )


def _total(node: Any, side: str) -> int:
    """How many inputs or outputs an operation has, by its attributes."""
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    if definition is None:
        return 0
    defaults = {attr.name: attr.default_value for attr in definition.attr}

    def value(name: str) -> Any:
        return node.attr[name] if name in node.attr else defaults[name]

    total = 0
    for argument in getattr(definition, side):
        if argument.number_attr:
            total += int(value(argument.number_attr).i)
        elif argument.type_list_attr:
            total += len(value(argument.type_list_attr).list.type)
        else:
            total += 1
    return total


def _check_order(where: str, nodes: dict[str, Any]) -> None:
    needed = {name: set(_forward(node, nodes)) for name, node in nodes.items()}
    users: dict[str, list[str]] = {}
    for name, sources in needed.items():
        for source in sources:
            users.setdefault(source, []).append(name)
    missing = {name: len(sources) for name, sources in needed.items()}
    ready = [name for name, count in missing.items() if not count]
    done = 0
    while ready:
        done += 1
        for user in users.get(ready.pop(), ()):
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    if done < len(nodes):
        name = next(name for name, count in missing.items() if count)
        raise ModelError(f"{where} is damaged: {_short(name)} depends on its own value.")


def _forward(node: Any, nodes: dict[str, Any]) -> Iterator[str]:
    for name in map(node_of, node.input):
        if not (node.op in _MERGES and nodes[name].op in _BACK):
            yield name


def _short(name: str) -> str:
    return repr(name if len(name) <= _LONGEST else name[:_LONGEST] + "…")
