"""Keras's operations that only move values, as neutral operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from layerscope.operations import Gather, Operation, Permutation, Reshape, Slice, Stack

Part = tuple[int | None, int | None, int | None]
_ALL: Part = (None, None, None)
_MOST_INDICES = 1 << 16


def moving(
    operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: int
) -> Operation | None:
    """The operation behind one of a call's outputs, or None where it does more than move."""
    found = _TABLE.get(type(operation).__name__)
    given = args[0] if args else next(iter(kwargs.values()), None)
    if found is None or given is None:
        return None
    rest = (*args[1:], *(value for key, value in kwargs.items() if args or value is not given))
    return found(operation, given, rest, output)


def flatten(layer: Any, args: tuple[Any, ...]) -> Operation:
    """Keras reads channels last, wherever they are, where it is told that they come first."""
    rank = len(args[0].shape) if args else 0
    if layer.data_format == "channels_first" and rank > 2:
        return Reshape("flatten", (0, *range(2, rank), 1))
    return Reshape("flatten")


def _item(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    # A saved model holds the parts as a list.
    key = tuple(rest[0]) if isinstance(rest[0], tuple | list) else (rest[0],)
    rank = len(given.shape)
    if any(part is None for part in key) or any(
        not (part is Ellipsis or isinstance(part, int | slice)) for part in key
    ):
        return None
    place = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    behind = key[place + 1 :]
    whole = (slice(None),) * (rank - place - len(behind))
    parts: list[Part] = []
    dropped = []
    for axis, part in enumerate((*key[:place], *whole, *behind)):
        if isinstance(part, int):
            dropped.append(axis)
            parts.append(_one(part))
        elif all(n is None or isinstance(n, int) for n in (part.start, part.stop, part.step)):
            parts.append((part.start, part.stop, part.step))
        else:
            return None
    return _sliced(tuple(parts), tuple(dropped))


def _one(place: int) -> Part:
    """The part of an axis that holds one position."""
    return (place, place + 1 if place != -1 else None, None)


def _sliced(parts: tuple[Part, ...], dropped: tuple[int, ...] = ()) -> Operation | None:
    """A slice that leaves the batch whole."""
    return Slice(parts, dropped) if parts and parts[0] == _ALL else None


def _along(rank: int, axis: int, part: Part) -> tuple[Part, ...]:
    return tuple(part if i == axis % rank else _ALL for i in range(rank))


def _split(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    rank, asked = len(given.shape), operation.indices_or_sections
    size = given.shape[operation.axis]
    if isinstance(asked, int):
        if size is None:
            return None
        ends = [size // asked * i for i in range(1, asked)]
    else:
        ends = [int(end) for end in asked]
    bounds = [None, *ends, None]
    return _sliced(_along(rank, operation.axis, (bounds[output], bounds[output + 1], None)))


def _unstack(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    rank = len(given.shape)
    axis = operation.axis % rank
    return _sliced(_along(rank, axis, _one(output)), (axis,))


def _take(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    if operation.axis is None or not rest or isinstance(rest[0], keras.KerasTensor):
        return None
    axis, size = operation.axis % len(given.shape), given.shape[operation.axis]
    try:
        indices = np.asarray(rest[0])
    except (TypeError, ValueError):
        return None
    if indices.dtype.kind not in "iu" or indices.ndim > 1 or not axis or size is None:
        return None
    if indices.ndim == 0:
        return _sliced(_along(len(given.shape), axis, _one(int(indices))), (axis,))
    return _gathered(axis, indices, size)


def _gathered(axis: int, indices: Any, size: int) -> Operation | None:
    if len(indices) > _MOST_INDICES or not all(-size <= i < size for i in indices):
        return None
    return Gather(axis, tuple(int(i) % size for i in indices))


def _flip(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    rank, axis = len(given.shape), operation.axis
    axes = {a % rank for a in ((axis,) if isinstance(axis, int) else axis or range(rank))}
    return _sliced(tuple((None, None, -1) if i in axes else _ALL for i in range(rank)))


def _roll(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    axis, shift = operation.axis, operation.shift
    if not isinstance(axis, int) or not isinstance(shift, int):
        return None
    size = given.shape[axis]
    if size is None or axis % len(given.shape) == 0:
        return None
    return _gathered(axis % len(given.shape), np.roll(np.arange(size), shift), size)


def _moveaxis(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation:
    rank = len(given.shape)
    moved = dict(zip(operation.destination, operation.source, strict=True))
    moved = {to % rank: start % rank for to, start in moved.items()}
    others = (axis for axis in range(rank) if axis not in moved.values())
    return Permutation(tuple(moved[i] if i in moved else next(others) for i in range(rank)))


def _swapaxes(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation:
    order = list(range(len(given.shape)))
    one, other = operation.axis1, operation.axis2
    order[one], order[other] = order[other], order[one]
    return Permutation(tuple(order))


def _stack(operation: Any, given: Any, rest: tuple[Any, ...], output: int) -> Operation | None:
    rank = len(given[0].shape) + 1
    axis = operation.axis % rank
    # An array among them is no node, so that the inputs could not be told apart.
    whole = all(isinstance(part, keras.KerasTensor) for part in given)
    return Stack(axis) if axis and whole else None


_TABLE: dict[str, Callable[[Any, Any, tuple[Any, ...], int], Operation | None]] = {
    "GetItem": _item,
    "Split": _split,
    "Unstack": _unstack,
    "Take": _take,
    "Flip": _flip,
    "Roll": _roll,
    "Moveaxis": _moveaxis,
    "Swapaxes": _swapaxes,
    "Stack": _stack,
}
