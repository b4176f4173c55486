"""TensorFlow's operations that only move values, as neutral operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerscope.models.tensorflow.constants import whole_numbers
from layerscope.models.tensorflow.meaning import Carries
from layerscope.operations import Gather, Operation, Slice, Stack

Part = tuple[int | None, int | None, int | None]
_ALL: Part = (None, None, None)
_MOST_INDICES = 1 << 16


def moving(operation: Any, output: int, carries: Carries) -> Operation | None:
    """The operation behind one output, or None where it does more than move values.

    carries: whether a tensor depends on the input.
    """
    found = _TABLE.get(operation.type)
    return None if found is None else found(operation, output, carries)


def _rank(operation: Any, place: int = 0) -> int | None:
    rank: int | None = operation.inputs[place].shape.rank
    return rank


def _sliced(parts: list[Part], dropped: tuple[int, ...] = ()) -> Operation | None:
    """A slice that leaves the batch whole."""
    return Slice(tuple(parts), dropped) if parts and parts[0] == _ALL else None


def _strided(operation: Any, output: int, carries: Carries) -> Operation | None:
    numbers = [whole_numbers(tensor) for tensor in list(operation.inputs)[1:4]]
    rank = _rank(operation)
    starts, stops, steps = numbers
    if rank is None or starts is None or stops is None or steps is None:
        return None
    masks = {
        name: int(operation.get_attr(f"{name}_mask"))
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if masks["new_axis"]:
        return None
    parts: list[Part] = []
    dropped = []
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            parts += [_ALL] * (rank - len(starts) + 1)
        elif masks["shrink_axis"] & bit:
            dropped.append(len(parts))
            parts.append((start, start + 1 if start != -1 else None, None))
        else:
            first = None if masks["begin"] & bit else start
            last = None if masks["end"] & bit else stop
            parts.append((first, last, step if step != 1 else None))
    parts += [_ALL] * (rank - len(parts))
    return _sliced(parts, tuple(dropped)) if len(parts) == rank else None


def _slice(operation: Any, output: int, carries: Carries) -> Operation | None:
    starts, counts = (whole_numbers(tensor) for tensor in list(operation.inputs)[1:3])
    if starts is None or counts is None:
        return None
    parts: list[Part] = [
        _ALL if (start, count) == (0, -1) else (start, None if count == -1 else start + count, None)
        for start, count in zip(starts, counts, strict=True)
    ]
    return _sliced(parts)


def _split(operation: Any, output: int, carries: Carries) -> Operation | None:
    sized = operation.type == "SplitV"
    axis, rank = (
        whole_numbers(operation.inputs[2 if sized else 0]),
        _rank(operation, int(not sized)),
    )
    if axis is None or rank is None:
        return None
    data = operation.inputs[0 if sized else 1]
    place, size = axis[0] % rank, data.shape[axis[0] % rank]
    if not place or size is None:
        return None
    if sized:
        asked = whole_numbers(operation.inputs[1])
        if asked is None:
            return None
        rest = int(size) - sum(count for count in asked if count != -1)
        counts = [rest if count == -1 else count for count in asked]
    else:
        number = int(operation.get_attr("num_split"))
        counts = [int(size) // number] * number
    start = sum(counts[:output])
    part = (start, start + counts[output], None)
    return _sliced([part if i == place else _ALL for i in range(rank)])


def _unpack(operation: Any, output: int, carries: Carries) -> Operation | None:
    rank = _rank(operation)
    if rank is None:
        return None
    axis = int(operation.get_attr("axis")) % rank
    part = (output, output + 1, None)
    return _sliced([part if i == axis else _ALL for i in range(rank)], (axis,))


def _gather(operation: Any, output: int, carries: Carries) -> Operation | None:
    data, rank = operation.inputs[0], _rank(operation)
    if operation.type != "GatherV2" or rank is None or not carries(data):
        return None
    axis, indices = whole_numbers(operation.inputs[2]), whole_numbers(operation.inputs[1])
    if (
        axis is None
        or indices is None
        or not axis[0] % rank
        or int(operation.get_attr("batch_dims"))
    ):
        return None
    if len(indices) > _MOST_INDICES or operation.inputs[1].shape.rank != 1:
        return None
    return Gather(axis[0] % rank, indices)


def _reverse(operation: Any, output: int, carries: Carries) -> Operation | None:
    rank, axes = _rank(operation), whole_numbers(operation.inputs[1])
    if rank is None or axes is None:
        return None
    turned = {axis % rank for axis in axes}
    return _sliced([(None, None, -1) if i in turned else _ALL for i in range(rank)])


def _pack(operation: Any, output: int, carries: Carries) -> Operation | None:
    rank = operation.outputs[0].shape.rank
    if rank is None or not all(carries(tensor) for tensor in operation.inputs):
        return None
    axis = int(operation.get_attr("axis")) % rank
    return Stack(axis) if axis else None


_TABLE: dict[str, Callable[[Any, int, Carries], Operation | None]] = {
    "StridedSlice": _strided,
    "Slice": _slice,
    "Split": _split,
    "SplitV": _split,
    "Unpack": _unpack,
    "GatherV2": _gather,
    "ReverseV2": _reverse,
    "Pack": _pack,
}
