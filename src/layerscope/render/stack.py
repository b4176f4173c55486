"""One sample of an activation as planes: (channels, slices, height, width), whatever its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.axes import Axis
from layerscope.errors import OutputError, SelectionError

MOST_SLICES = 32
_IN_PLANE_ORDER = (Axis.DEPTH, Axis.HEIGHT, Axis.WIDTH, Axis.STEP, Axis.QUERY, Axis.KEY)


@dataclass(frozen=True)
class Stack:
    """The planes of one sample and how they are laid out.

    values: a view of shape (channels, slices, height, width). arrangement: ``"mosaic"`` (one
    tile per plane), ``"rows"`` (one row of values per channel) or ``"strip"`` (one value per
    channel). slices: which slices are held. sizes: the sample in words. tiles: what the first
    dimension is: ``"channels"``, ``"heads"``, ``"planes"`` or ``"values"``. order: the axes of
    one tile in the order of its values; the last two are its rows and columns.
    """

    values: NDArray[Any]
    arrangement: str
    slices: tuple[int, ...]
    sizes: str
    notes: tuple[str, ...] = ()
    tiles: str = "channels"
    order: tuple[Axis, ...] = ()


def numeric(activation: Activation) -> Activation:
    """The activation in numbers that numpy computes with; bfloat16 and its like are widened.

    Raises OutputError where the values are not real numbers.
    """
    array = activation.array
    if array.dtype.kind in "biuf":
        return activation
    try:
        if array.dtype.kind != "V":
            raise TypeError
        return replace(activation, array=array.astype(np.float32))
    except (TypeError, ValueError):
        raise OutputError(
            f"expected real numbers in {activation.name!r} but its values are {array.dtype}. "
            "Convert them before they are drawn."
        ) from None


def stack_of(activation: Activation, sample: int, most_slices: int | None = MOST_SLICES) -> Stack:
    """The planes of one sample. most_slices: None for every slice of a volume.

    Raises SelectionError where the sample does not exist.
    """
    array, names = _sample(activation, sample)
    channels, planes = _split(array, names)
    slices = planes.shape[1]
    shown = _spread(slices, slices if most_slices is None else most_slices)
    notes: tuple[str, ...] = ()
    if len(shown) < slices:
        planes = planes[:, list(shown)]
        notes = (f"{len(shown)} of {slices} slices are drawn: {', '.join(map(str, shown))}",)
    arrangement = "mosaic"
    if planes.shape[1:] == (1, 1, 1):
        arrangement = "strip"
    elif channels == "channels" and planes.shape[1:3] == (1, 1) and Axis.STEP in names:
        arrangement = "rows"
    sizes = _sizes(planes.shape, slices, channels, names)
    order = tuple(sorted((n for n in names if n is not Axis.CHANNEL), key=_rank))
    return Stack(planes, arrangement, shown, sizes, notes, channels, order)


def _sample(activation: Activation, sample: int) -> tuple[NDArray[Any], tuple[Axis, ...]]:
    array, batch = activation.array, activation.axes.batch
    count = 1 if batch is None else array.shape[batch]
    if not -count <= sample < count:
        raise SelectionError(
            f"{activation.name!r} holds {count} samples, numbered from 0, but sample {sample} "
            "was asked for. Choose one in that range."
        )
    names = tuple(name for name in activation.axes.names if name is not Axis.BATCH)
    if batch is not None:
        array = np.moveaxis(array, batch, 0)[sample]
    return array, names


def _split(array: NDArray[Any], names: Sequence[Axis]) -> tuple[str, NDArray[Any]]:
    """What the tiles are, and the planes; axes in the order depth, height, width."""
    order = sorted(range(array.ndim), key=lambda i: _rank(names[i]))
    array = array.transpose(order)
    names = [names[i] for i in order]
    if {Axis.QUERY, Axis.KEY} <= set(names):
        word = "heads" if Axis.HEAD in names else "planes"
        return word, array.reshape(prod(array.shape[:-2]), 1, *array.shape[-2:])
    if Axis.CHANNEL in names:
        rest = array.shape[1:]
        height, width = ((1, 1, *rest) if len(rest) < 2 else rest)[-2:]
        return "channels", array.reshape(array.shape[0], prod(rest[:-2]), height, width)
    if names and Axis.OTHER not in names:
        rest = (1, 1, 1, *array.shape)
        return "channels", array.reshape(1, prod(rest[:-2]), *rest[-2:])
    if array.ndim < 2:
        return "values", array.reshape(array.size, 1, 1, 1)
    return "planes", array.reshape(prod(array.shape[:-2]), 1, *array.shape[-2:])


def _rank(name: Axis) -> int:
    if name is Axis.CHANNEL:
        return -1
    return _IN_PLANE_ORDER.index(name) + 1 if name in _IN_PLANE_ORDER else 0


def _spread(count: int, most: int) -> tuple[int, ...]:
    if count <= most:
        return tuple(range(count))
    return tuple(int(i) for i in np.linspace(0, count - 1, most).round())


def _sizes(shape: tuple[int, ...], slices: int, word: str, names: Sequence[Axis]) -> str:
    count, _, height, width = shape
    counted = f"{count} {word if count != 1 else word[:-1]}"
    if slices != 1:
        return f"{counted} × {slices} slices × {height} × {width}"
    if (height, width) == (1, 1):
        return "1 value" if count == 1 else f"{count} values"
    if Axis.STEP in names and height == 1:
        return f"{counted} × {width} steps"
    return f"{counted} × {height} × {width}"
