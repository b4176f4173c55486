"""The ranges of values that networks were trained on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from layerscope.errors import ValuesError
from layerscope.inputs.record import Array

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


def full_scale(values: Array, what: str, wanted: str) -> int:
    """What white is in an array of pixels: 255, or 1.

    Values above 1.5 say that they are pixels from 0 to 255; without any they are 0 to 1 (also
    where they are whole numbers: a mask, and not a black picture). Raises ValuesError where
    the values are neither.
    """
    finite = values if values.dtype.kind != "f" else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0 or high > 255:
        raise ValuesError(
            f"{what} has values from {low:g} to {high:g}, neither 0..255 nor 0..1, so that "
            f"range {wanted} has no meaning for it: scale it yourself and leave the range out"
        )
    return 255 if high > 1.5 else 1


def to_range(values: Array, range: str, scale: int) -> tuple[Array, str]:
    """Values in a range that was trained on, as floats, and the step in words.

    values: shape (height, width, channels), or any for the ranges that treat all channels
    alike; RGB. scale: what white is in them, 255 or 1. ``caffe`` also puts blue first.
    """
    return _RULES[range](values, scale)


def needs_rgb(range: str) -> bool:
    """Whether a range treats red, green and blue differently."""
    return range in ("imagenet", "caffe")


def _float(values: Array) -> Array:
    return values if values.dtype.kind == "f" else values.astype(np.float32)


def _unit(values: Array, scale: int) -> tuple[Array, str]:
    if scale == 1:
        return _float(values), "kept as 0..1"
    return _float(values) / np.float32(255), "divided by 255"


def _signed(values: Array, scale: int) -> tuple[Array, str]:
    if scale == 1:
        return _float(values) * np.float32(2) - np.float32(1), "times 2, minus 1"
    return _float(values) / np.float32(127.5) - np.float32(1), "divided by 127.5, minus 1"


def _bytes(values: Array, scale: int) -> tuple[Array, str]:
    if scale == 1:
        return _float(values) * np.float32(255), "times 255"
    return values, "kept as 0..255"


def _imagenet(values: Array, scale: int) -> tuple[Array, str]:
    unit = values.astype(np.float64) / scale
    words = "kept as 0..1" if scale == 1 else "divided by 255"
    return (
        (unit - IMAGENET_MEAN) / IMAGENET_STD,
        f"{words}, minus the mean {IMAGENET_MEAN}, divided by the deviation {IMAGENET_STD}",
    )


def _caffe(values: Array, scale: int) -> tuple[Array, str]:
    pixels = values.astype(np.float64) * (255 / scale)
    words = "times 255, " if scale == 1 else ""
    return (
        pixels[..., ::-1] - CAFFE_MEAN,
        f"{words}reversed from RGB to BGR, minus the mean {CAFFE_MEAN}",
    )


def _as_is(values: Array, scale: int) -> tuple[Array, str]:
    return values, "values kept as they are"


_RULES: dict[str, Callable[[Array, int], tuple[Array, str]]] = {
    "0..1": _unit,
    "-1..1": _signed,
    "0..255": _bytes,
    "imagenet": _imagenet,
    "caffe": _caffe,
    "as-is": _as_is,
}
