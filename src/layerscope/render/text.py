"""Text on index images: Pillow's built-in face in three shades, and tiny digits."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from layerscope.render.palette import GUTTER, SHADE, SOFT, TEXT

SMALL, LARGE = 10, 13
TINY_HEIGHT, TINY_WIDTH = 5, 4
DIGIT_ROWS = slice(2, 12)
"""The rows of a small line of text that digits take."""

_TINY = (
    *("111101101101111", "010110010010111", "111001111100111", "111001111001111"),
    *("101101111001001", "111100111001111", "111100111101111", "111001010010010"),
    *("111101111101111", "111101111001111"),
)


def clean(text: str, longest: int = 300) -> str:
    """Text without control and direction characters, of a bounded length."""
    kept = "".join(c for c in text[: longest * 4] if unicodedata.category(c)[0] != "C")
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def bitmap(text: str, size: int = SMALL, *, dim: bool = False) -> NDArray[np.uint8]:
    """Text as palette entries on the gutter's colour: a read-only array (height, width)."""
    image = Image.new("L", (max(1, _length(text, size)), line_height(size)))
    pen, left = ImageDraw.Draw(image), 0
    for word in _words(text):
        pen.text((left, 0), word, fill=255, font=_font(size))
        left += _advance(word, size) + _space(size)
    shades = (GUTTER, SHADE, SOFT, SOFT) if dim else (GUTTER, SHADE, SOFT, TEXT)
    table = np.array(shades, np.uint8)
    result: NDArray[np.uint8] = table[np.searchsorted((50, 110, 180), np.asarray(image))]
    result.flags.writeable = False
    return result


def _words(text: str) -> list[str]:
    """Words that the face can draw: it has no ×, no minus sign and no dash."""
    return text.replace("×", "x").replace("−", "-").replace("–", "-").split(" ")


def _length(text: str, size: int) -> int:
    """Pixels across. Words are set apart by hand: the face's own space is hard to see."""
    words = [_advance(word, size) for word in _words(text)]
    return sum(words) + _space(size) * (len(words) - 1) + 1


def _advance(word: str, size: int) -> int:
    return int(np.ceil(_font(size).getlength(word)))


def _space(size: int) -> int:
    return size * 2 // 5


def line_height(size: int) -> int:
    """Pixels from the top of one line of text to the next."""
    return size + 4


def fitted(text: str, width: int, size: int = SMALL, *, dim: bool = False) -> NDArray[np.uint8]:
    """Text as palette entries, shortened with ... so that it is at most ``width`` pixels wide."""
    whole = bitmap(text, size, dim=dim)
    if whole.shape[1] <= width:
        return whole
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _length(text[:middle] + "...", size) <= width:
            low = middle
        else:
            high = middle - 1
    return bitmap(text[:low] + "...", size, dim=dim)[:, : max(width, 0)]


@lru_cache(maxsize=4)
def digits(*, tiny: bool) -> NDArray[np.uint8]:
    """A blank and the ten digits, all of one size: (11, height, width) palette entries."""
    if tiny:
        glyphs = np.full((11, TINY_HEIGHT, TINY_WIDTH), GUTTER, np.uint8)
        for i, bits in enumerate(_TINY, start=1):
            drawn = np.array(list(bits)).reshape(5, 3) == "1"
            glyphs[i, :, :3] = np.where(drawn, TEXT, GUTTER)
        return glyphs
    drawn = [bitmap(str(digit))[DIGIT_ROWS] for digit in range(10)]
    width = max(glyph.shape[1] for glyph in drawn) - 1
    glyphs = np.full((11, 10, width), GUTTER, np.uint8)
    for i, glyph in enumerate(drawn, start=1):
        glyphs[i, :, : glyph.shape[1]] = glyph[:, :width]
    return glyphs


def numbers(values: NDArray[np.int64], *, tiny: bool) -> NDArray[np.uint8]:
    """Numbers from 0 up, left-aligned: palette entries (numbers, height, width)."""
    return _numbers(values.tobytes(), tiny)


@lru_cache(maxsize=32)
def _numbers(held: bytes, tiny: bool) -> NDArray[np.uint8]:
    values = np.frombuffer(held, np.int64)
    glyphs = digits(tiny=tiny)
    count = len(str(int(values.max(initial=0))))
    codes = np.char.encode(values.astype(f"U{count}"), "ascii").view(np.uint8)
    which = codes.reshape(len(values), count).astype(np.intp) - 47
    drawn = glyphs[np.maximum(which, 0)]
    result = drawn.transpose(0, 2, 1, 3).reshape(len(values), glyphs.shape[1], -1)
    result.flags.writeable = False
    return result


def number_size(largest: int, *, tiny: bool) -> tuple[int, int]:
    """Height and width of the widest number up to ``largest``."""
    height, width = digits(tiny=tiny).shape[1:]
    return height, width * len(str(largest))
