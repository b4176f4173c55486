"""The picture as it was before it was made to fit the network, for the page to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from layerscope.errors import InputError
from layerscope.inputs.decode import MAX_PIXELS, decode
from layerscope.inputs.record import Array, InputRecord
from layerscope.inputs.values import preview
from layerscope.sniff import sniff

LONGEST = 1024


def original_of(
    record: InputRecord, max_pixels: int = MAX_PIXELS
) -> tuple[Array, tuple[int, int]] | None:
    """The picture that an input was made from, upright, and its own height and width.

    Returned smaller where a side is longer than 1,024 pixels. None where there is no picture.
    """
    if record.file is None:
        return None
    path = Path(record.file)
    try:
        sniffed = sniff(path)
        if sniffed.kind != "picture":
            return None
        picture = decode(path, sniffed.what, max_pixels)
    except InputError:
        return None
    values = picture.pixels
    if values.shape[-1] == 2:
        values = np.concatenate([np.repeat(values[..., :1], 3, axis=2), values[..., 1:]], 2)
    seen = preview(values, not picture.measured)
    return None if seen is None else (bounded(seen), (seen.shape[0], seen.shape[1]))


def bounded(picture: Array) -> Array:
    """The picture with no side longer than 1,024 pixels."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    if longest <= LONGEST:
        return picture
    size = (max(1, round(width * LONGEST / longest)), max(1, round(height * LONGEST / longest)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
