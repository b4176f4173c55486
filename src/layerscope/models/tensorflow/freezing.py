"""Any graph as one graph of constants: pruned, its functions inlined, its variables replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import LayerscopeError, ModelError
from layerscope.models.tensorflow.allowed import LOOKING
from layerscope.models.tensorflow.checkpoint import VARIABLES
from layerscope.models.tensorflow.choices import decided
from layerscope.models.tensorflow.entries import Entries, Entry, find_entries, main_input
from layerscope.models.tensorflow.feeding import find_feeds, with_placeholders
from layerscope.models.tensorflow.inlining import inlined
from layerscope.models.tensorflow.safety import check_operations
from layerscope.models.tensorflow.soundness import check_edges
from layerscope.models.tensorflow.tables import find_fillers, without_empty_tables
from layerscope.models.tensorflow.wiring import (
    Wiring,
    drop_unknown,
    is_training,
    node_of,
)

_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
_MOST_ROUNDS = 16
_RESOURCE = 20

Values = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class Frozen:
    """A graph of constants.

    graph_def: the graph. entries: what it is fed. outputs: tensors that it returns, or
    none where nothing says so. fixed: settings that have decided which branches are there.
    first: operations to be run once before anything else, which fill tables. notes: what was
    decided. again: the same graph with other values of settings.
    """

    graph_def: Any
    entries: Entries
    outputs: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    again: Callable[[Mapping[str, float]], Frozen] | None = None


@dataclass(frozen=True)
class Signature:
    """What a SavedModel's signature says: tensors by name. infos: of the inputs, where stored."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    infos: Mapping[str, Any] = field(default_factory=dict)


def freeze(
    where: str,
    graph_def: Any,
    values: Values,
    *,
    signature: Signature | None = None,
    trust: bool = False,
    settings: Mapping[str, float] | None = None,
) -> Frozen:
    """Make one graph of constants.

    values: gives the values of variables by the names of their nodes. signature: inputs and
    outputs; without one, everything that a placeholder reaches is kept, but for training.
    trust: let the operations that fill tables run. settings: values of scalar placeholders,
    by the names of their nodes, where they are not what they are for inference.
    """
    try:
        return _freeze(where, graph_def, values, signature, trust, settings or {})
    except LayerscopeError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ModelError(f"{where} cannot be made ready by TensorFlow: {text}") from error


def _freeze(
    where: str,
    given: Any,
    values: Values,
    signature: Signature | None,
    trust: bool,
    settings: Mapping[str, float],
) -> Frozen:
    feeds = find_feeds(Wiring(given), signature.infos if signature else {})
    graph_def = with_placeholders(given, feeds) if feeds else given
    wiring = whole = Wiring(graph_def)
    if signature is not None:
        ends = (*signature.outputs.values(), *signature.inputs.values())
        wiring = Wiring(wiring.pruned(map(node_of, ends)))
    fed = frozenset(feed.name for feed in feeds)
    entries = _told(find_entries(wiring, signature.inputs if signature else None, fed), settings)
    if not entries.inputs:
        raise ModelError(
            f"{where} has no input: no placeholder of numbers feeds any of its operations. "
            "Expected a graph for inference, with a placeholder for the picture."
        )
    outputs = tuple(signature.outputs.values()) if signature else ()
    starts = [node_of(entry.tensor) for entry in entries.inputs]
    targets = [*(map(node_of, outputs) if signature else _targets(wiring, entries)), *starts]
    fillers = find_fillers(whole, wiring.behind(targets)) if trust else []
    pruned = whole.pruned([*targets, *fillers])
    check_operations(where, pruned, trust=trust, idle=LOOKING)
    fixed: set[str] = set()
    pruned = _written_out(pruned, entries, targets, fillers, fixed)
    tables = without_empty_tables(where, pruned, starts, outputs, trust=trust)
    pruned = _replaced(tables.graph_def, values)
    check_edges(where, pruned)
    names = _rename(pruned, _display(entries, signature))
    own = {shown: node for node, shown in names.items()}

    def again(wanted: Mapping[str, float]) -> Frozen:
        found = {own.get(name, name): value for name, value in wanted.items()}
        return freeze(where, given, values, signature=signature, trust=trust, settings=found)

    return Frozen(
        pruned,
        _kept(pruned, entries, names),
        tuple(_renamed(tensor, names) for tensor in tables.ends),
        frozenset(names.get(name, name) for name in fixed),
        tuple(names.get(name, name) for name in tables.fillers),
        (*(feed.note for feed in feeds if feed.name in starts), *tables.notes),
        again,
    )


def _told(entries: Entries, values: Mapping[str, float]) -> Entries:
    settings = (replace(s, value=values.get(s.name, s.value)) for s in entries.settings)
    return replace(entries, settings=tuple(settings))


def _targets(wiring: Wiring, entries: Entries) -> list[str]:
    """Everything that depends on the inputs, but for training and what needs the labels."""
    start = [node_of(entry.tensor) for entry in entries.inputs]
    reached = wiring.reached(start, lambda node: not is_training(node))
    labelled = wiring.reached(entries.left_out)
    return [name for name in reached if name not in labelled and not _passes_variable(wiring, name)]


def _passes_variable(wiring: Wiring, name: str) -> bool:
    """Whether a node hands on a variable itself, as a loop does, which is no value to show."""
    node = wiring.nodes[name]
    return bool(node.op == "Identity" and node.attr["T"].type == _RESOURCE)


def _written_out(
    graph_def: Any,
    entries: Entries,
    targets: Sequence[str],
    fillers: Sequence[str],
    fixed: set[str],
) -> Any:
    """The graph with the choices of settings made and its functions inlined."""
    kept = [*targets, *fillers, *(s.name for s in entries.settings)]
    for _ in range(_MOST_ROUNDS):
        graph_def = decided(graph_def, entries, fixed)
        without = inlined(graph_def, kept, fillers)
        if without is graph_def:
            break
        graph_def = without
    return Wiring(graph_def).pruned([*targets, *fillers, *fixed])


def _replaced(graph_def: Any, values: Values) -> Any:
    """The graph with its variables replaced by constants."""
    wanted = [node.name for node in graph_def.node if node.op in VARIABLES]
    if not wanted:
        return graph_def
    from tensorflow.python.framework import convert_to_constants as convert

    found = values(wanted)
    types = {node.name: node.attr["dtype"].type for node in graph_def.node}
    data = convert._ConverterData(graph_def)
    for name in wanted:
        data._tensor_data[name] = convert._TensorData(
            numpy=np.asarray(found[name]), dtype=types[name], index=None
        )
    return convert._replace_variables_by_constants(data)[0]


def _display(entries: Entries, signature: Signature | None) -> dict[str, str]:
    """Inputs are called what the signature calls them, where only its own name is before that."""
    named = {
        node_of(tensor): name for name, tensor in (signature.inputs if signature else {}).items()
    }
    named |= {node_of(entry.tensor): entry.name for entry in entries.inputs}
    return {node: name for node, name in named.items() if node.endswith(f"_{name}")}


def _rename(graph_def: Any, wished: Mapping[str, str]) -> dict[str, str]:
    """Take the names of inlined calls out of the nodes' names, where they stay different."""
    taken = {node.name for node in graph_def.node}
    names: dict[str, str] = {}
    for node in graph_def.node:
        parts = [part for part in node.name.split("/") if not _CALL.fullmatch(part)]
        short = wished.get(node.name) or "/".join(parts)
        if short and short != node.name and short not in taken:
            taken.add(short)
            names[node.name] = short
    for node in graph_def.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [_renamed(name, names) for name in node.input]
        drop_unknown(node)
        stale = ("_class",) if node.op.startswith("Placeholder") else ("_class", "_output_shapes")
        for attr in stale:
            if attr in node.attr:
                del node.attr[attr]
    return names


def _renamed(tensor: str, names: Mapping[str, str]) -> str:
    mark = "^" if tensor.startswith("^") else ""
    name, colon, place = tensor.removeprefix("^").partition(":")
    return f"{mark}{names.get(name, name)}{colon}{place}"


def _kept(graph_def: Any, entries: Entries, names: Mapping[str, str]) -> Entries:
    """The entries under their new names; settings only where something still needs them."""
    present = {node.name for node in graph_def.node}
    inputs = tuple(
        Entry(_shown(entry, names), _renamed(entry.tensor, names)) for entry in entries.inputs
    )
    main = main_input(Wiring(graph_def), inputs)
    settings = tuple(
        replace(s, name=names.get(s.name, s.name))
        for s in entries.settings
        if names.get(s.name, s.name) in present
    )
    return Entries(inputs, settings, entries.left_out, main)


def _shown(entry: Entry, names: Mapping[str, str]) -> str:
    """An input is shown under its node's name, so that the two never differ."""
    node = node_of(entry.tensor)
    return names.get(node, node)
