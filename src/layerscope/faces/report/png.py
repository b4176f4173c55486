"""The first rows of a PNG, without drawing it anew."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from isal import isal_zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LAST_BLOCK = b"\x03\x00"
_FRAME = 8 + 25 + 12 + 12 + 6


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height in pixels of a PNG, WebP or JPEG."""
    if picture.startswith(SIGNATURE):
        width, height = struct.unpack_from(">II", picture, 16)
        return int(width), int(height)
    import io

    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        return image.width, image.height


def first_rows(picture: bytes, edges: Sequence[int], most: int) -> tuple[bytes, int] | None:
    """A PNG of the first rows of pixels, as they were, in at most ``most`` bytes.

    edges: heights at which the picture may be cut, rising; the largest that fits is used and
    returned. None where none fits, or the picture is of another kind: only one byte for each
    pixel, not interlaced, is understood.

    A row of a PNG is filtered by those above it alone, so that the first rows can be taken as
    they stand.
    """
    chunks = list(_chunks(picture)) if picture.startswith(SIGNATURE) else []
    if not chunks:
        return None
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[0][1])
    if kind != [8, 3, 0, 0, 0]:
        return None
    palettes = b"".join(_chunk(n, content) for n, content in chunks if n in (b"PLTE", b"tRNS"))
    room = most - len(palettes) - _FRAME
    unpack, pack = isal_zlib.decompressobj(), isal_zlib.compressobj(1, wbits=-15)
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    best, done, check, deflated = None, 0, 1, b"\x78\x01"
    for edge in (min(edge, height) for edge in edges):
        if edge > done:
            rows = unpack.decompress(packed, (edge - done) * (width + 1))
            packed, done = unpack.unconsumed_tail, edge
            check = isal_zlib.adler32(rows, check)
            deflated += pack.compress(rows) + pack.flush(isal_zlib.Z_SYNC_FLUSH)
        if len(deflated) > room:
            break
        best = deflated + _LAST_BLOCK + struct.pack(">I", check), edge
    if best is None:
        return None
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, best[1], *kind))
    body = _chunk(b"IDAT", best[0]) + _chunk(b"IEND", b"")
    return SIGNATURE + header + palettes + body, best[1]


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(picture):
        length, name = struct.unpack_from(">I4s", picture, at)
        yield name, picture[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    check = isal_zlib.crc32(content, isal_zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)
