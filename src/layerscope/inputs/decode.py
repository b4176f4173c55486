"""Decoding pictures to exact values from 0 to 255, with a record of what was done."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from layerscope.errors import InputError
from layerscope.inputs.deep import is_deep_colour, read_deep
from layerscope.inputs.record import Array

MAX_PIXELS = 200_000_000

_FORMATS = {"MPO": "JPEG", "JPEG2000": "JPEG 2000", "WEBP": "WebP"}
_MODES = {
    "1": "bilevel",
    "L": "grey",
    "LA": "grey with alpha",
    "P": "palette",
    "PA": "palette with alpha",
    "I": "32-bit whole numbers",
    "F": "32-bit floats",
}
_ORIENTATIONS: dict[int, tuple[Callable[[Array], Array], str]] = {
    2: (lambda a: a[:, ::-1], "mirrored left to right"),
    3: (lambda a: a[::-1, ::-1], "rotated 180°"),
    4: (lambda a: a[::-1], "mirrored top to bottom"),
    5: (lambda a: a.swapaxes(0, 1), "mirrored along its diagonal"),
    6: (lambda a: np.rot90(a, -1), "rotated 90° clockwise"),
    7: (lambda a: a.swapaxes(0, 1)[::-1, ::-1], "mirrored along its other diagonal"),
    8: (lambda a: np.rot90(a, 1), "rotated 90° anticlockwise"),
}
_HEADER_LOCK = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    pixels: shape (height, width, channels), uint8 or float32 from 0 to 255; the channels are
    grey, grey and alpha, RGB, or RGBA. steps: what was done. measured: the values are numbers
    of a scale of their own (a TIFF of floats), shape (height, width, 1), and no brightness.
    """

    pixels: Array
    steps: tuple[str, ...]
    measured: bool = False


def decode(path: Path, format: str, max_pixels: int | None = MAX_PIXELS) -> Picture:
    """The first frame of a picture file, upright.

    format: Pillow's name of it, found by sniffing. max_pixels: the most that is decoded, or
    None; the header is looked at first. Raises InputError for a damaged or too large picture.
    """
    try:
        with path.open("rb") as file:
            deep = format == "PNG" and is_deep_colour(file.read(32))
            file.seek(0)
            image = _open(file, format, path)
            frames = _check(image, path, max_pixels)
            return _read(image, format, frames, file if deep else None)
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path} is too large to decode in this machine's memory") from None
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise InputError(
            f"{path} is a damaged or cut-off {_FORMATS.get(format, format)} picture ({error}): "
            "copy or download it again"
        ) from error


def from_image(image: Image.Image) -> Picture:
    """A picture that is open in Pillow already."""
    try:
        return _read(image, image.format or "picture", 1, None)
    except Exception as error:  # as in decode
        raise InputError(f"the picture cannot be read ({error}): open it again") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's warnings on odd headers from the user's screen."""
    with _HEADER_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(file: Any, format: str, path: Path) -> Any:
    Image.preinit()
    if format not in Image.OPEN:
        Image.init()
    if format not in Image.OPEN:
        raise InputError(
            f"{path} is a {format} picture, which this Pillow cannot read: export it as PNG"
        )
    with _quiet():
        # Image.open would refuse by a limit of its own, which is lower and global. A file name
        # would let Pillow map the file, which misreads a plain TIFF that lies on its side.
        return Image.OPEN[format][0](file, "")


def _check(image: Any, path: Path, max_pixels: int | None) -> int:
    """The number of frames of a picture that is not too large."""
    width, height = image.size
    if max_pixels is not None and width * height > max_pixels:
        raise InputError(
            f"{path} has {width}×{height} = {width * height:,} pixels, above the limit of "
            f"{max_pixels:,}: make it smaller, or raise max_pixels if you trust the file"
        )
    with _quiet():
        return int(getattr(image, "n_frames", 1))


def _read(image: Any, format: str, frames: int, deep: Any) -> Picture:
    width, height = image.size
    mode: str = image.mode
    reduced = mode in ("RGB", "RGBA") and _is_deep_tiff(image)
    turned = _orientation(image) if format == "TIFF" else 1  # Pillow turns TIFF as it loads
    if deep is None:
        image.load()
        pixels, more, measured = _pixels(image, format)
        mode = "16-bit grey" if mode.startswith("I;16") else _MODES.get(mode, mode)
    else:
        pixels, mode = read_deep(deep)
        more, measured = ["16-bit values divided by 257"], False
    steps = [f"decoded {_FORMATS.get(format, format)} {width}×{height} {mode}", *more]
    if reduced:
        steps.append("16 bits per channel reduced to 8 by the decoder")
    if frames > 1:
        steps.append(f"took the first of {frames} frames")
    orientation = _orientation(image)
    if orientation in _ORIENTATIONS:
        pixels = _ORIENTATIONS[orientation][0](pixels)
    turns = {turned, orientation} & _ORIENTATIONS.keys()
    steps += [f"{_ORIENTATIONS[number][1]} by its EXIF orientation" for number in turns]
    return Picture(pixels, tuple(steps), measured)


def _orientation(image: Any) -> int:
    with _quiet():
        try:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
        except (OSError, MemoryError):
            raise  # the picture itself is cut off
        except Exception:  # a damaged EXIF block says nothing of the orientation
            return 1


def _is_deep_tiff(image: Any) -> bool:
    tags = getattr(image, "tag_v2", None)
    return tags is not None and max(tags.get(ExifTags.Base.BitsPerSample, (8,))) == 16


def _pixels(image: Any, format: str) -> tuple[Array, list[str], bool]:
    """Values of shape (height, width, channels), steps, and whether they are measurements."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and format == "PPM"):
        values = np.asarray(image)
        grey = values.astype(np.float32) / np.float32(257)
        planes = [grey]
        if isinstance(image.info.get("transparency"), int):
            planes.append(np.where(values == image.info["transparency"], 0, 255))
        return np.stack(planes, -1, dtype=np.float32), ["16-bit values divided by 257"], False
    if mode in ("I", "F"):
        return np.asarray(image)[..., None], ["taken as a matrix of numbers"], True
    steps: list[str] = []
    see_through = image.has_transparency_data
    if mode in ("1", "L") and not see_through:
        image = image.convert("L")
    elif mode != "LA":
        target = "RGBA" if see_through else "RGB"
        if mode != target:
            image = image.convert(target)
            steps.append(f"converted {_MODES.get(mode, mode)} to {target}")
    array = np.asarray(image)
    return (array[..., None] if array.ndim == 2 else array), steps, False
