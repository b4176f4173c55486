"""Copies: operations that only move values, seen from the values that they move."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.graph import Node
from layerscope.operations import (
    Concatenation,
    Elementwise,
    Gather,
    Operation,
    Padding,
    Permutation,
    Reshape,
    Slice,
    Stack,
    Upsampling,
)

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_IDENTITIES = frozenset({"identity", "linear", "stop_gradient"})
_PAD_MODES = {"zero": "constant", "constant": "constant", "crop": "constant", "edge": "edge",
              "reflect": "reflect", "symmetric": "symmetric"}  # fmt: skip
_LARGEST = 1 << 26
NOTHING = -1
"""The place of a value that is no copy, such as padding."""


def is_identity(operation: Operation) -> bool:
    """Whether an operation gives back its input."""
    return isinstance(operation, Elementwise) and operation.function in _IDENTITIES


def is_copy(operation: Operation) -> bool:
    """Whether every value that an operation gives is one of its inputs', or padding."""
    if isinstance(operation, Padding):
        return operation.mode in _PAD_MODES
    if isinstance(operation, Upsampling):
        return operation.method == "nearest"
    kinds = Concatenation | Gather | Permutation | Reshape | Slice | Stack
    return isinstance(operation, kinds) or is_identity(operation)


def moved(node: Node, inputs: Sequence[Ints], output: Sequence[int]) -> Ints | None:
    """Numbers that stand for the inputs' values, laid out as the node lays out the values.

    inputs: an array for each input, batch axis included. output: the shape of the node's
    output. Returns None where the node does not only move values; ``NOTHING`` stands for
    what is none of them.
    """
    operation = node.operation
    if not inputs or node.hides or not is_copy(operation) or prod(output) > _LARGEST:
        return None
    try:
        found = _moved(operation, inputs, tuple(output))
    except (ValueError, IndexError, TypeError):
        return None
    return found if found.shape == tuple(output) else None


def _moved(operation: Operation, inputs: Sequence[Ints], output: tuple[int, ...]) -> Ints:
    first = inputs[0]
    if isinstance(operation, Concatenation):
        return np.concatenate(inputs, axis=operation.axis)
    if isinstance(operation, Stack):
        return np.stack(inputs, axis=operation.axis)
    if len(inputs) != 1:
        raise ValueError
    if isinstance(operation, Reshape):
        return (first.transpose(operation.order) if operation.order else first).reshape(output)
    if isinstance(operation, Permutation):
        return first.transpose(operation.order)
    if isinstance(operation, Slice):
        found = first[tuple(slice(*part) for part in operation.parts)]
        return found.squeeze(axis=operation.dropped) if operation.dropped else found
    if isinstance(operation, Gather):
        return first.take(operation.indices, axis=operation.axis)
    if isinstance(operation, Padding):
        return _padded(operation, first)
    if isinstance(operation, Upsampling):
        for axis, factor in zip(_spatial(operation, first.ndim), operation.factors, strict=True):
            first = np.repeat(first, factor, axis=axis)
    return first


def _spatial(operation: Padding | Upsampling, rank: int) -> range:
    return range(2, rank) if operation.data_format == "channels_first" else range(1, rank - 1)


def _padded(operation: Padding, given: Ints) -> Ints:
    amounts = [(0, 0)] * given.ndim
    for axis, pair in zip(_spatial(operation, given.ndim), operation.amounts, strict=True):
        amounts[axis] = pair
    cut = tuple(
        slice(max(-before, 0), size - max(-after, 0))
        for (before, after), size in zip(amounts, given.shape, strict=True)
    )
    added = [(max(before, 0), max(after, 0)) for before, after in amounts]
    mode: Any = _PAD_MODES[operation.mode]
    extra = {"constant_values": NOTHING} if mode == "constant" else {}
    return np.asarray(np.pad(given[cut], added, mode=mode, **extra))


def read_through(
    operation: Operation, masks: Sequence[Mask], inputs: Sequence[Sequence[int]]
) -> tuple[tuple[Mask, ...], ...] | None:
    """What a slice, gather, stack or turned reshape needs of each input, axis by axis.

    masks: which positions of each axis of the output are wanted. inputs: shapes. Returns None
    for other operations, and where the sizes do not fit. Slices, gathers and stacks need
    exactly these; a reshape needs at least one element at each end of every axis.
    """
    if isinstance(operation, Stack):
        rest = tuple(mask for axis, mask in enumerate(masks) if axis != operation.axis)
        nothing = tuple(np.zeros_like(mask) for mask in rest)
        wanted = masks[operation.axis]
        if len(wanted) != len(inputs):
            return None
        return tuple(rest if chosen else nothing for chosen in wanted)
    if len(inputs) != 1:
        return None
    sizes = tuple(inputs[0])
    if isinstance(operation, Gather):
        if len(masks) != len(sizes) or len(masks[operation.axis]) != len(operation.indices):
            return None
        own = np.zeros(sizes[operation.axis], np.bool_)
        own[np.asarray(operation.indices)[masks[operation.axis]]] = True
        return ((*masks[: operation.axis], own, *masks[operation.axis + 1 :]),)
    if isinstance(operation, Slice):
        return _read_slice(operation, masks, sizes)
    if isinstance(operation, Reshape) and operation.order:
        return _read_turned(operation, masks, sizes)
    return None


def _read_slice(
    operation: Slice, masks: Sequence[Mask], sizes: tuple[int, ...]
) -> tuple[tuple[Mask, ...], ...] | None:
    left = iter(masks)
    found = []
    for axis, (size, part) in enumerate(zip(sizes, operation.parts, strict=True)):
        own = np.zeros(size, np.bool_)
        wanted = np.ones(1, np.bool_) if axis in operation.dropped else next(left, None)
        if wanted is None or len(own[slice(*part)]) != len(wanted):
            return None
        own[slice(*part)] = wanted
        found.append(own)
    return (tuple(found),)


def _read_turned(
    operation: Reshape, masks: Sequence[Mask], sizes: tuple[int, ...]
) -> tuple[tuple[Mask, ...], ...] | None:
    if prod(sizes) > _LARGEST or prod(sizes) != prod(len(mask) for mask in masks):
        return None
    chosen: Mask = np.ones((), np.bool_)
    for mask in masks:
        chosen = np.logical_and.outer(chosen, mask)
    turned = chosen.reshape([sizes[axis] for axis in operation.order])
    back = turned.transpose(np.argsort(operation.order))
    own = [
        np.asarray(back.any(axis=tuple(set(range(back.ndim)) - {axis})))
        for axis in range(back.ndim)
    ]
    return (tuple(own),)


def sliced_sizes(operation: Slice, sizes: Sequence[int]) -> list[int]:
    """The shape of a slice of an array of this shape."""
    return [
        len(range(size)[slice(*part)])
        for axis, (size, part) in enumerate(zip(sizes, operation.parts, strict=True))
        if axis not in operation.dropped
    ]


def slice_moves(
    operation: Slice, sizes: Sequence[int], spatial: Sequence[int]
) -> list[tuple[int, int, int]]:
    """For each spatial axis of the input: where it starts (twice), and its step."""
    kept = [range(sizes[axis])[slice(*operation.parts[axis])] for axis in spatial]
    return [(held.start, held.start, held.step) for held in kept]
