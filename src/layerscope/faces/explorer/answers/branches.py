"""Branches: where one node feeds several paths that meet again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

Wiring = Mapping[str, Sequence[str]]
Step = Union[str, "Region"]


@dataclass(frozen=True)
class Region:
    """Parallel paths between a fork and a join, neither of which belongs to it.

    branches: each a chain of node names from the fork's side to the join's, where a Region in
    a chain is a fork and join within it. shortcut: whether the fork feeds the join directly
    as well.
    """

    fork: str
    join: str
    branches: tuple[tuple[Step, ...], ...]
    shortcut: bool = False

    def members(self) -> Iterator[str]:
        """The names of all nodes in it."""
        for branch in self.branches:
            for step in branch:
                if isinstance(step, Region):
                    yield from step.members()
                else:
                    yield step


@dataclass(frozen=True)
class Branches:
    """What was found: regions by their joins, and for every join with a shortcut its fork."""

    regions: Mapping[str, Region]
    shortcuts: Mapping[str, str]


def wiring(nodes: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """For each node of a manifest the names that feed it, each once.

    The call of a nested model is fed by the last of its own nodes, not by what was given to it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        name = node["name"]
        inside = None
        if node["operation"]["kind"] == "submodel":
            inside = next(
                (other for other in reversed(found) if other.startswith(name + "/")), None
            )
        found[name] = (inside,) if inside else tuple(dict.fromkeys(node["inputs"]))
    return found


def consumers(inputs: Wiring) -> dict[str, list[str]]:
    """For every name the nodes that it feeds."""
    found: dict[str, list[str]] = {}
    for name, sources in inputs.items():
        found.setdefault(name, [])
        for source in sources:
            found.setdefault(source, []).append(name)
    return found


def find_branches(inputs: Wiring) -> Branches:
    """Fork and join regions whose branches are chains, or chains of such regions.

    inputs: for each node, in order of computation, the names that feed it.

    >>> found = find_branches({"a": ["in"], "b": ["a"], "c": ["a"], "join": ["b", "c"]})
    >>> found.regions["join"].fork, found.regions["join"].branches
    ('a', (('b',), ('c',)))
    """
    feeds = {name: set(names) for name, names in consumers(inputs).items()}
    joined: dict[str, tuple[str, tuple[Step, ...]]] = {}
    regions: dict[str, Region] = {}
    shortcuts: dict[str, str] = {}
    for join, sources in inputs.items():
        if len(sources) < 2:
            continue
        walks = [_walk_back(source, inputs, feeds, joined) for source in sources]
        fork = walks[0][0]
        if any(end != fork for end, _, _ in walks):
            continue
        branches = tuple(chain for _, chain, _ in walks if chain)
        shortcut = len(branches) < len(walks)
        if shortcut:
            shortcuts[join] = fork
        if len(branches) > 1:
            regions[join] = Region(fork, join, branches, shortcut)
            joined[join] = fork, (regions[join],)
        else:
            joined[join] = fork, branches[0]
        feeds[fork] -= {head or join for _, _, head in walks}
        feeds[fork].add(join)
    return Branches(regions, shortcuts)


def _walk_back(
    at: str,
    inputs: Wiring,
    feeds: Mapping[str, set[str]],
    joined: Mapping[str, tuple[str, tuple[Step, ...]]],
) -> tuple[str, tuple[Step, ...], str | None]:
    """The fork that a path comes from, the path's chain, and what the fork feeds of it."""
    chain: list[Step] = []
    head: str | None = None
    while len(feeds[at]) == 1 and at in inputs:
        if at in joined:
            fork, inner = joined[at]
            chain += [at, *reversed(inner)]
        elif len(inputs[at]) == 1:
            fork = inputs[at][0]
            chain.append(at)
        else:
            break
        head, at = at, fork
    return at, tuple(reversed(chain)), head


def lay_out(names: Sequence[str], found: Branches, most: int = 8) -> list[Step]:
    """Nodes in order, with those regions drawn together that lie wholly and unbroken in them.

    most: regions with more branches than this are listed in order.
    """
    place = {name: i for i, name in enumerate(names)}
    starts: dict[int, tuple[Region, int]] = {}
    for region in found.regions.values():
        members = [place.get(name, -1) for name in region.members()]
        first, length = min(members), len(members)
        whole = first >= 0 and max(members) - first + 1 == length
        if whole and len(region.branches) <= most and length > starts.get(first, (region, 0))[1]:
            starts[first] = region, length
    items: list[Step] = []
    at = 0
    while at < len(names):
        step, length = starts.get(at, (names[at], 1))
        items.append(step)
        at += length
    return items
