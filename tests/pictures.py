"""PNG files compared by what is in them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from layerscope.render.png import facts_of


def content(png: bytes) -> tuple[Any, ...]:
    """A PNG's entries, palette and text: the same pixels may be compressed to other bytes.

    ISA-L does so from one call to the next.
    """
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "P"
        return np.asarray(image).tolist(), image.getpalette(), facts_of(png, "picture")
