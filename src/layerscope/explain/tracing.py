"""Tracing: every single value of a channel, followed to where it lies in its origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from layerscope.explain.copies import NOTHING, Ints, is_identity
from layerscope.explain.provenance import Origins, branches, channel_of, planes_of
from layerscope.explain.sizes import Sizes
from layerscope.graph import Graph, Node
from layerscope.operations import Gather, Slice, Submodel


@dataclass(frozen=True, eq=False)
class Places:
    """Where each value of a channel lies in the channel that it is a copy of.

    node, channel: the origin. shape: of its channel. flat: for each value of the copy, its
    position in the origin's channel in row-major order; −1 for padding.
    """

    node: str
    channel: int
    shape: tuple[int, ...]
    flat: Ints

    @property
    def still(self) -> bool:
        """Whether every value lies where it lay."""
        own = np.arange(prod(self.shape))
        return self.flat.shape == self.shape and bool((self.flat.reshape(-1) == own).all())

    def at(self, place: Sequence[int]) -> tuple[int, ...] | None:
        """The place in the origin's channel of a place in the copy; None for padding."""
        flat = int(self.flat[tuple(place)])
        if flat == NOTHING:
            return None
        return tuple(int(i) for i in np.unravel_index(flat, self.shape))


class Tracing:
    """The values of a node's channels, each traced to the channel that all of them come from.

    sizes: shapes of all nodes, batch of one.
    """

    def __init__(self, graph: Graph, node: Node, sizes: Mapping[str, Sizes]) -> None:
        self.graph, self.node, self.sizes = graph, node, sizes
        self._tracer = Origins(graph, sizes)

    def channel(self, channel: int) -> Places | None:
        """One channel; None where it comes from several, or where sizes are not known."""
        return self._unmoved(channel) or self._by_elements(channel)

    def _unmoved(self, channel: int) -> Places | None:
        """A channel whose values all lie where they lay, told without numbering them."""
        node = self.node
        while sources := self._tracer.sources(node):
            branch = next(
                (b for b in branches(self.graph, node) if b.start <= channel < b.stop), None
            )
            if branch is not None:
                node, channel = self.graph[branch.source], channel - branch.start
                continue
            source = self.graph[sources[0]]
            kept = self._same_place(node, source, channel) if len(sources) == 1 else None
            if kept is None:
                return None
            node, channel = source, kept
        sizes = self._tracer.sizes(node.name)
        if sizes is None or node is self.node:
            return None
        gone = (node.axes.batch, node.axes.channel)
        shape = tuple(size for axis, size in enumerate(sizes) if axis not in gone)
        return Places(node.name, channel, shape, np.arange(prod(shape)).reshape(shape))

    def _same_place(self, node: Node, source: Node, channel: int) -> int | None:
        """The source's channel, where the node moves nothing along any other axis."""
        operation, axis = node.operation, node.axes.channel
        if isinstance(operation, Submodel) or is_identity(operation):
            return channel
        sizes = self._tracer.sizes(source.name)
        if axis is None or axis != source.axes.channel or sizes is None:
            return None
        if isinstance(operation, Gather) and operation.axis == axis:
            return operation.indices[channel]
        if not isinstance(operation, Slice) or operation.dropped:
            return None
        kept = [range(n)[slice(*part)] for n, part in zip(sizes, operation.parts, strict=True)]
        whole = all(kept[i] == range(n) for i, n in enumerate(sizes) if i != axis)
        return kept[axis][channel] if whole else None

    @cached_property
    def _elements(self) -> tuple[Ints, list[tuple[int, str]]] | None:
        """The number of every element, by channel, and which node's numbers start where."""
        found = self._tracer.elements(self.node, through_joins=True)
        return None if found is None else (planes_of(found[0], self.node), found[1])

    def _by_elements(self, channel: int) -> Places | None:
        if self._elements is None or channel >= len(self._elements[0]):
            return None
        own, sources = self._elements[0][channel], self._elements[1]
        copied = own[own != NOTHING]
        if not copied.size:
            return None
        starts = np.array([start for start, _ in sources])
        first, name = sources[int(np.searchsorted(starts, copied[0], "right")) - 1]
        sizes = self._tracer.sizes(name)
        assert sizes is not None
        if copied.min() < first or copied.max() >= first + prod(sizes):
            return None
        source = self.graph[name]
        of = channel_of(source, sizes)[copied - first]
        if (of != of[0]).any():
            return None
        plane = planes_of(np.arange(prod(sizes)).reshape(sizes), source)[of[0]]
        positions = np.zeros(prod(sizes), np.int64)
        positions[plane.reshape(-1)] = np.arange(plane.size)
        flat = np.full(own.shape, NOTHING, np.int64)
        flat[own != NOTHING] = positions[copied - first]
        return Places(name, int(of[0]), plane.shape, flat)
