"""Blocks: a long network in parts that can be folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any

from layerscope.faces.explorer.answers.branches import consumers, wiring

Node = Mapping[str, Any]
_LARGE = 40
_DEEPEST = 5


@dataclass(frozen=True)
class Block:
    """Nodes ``start`` up to, but not including, ``stop``, under one title."""

    title: str
    start: int
    stop: int


def fold(nodes: Sequence[Node]) -> tuple[Block, ...]:
    """Divide a manifest's nodes into blocks, in order.

    By the paths and beginnings that names share (``block1_conv1``, ``block1_conv2``) where
    most names do, else where the flow of data narrows to one node that feeds several.
    """
    if not nodes:
        return ()
    tokens = [_tokens(node) for node in nodes]
    groups = _by_names([node["name"] for node in nodes], tokens) or [("", 0, len(nodes))]
    named: list[Block] = []
    for title, start, stop in groups:
        if title:
            named.append(Block(title, start, stop))
        else:
            named += _by_structure(nodes, start, stop)
    return tuple(named)


def _tokens(node: Node) -> tuple[str, ...]:
    """The parts of a name: its path, and the last part by its underscores.

    A name that a framework made from the layer's type, such as ``conv2d_3``, says nothing
    of a block and stays whole.
    """
    *path, last = node["name"].split("/")
    return (*path, *([last] if _automatic(node) else last.split("_")))


def _automatic(node: Node) -> bool:
    last = node["name"].rpartition("/")[2]
    bare = (re.sub(r"[_\d]", "", name).lower() for name in (last, node["type"]))
    return next(bare) == next(bare)


def _by_names(
    names: Sequence[str], tokens: Sequence[tuple[str, ...]]
) -> list[tuple[str, int, int]] | None:
    """(title, start, stop) by shared beginnings, an empty title for nodes that share none."""
    shared = _shared(tokens)
    best: tuple[int, list[tuple[str, int, int]]] | None = None
    for level in range(shared + 1, shared + 1 + _DEEPEST):
        groups = list(_runs(names, tokens, level))
        titled = [(title, stop - start) for title, start, stop in groups if title]
        covered = sum(size for _, size in titled)
        if len({title for title, _ in titled}) < len(titled) or covered * 5 < len(tokens) * 3:
            continue
        largest = max(size for _, size in titled)
        if best is None or largest < best[0]:
            best = largest, groups
        if largest <= _LARGE:
            break
    return best[1] if best else None


def _shared(tokens: Sequence[tuple[str, ...]]) -> int:
    """How many parts all names begin with."""
    return sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*tokens, strict=False)))


def _beginning(name: str, level: int) -> str:
    """The first ``level`` parts of a name as they are written in it."""
    *path, last = name.split("/")
    return "/".join([*path, "_".join(last.split("_")[: level - len(path)])][:level])


def _runs(
    names: Sequence[str], tokens: Sequence[tuple[str, ...]], level: int
) -> Iterator[tuple[str, int, int]]:
    start, loose = 0, 0
    for key, run in groupby(t[:level] for t in tokens):
        stop = start + sum(1 for _ in run)
        if stop - start > 1 and len(key) == level:
            if loose < start:
                yield "", loose, start
            yield _beginning(names[start], level), start, stop
            loose = stop
        start = stop
    if loose < start:
        yield "", loose, start


def _by_structure(nodes: Sequence[Node], start: int, stop: int) -> list[Block]:
    inputs = wiring(nodes)
    feeds = consumers(inputs)
    names = [node["name"] for node in nodes]
    narrow = _narrow(names, inputs)
    merges = [i for i in range(start, stop) if len(inputs[names[i]]) > 1]
    forks = {i for i in range(start, stop) if narrow[i] and len(feeds[names[i]]) > 1}
    if merges and narrow[merges[-1]] and stop - merges[-1] > 2:
        forks.add(merges[-1])
    pools = {
        i for i in range(start, stop) if narrow[i] and nodes[i]["operation"]["kind"] == "pooling"
    }
    parts = [(start, stop)]
    for cuts in (forks, pools, set(merges)):
        large = _LARGE if cuts is not forks else 12
        parts = [
            piece
            for part in parts
            for piece in (_cut(*part, cuts) if part[1] - part[0] > large else [part])
        ]
    if len(parts) == 1:
        return [Block(_range(nodes[start:stop]), start, stop)]
    return [Block(_title(nodes[a:b], inputs), a, b) for a, b in parts]


def _cut(start: int, stop: int, after: set[int]) -> list[tuple[int, int]]:
    """Parts that end after the given positions; none of a single node."""
    edges = [start]
    for i in sorted(after):
        if start < i + 1 < stop - 1 and i + 1 - edges[-1] > 1:
            edges.append(i + 1)
    return list(zip(edges, [*edges[1:], stop], strict=True))


def _narrow(names: Sequence[str], inputs: Mapping[str, Sequence[str]]) -> list[bool]:
    """For every node whether later ones use its output and nothing older."""
    last_use = {source: i for i, name in enumerate(names) for source in inputs[name]}
    place = {name: i for i, name in enumerate(names)}
    furthest = max((last_use[s] for s in last_use if s not in place), default=-1)
    found = []
    for i, name in enumerate(names):
        found.append(furthest <= i and last_use.get(name, -1) > i)
        furthest = max(furthest, last_use.get(name, -1))
    return found


def _title(nodes: Sequence[Node], inputs: Mapping[str, Sequence[str]]) -> str:
    """What the given names share, or the last node that joins others, or first to last."""
    given = [node for node in nodes if not _automatic(node)]
    shared = _shared([_tokens(node) for node in given])
    if len(given) > 1 and shared:
        return _beginning(given[0]["name"], shared)
    joins = [node["name"] for node in nodes if len(inputs[node["name"]]) > 1]
    return str(joins[-1]) if joins and len(nodes) > 1 else _range(nodes)


def _range(nodes: Sequence[Node]) -> str:
    first, last = nodes[0]["name"], nodes[-1]["name"]
    return str(first) if len(nodes) == 1 else f"{first} … {last}"
