"""Blobs: what the page draws, as containers: a layer's maps, one exact channel, the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.axes import Axis
from layerscope.errors import SelectionError
from layerscope.faces.explorer.answers.container import pack
from layerscope.inputs.record import Array
from layerscope.render import Group, Limits
from layerscope.render.levels import levels_of
from layerscope.render.scale import Extremes
from layerscope.render.stack import Stack, numeric, stack_of


def layer_blob(
    activation: Activation,
    sample: int,
    limits: Limits | None = None,
    groups: Sequence[Group] | None = None,
    extremes: Extremes | None = None,
) -> bytes:
    """Every map of a layer as palette entries, the same that ``render.draw`` paints.

    limits: of the whole layer, by which the scale is chosen. groups: the branches that its
    channels come from. extremes: of all values of the channels, where they are known. Sections:
    ``entries`` (channels, slices, height, width), ``lo`` and
    ``hi`` (channels), NaN where a channel holds nothing finite.
    """
    levels = levels_of(activation, sample, limits, extremes)
    stack, ranges = levels.stack, levels.ranges
    header = {
        "signed": levels.limits.signed,
        "limits": [levels.limits.low, levels.limits.high],
        "constant": np.flatnonzero(ranges.constant).tolist(),
        "arrangement": stack.arrangement,
        "letters": letters_of(stack),
        "slices": list(stack.slices),
        "sizes": stack.sizes,
        "groups": _groups(groups or ()),
        "left_out": "; ".join(stack.notes) or None,
    }
    with np.errstate(over="ignore"):
        lo, hi = ranges.vmin.astype(np.float32), ranges.vmax.astype(np.float32)
    return pack(header, {"entries": levels.entries, "lo": lo, "hi": hi})


def _groups(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Groups of channels that lie side by side; none where any is scattered.

    label, first: the node that the channels come from, and which of its channels is the first.
    """
    told = []
    for group in groups:
        numbers, sources = list(group.channels), group.sources or ()
        if not numbers or not sources or None in (sources[0], sources[-1]):
            return []
        start, stop = numbers[0], numbers[-1] + 1
        if numbers != list(range(start, stop)):
            return []
        name, _, first = str(sources[0]).rpartition(":")
        told.append(
            {"label": name, "heading": group.label, "start": start, "stop": stop,
             "from": name, "first": int(first)}
        )  # fmt: skip
    return told


def letters_of(stack: Stack) -> dict[str, str | None]:
    """What the dimensions of a layer are, in words: channels, slices, rows and columns."""
    words = [axis.word for axis in stack.order[-2:]]
    rest = [axis.word for axis in stack.order[:-2]] if stack.tiles == "channels" else []
    return {
        "channels": stack.tiles,
        "slices": " × ".join(rest) or None,
        "rows": words[-2] if len(words) > 1 else None,
        "columns": words[-1] if words and stack.tiles != "values" else None,
    }


def exact_blob(activation: Activation, sample: int, channel: int) -> bytes:
    """One channel's values: section ``values`` (slices, height, width), as drawn."""
    values = channel_of(activation, sample, channel)
    single = values.dtype.itemsize <= 4 and values.dtype.kind == "f"
    small = values.dtype.kind in "biu" and values.dtype.itemsize <= 2
    return pack({}, {"values": values.astype(np.float32 if single or small else np.float64)})


def channel_of(activation: Activation, sample: int, channel: int) -> NDArray[Any]:
    """One channel's values (slices, height, width). Raises SelectionError for no such channel."""
    values = stack_of(numeric(activation), sample).values
    if not 0 <= channel < len(values):
        raise SelectionError(
            f"{activation.name!r} has channels 0 to {len(values) - 1}, but channel {channel} was "
            "asked for. Choose others."
        )
    chosen: NDArray[Any] = values[channel]
    return chosen


def value_at(values: NDArray[Any], part: int, row: int, column: int) -> str:
    """One exact value as the shortest text that reads back as the same number.

    >>> value_at(np.array([[[0.1]]], np.float32), 0, 0, 0)
    '0.1'
    """
    slices, height, width = values.shape
    if not (part < slices and row < height and column < width):
        raise SelectionError(
            f"There are {slices} × {height} × {width} places, but {part}, {row}, {column} was "
            "asked for. Count from 0."
        )
    value = values[part, row, column]
    return "NaN" if value != value else str(value)


def place_of(activation: Activation, stack: Stack, place: tuple[int, int, int]) -> tuple[int, ...]:
    """A place in a tile as the place along the layer's spatial axes, in their own order.

    place: slice, row and column, as the layer's blob counts them.
    """
    part, row, column = place
    order = stack.order
    found: dict[Axis, int] = dict(zip(order[-2:], (row, column)[-len(order) :], strict=False))
    if stack.tiles == "channels" and len(order) > 2 and part < len(stack.slices):
        lengths = {axis: activation.array.shape[i] for i, axis in enumerate(activation.axes.names)}
        outer = [lengths[axis] for axis in order[:-2]]
        places = np.unravel_index(stack.slices[part], outer)
        found |= {axis: int(i) for axis, i in zip(order[:-2], places, strict=True)}
    names = activation.axes.names
    return tuple(found.get(names[i], 0) for i in activation.axes.spatial)


def preview_blob(
    seen: Array | None, original: Array | None, whole: tuple[int, int] | None
) -> bytes:
    """The input for the eye: sections ``rgb`` (as the network saw it) and ``original``.

    original: perhaps smaller than the picture. whole: the picture's own height and width.
    """
    sections = {}
    header: dict[str, Any] = {"scale": None}
    if seen is not None:
        sections["rgb"] = _rgb(seen)
    if original is not None and whole is not None:
        sections["original"] = _rgb(original)
        header["scale"] = original.shape[0] / whole[0]
    return pack(header, sections)


def _rgb(picture: Array) -> Array:
    """Grey or coloured pixels as (height, width, 3)."""
    return np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
