"""The values of a graph's variables, read from a checkpoint; its restore operations never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.tensorflow.runtime import load_tensorflow

VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
_PASSING = frozenset({"Identity", "Cast"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})

Stored = tuple[str, str]


def read_variables(
    graph_def: Any, saver: Any, wanted: Sequence[str], prefix: Path
) -> dict[str, NDArray[Any]]:
    """The values of the variables named.

    graph_def: the whole graph, in which the saver's restore operations tell what each
    variable is called in the checkpoint. Raises ModelError where a value is not there.
    """
    if not wanted:
        return {}
    where = stored_names(graph_def, saver)
    nodes = {node.name: node for node in graph_def.node}
    with _Opened(prefix) as reader:
        shapes = reader.get_variable_to_shape_map()
        stored = {name: where.get(name) or _own_name(nodes[name], shapes) for name in wanted}
        missing = [name for name, (key, _) in stored.items() if key not in shapes]
        if missing:
            raise ModelError(
                f"{prefix} lacks the values of {len(missing)} of {len(wanted)} variables, such as "
                f"{missing[0]!r}. Expected the checkpoint that was saved with this graph."
            )
        _check_declared(prefix, reader, {key for key, _ in stored.values()}, shapes)
        return {name: _sliced(reader.get_tensor(key), s) for name, (key, s) in stored.items()}


class _Opened:
    """A checkpoint's reader, with TensorFlow's failures told as one message."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix

    def __enter__(self) -> Any:
        tf = load_tensorflow()
        present = list(self.prefix.parent.glob(_escaped(self.prefix.name) + ".index"))
        if not present and not self.prefix.is_file():
            raise ModelError(
                f"The weights of {self.prefix}.meta are not there: expected {self.prefix.name}"
                ".index and .data-00000-of-00001 beside it."
            )
        return self._told(lambda: tf.train.load_checkpoint(str(self.prefix)))

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None and not isinstance(error, ModelError):
            raise self._damaged(error) from error

    def _told(self, work: Any) -> Any:
        try:
            return work()
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: BaseException) -> ModelError:
        text = " ".join(str(error).split())[:200]
        return ModelError(
            f"The checkpoint {self.prefix} cannot be read: {text}. Copy or download it again."
        )


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _check_declared(prefix: Path, reader: Any, keys: set[str], shapes: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that declares more than its files hold."""
    parts = list(prefix.parent.glob(_escaped(prefix.name) + ".data-*"))
    if not parts:
        return
    types = reader.get_variable_to_dtype_map()
    declared = sum(
        max(1, types[key].size) * int(np.prod(shapes[key], dtype=object)) for key in keys
    )
    stored = sum(part.stat().st_size for part in parts)
    if declared > stored:
        raise ModelError(
            f"The checkpoint {prefix} declares {declared} bytes, but its files hold {stored}: it "
            "is damaged or truncated. Copy or download it again."
        )


def _own_name(node: Any, shapes: Mapping[str, Any]) -> Stored:
    shared = node.attr["shared_name"].s.decode(errors="replace")
    return (shared if node.name not in shapes and shared in shapes else node.name), ""


def _sliced(values: Any, spec: str) -> NDArray[Any]:
    """A part of a variable that was saved in parts: ``"10 20 0,5:-"`` is rows 0 to 5."""
    array = np.asarray(values)
    if not spec.strip():
        return array
    parts = spec.split()[-1].split(":")
    index = []
    for part in parts:
        start, _, length = part.partition(",")
        index.append(slice(None) if part == "-" else slice(int(start), int(start) + int(length)))
    return array[tuple(index)]


def stored_names(graph_def: Any, saver: Any) -> dict[str, Stored]:
    """What each variable's node is called in the checkpoint, and which slice of it it is."""
    nodes = {node.name: node for node in graph_def.node}
    restore = saver.restore_op_name.removeprefix("^").split(":")[0]
    if restore not in nodes:
        return {}
    found = dict(_assigned(nodes, {}))
    if nodes[restore].op in _CALLS:
        functions = {f.signature.name: f for f in graph_def.library.function}
        function = functions.get(nodes[restore].attr["f"].func.name)
        if function is not None:
            handles = [name for name in nodes[restore].input if not name.startswith("^")]
            arguments = dict(
                zip(
                    (argument.name for argument in function.signature.input_arg),
                    (_base(name) for name in handles),
                    strict=False,
                )
            )
            inner = {node.name: node for node in function.node_def}
            found |= dict(_assigned(inner, arguments))
    return found


def _assigned(
    nodes: Mapping[str, Any], arguments: Mapping[str, str]
) -> Iterator[tuple[str, Stored]]:
    for node in nodes.values():
        if node.op not in ("Assign", "AssignVariableOp") or len(node.input) < 2:
            continue
        source, place = _base(node.input[1]), _place(node.input[1])
        for _ in range(4):
            if source in nodes and nodes[source].op in _PASSING and nodes[source].input:
                source, place = _base(nodes[source].input[0]), _place(nodes[source].input[0])
        if source not in nodes or nodes[source].op != "RestoreV2":
            continue
        keys = _texts(nodes, nodes[source].input[1])
        slices = _texts(nodes, nodes[source].input[2])
        target = _base(node.input[0])
        if place < len(keys):
            spec = slices[place] if place < len(slices) else ""
            yield arguments.get(target, target), (keys[place], spec)


def _texts(nodes: Mapping[str, Any], name: str) -> list[str]:
    node = nodes.get(_base(name))
    if node is None or node.op != "Const":
        return []
    return [text.decode(errors="replace") for text in node.attr["value"].tensor.string_val]


def _base(name: str) -> str:
    return name.removeprefix("^").split(":")[0]


def _place(name: str) -> int:
    last = name.rpartition(":")[2]
    return int(last) if ":" in name and last.isdigit() else 0
