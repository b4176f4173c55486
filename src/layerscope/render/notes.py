"""Notes: what a reader of a picture should know beyond its colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.render import palette as entries
from layerscope.render.figure import Entry
from layerscope.render.scale import Ranges

_LISTED = 5


def largest_of(
    values: NDArray[Any], order: NDArray[np.int64], classes: Sequence[str] | None
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The largest entries of a vector, and a note where the class names do not fit it."""
    flat = values.reshape(-1).astype(np.float64)
    notes: tuple[str, ...] = ()
    names = list(classes or ())
    if len(flat) == 1 and len(names) == 2:
        names = [f"0 = {names[0]}, 1 = {names[1]}"] * (int(order[0]) + 1)
    elif names and int(order.max(initial=-1)) >= len(names):
        notes = (f"{len(names)} class names do not fit entry {int(order.max())}: not used",)
        names = []
    held = np.flatnonzero(np.isfinite(flat))
    best = held[np.argsort(-flat[held], kind="stable")][:_LISTED]
    entries = (
        Entry(int(order[i]), float(flat[i]), names[order[i]] if names else None) for i in best
    )
    return tuple(entries), notes


def notes_on(
    indices: NDArray[np.uint8], ranges: Ranges, order: NDArray[np.int64]
) -> tuple[str, ...]:
    """Notes on constant channels, and on values that are clipped or not finite."""
    return (*_constants(ranges, order), *_marked(indices, ranges))


def _marked(indices: NDArray[np.uint8], ranges: Ranges) -> tuple[str, ...]:
    if ranges.finite and not ranges.bounded:
        return ()
    held = np.bincount(indices.ravel(), minlength=256)
    kinds = {
        "NaN": entries.NAN,
        "+Inf": entries.PLUS_INFINITY,
        "-Inf": entries.MINUS_INFINITY,
        "below the range": (entries.CLIPPED_LOW,),
        "above the range": (entries.CLIPPED_HIGH,),
    }
    counted = {word: int(held[list(pair)].sum()) for word, pair in kinds.items()}
    return tuple(
        f"{count} of {indices.size} values {'is' if count == 1 else 'are'} {word}"
        for word, count in counted.items()
        if count
    )


def _constants(ranges: Ranges, order: NDArray[np.int64]) -> tuple[str, ...]:
    """A note on the channels that hold one value only."""
    found = order[ranges.constant]
    if not len(found) or len(found) == len(order) == 1:
        return ()
    few = ", ".join(map(str, found[:8].tolist())) + (" …" if len(found) > 8 else "")
    what = "channels is" if len(found) == 1 else "channels are"
    zero = " 0" if not ranges.vmin[ranges.constant].any() else ""
    return (f"{len(found)} of {len(order)} {what} constant{zero}: {few}",)
