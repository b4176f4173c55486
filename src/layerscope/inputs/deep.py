"""PNG with 16 bits for each of several channels, which Pillow reads as 8."""

from __future__ import annotations

from typing import Any

import numpy as np
import png

from layerscope.inputs.record import Array

_MODES = {2: "16-bit grey with alpha", 3: "16-bit RGB", 4: "16-bit RGBA"}


def is_deep_colour(head: bytes) -> bool:
    """Whether the first bytes of a PNG say: 16 bits, and more than one channel."""
    return len(head) > 25 and head[24] == 16 and head[25] != 0


def read_deep(file: Any) -> tuple[Array, str]:
    """Its values as float32 from 0 to 255, shape (height, width, channels), and its mode."""
    file.seek(0)
    width, height, rows, info = png.Reader(file=file).read()
    channels = info["planes"]
    values = np.empty((height, width, channels), np.float32)
    for target, row in zip(values, rows, strict=True):
        target[...] = np.frombuffer(row, np.uint16).reshape(width, channels)
    if "transparent" in info:
        seen = (values != np.asarray(info["transparent"], np.float32)).any(axis=-1, keepdims=True)
        values = np.concatenate([values, np.float32(65535) * seen], axis=-1)
    values /= np.float32(257)
    return values, _MODES[channels]
