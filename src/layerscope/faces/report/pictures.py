"""Which pictures a page holds, whole or in part, so that it stays within its limit."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from layerscope.faces.report.png import first_rows, size_of

Tile = Mapping[str, Any]
_MOST_HOVERED = 512
_AROUND = 800
_BELOW = 4
_ALL = 2**31
_UNEVEN = 1.2
_HEAD = 4_000


@dataclass(frozen=True)
class Shot:
    """One picture as a page holds it.

    file: where the whole of it lies. sample: which input. picture: the manifest's record.
    place: the node's position. number: counts the node's pictures. content: the bytes in the
    page, or None. width, height: pixels of the content. whole: whether every tile is in it.
    channels: those that are. hover: geometry and ranges for a pointer, or None.
    """

    file: str
    sample: int
    picture: Mapping[str, Any]
    place: int
    number: int
    content: bytes | None = None
    width: int = 0
    height: int = 0
    whole: bool = False
    channels: tuple[int, ...] = ()
    hover: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """What the page's script knows the picture by."""
        return f"{self.place}-{self.number}"

    def payload(self) -> dict[str, Any]:
        """What the page's script needs to show the picture."""
        content = self.content or b""
        return {
            "kind": _kind(content),
            "hover": self.hover,
            "base64": b64encode(content).decode("ascii"),
        }


def choose(
    nodes: Sequence[Mapping[str, Any]], read: Callable[[str], bytes], room: int
) -> list[list[Shot]]:
    """For every node its pictures, as much of them as fits into ``room`` bytes of page.

    Every picture may take its first row of tiles, or else the same share as the others: one
    that needs less leaves the rest to the larger ones, one that needs more is cut below a row
    of tiles. With several inputs those after the first few are left out where not even the
    first rows fit; with one, the smallest come first.
    """
    wanted = [
        Shot(p["file"], int(p["input"]), p, place=i, number=k)
        for i, node in enumerate(nodes)
        for k, p in enumerate(node.get("pictures", ()))
    ]
    result: list[list[Shot]] = [[] for _ in nodes]
    if room > 0:
        _fill(wanted, read, room)
    for shot in wanted:
        result[shot.place].append(shot)
    return result


def _fill(wanted: list[Shot], read: Callable[[str], bytes], room: int) -> None:
    """Give the pictures their content in place."""
    sizes = [len(read(shot.file)) for shot in wanted]
    costs = [_base64(n) + _around(shot) for n, shot in zip(sizes, wanted, strict=True)]
    least = [_first_row(n, shot) for n, shot in zip(sizes, wanted, strict=True)]
    samples = 1 + max((shot.sample for shot in wanted), default=0)
    while True:
        chosen = [i for i, shot in enumerate(wanted) if shot.sample < samples]
        reserved = sum(least[i] for i in chosen)
        if samples == 1 or reserved <= room:
            break
        samples -= 1
    reserved = reserved if reserved <= room else 0
    for done, i in enumerate(sorted(chosen, key=costs.__getitem__)):
        fair = max(room, 0) // (len(chosen) - done)
        if reserved:
            reserved -= least[i]
            fair = min(max(fair, least[i]), room - reserved)
        wanted[i], used = _taken(wanted[i], read, costs[i], fair)
        room -= used


def _around(shot: Shot) -> int:
    """Bytes of page for a picture besides its own."""
    return _AROUND + len(json.dumps(hover_data(shot.picture)))


def _first_row(size: int, shot: Shot) -> int:
    """About the bytes of page for the first row of tiles."""
    tiles = shot.picture.get("tiles", ())
    rows = {tile["top"] for tile in tiles}
    across = sum(tile["top"] == tiles[0]["top"] for tile in tiles)
    share = max(1 / max(len(rows), 1), across / max(len(tiles), 1))
    return min(_base64(size), int(_base64(size) * share * _UNEVEN) + _HEAD) + _around(shot)


def _taken(shot: Shot, read: Callable[[str], bytes], cost: int, share: int) -> tuple[Shot, int]:
    """The picture with as much as the share allows, and what that takes."""
    picture, tiles = shot.picture, shot.picture.get("tiles", ())
    if cost <= share:
        content, bottom = read(shot.file), math.inf
    else:
        ends = [tile["top"] + tile["height"] * picture["zoom"] for tile in tiles]
        around = cost - _base64(len(content := read(shot.file)))
        edges = [*(end + _BELOW for end in sorted(set(ends))), _ALL]
        part = first_rows(content, edges, (share - around) // 4 * 3)
        if part is None:
            return shot, 0
        content, bottom = part
        cost = around + _base64(len(content))
    shown = [t for t in tiles if t["top"] + t["height"] * picture["zoom"] <= bottom]
    width, height = size_of(content)
    taken = replace(
        shot,
        content=content,
        width=width,
        height=height,
        whole=len(shown) == len(tiles),
        channels=tuple(dict.fromkeys(tile["channel"] for tile in shown)),
        hover=hover_data(picture, height),
    )
    return taken, cost


def _base64(size: int) -> int:
    return (size + 2) // 3 * 4


def hover_data(picture: Mapping[str, Any], height: float = math.inf) -> dict[str, Any] | None:
    """Geometry and ranges of the tiles above ``height``, compact; None where there are many.

    rows: [top, left of the first, step across, number of tiles], in the order of the tiles.
    """
    tiles = [tile for tile in picture.get("tiles", ()) if tile["top"] < height]
    zoom = picture.get("zoom", 1)
    if not 0 < len(tiles) <= _MOST_HOVERED:
        return None
    return {
        "size": [tiles[0]["width"] * zoom, tiles[0]["height"] * zoom],
        "rows": list(_rows(tiles)),
        "channel": [tile["channel"] for tile in tiles],
        "low": _column([_short(tile["vmin"]) for tile in tiles]),
        "high": _column([_short(tile["vmax"]) for tile in tiles]),
    }


def _rows(tiles: Sequence[Tile]) -> Iterator[list[int]]:
    for top, run in groupby(tiles, key=lambda tile: tile["top"]):
        lefts = [tile["left"] for tile in run]
        step = lefts[1] - lefts[0] if len(lefts) > 1 else 0
        yield [top, lefts[0], step, len(lefts)]


def _short(value: float | None) -> float | None:
    return float(f"{value:.4g}") if value is not None and math.isfinite(value) else None


def _column(values: list[float | None]) -> Any:
    """One value where all are the same."""
    return values[0] if len(set(values)) == 1 else values


def _kind(content: bytes) -> str:
    if content.startswith(b"RIFF"):
        return "image/webp"
    return "image/jpeg" if content.startswith(b"\xff\xd8") else "image/png"
