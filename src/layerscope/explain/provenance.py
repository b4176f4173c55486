"""Where the channels of a node come from, through everything that only moves values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from layerscope.explain.copies import NOTHING, Ints, is_copy, is_identity, moved
from layerscope.explain.sizes import Sizes, result_of
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Concatenation,
    Gather,
    Padding,
    Permutation,
    Slice,
    Submodel,
    Upsampling,
)

_LARGEST = 1 << 26
_RUNS = 3
Channel = tuple[str, int]


@dataclass(frozen=True)
class Branch:
    """Channels ``start`` to ``stop`` (half-open) of a node, which are channels 0 … of a source."""

    source: str
    start: int
    stop: int

    @property
    def origins(self) -> tuple[str, ...]:
        """For every channel, ``"<node>:<channel>"``."""
        return tuple(f"{self.source}:{i}" for i in range(self.stop - self.start))


def branches(graph: Graph, node: Node) -> tuple[Branch, ...]:
    """The inputs that a concatenation joins along its channel axis; empty for other nodes."""
    joins = isinstance(node.operation, Concatenation) and node.operation.axis == node.axes.channel
    if not joins:
        return ()
    found: list[Branch] = []
    start = 0
    for name in node.inputs:
        channels = graph[name].channels
        if channels is None:
            return ()
        found.append(Branch(name, start, start + channels))
        start += channels
    return tuple(found) if start == node.channels else ()


def origin(graph: Graph, node: Node, channel: int) -> Channel | None:
    """The node and channel that a channel is a copy of, through any number of nodes.

    Followed are concatenations, slices, splits, permutations, reshapes, padding, enlarging by
    repetition, layers that pass their input on, and submodels (whose last inner node makes
    their output). Returns the node itself where it makes its own channels, None where the
    channel does not exist.
    """
    count = _channels(node, None)
    if count is not None and not 0 <= channel < count:
        return None
    return origins(graph, node)[channel] if count is not None else (node.name, channel)


def origins(
    graph: Graph, node: Node, sizes: Mapping[str, Sizes] | None = None
) -> tuple[Channel, ...]:
    """For every channel of a node, the node and channel that it is a copy of.

    sizes: shapes of nodes (batch of one) whose sizes the network leaves free. A channel that
    holds values of several channels, or values of its own, is its own origin.
    """
    return Origins(graph, sizes).channels(node)


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


def numbers_words(numbers: Sequence[int]) -> str:
    """Numbers as few words: ``0–63``; ``0, 2, …, 62`` at equal steps; ``0–3, 8–11``, and so on.

    >>> numbers_words([0, 1, 2, 5]), numbers_words([0, 2, 4, 6]), numbers_words([7])
    ('0–2, 5', '0, 2, …, 6', '7')
    """
    steps = set(np.diff(numbers).tolist())
    if len(numbers) > 3 and len(steps) == 1 and steps != {1}:
        return f"{numbers[0]}, {numbers[1]}, …, {numbers[-1]}"
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f"{a}–{b}" for a, b in runs[:_RUNS]]
    return ", ".join(shown) + (", …" if len(runs) > _RUNS else "")


class Tracing:
    """The values of a node's channels, each traced to the channel that all of them come from.

    sizes: shapes of all nodes, batch of one.
    """

    def __init__(self, graph: Graph, node: Node, sizes: Mapping[str, Sizes]) -> None:
        self.graph, self.node, self.sizes = graph, node, sizes
        self._tracer = Origins(graph, sizes)
        self._found = self._tracer.elements(node, through_joins=True)
        self._planes = None if self._found is None else _planes(self._found[0], node)

    def channel(self, channel: int) -> Places | None:
        """One channel; None where it comes from several, or where sizes are not known."""
        if self._found is None or self._planes is None or channel >= len(self._planes):
            return None
        own, sources = self._planes[channel], self._found[1]
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
        of = _channel_of(source, sizes)[copied - first]
        if (of != of[0]).any():
            return None
        plane = _planes(np.arange(prod(sizes)).reshape(sizes), source)[of[0]]
        positions = np.zeros(prod(sizes), np.int64)
        positions[plane.reshape(-1)] = np.arange(plane.size)
        flat = np.full(own.shape, NOTHING, np.int64)
        flat[own != NOTHING] = positions[copied - first]
        return Places(name, int(of[0]), plane.shape, flat)


def _channels(node: Node, sizes: Sizes | None) -> int | None:
    if node.axes.channel is None:
        return 1
    return node.channels if sizes is None else sizes[node.axes.channel]


def _planes(array: Ints, node: Node) -> Ints:
    """An array of one sample with the channels first: (channels, \\*rest)."""
    batch, channel = node.axes.batch, node.axes.channel
    if batch is None:
        return array[np.newaxis] if channel is None else np.moveaxis(array, channel, 0)
    one: Ints = np.asarray(array.take(0, axis=batch))
    if channel is None:
        return one[np.newaxis]
    return np.moveaxis(one, channel - (channel > batch), 0)


class Origins:
    """The origins of a network's channels, found once for all of its nodes.

    Channels are followed in closed form where an operation keeps them whole, else value by
    value. sizes: shapes of nodes (batch of one) whose sizes the network leaves free.
    """

    def __init__(self, graph: Graph, sizes: Mapping[str, Sizes] | None = None) -> None:
        self.graph, self.known = graph, sizes or {}
        self.found: dict[str, tuple[Channel, ...]] = {}

    def sizes(self, name: str) -> Sizes | None:
        """A node's shape with a batch of one, where it is known."""
        if name in self.known:
            return self.known[name]
        node = self.graph[name]
        batch = node.axes.batch
        shape = [1 if axis == batch else size for axis, size in enumerate(node.shape)]
        return None if None in shape else tuple(size or 0 for size in shape)

    def channels(self, node: Node) -> tuple[Channel, ...]:
        """For every channel of a node, the node and channel that it is a copy of."""
        waiting = [node]
        while waiting:
            # Without recursion, since concatenations can be chained a hundredfold.
            last = waiting[-1]
            needed = [n for n in self._sources(last) if n not in self.found]
            if needed and last.name not in self.found:
                waiting += [self.graph[name] for name in needed]
                continue
            waiting.pop()
            if last.name not in self.found:
                self.found[last.name] = self._of(last)
        return self.found[node.name]

    def _sources(self, node: Node) -> tuple[str, ...]:
        if isinstance(node.operation, Submodel):
            inner = result_of(self.graph, node)
            return inner if len(inner) == 1 and not node.hides else ()
        return node.inputs if is_copy(node.operation) and not node.hides else ()

    def _of(self, node: Node) -> tuple[Channel, ...]:
        count = _channels(node, self.sizes(node.name)) or 0
        own = tuple((node.name, channel) for channel in range(count))
        sources = self._sources(node)
        if not sources:
            return own
        joined = branches(self.graph, node)
        if joined:
            return tuple(channel for branch in joined for channel in self.found[branch.source])
        kept = self._kept(node, len(own)) if len(sources) == 1 else None
        if kept is not None:
            given = self.found[sources[0]]
            return tuple(given[i] for i in kept)
        return self._by_elements(node, own)

    def _kept(self, node: Node, count: int) -> Sequence[int] | None:
        """For each channel the channel of the only input that it is, or None."""
        operation = node.operation
        source = self.graph[self._sources(node)[0]]
        given = len(self.found[source.name])
        axis, before = node.axes.channel, source.axes.channel
        if isinstance(operation, Submodel) or is_identity(operation):
            return range(count) if given == count else None
        if axis is None or before is None:
            return None
        if isinstance(operation, Padding | Upsampling):
            return range(count) if given == count and axis == before else None
        if isinstance(operation, Permutation):
            return range(count) if operation.order[axis] == before else None
        if isinstance(operation, Gather) and axis == before:
            return operation.indices if operation.axis == axis else range(count)
        if isinstance(operation, Slice) and before not in operation.dropped:
            if axis != before - sum(gone < before for gone in operation.dropped):
                return None
            kept = range(given)[slice(*operation.parts[before])]
            return kept if len(kept) == count else None
        return None

    def _by_elements(self, node: Node, own: tuple[Channel, ...]) -> tuple[Channel, ...]:
        found = self.elements(node, through_joins=False)
        if found is None:
            return own
        ids, sources = found
        planes = _planes(ids, node).reshape(len(own), -1)
        if not planes.size:
            return own
        result = list(own)
        for start, name in sources:
            source, shape = self.graph[name], self.sizes(name)
            assert shape is not None
            known = planes != NOTHING
            inside = ((planes >= start) & (planes < start + prod(shape)) | ~known).all(axis=1)
            rows = np.flatnonzero(inside & known.any(axis=1))
            if not len(rows):
                continue
            known = known[rows]
            of = _channel_of(source, shape)[np.where(known, planes[rows] - start, 0)]
            low = np.where(known, of, of.max()).min(axis=1)
            high = np.where(known, of, 0).max(axis=1)
            given = self.channels(source)
            for row, channel in zip(rows[low == high], low[low == high], strict=True):
                result[row] = given[channel]
        return tuple(result)

    def elements(
        self, node: Node, *, through_joins: bool
    ) -> tuple[Ints, list[tuple[int, str]]] | None:
        """A number for every element of a node, and which node's numbers start where.

        through_joins: whether concatenations of channels are taken apart too, and not
        treated as nodes that make their own.
        """
        sources: list[tuple[int, str]] = []
        ids: dict[str, Ints] = {}
        waiting, total = [node.name], 0
        while waiting:
            name = waiting[-1]
            if name in ids:
                waiting.pop()
                continue
            one, sizes = self.graph[name], self.sizes(name)
            if sizes is None or total > _LARGEST:
                return None
            inputs = self._sources(one)
            if name != node.name and not through_joins and branches(self.graph, one):
                inputs = ()
            needed = [source for source in inputs if source not in ids]
            if any(self.sizes(source) is None for source in inputs):
                inputs, needed = (), []
            if needed:
                waiting += needed
                continue
            waiting.pop()
            made: Ints | None = None
            if inputs and isinstance(one.operation, Submodel):
                made = ids[inputs[0]]
            elif inputs:
                made = moved(one, [ids[source] for source in inputs], sizes)
            if made is None:
                sources.append((total, name))
                made = np.arange(total, total + prod(sizes)).reshape(sizes)
                total += prod(sizes)
            ids[name] = made
        if sources and sources[-1][1] == node.name:
            return None
        return ids[node.name], sources


def _channel_of(node: Node, shape: Sizes) -> Ints:
    """The channel of every element of a node, in row-major order."""
    axis = node.axes.channel
    if axis is None:
        return np.zeros(prod(shape), np.int64)
    each = prod(shape[axis + 1 :])
    return np.arange(prod(shape)) // max(each, 1) % shape[axis]
