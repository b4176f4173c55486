"""Quantising: values to palette entries, with every value that is not plain data marked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.render.palette import (
    CLIPPED_HIGH,
    CLIPPED_LOW,
    FIRST,
    HATCH,
    LAST,
    MINUS_INFINITY,
    NAN,
    PLUS_INFINITY,
)
from layerscope.render.scale import Ranges

_STEPS = LAST - FIRST
_BLOCK = 1 << 16


def quantize(values: NDArray[Any], ranges: Ranges) -> NDArray[np.uint8]:
    """Palette entries of the same shape as ``values``: (channels, slices, height, width)."""
    if values.size == 0:
        return np.zeros(values.shape, np.uint8)
    if _is_plain(values, ranges):
        indices = _fast(values, ranges)
        _hatch(indices, ranges.constant)
        return indices
    return _careful(values, ranges)


def _is_plain(values: NDArray[Any], ranges: Ranges) -> bool:
    """Whether single precision loses nothing that a palette could show."""
    small = values.dtype.kind in "biu" and values.dtype.itemsize <= 2
    if (
        not (small or values.dtype in (np.float32, np.float16))
        or ranges.bounded
        or not ranges.finite
    ):
        return False
    reach = np.maximum(np.abs(ranges.vmin), np.abs(ranges.vmax))
    span = (ranges.vmax - ranges.vmin)[~ranges.constant]
    return bool(np.all(reach < 1e30) and np.all(span > 1e-30))


def _fast(values: NDArray[Any], ranges: Ranges) -> NDArray[np.uint8]:
    """Multiply, add a half and cut, in the order of memory and in blocks that stay in cache."""
    span = np.where(ranges.constant, 1.0, ranges.vmax - ranges.vmin)
    factor = np.where(ranges.constant, 0.0, _STEPS / span).astype(np.float32)
    lowest = np.where(ranges.constant, 0.0, ranges.vmin).astype(np.float32)
    order = sorted(
        range(4), key=lambda i: -abs(values.strides[i]) if values.shape[i] > 1 else -np.inf
    )
    ordered = values.transpose(order)
    shape = [1, 1, 1, 1]
    shape[order.index(0)] = len(factor)
    factor, lowest = factor.reshape(shape), lowest.reshape(shape)
    result = np.empty(ordered.shape, np.uint8)
    major = max(range(4), key=lambda i: (ordered.shape[i] > 1, -i))
    step = max(1, _BLOCK * ordered.shape[major] // ordered.size)
    shifted = bool(lowest.any())
    for start in range(0, ordered.shape[major], step):
        part = (slice(None),) * major + (slice(start, start + step),)
        own = part if shape[major] > 1 else ()
        block = ordered[part].astype(np.float32, copy=shifted)
        if shifted:
            block -= lowest[own]
        block = block * factor[own]
        block += np.float32(0.5 + FIRST)
        result[part] = block
    return result.transpose(np.argsort(order))


def _careful(values: NDArray[Any], ranges: Ranges) -> NDArray[np.uint8]:
    """In double precision, with marks for what is clipped, not a number or infinite."""
    plain = values.astype(np.float64)
    vmin, vmax = (edge[:, None, None, None] for edge in (ranges.vmin, ranges.vmax))
    with np.errstate(all="ignore"):
        # Halved only where the span overflows: halving would cost the smallest numbers a bit.
        half = np.where(np.isfinite(vmax - vmin), 1.0, 0.5)
        span = vmax * half - vmin * half
        share = (plain * half - vmin * half) / np.where(span > 0, span, 1.0)
        finite = np.isfinite(plain)
        share = np.clip(np.where(finite, share, 0.0), 0.0, 1.0)
        indices = (np.nan_to_num(share) * _STEPS + 0.5 + FIRST).astype(np.uint8)
        if ranges.bounded:
            indices[finite & (plain < vmin)] = CLIPPED_LOW
            indices[finite & (plain > vmax)] = CLIPPED_HIGH
    _hatch(indices, ranges.constant)
    if not finite.all():
        rows, columns = np.arange(values.shape[2])[:, None], np.arange(values.shape[3])[None]
        _mark(indices, np.isnan(plain), NAN, (rows + columns) % 2)
        _mark(indices, plain == np.inf, PLUS_INFINITY, columns % 2)
        _mark(indices, plain == -np.inf, MINUS_INFINITY, rows % 2)
    return indices


def _mark(
    indices: NDArray[np.uint8],
    where: NDArray[np.bool_],
    entries: tuple[int, int],
    pattern: NDArray[np.intp],
) -> None:
    np.copyto(indices, np.array(entries, np.uint8)[pattern], where=where)


def _hatch(indices: NDArray[np.uint8], constant: NDArray[np.bool_]) -> None:
    """Broad diagonal stripes over channels that hold one value only."""
    if constant.any():
        height, width = indices.shape[2:]
        rows, columns = np.arange(height)[:, None], np.arange(width)[None]
        stripe = max(2, round(max(height, width) / 12))
        indices[constant] = np.array(HATCH, np.uint8)[(rows + columns) // stripe % 2]
