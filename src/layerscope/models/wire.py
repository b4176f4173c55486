"""Telling TensorFlow's protobuf files apart by their bytes, without TensorFlow."""

from __future__ import annotations

import re
from typing import BinaryIO, Literal

Kind = Literal["graph", "metagraph", "savedmodel"]

_MOST_FIELDS = 2_000_000
_OP = re.compile(rb"_?[A-Z][A-Za-z0-9_>]*")


def tell(file: BinaryIO, size: int) -> Kind | None:
    """What a file is by its fields: a GraphDef, a MetaGraphDef, a SavedModel, or none of them.

    Only the tags and lengths of the outermost fields are read, and the first node's name.
    """
    numbers: set[int] = set()
    firsts: dict[int, bytes] = {}
    place = 0
    for _ in range(_MOST_FIELDS):
        if place >= size:
            break
        file.seek(place)
        head = file.read(512)
        tag, used = _varint(head, 0)
        number, kind = tag >> 3, tag & 7
        if used == 0 or not 1 <= number <= 7:
            return None
        if kind == 0:
            _, end = _varint(head, used)
            length = 0
        elif kind == 2:
            length, end = _varint(head, used)
        else:
            return None
        if end == 0:
            return None
        firsts.setdefault(number, head[end : end + min(length, 400)])
        numbers.add(number)
        place += end + length
    if place != size or not numbers:
        return None
    return _kind(numbers, firsts)


def _kind(numbers: set[int], firsts: dict[int, bytes]) -> Kind | None:
    if 1 in firsts and numbers <= {1, 2, 3, 4} and _is_node(firsts[1]):
        return "graph"
    if 2 in firsts and (not numbers - {1, 2} and not firsts[1] if 1 in firsts else False):
        return "savedmodel"
    if 2 in firsts and _starts_with_message(firsts[2]):
        return "metagraph"
    return None


def _is_node(data: bytes) -> bool:
    """Whether a message begins as a NodeDef: a name, then an operation type."""
    tag, used = _varint(data, 0)
    length, end = _varint(data, used)
    if tag != 0x0A or not end:
        return False
    rest = data[end + length :]
    tag, used = _varint(rest, 0)
    length, end = _varint(rest, used)
    if not rest:
        return length >= 0 and len(data) >= 2
    return tag == 0x12 and bool(_OP.fullmatch(rest[end : end + length][:100]))


def _starts_with_message(data: bytes) -> bool:
    tag, used = _varint(data, 0)
    length, end = _varint(data, used)
    return tag == 0x0A and end > 0 and _is_node(data[end : end + length])


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A number of variable length and where it ends; the end is 0 where there is none."""
    value = 0
    for i in range(10):
        if start + i >= len(data):
            return 0, 0
        byte = data[start + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return value, start + i + 1
    return 0, 0
