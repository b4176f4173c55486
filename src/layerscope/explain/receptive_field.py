"""Receptive fields: which pixels of the network's input a neuron can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from layerscope.axes import Axis
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.fields import Field
from layerscope.explain.reads import Masks, everything, reads
from layerscope.explain.regions import Regions
from layerscope.explain.sizes import Sizes, result_of, sizes_of
from layerscope.graph import Graph, Node
from layerscope.operations import Submodel


class Made(Protocol):
    """How an input was made from a picture: an InputRecord."""

    def in_original(self, axis: str, start: int, stop: int) -> tuple[int, int] | None:
        """Pixels of the picture that rows or columns start to stop were made from, or None."""


@dataclass(frozen=True)
class Box:
    """What a neuron sees of one input of the network.

    node, at, channel: the neuron. input: the input's name. axes: the letters of the input's
    spatial axes. ranges: (start, stop) along each, half-open, clipped to the input. status:
    ``"exact"`` where each side holds a pixel that matters, else ``"upper bound"``. notes: which
    operations see everything. field: size, stride and padding of the node's receptive field,
    None where there is none of one size.
    """

    node: str
    at: tuple[int, ...] | None
    channel: int | None
    input: str
    axes: str
    ranges: tuple[tuple[int, int], ...]
    status: str
    notes: tuple[str, ...] = ()
    field: Field | None = None

    def in_picture(self, record: Made) -> Box | None:
        """The box in the picture that the input was made from, before it was resized.

        record: of this input, such as ``ls.explain(…).records`` holds. The box is wider than the
        input's share of the picture: it holds every pixel that the interpolation weighs. Its
        status is the input's; where pictures are rounded to 8 bits, a small weight may change
        nothing. Returns None where the input was made from no picture or matrix.
        """
        found = []
        for letter, (start, stop) in zip(self.axes, self.ranges, strict=True):
            own = record.in_original(letter, start, stop)
            if own is None:
                return None
            found.append(own)
        return replace(self, ranges=tuple(found), field=None) if found else None

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
        regions = wanted.get(given.name, Regions())
        spatial = given.axes.spatial or tuple(
            axis for axis in range(len(given.shape)) if axis != given.axes.batch
        )
        ranges = tuple(regions.hull(axis) for axis in spatial)
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
) -> tuple[dict[str, Regions], bool, tuple[str, ...]]:
    """From a node back to the inputs: regions by name, whether they are exact, and notes."""
    wanted: dict[str, Regions] = {name: Regions()}
    wanted[name].add(start)
    exact, notes = True, []

    def want(source: str, masks: Masks) -> None:
        wanted.setdefault(source, Regions()).add(masks)

    for node in reversed(graph.nodes):
        regions = wanted.pop(node.name, None)
        if regions is None or not regions.held:
            continue
        exact = exact and regions.exact
        inner = result_of(graph, node) if isinstance(node.operation, Submodel) else ()
        if inner and not node.hides:
            exact = exact and len(inner) == 1
            for other in inner:
                for masks in regions.held:
                    want(other, masks)
            continue
        known = [source for source in node.inputs if source in sizes]
        told = [sizes[source] for source in known]
        seen = [reads(node, masks, told, sizes[node.name]) for masks in regions.held]
        exact = exact and all(read.exact for read in seen) and len(known) == len(node.inputs)
        notes += [read.note for read in seen[:1] if read.note]
        for read in seen:
            for source, own in zip(known, read.masks, strict=True):
                want(source, own)
        if len(known) < len(node.inputs):
            for given in graph.inputs:
                want(given.name, everything(sizes[given.name]))
    exact = exact and all(regions.exact for regions in wanted.values())
    return wanted, exact, tuple(notes[::-1])
