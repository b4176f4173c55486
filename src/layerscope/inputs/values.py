"""Checks and conversions of values: finite, of the input's type, and for the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import InputError, ValuesError
from layerscope.inputs.fit import on_white
from layerscope.inputs.record import Array
from layerscope.inputs.target import Target


def check_finite(values: Array, what: str) -> None:
    """Raise InputError where a value is NaN or infinite: how many, and where the first is."""
    if values.dtype.kind != "f":
        return
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count == 0:
        return
    nan = int(np.isnan(values).sum())
    first = [int(place) for place in np.unravel_index(int(bad.argmax()), values.shape)]
    kinds = [f"{nan} NaN"] if nan else []
    kinds += [f"{count - nan} infinite"] if count > nan else []
    raise InputError(
        f"{what} has values that are not finite ({' and '.join(kinds)} of {values.size}), the "
        f"first at {first}: mend them, or let them pass with --allow-nan (allow_nan=True)"
    )


def cast(values: Array, target: Target, what: str, made_whole: bool) -> tuple[Array, str | None]:
    """Values in the input's own type, and the step to record.

    made_whole: fractions come from resizing, so that they may be rounded for an input of whole
    numbers; any others are an error, as are values beyond the type.
    """
    dtype = target.dtype
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(dtype), None
    step = None
    if values.dtype.kind == "f":
        rounded = np.rint(values)
        if made_whole and dtype.kind != "b":
            step = f"rounded to whole numbers (the input takes {target.node.dtype})"
        elif not (rounded == values).all():
            raise ValuesError(
                f"{what} has fractions such as {values[rounded != values][0]:g}, and input "
                f"{target.node.name!r} takes whole numbers ({target.node.dtype}): round it first"
            )
        values = rounded
    low, high = (0, 1) if dtype.kind == "b" else _limits(dtype.name)
    if step:
        values = values.clip(low, high)
    if values.min() < low or values.max() > high:
        raise ValuesError(
            f"{what} has values from {values.min():g} to {values.max():g}, beyond the "
            f"{low} to {high} of {target.node.dtype}, which input {target.node.name!r} takes"
        )
    return values.astype(dtype), step


def _limits(dtype: str) -> tuple[int, int]:
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def preview(values: Array, picture: bool) -> NDArray[np.uint8] | None:
    """Values as a picture for the eye, uint8 of shape (height, width) or (height, width, 3).

    values: shape (height, width, channels). Numbers that are no brightness are shown as
    0..255 or 0..1 where they lie within, and stretched between their extremes otherwise.
    None where the channels are not those of a picture.
    """
    if values.shape[-1] not in (1, 3, 4):
        return None
    if not picture:
        values = _brightness(values)
    if values.shape[-1] == 4:
        values = on_white(values[..., :3], values[..., 3:])
    if values.dtype != np.uint8:
        values = np.rint(values.astype(np.float32)).clip(0, 255).astype(np.uint8)
    shown: NDArray[np.uint8] = values[..., 0] if values.shape[-1] == 1 else values
    return np.ascontiguousarray(shown)


def _brightness(values: Array) -> Array:
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if low < 0 or high > 255:
        scale, offset = 255 / ((high - low) or 1.0), low
    else:
        scale, offset = (1.0 if high > 1.5 else 255.0), 0.0
    return np.where(finite, (np.where(finite, values, 0).astype(np.float64) - offset) * scale, 0)
