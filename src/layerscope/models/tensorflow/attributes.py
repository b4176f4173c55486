"""Reading the attributes of TensorFlow's operations."""

from __future__ import annotations

from typing import Any


def data_format(operation: Any) -> str:
    """``"channels_last"`` or ``"channels_first"``."""
    first = text(operation, "data_format", "NHWC").startswith("NC")
    return "channels_first" if first else "channels_last"


def text(operation: Any, name: str, missing: str) -> str:
    """An attribute that is a word."""
    try:
        found = operation.get_attr(name)
    except ValueError:
        return missing
    return found.decode(errors="replace") if isinstance(found, bytes) else str(found)


def spatial(operation: Any, values: Any) -> tuple[int, ...]:
    """The spatial ones of an attribute that holds a value for every axis."""
    values = tuple(int(v) for v in values)
    first = data_format(operation) == "channels_first"
    kept: tuple[int, ...] = values[2:] if first else values[1:-1]
    return kept


def padding(operation: Any) -> str | tuple[tuple[int, int], ...]:
    """``"valid"``, ``"same"``, or a pair for every spatial axis."""
    stated = text(operation, "padding", "VALID").lower()
    if stated != "explicit":
        return stated
    flat = list(operation.get_attr("explicit_paddings"))
    pairs = [(int(a), int(b)) for a, b in zip(flat[::2], flat[1::2], strict=True)]
    return tuple(pairs[2:] if data_format(operation) == "channels_first" else pairs[1:-1])


def dilation(operation: Any, rank: int) -> tuple[int, ...]:
    """The dilation of every spatial axis; 1 in graphs from before it was an attribute."""
    try:
        return spatial(operation, operation.get_attr("dilations"))
    except ValueError:
        return (1,) * rank


def known_shape(tensor: Any) -> list[int] | None:
    """A tensor's shape where all of it is known."""
    if not tensor.shape.is_fully_defined():
        return None
    return [int(size) for size in tensor.shape.as_list()]


def flag(operation: Any, name: str) -> bool:
    """An attribute that is true or false; false where it is missing."""
    try:
        return bool(operation.get_attr(name))
    except ValueError:
        return False
