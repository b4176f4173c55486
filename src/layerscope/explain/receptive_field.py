"""Receptive fields: which pixels of the network's input a neuron can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from layerscope.axes import Axis
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.reads import Masks, everything, reads
from layerscope.explain.sizes import Sizes, result_of, sizes_of
from layerscope.graph import Graph, Node
from layerscope.operations import Submodel


@dataclass(frozen=True)
class Box:
    """What a neuron sees of one input of the network.

    node, at, channel: the neuron. input: the input's name. axes: the letters of the input's
    spatial axes. ranges: (start, stop) along each, half-open, clipped to the input. status:
    ``"exact"`` where each side holds a pixel that matters, else ``"upper bound"``. notes: which
    operations see everything.
    """

    node: str
    at: tuple[int, ...] | None
    channel: int | None
    input: str
    axes: str
    ranges: tuple[tuple[int, int], ...]
    status: str
    notes: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """The first row."""
        return self._along(Axis.HEIGHT)[0]

    @property
    def bottom(self) -> int:
        """The row after the last."""
        return self._along(Axis.HEIGHT)[1]

    @property
    def left(self) -> int:
        """The first column."""
        return self._along(Axis.WIDTH)[0]

    @property
    def right(self) -> int:
        """The column after the last."""
        return self._along(Axis.WIDTH)[1]

    def _along(self, axis: Axis) -> tuple[int, int]:
        if axis.value not in self.axes:
            raise ModelError(
                f"expected an input with a {axis.word} but {self.input!r} has the spatial axes "
                f"{self.axes or 'none'}. Use box.ranges, which has one pair for each of them."
            )
        return self.ranges[self.axes.index(axis.value)]


def boxes(
    graph: Graph,
    name: str,
    at: Sequence[int] | None = None,
    *,
    channel: int | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> tuple[Box, ...]:
    """What a neuron sees of every input of the network.

    name: a node. at: its place along the node's spatial axes; None is all places. channel:
    one channel, None is all of them. shapes: of inputs whose size the network leaves free.
    Raises SelectionError for a place or channel that does not exist.
    """
    sizes = sizes_of(graph, shapes)
    node = graph[name]
    if name not in sizes:
        raise ModelError(
            f"The shape of {name} ({node.type}) is not known before the network runs, so it has "
            "no receptive field to tell. Choose a layer before it."
        )
    at = None if at is None else tuple(at)
    wanted, exact, notes = _back(graph, name, _start(node, sizes[name], at, channel), sizes)
    found = []
    for given in graph.inputs:
        masks = wanted.get(given.name)
        spatial = given.axes.spatial or tuple(
            axis for axis in range(len(given.shape)) if axis != given.axes.batch
        )
        seen = masks is not None and all(mask.any() for mask in masks)
        ranges = tuple(_hull(masks[axis]) if seen and masks else (0, 0) for axis in spatial)
        letters = "".join(given.axes.names[axis].value for axis in spatial)
        status = "exact" if exact else "upper bound"
        found.append(Box(name, at, channel, given.name, letters, ranges, status, notes))
    return tuple(found)


def _start(node: Node, sizes: Sizes, at: tuple[int, ...] | None, channel: int | None) -> Masks:
    """The masks that choose one neuron."""
    masks = everything(sizes)
    spatial = node.axes.spatial
    if at is not None:
        if len(at) != len(spatial):
            words = ", ".join(node.axes.names[axis].word for axis in spatial) or "none"
            raise SelectionError(
                f"expected a place along the spatial axes of {node.name} ({words}) but got "
                f"{len(at)} {'number' if len(at) == 1 else 'numbers'}: {at}."
            )
        for axis, place in zip(spatial, at, strict=True):
            _choose(node, masks, axis, place)
    if channel is not None:
        if node.axes.channel is None:
            raise SelectionError(f"{node.name} has no channels, but channel {channel} was asked.")
        _choose(node, masks, node.axes.channel, channel)
    return masks


def _choose(node: Node, masks: Masks, axis: int, place: int) -> None:
    mask = masks[axis]
    if not 0 <= place < len(mask):
        raise SelectionError(
            f"{node.name} has {len(mask)} places along its {node.axes.names[axis].word}, numbered "
            f"0 to {len(mask) - 1}, but {place} was asked for. Choose one in that range."
        )
    mask[:] = False
    mask[place] = True


def _back(
    graph: Graph, name: str, start: Masks, sizes: Mapping[str, Sizes]
) -> tuple[dict[str, Masks], bool, tuple[str, ...]]:
    """From a node back to the inputs: masks by name, whether they are exact, and notes."""
    wanted: dict[str, Masks] = {name: start}
    exact, notes = True, []
    for node in reversed(graph.nodes):
        masks = wanted.pop(node.name, None)
        if masks is None or not all(mask.any() for mask in masks):
            continue
        if isinstance(node.operation, Submodel):
            inner = result_of(graph, node)
            if inner:
                exact = exact and len(inner) == 1
                for other in inner:
                    _want(wanted, other, masks)
                continue
        known = [source for source in node.inputs if source in sizes]
        read = reads(node, masks, [sizes[source] for source in known], sizes[node.name])
        exact = exact and read.exact and len(known) == len(node.inputs)
        if read.note:
            notes.append(read.note)
        for source, own in zip(known, read.masks, strict=True):
            _want(wanted, source, own)
        if len(known) < len(node.inputs):
            for given in graph.inputs:
                _want(wanted, given.name, everything(sizes[given.name]))
    return wanted, exact, tuple(notes[::-1])


def _want(wanted: dict[str, Masks], name: str, masks: Masks) -> None:
    """Add to what is wanted of a node; what reads nothing along one axis reads nothing."""
    if not all(mask.any() for mask in masks):
        return
    held = wanted.get(name)
    wanted[name] = masks if held is None else tuple(a | b for a, b in zip(held, masks, strict=True))


def _hull(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[int, int]:
    held = np.flatnonzero(mask)
    return int(held[0]), int(held[-1]) + 1
