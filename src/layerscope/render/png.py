"""A writer of paletted PNG files on ISA-L's deflate, and a reader of their text."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from layerscope.errors import InputError

KEYWORD = b"layerscope"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Readers refuse a compressed text that grows past a mebibyte.
_LONGEST_TEXT = 900_000


def encode(pixels: NDArray[np.uint8], palette: NDArray[np.uint8], facts: dict[str, Any]) -> bytes:
    """A PNG of an index image, with facts as JSON text.

    pixels: (height, width), each an entry of palette: (256, 3). Releases the interpreter
    lock while it compresses.
    """
    height, width = pixels.shape
    rows = np.empty((height, width + 1), np.uint8)
    rows[:, 0] = 0
    rows[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False).encode("ascii")
    parts = [text[i : i + _LONGEST_TEXT] for i in range(0, len(text), _LONGEST_TEXT)]
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            *(_chunk(b"zTXt", KEYWORD + b"\0\0" + isal_zlib.compress(part, 1)) for part in parts),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"IDAT", isal_zlib.compress(rows, 1)),
            _chunk(b"IEND", b""),
        ]
    )


def facts_of(png: bytes, name: str) -> dict[str, Any]:
    """The facts that ``encode`` wrote. Raises InputError where there are none."""
    try:
        text = b"".join(_texts(png))
        facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ValueError("not an object")
        return facts
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"expected a PNG with layerscope's text in it but {name} has none that can be read "
            f"({error}). Give a picture as layerscope wrote it; other programs drop the text."
        ) from None


def _texts(png: bytes) -> list[bytes]:
    if not png.startswith(_SIGNATURE):
        raise ValueError("not a PNG")
    found, at = [], len(_SIGNATURE)
    while at + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"zTXt" and png.startswith(KEYWORD + b"\0\0", at + 8):
            packed = png[at + 8 + len(KEYWORD) + 2 : at + 8 + length]
            found.append(zlib.decompressobj().decompress(packed, 2 * _LONGEST_TEXT))
        at += 12 + length
    return found


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", check)])
