"""Nodes as a record's description holds them, read back without trust in it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from layerscope.axes import Axes, Axis
from layerscope.errors import InputError, LayerscopeError
from layerscope.graph import Node
from layerscope.operations import Opaque, Operation

_OPERATIONS = {kind.kind: kind for kind in Operation.__subclasses__()}
_LARGEST = 2**31
_LONGEST = 2000


def node_as_json(node: Node) -> dict[str, Any]:
    """All of a node, to be read back."""
    return {**node.as_json(), "dtype": node.dtype, "shared": node.shared}


def node_from_json(found: Mapping[str, Any]) -> Node:
    """A node as ``node_as_json`` wrote it. Raises InputError where it is not understood."""
    try:
        node = Node(
            _name(found["name"]),
            None if found["index"] is None else _count(found["index"]),
            _name(found["layer"]),
            _name(found["type"]),
            _operation(found["operation"]),
            tuple(map(_name, found["inputs"])),
            tuple(None if size is None else _count(size) for size in found["shape"]),
            Axes.parse(_name(found["axes"])),
            _count(found["parameters"], 2**53),
            _name(found["dtype"]),
            bool(found["shared"]),
        )
        known = [name for name in node.axes.names if name is not Axis.OTHER]
        if len(node.shape) != len(node.axes) or len(set(known)) < len(known):
            raise ValueError(f"its shape {node.shape} does not go with its axes {node.axes}")
    except (KeyError, TypeError, ValueError, AttributeError, LayerscopeError) as error:
        raise InputError(f"a node is not understood: {str(error)[:200]}") from error
    return node


def proper(text: str) -> str:
    """Text that can be written as UTF-8: what is half a character becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _name(found: Any) -> str:
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise ValueError(f"a text of at most {_LONGEST:,} characters was expected")
    return proper(found)


def _count(found: Any, most: int = _LARGEST) -> int:
    if type(found) is not int or not 0 <= found <= most:
        raise ValueError(f"a whole number from 0 to {most:,} was expected")
    return found


def _operation(found: Mapping[str, Any]) -> Operation:
    """An operation from its fields; one of a later version, or with others, is opaque."""
    kind = _OPERATIONS.get(str(found["kind"]), Opaque)
    types = get_type_hints(kind)
    fields = {name: _frozen(value) for name, value in found.items() if name != "kind"}
    if not all(name in types and _fits(value, types[name]) for name, value in fields.items()):
        return Opaque()
    try:
        made = kind(**fields)
        made.summary()
    except (TypeError, ValueError, IndexError):
        return Opaque()
    return made


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of an annotated type."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if parts[-1] is Ellipsis:
            return all(_fits(part, parts[0]) for part in value)
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if wanted is NoneType:
        return value is None
    if wanted is float:
        return type(value) in (int, float) and isfinite(value)
    return type(value) is wanted or wanted is Any


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
