"""Room: how much of each layer a page of a limited size holds."""

from __future__ import annotations

from collections.abc import Sequence

from isal import isal_zlib

from layerscope.faces.explorer.answers.container import pack, unpack

_WASTE = 1.03
_HEAD = 600


def deflated(data: bytes) -> bytes:
    """Bytes as a page holds them before base64. Releases the interpreter lock."""
    packed: bytes = isal_zlib.compress(data, 1)
    return packed


def in_base64(size: int) -> int:
    """The characters that so many bytes take."""
    return 4 * ((size + 2) // 3)


def shares(costs: Sequence[int], room: int) -> list[int]:
    """What each may take of a room, at most its cost.

    What needs less than an equal share leaves the rest to the others.

    >>> shares([10, 100, 100], 110)
    [10, 50, 50]
    """
    taken = [0] * len(costs)
    for done, i in enumerate(sorted(range(len(costs)), key=costs.__getitem__)):
        taken[i] = min(costs[i], max(0, room) // (len(costs) - done))
        room -= taken[i]
    return taken


def cut(packed: bytes, size: int) -> tuple[bytes, int, int] | None:
    """A layer's container, deflated, with as many of its first channels as fit.

    size: bytes that it may take. Returns the bytes, the channels held and those there were;
    None where not even one fits.
    """
    header, sections = unpack(isal_zlib.decompress(packed))
    count = len(sections["lo"])
    kept = int(count * (size - _HEAD) / (len(packed) * _WASTE))
    if kept < 1:
        return None
    del header["sections"]
    header["groups"] = [
        {**group, "stop": min(group["stop"], kept)}
        for group in header["groups"]
        if group["start"] < kept
    ]
    header["constant"] = [channel for channel in header["constant"] if channel < kept]
    said = f"the first {kept:,} of {count:,} channels are in this page"
    header["left_out"] = "; ".join(filter(None, [said, header["left_out"]]))
    return deflated(pack(header, {n: a[:kept] for n, a in sections.items()})), kept, count
