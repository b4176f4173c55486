"""Fitting pixels to the network: size and channels. Arrays are (height, width, channels)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from layerscope.inputs.decode import Picture
from layerscope.inputs.record import Array

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
}
LUMA = (0.299, 0.587, 0.114)


def settle_alpha(picture: Picture, keep: bool) -> Picture:
    """The picture as grey, RGB, or (to ``keep`` alpha) RGBA; transparency becomes white."""
    pixels = picture.pixels
    channels = pixels.shape[-1]
    if keep:
        if channels == 2:
            pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=-1)
        return replace(picture, pixels=pixels)
    if channels in (1, 3):
        return picture
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    if (alpha == 255).all():
        step = "dropped the alpha channel (opaque everywhere)"
    else:
        colour = on_white(colour, alpha)
        step = "composited on white (it has transparent places)"
    return Picture(colour, (*picture.steps, step), picture.measured)


def on_white(colour: Array, alpha: Array) -> Array:
    """Colours from 0 to 255 over white, by their alpha from 0 to 255."""
    if colour.dtype != np.uint8:
        return 255 + (colour - np.float32(255)) * (alpha / np.float32(255))
    out = np.empty_like(colour)
    for top in range(0, len(colour), 256):  # in strips, since a picture may be large
        rows = slice(top, top + 256)
        seen = colour[rows].astype(np.uint16) * alpha[rows]
        out[rows] = (seen + 255 * (255 - alpha[rows].astype(np.uint16)) + 127) // 255
    return out


def resize_picture(pixels: Array, height: int, width: int, method: str) -> Array:
    """Resize brightness values; eight bits stay eight bits, as Pillow does it.

    Shrinking averages over all pixels that an output pixel covers. Colour under transparent
    places does not bleed.
    """
    if pixels.dtype == np.uint8:
        plain = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        image = Image.fromarray(np.ascontiguousarray(plain))
        resized = np.asarray(image.resize((width, height), _FILTERS[method]))
        return resized[..., None] if resized.ndim == 2 else resized
    if pixels.shape[-1] != 4:
        return resize_values(pixels, height, width, method)
    weighted = pixels.copy()
    weighted[..., :3] *= pixels[..., 3:] / 255
    out = resize_values(weighted, height, width, method)
    alpha = out[..., 3:]
    np.divide(out[..., :3] * 255, alpha, out=out[..., :3], where=alpha > 0)
    return out


def resize_values(values: Array, height: int, width: int, method: str) -> Array:
    """Resize numbers of any scale, channel by channel, in float32."""
    out = np.empty((height, width, values.shape[-1]), np.float32)
    with np.errstate(over="ignore"):
        planes = np.moveaxis(values, -1, 0).astype(np.float32)
    for channel, plane in enumerate(planes):
        image = Image.fromarray(np.ascontiguousarray(plane))
        out[..., channel] = np.asarray(image.resize((width, height), _FILTERS[method]))
    return out


def luma(pixels: Array) -> Array:
    """Grey from RGB with the weights of ITU-R BT.601, in floating point."""
    red, green, blue = (pixels[..., i].astype(np.float64) for i in range(3))
    grey = (299 * red + 587 * green + 114 * blue) / 1000
    return grey[..., None].astype(np.promote_types(np.float32, _float_of(pixels)))


def _float_of(pixels: Array) -> np.dtype[np.generic]:
    return pixels.dtype if pixels.dtype.kind == "f" else np.dtype(np.float32)


def to_channels(pixels: Array, wants: int | None, grey: bool) -> tuple[Array, list[str]]:
    """Grey or RGB pixels with the network's number of channels, and the steps.

    wants: the network's channels, None to keep what there is. grey: whether colour is to be
    taken out.
    """
    steps: list[str] = []
    has = pixels.shape[-1]
    alpha = pixels[..., 3:]
    if has in (3, 4) and (grey or wants == 1):
        pixels = luma(pixels)
        steps.append(f"RGB to grey by luma {LUMA}")
    if pixels.shape[-1] == 1 and wants in (3, 4):
        pixels = np.repeat(pixels, 3, axis=-1)
        steps.append("grey repeated to 3 channels")
    if pixels.shape[-1] == 3 and wants == 4:
        if alpha.size == 0:
            alpha = np.full_like(pixels[..., :1], 255)
            steps.append("an opaque alpha channel added")
        pixels = np.concatenate([pixels, alpha], axis=-1)
    return pixels, steps
