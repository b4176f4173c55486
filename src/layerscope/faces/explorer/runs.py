"""Runs: one picture through one model, with what is kept of it for as long as it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerscope.errors import InputError
from layerscope.explain.sizes import sizes_of
from layerscope.faces.explorer.answers.summary import Summary
from layerscope.graph import Graph, Node
from layerscope.inputs.record import Array, InputRecord


@dataclass(frozen=True, eq=False)
class Pass:
    """One forward pass: which model, and what it is fed.

    id: what cached arrays are kept under. sizes: of every node's output as it was computed,
    with a batch of one.
    """

    id: str
    model: int
    feeds: Mapping[str, Array]
    training: bool = False
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what it is fed, with a batch of one."""
        return {name: (1, *array.shape[1:]) for name, array in self.feeds.items()}


@dataclass(frozen=True, eq=False)
class Run:
    """One sample of a pass.

    id: such as ``"r0"``. label: a short name. records: how each input was made. previews:
    each input as the network saw it. originals: each input's picture before that, perhaps
    smaller, and its own height and width. predictions: what a
    classifier says. uploaded: whether it may be removed.
    """

    id: str
    made_by: Pass
    sample: int
    label: str
    records: tuple[InputRecord, ...]
    previews: tuple[Array | None, ...]
    originals: tuple[tuple[Array, tuple[int, int]] | None, ...]
    summary: Summary
    predictions: Sequence[tuple[str, float]] = ()
    findings: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    uploaded: bool = False

    @property
    def preview(self) -> Array | None:
        """The first of its inputs that is like a picture, as the network saw it."""
        return next((one for one in self.previews if one is not None), None)

    @property
    def original(self) -> tuple[Array, tuple[int, int]] | None:
        """The first picture among its inputs, and its own height and width."""
        return next((one for one in self.originals if one is not None), None)


def grouped(
    graph: Graph, feeds: Mapping[str, Array], limit: int
) -> list[tuple[tuple[Node, ...], int]]:
    """The nodes in order, in groups whose arrays fit in ``limit`` bytes, with those bytes.

    A node that is larger by itself is a group of its own.
    """
    try:
        known = sizes_of(graph, {name: array.shape for name, array in feeds.items()})
    except InputError:
        known = {}
    groups: list[tuple[tuple[Node, ...], int]] = []
    held: list[Node] = []
    total = 0
    for node in graph.nodes:
        size = _bytes(known.get(node.name) or node.shape)
        if held and total + size > limit:
            groups.append((tuple(held), total))
            held, total = [], 0
        held.append(node)
        total += size
    if held:
        groups.append((tuple(held), total))
    return groups


def _bytes(shape: Sequence[int | None]) -> int:
    size = 4
    for length in shape:
        size *= 64 if length is None else length
    return size
