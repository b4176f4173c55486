"""Any graph as one graph of constants: pruned, its functions inlined, its variables replaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import LayerscopeError, ModelError
from layerscope.models.quiet import quiet_import
from layerscope.models.tensorflow.checkpoint import VARIABLES
from layerscope.models.tensorflow.entries import Entries, Entry, find_entries, main_input
from layerscope.models.tensorflow.safety import check_operations
from layerscope.models.tensorflow.wiring import (
    Wiring,
    data_inputs,
    drop_unknown,
    is_training,
    node_of,
)

_CALL = re.compile(r"(Stateful)?PartitionedCall(_\d+)?")
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BRANCHES = frozenset({"If", "StatelessIf"})

Values = Callable[[Sequence[str]], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class Frozen:
    """A graph of constants.

    graph_def: the graph. entries: what it is fed. outputs: tensors that it returns, or
    none where nothing says so. fixed: settings that have decided which branches are there.
    """

    graph_def: Any
    entries: Entries
    outputs: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Signature:
    """What a SavedModel's signature says: tensors by name."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def freeze(
    where: str,
    graph_def: Any,
    values: Values,
    *,
    signature: Signature | None = None,
    trust: bool = False,
) -> Frozen:
    """Make one graph of constants.

    values: gives the values of variables by the names of their nodes. signature: inputs and
    outputs; without one, everything that a placeholder reaches is kept, but for training.
    """
    wiring = Wiring(graph_def)
    if signature is not None:
        ends = (*signature.outputs.values(), *signature.inputs.values())
        wiring = Wiring(wiring.pruned(map(node_of, ends)))
    entries = find_entries(wiring, signature.inputs if signature else None)
    if not entries.inputs:
        raise ModelError(
            f"{where} has no input: no placeholder of numbers feeds any of its operations. "
            "Expected a graph for inference, with a placeholder for the picture."
        )
    outputs = tuple(signature.outputs.values()) if signature else ()
    targets = list(map(node_of, outputs)) if signature else _targets(wiring, entries)
    targets += [node_of(entry.tensor) for entry in entries.inputs]
    pruned = wiring.pruned(targets)
    check_operations(where, pruned, trust=trust, saver=False)
    fixed: set[str] = set()
    try:
        pruned = _decided(pruned, entries, fixed)
        pruned = _inlined(pruned, [*targets, *(s.name for s in entries.settings)])
        pruned = _replaced(pruned, values)
    except LayerscopeError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ModelError(f"{where} cannot be made ready by TensorFlow: {text}") from error
    names = _rename(pruned, _display(entries))
    entries = _kept(pruned, entries, names)
    return Frozen(
        pruned, entries, tuple(_renamed(tensor, names) for tensor in outputs), frozenset(fixed)
    )


def _targets(wiring: Wiring, entries: Entries) -> list[str]:
    """Everything that depends on the inputs, but for training and what needs the labels."""
    start = [node_of(entry.tensor) for entry in entries.inputs]
    reached = wiring.reached(start, lambda node: not is_training(node))
    labelled = wiring.reached(entries.left_out)
    return [name for name in reached if name not in labelled]


def _decided(graph_def: Any, entries: Entries, fixed: set[str]) -> Any:
    """Replace a choice that a setting makes (``is_training``) by the branch it takes."""
    wiring = Wiring(graph_def)
    settings = {s.name: s.value for s in entries.settings if s.value is not None}
    for node in graph_def.node:
        if node.op not in _BRANCHES:
            continue
        source, value = _predicate(wiring, data_inputs(node)[0], settings)
        if value is None:
            continue
        if source in settings:
            fixed.add(source)
        branch = node.attr["then_branch" if value else "else_branch"].func
        stateful = node.op == "If"
        kept = {key: node.attr[key] for key in ("Tin", "Tout")}
        name, inputs = node.name, list(node.input)[1:]
        fresh = type(node)()
        fresh.name, fresh.op = name, "StatefulPartitionedCall" if stateful else "PartitionedCall"
        fresh.input[:] = inputs
        for key, attr in kept.items():
            fresh.attr[key].CopyFrom(attr)
        fresh.attr["f"].func.CopyFrom(branch)
        node.CopyFrom(fresh)
    return Wiring(graph_def).pruned([n.name for n in graph_def.node]) if fixed else graph_def


def _predicate(wiring: Wiring, name: str, settings: Mapping[str, float]) -> tuple[str, bool | None]:
    from tensorflow.python.framework import tensor_util

    invert = False
    for _ in range(8):
        node = wiring.nodes.get(node_of(name))
        if node is None:
            break
        if node.name in settings:
            return node.name, bool(settings[node.name]) != invert
        if node.op == "Const":
            value = np.asarray(tensor_util.MakeNdarray(node.attr["value"].tensor))
            return "", (bool(value) != invert) if value.ndim == 0 else None
        if node.op not in ("Identity", "LogicalNot", "Cast"):
            break
        invert ^= node.op == "LogicalNot"
        name = node.input[0]
    return "", None


def _inlined(graph_def: Any, kept: Sequence[str]) -> Any:
    """The graph with the functions that it calls written out; loops and choices stay."""
    if not any(node.op in _CALLS for node in graph_def.node):
        return graph_def
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
    from tensorflow.python.framework.convert_to_constants import disable_lower_using_switch_merge
    from tensorflow.python.grappler import tf_optimizer

    graph_def = disable_lower_using_switch_merge(graph_def)
    for function in graph_def.library.function:
        for attr in ("api_implements", "_noinline"):
            if attr in function.attr:
                del function.attr[attr]
    meta = meta_graph_pb2.MetaGraphDef()
    meta.graph_def.CopyFrom(graph_def)
    meta.collection_def["train_op"].node_list.value.extend(dict.fromkeys(kept))
    config = config_pb2.ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.min_graph_nodes = -1
    rewrite.optimizers.append("function")
    rewrite.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    with quiet_import():
        inlined = tf_optimizer.OptimizeGraph(config, meta)
    ordered = type(inlined)()
    ordered.CopyFrom(inlined)
    del ordered.node[:]
    ordered.node.extend(Wiring(inlined).in_branches())
    return ordered


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


def _display(entries: Entries) -> dict[str, str]:
    return {
        node_of(entry.tensor): entry.name
        for entry in entries.inputs
        if node_of(entry.tensor).endswith(f"_{entry.name}")
    }


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
    settings = tuple(s for s in entries.settings if s.name in present)
    return Entries(inputs, settings, entries.left_out, main)


def _shown(entry: Entry, names: Mapping[str, str]) -> str:
    """An input is shown under its node's name, so that the two never differ."""
    node = node_of(entry.tensor)
    return names.get(node, node)
