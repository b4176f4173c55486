"""Reads: which elements of each input an operation needs for given elements of its output.

Elements are chosen by one mask for every axis; their product is what is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.copies import read_through
from layerscope.explain.windows import output_size, windows
from layerscope.graph import Node
from layerscope.operations import (
    Attention,
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Embedding,
    Input,
    Normalization,
    Opaque,
    Padding,
    Permutation,
    Pooling,
    Recurrent,
    Reshape,
    Upsampling,
)

Mask = NDArray[np.bool_]
Masks = tuple[Mask, ...]
Sizes = tuple[int, ...]

SUMMING = ("softmax", "log_softmax")
"""Activation functions that look at all of an axis: the last one, where they are fused."""

# Positions on each side that an interpolation may weigh.
_REACH = {"bicubic": 2, "lanczos3": 3, "lanczos5": 5}
_LARGEST_RESHAPE = 1 << 26


@dataclass(frozen=True)
class Read:
    """What a node needs of its inputs.

    masks: for every input, a mask for each of its axes. exact: whether each end of a mask
    holds something that matters. note: why everything is needed, where that is so.
    """

    masks: tuple[Masks, ...]
    exact: bool = True
    note: str = ""


def everything(sizes: Sizes) -> Masks:
    """Every element of an array of this shape."""
    return tuple(np.ones(size, np.bool_) for size in sizes)


def reads(node: Node, masks: Masks, inputs: Sequence[Sizes], output: Sizes) -> Read:
    """What the chosen elements of a node's output read.

    masks: one for each axis of the output. inputs, output: shapes, batch included.
    """
    operation = node.operation
    if node.hides and not isinstance(operation, Opaque):
        note = f"{node.name} ({node.type}) may do more than is known, so it may see everything"
        return Read(tuple(everything(sizes) for sizes in inputs), False, note)
    through = read_through(operation, masks, inputs)
    if through is not None:
        same = not isinstance(operation, Reshape) or _count(through[0]) == _count(masks)
        return Read(through, same)
    found: Read | None = None
    if getattr(operation, "activation", "") in SUMMING:
        masks = (*masks[:-1], np.ones_like(masks[-1]))
    if isinstance(operation, Elementwise) and operation.function != "dot":
        found = _elementwise(operation, masks, inputs, output)
    elif isinstance(operation, Concatenation):
        found = _concatenation(operation, masks, inputs, output)
    elif len(inputs) == 1:
        found = _of_one(node, masks, inputs[0], output)
    if found is not None:
        return found
    note = f"{node.name} ({node.type}) is not understood, so it may see everything"
    if isinstance(operation, Attention):
        note = f"{node.name} ({node.type}) may see everything"
    return Read(tuple(everything(sizes) for sizes in inputs), False, note)


def _of_one(node: Node, masks: Masks, given: Sizes, output: Sizes) -> Read | None:
    operation = node.operation
    if isinstance(operation, Convolution | Pooling):
        return _window(node, operation, masks, given, output)
    if isinstance(operation, Dense) and given[:-1] == output[:-1]:
        note = "" if len(given) > 2 else f"{node.name} ({node.type}) sees all of its input"
        return Read(((*masks[:-1], np.ones(given[-1], np.bool_)),), note=note)
    if isinstance(operation, Normalization):
        return _normalization(node, operation, masks, given, output)
    if isinstance(operation, Reshape) and prod(given[1:]) == prod(output[1:]):
        return _reshape(masks, given)
    if isinstance(operation, Permutation):
        moved = [masks[operation.order.index(axis)] for axis in range(len(given))]
        return Read((tuple(moved),)) if _fits(moved, given) else None
    if isinstance(operation, Padding):
        return _padding(operation, masks, given)
    if isinstance(operation, Upsampling):
        return _upsampling(operation, masks, given)
    if isinstance(operation, Embedding) and given == output[:-1]:
        return Read((masks[:-1],))
    if isinstance(operation, Recurrent):
        note = f"{node.name} ({node.type}) sees every step"
        return Read((everything(given),), not operation.returns_steps, note)
    if isinstance(operation, Input):
        return Read(())
    return None


def spatial_axes(rank: int, data_format: str) -> range:
    """Positions of the spatial axes of a convolution's or pooling's arrays."""
    return range(2, rank) if data_format == "channels_first" else range(1, rank - 1)


def _window(
    node: Node, operation: Convolution | Pooling, masks: Masks, given: Sizes, output: Sizes
) -> Read | None:
    axes = spatial_axes(len(given), operation.data_format)
    channel = 1 if operation.data_format == "channels_first" else len(given) - 1
    found = list(everything(given))
    if isinstance(operation, Pooling):
        of_output = channel if len(output) == len(given) else 1
        found[channel] = masks[of_output]
        if operation.everywhere:
            note = f"{node.name} ({node.type}) sees every position"
            return Read((tuple(found),), note=note)
    if len(output) != len(given) or any(
        output_size(operation, i, given[axis]) != output[axis] for i, axis in enumerate(axes)
    ):
        return None
    along = windows(operation, [given[a] for a in axes], [output[a] for a in axes])
    for window, axis in zip(along, axes, strict=True):
        found[axis] = window.read_by(masks[axis])
    if isinstance(operation, Convolution) and operation.groups > 1:
        each = operation.filters // operation.groups
        used = masks[channel].reshape(operation.groups, each).any(axis=1)
        found[channel] = np.repeat(used, given[channel] // operation.groups)
    return Read((tuple(found),))


def _elementwise(
    operation: Elementwise, masks: Masks, inputs: Sequence[Sizes], output: Sizes
) -> Read | None:
    found, exact = [], True
    for given in inputs:
        lacking = len(output) - len(given)
        if lacking < 0:
            return None
        own = []
        for size, mask in zip(given, masks[lacking:], strict=True):
            if size not in (1, len(mask)):
                return None
            own.append(mask if size == len(mask) else np.array([mask.any()]))
        for axis in operation.axis:
            own[axis] = np.ones_like(own[axis])
        if operation.function == "local_response_normalization":
            # It looks at some channels on each side.
            exact = bool(own[-1].all())
            own[-1] = np.ones_like(own[-1])
        found.append(tuple(own))
    return Read(tuple(found), exact)


def _concatenation(
    operation: Concatenation, masks: Masks, inputs: Sequence[Sizes], output: Sizes
) -> Read | None:
    axis, start, found = operation.axis, 0, []
    if sum(given[axis] for given in inputs) != output[axis]:
        return None
    for given in inputs:
        own = masks[axis][start : start + given[axis]]
        start += given[axis]
        found.append((*masks[:axis], own, *masks[axis + 1 :]))
    return Read(tuple(found))


def _normalization(
    node: Node, operation: Normalization, masks: Masks, given: Sizes, output: Sizes
) -> Read | None:
    if given != output:
        return None
    if operation.method in ("batch", "fixed"):
        return Read((masks,))
    note = f"{node.name} ({node.type}) takes its mean over every position"
    if operation.method in ("group", "instance"):
        return Read((everything(given),), note=note)
    if operation.method not in ("layer", "rms", "unit"):
        return None
    own = [
        np.ones_like(mask) if axis in operation.axis else mask for axis, mask in enumerate(masks)
    ]
    spatial = set(operation.axis) & set(node.axes.spatial)
    return Read((tuple(own),), note=note if spatial else "")


def _reshape(masks: Masks, given: Sizes) -> Read | None:
    if prod(given[1:]) > _LARGEST_RESHAPE:
        return None
    if all(mask.all() for mask in masks[1:]):
        return Read(((masks[0], *everything(given[1:])),))
    chosen: Mask = np.ones((), np.bool_)
    for mask in masks[1:]:
        chosen = np.logical_and.outer(chosen, mask)
    chosen = chosen.reshape(given[1:])
    own: list[Mask] = [
        np.asarray(chosen.any(axis=tuple(set(range(chosen.ndim)) - {axis})))
        for axis in range(chosen.ndim)
    ]
    # Elements that are no product of rows and columns are told by one that holds them.
    return Read(((masks[0], *own),), int(chosen.sum()) == _count(own))


def _count(masks: Sequence[Mask]) -> int:
    """How many elements a product of masks chooses."""
    return prod(int(mask.sum()) for mask in masks)


def _padding(operation: Padding, masks: Masks, given: Sizes) -> Read | None:
    if operation.mode not in ("zero", "crop", "constant"):
        return None
    found = list(masks)
    axes = spatial_axes(len(given), operation.data_format)
    for axis, (before, after) in zip(axes, operation.amounts, strict=True):
        if len(masks[axis]) != given[axis] + before + after:
            return None
        at = np.flatnonzero(masks[axis]) - before
        own = np.zeros(given[axis], np.bool_)
        own[at[(at >= 0) & (at < given[axis])]] = True
        found[axis] = own
    return Read((tuple(found),))


def _upsampling(operation: Upsampling, masks: Masks, given: Sizes) -> Read | None:
    found, exact = list(masks), operation.method in ("nearest", "bilinear")
    axes = spatial_axes(len(given), operation.data_format)
    for axis, factor in zip(axes, operation.factors, strict=True):
        size = given[axis]
        if len(masks[axis]) != size * factor:
            return None
        at = np.flatnonzero(masks[axis])
        own = np.zeros(size, np.bool_)
        if operation.method == "nearest" or factor == 1:
            own[at // factor] = True
        elif operation.method == "bilinear":
            # Pixel centres: output o lies at (2·o + 1 − factor) / (2·factor) of the input.
            low, rest = np.divmod(2 * at + 1 - factor, 2 * factor)
            own[low.clip(0, size - 1)] = True
            own[(low + (rest > 0)).clip(0, size - 1)] = True
        else:
            reach = _REACH.get(operation.method)
            if reach is None:
                return None
            for shift in range(-reach, reach + 1):
                own[(at // factor + shift).clip(0, size - 1)] = True
        found[axis] = own
    return Read((tuple(found),), exact)


def _fits(masks: Sequence[Mask], sizes: Sizes) -> bool:
    return all(len(mask) == size for mask, size in zip(masks, sizes, strict=True))
