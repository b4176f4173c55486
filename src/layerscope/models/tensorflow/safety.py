"""Checks of a parsed graph before TensorFlow is given it: what it may do, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerscope.errors import ModelError, UntrustedError
from layerscope.models.tensorflow.allowed import CALCULATING

_MOST_NODES = 400_000
_MOST_OUTPUTS = 20_000
_FREE_BYTES = 200 * 2**20
_TIMES_STORED = 10
_NAMED = 5
_LONGEST = 80


def check_operations(where: str, graph_def: Any, *, trust: bool, idle: frozenset[str]) -> None:
    """Hold every node, the function library included, against the list of allowed types.

    idle: types that may be there too, since they are left out before anything is run. Raises
    ModelError for types that TensorFlow does not know, UntrustedError for types that may do
    more than calculate.
    """
    from tensorflow.python.framework import op_def_registry

    functions = {function.signature.name for function in graph_def.library.function}
    found: dict[str, str] = {}
    for node in every_node(graph_def):
        if node.op not in functions:
            found.setdefault(node.op, node.name)
    unknown = [op for op in found if op_def_registry.get(op) is None]
    if unknown:
        raise ModelError(
            f"{where} needs operations that this TensorFlow does not have (Op type not "
            f"registered): {_listed({op: found[op] for op in unknown})}. They come from "
            "tensorflow.contrib or a library of its own: freeze the model without them."
        )
    wrong = {op: name for op, name in found.items() if op not in CALCULATING | idle}
    if wrong and not trust:
        raise UntrustedError(
            f"{where} holds operations that may do more than calculate, such as read or write "
            f"files: {_listed(wrong)}. Nothing was run. Give --trust (in Python, trust=True) "
            "where you know where the model comes from."
        )


def check_size(where: str, graph_def: Any, stored: int) -> None:
    """Raise ModelError where a graph would grow far beyond the ``stored`` bytes of its file.

    Also where it names two nodes alike, or counts what is not there.
    """
    from tensorflow.python.framework import dtypes

    declared = 0
    count = 0
    for node in every_node(graph_def):
        count += 1
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        try:
            size = max(1, dtypes.as_dtype(tensor.dtype).size)
        except TypeError:
            raise ModelError(
                f"{where} is damaged: {_short(node.name)} has no known type."
            ) from None
        for dim in tensor.tensor_shape.dim:
            if dim.size < 0:
                raise ModelError(f"{where} is damaged: {_short(node.name)} has a negative size.")
            size *= dim.size
        declared += size
    if count > _MOST_NODES:
        raise ModelError(f"{where} has {count} nodes; at most {_MOST_NODES} are opened.")
    if declared > _TIMES_STORED * stored + _FREE_BYTES:
        raise ModelError(
            f"{where} declares constants of {declared / 2**20:.0f} MB, but the file has "
            f"{stored / 2**20:.1f} MB: it is damaged, or made to fill the memory."
        )
    _check_names(where, graph_def)
    _check_counts(where, graph_def)
    _check_expansion(where, graph_def)


def every_node(graph_def: Any) -> Iterator[Any]:
    """The nodes of a graph and of the functions in its library."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def called(node: Any) -> Iterator[str]:
    """The names of the functions that a node calls."""
    for attr in node.attr.values():
        if attr.HasField("func"):
            yield attr.func.name
        for func in attr.list.func:
            yield func.name


def _check_names(where: str, graph_def: Any) -> None:
    """Raise ModelError where two nodes of a graph, or of one of its functions, are called alike."""
    for nodes in (graph_def.node, *(f.node_def for f in graph_def.library.function)):
        seen: set[str] = set()
        for node in nodes:
            if node.name in seen:
                raise ModelError(
                    f"{where} is damaged: two of its nodes are called {_short(node.name)!r}."
                )
            seen.add(node.name)


def _check_counts(where: str, graph_def: Any) -> None:
    """Raise ModelError where an attribute counts inputs that are not there, or endless outputs."""
    from tensorflow.python.framework import op_def_registry

    for node in every_node(graph_def):
        definition = op_def_registry.get(node.op)
        if definition is None:
            continue
        for arguments, most in (
            (definition.input_arg, len(node.input)),
            (definition.output_arg, _MOST_OUTPUTS),
        ):
            for name in {a.number_attr for a in arguments if a.number_attr in node.attr}:
                if not 0 <= node.attr[name].i <= most:
                    raise ModelError(
                        f"{where} is damaged: {_short(node.name)!r} counts {node.attr[name].i} "
                        f"in its attribute {name}, and at most {most} are there."
                    )


def _check_expansion(where: str, graph_def: Any) -> None:
    """Raise ModelError for functions that call themselves or grow without bound when inlined."""
    functions = {f.signature.name: f for f in graph_def.library.function}
    sizes: dict[str, int] = {}
    open_calls: list[tuple[str, bool]] = [(name, False) for name in functions]
    running: set[str] = set()
    while open_calls:
        name, done = open_calls.pop()
        if done:
            running.discard(name)
            sizes[name] = sum(
                1 + sum(sizes.get(inner, 0) for inner in _inner(node, functions))
                for node in functions[name].node_def
            )
            if sizes[name] > _MOST_NODES:
                raise ModelError(
                    f"{where}: the function {_short(name)} grows beyond {_MOST_NODES} nodes."
                )
        elif name in running:
            raise ModelError(f"{where}: the function {_short(name)} calls itself.")
        elif name not in sizes:
            running.add(name)
            open_calls.append((name, True))
            inner = {i for node in functions[name].node_def for i in _inner(node, functions)}
            open_calls += [(i, False) for i in inner if i not in sizes]


def _inner(node: Any, functions: dict[str, Any]) -> list[str]:
    names = [name for name in called(node) if name in functions]
    return [*names, node.op] if node.op in functions else names


def _listed(found: dict[str, str]) -> str:
    words = [f"{_short(op)} (node {_short(name)!r})" for op, name in list(found.items())[:_NAMED]]
    more = len(found) - _NAMED
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[:_LONGEST] + "…"
