"""Varying photographs: mirrored, turned, cut and tinted anew each time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def vary(pictures: Pixels, random: np.random.Generator) -> Pixels:
    """Photographs varied at random, of the same shape.

    pictures: shape (batch, height, width, 3), RGB. Each is mirrored or not, turned by up to
    12°, cut to between 0.72 and 1.12 of its size, stretched, shifted, and changed in
    saturation, contrast, brightness and tint.
    """
    moved = np.stack([_move(picture, random) for picture in pictures])
    return _tint(moved, random)


def _move(picture: Pixels, random: np.random.Generator) -> Pixels:
    """Mirror, turn, stretch and shift a photograph; places beyond its rim mirror what is inside."""
    height, width = picture.shape[:2]
    rim = min(height, width) // 3
    padded = Image.fromarray(np.pad(picture, ((rim, rim), (rim, rim), (0, 0)), mode="reflect"))
    turn = math.radians(random.uniform(-12, 12))
    zoom = random.uniform(0.72, 1.12)
    stretch = math.exp(random.uniform(-0.12, 0.12))
    across = zoom * stretch * (1 if random.random() < 0.5 else -1)
    down = zoom / stretch
    # The further in, the more room there is to look elsewhere.
    room = 0.06 + max(0.0, 1 - zoom) / 2
    middle = rim + width * (0.5 + random.uniform(-room, room))
    centre = rim + height * (0.5 + random.uniform(-room, room))
    # Pillow wants the map from places in the result to places in the source.
    a, b = across * math.cos(turn), -down * math.sin(turn)
    d, e = across * math.sin(turn), down * math.cos(turn)
    left, top = middle - (a * width + b * height) / 2, centre - (d * width + e * height) / 2
    moved = padded.transform(
        (width, height),
        Image.Transform.AFFINE,
        (a, b, left, d, e, top),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(moved)


def _tint(pictures: Pixels, random: np.random.Generator) -> Pixels:
    """Change saturation, contrast, brightness and tint."""
    values = pictures.astype(np.float32)
    each = (len(values), 1, 1, 1)
    grey = values.mean(axis=3, keepdims=True)
    level = grey.mean(axis=(1, 2), keepdims=True)
    saturation = random.uniform(0.6, 1.3, each).astype(np.float32)
    contrast = random.uniform(0.75, 1.3, each).astype(np.float32)
    brightness = random.uniform(-0.12, 0.12, each).astype(np.float32) * 255
    tint = random.uniform(0.92, 1.08, (len(values), 1, 1, 3)).astype(np.float32)
    values = (grey + (values - grey) * saturation - level) * contrast + level + brightness
    tinted: Pixels = np.rint(np.clip(values * tint, 0, 255)).astype(np.uint8)
    return tinted
