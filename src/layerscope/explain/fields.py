"""Fields: the size, stride and padding of every node's receptive field, in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from layerscope.errors import InputError
from layerscope.explain.copies import slice_moves
from layerscope.explain.reads import SUMMING, spatial_axes
from layerscope.explain.sizes import Sizes, result_of, sized, sizes_of
from layerscope.explain.windows import Window, windows
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Concatenation,
    Convolution,
    Elementwise,
    Gather,
    Normalization,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Slice,
    Submodel,
    Upsampling,
)


@dataclass(frozen=True)
class Move:
    """What an operation reads along one axis: output o + len(reads)·k reads reads[o] + shift·k."""

    reads: tuple[tuple[int, ...], ...]
    shift: int


@dataclass(frozen=True)
class Span:
    """Where neurons look along one axis, borders left aside.

    Neuron o + len(ends)·k sees from ends[o][0] + shift·k to ends[o][1] + shift·k, both
    included; None where it sees nothing. Neurons differ after an enlargement alone.
    """

    ends: tuple[tuple[int, int] | None, ...]
    shift: int

    @property
    def stride(self) -> Fraction:
        """Positions from one neuron's field to the next."""
        return Fraction(self.shift, len(self.ends))

    def of(self, neuron: int) -> tuple[int, int] | None:
        """The first and the last position that a neuron sees."""
        turns, place = divmod(neuron, len(self.ends))
        own = self.ends[place]
        return own and (own[0] + turns * self.shift, own[1] + turns * self.shift)

    def joined(self, other: Span) -> Span | None:
        """What two branches see together; None where they move at different strides."""
        if self.stride != other.stride:
            return None
        count = lcm(len(self.ends), len(other.ends))
        ends = tuple(_hull([self.of(o), other.of(o)]) for o in range(count))
        return Span(ends, int(self.stride * count))

    def through(self, move: Move) -> Span:
        """What an operation sees that reads neurons of this span."""
        times = len(self.ends) // gcd(move.shift, len(self.ends))
        ends = tuple(
            _hull([self.of(i + move.shift * turn) for i in positions])
            for turn in range(times)
            for positions in move.reads
        )
        return Span(ends, int(self.stride * move.shift * times))


def _hull(seen: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    held = [own for own in seen if own is not None]
    return (min(own[0] for own in held), max(own[1] for own in held)) if held else None


Spans = tuple[Span, ...]


@dataclass(frozen=True)
class Field:
    """A node's receptive field along each spatial axis, in positions of the network's input.

    size: positions from the first to the last that a neuron sees, borders left aside (the
    most, where neurons differ: after an enlargement). stride: positions from one neuron's field
    to the next. padding: positions by which the first neuron's field begins before the input.
    """

    size: tuple[int, ...]
    stride: tuple[Fraction, ...]
    padding: tuple[int, ...]

    def as_json(self) -> dict[str, list[float]]:
        """The field as ``layerscope layers --json`` prints it; whole numbers stay whole."""
        return {
            "size": list(self.size),
            "stride": [_number(value) for value in self.stride],
            "padding": list(self.padding),
        }


def fields(
    graph: Graph,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
    *,
    given: str | None = None,
) -> dict[str, Field | None]:
    """Every node's field in one input; None where there is none of one size.

    That is so for nodes that see everything or nothing of it, that are not understood, or
    whose branches move at different strides. shapes: of inputs whose sizes the network leaves
    free. given: the input, by default the main one or the first. Raises InputError where an
    input's size is lacking.

    The recurrences for size, stride and padding are those of Araujo, Norris and Sim, "Computing
    Receptive Fields of Convolutional Neural Networks", Distill (2019), carried on through
    enlargements and transposed convolutions.
    """
    sizes = sizes_of(graph, shapes)
    given = given or graph.main_input or graph.inputs[0].name
    start = Span(((0, 0),), 1)
    # What does not depend on the input is not in here; what has no field of one size is None.
    spans: dict[str, Spans | None] = {given: (start,) * len(graph[given].axes.spatial)}
    for node in graph.nodes:
        if isinstance(node.operation, Submodel) and not node.hides:
            inner = result_of(graph, node)
            if any(name in spans for name in inner):
                spans[node.name] = spans.get(inner[0]) if len(inner) == 1 else None
        elif any(name in spans for name in node.inputs):
            spans[node.name] = _after(graph, node, spans, sizes)
    found = ((node.name, spans.get(node.name)) for node in (*graph.inputs, *graph.nodes))
    return {name: _field(own) if own else None for name, own in found}


def fields_if_known(graph: Graph, size: Sequence[int] | None = None) -> dict[str, Field | None]:
    """Every node's field, or nothing where the network leaves its input's size free.

    size: of the spatial axes of the inputs, where it is known.
    """
    try:
        return fields(graph, sized(graph, size))
    except InputError:
        return {}


def _field(spans: Spans) -> Field | None:
    held = [[own for own in span.ends if own is not None] for span in spans]
    if not all(held):
        return None
    return Field(
        tuple(max(last - first + 1 for first, last in own) for own in held),
        tuple(span.stride for span in spans),
        tuple(-own[0][0] for own in held),
    )


def _number(value: Fraction) -> float:
    return int(value) if value.denominator == 1 else float(value)


def _after(
    graph: Graph, node: Node, spans: Mapping[str, Spans | None], sizes: Mapping[str, Sizes]
) -> Spans | None:
    operation = node.operation
    sources = [name for name in node.inputs if name in spans]
    own = spans[sources[0]]
    known = all(name in sizes for name in (*sources, node.name))
    if not known or own is None or node.hides:
        return None
    if isinstance(operation, Elementwise | Concatenation):
        return _joined(operation, [(spans[name], sizes[name]) for name in sources], node, sizes)
    if getattr(operation, "activation", "") in SUMMING and len(node.shape) - 1 in node.axes.spatial:
        return None
    if isinstance(operation, Normalization):
        return own if operation.method in ("batch", "fixed") else None
    if isinstance(operation, Permutation):
        before = graph[sources[0]].axes.spatial
        moved = [operation.order[axis] for axis in node.axes.spatial]
        return tuple(own[before.index(a)] for a in moved) if {*moved} <= {*before} else None
    if isinstance(operation, Gather):
        return None if operation.axis in graph[sources[0]].axes.spatial else own
    if isinstance(operation, Slice):
        kept = slice_moves(operation, sizes[sources[0]], graph[sources[0]].axes.spatial)
        moves: list[Move] | None = [Move(((start,),), step) for start, _, step in kept]
    else:
        moves = _moves(operation, sizes[sources[0]], sizes[node.name])
    if moves is None or not len(moves) == len(own) == len(node.axes.spatial):
        return None
    return tuple(span.through(move) for span, move in zip(own, moves, strict=True))


def _moves(operation: Operation, given: Sizes, output: Sizes) -> list[Move] | None:
    """What the operation reads along each spatial axis."""
    if isinstance(operation, Padding):
        amounts = operation.amounts if operation.mode in ("zero", "crop", "constant") else ()
        return [Move(((-before,),), 1) for before, _ in amounts]
    if isinstance(operation, Upsampling):
        make = {"nearest": _nearest, "bilinear": _bilinear}.get(operation.method)
        return None if make is None else [make(factor) for factor in operation.factors]
    if isinstance(operation, Convolution | Pooling):
        if isinstance(operation, Pooling) and operation.everywhere:
            return None
        axes = spatial_axes(len(given), operation.data_format)
        along = windows(operation, [given[a] for a in axes], [output[a] for a in axes])
        return [_slide(window) for window in along]
    return None


def _slide(window: Window) -> Move:
    taps = [tap * window.dilation for tap in range(window.size)]
    if not window.transposed:
        return Move((tuple(tap - window.before for tap in taps),), window.stride)
    reached = [[o + window.before - tap for tap in taps] for o in range(window.stride)]
    step = window.stride
    return Move(tuple(tuple(i // step for i in own if i % step == 0) for own in reached), 1)


def _nearest(factor: int) -> Move:
    return Move(((0,),) * factor, 1)


def _bilinear(factor: int) -> Move:
    """Pixel centres: o lies at (2·o + 1 − factor) / (2·factor), between two whole positions."""
    at = [divmod(2 * o + 1 - factor, 2 * factor) for o in range(factor)]
    return Move(tuple((low, low + (rest > 0)) for low, rest in at), 1)


def _joined(
    operation: Elementwise | Concatenation,
    branches: Sequence[tuple[Spans | None, Sizes]],
    node: Node,
    sizes: Mapping[str, Sizes],
) -> Spans | None:
    """What branches see together, where they move alike."""
    spatial, made = node.axes.spatial, sizes[node.name]
    across = operation.axis if isinstance(operation, Elementwise) else (operation.axis,)
    if {*across} & {*spatial}:
        return None
    found: Spans | None = None
    for own, size in branches:
        # What is repeated along an axis stays where it is while the others move.
        if own is None or len(size) != len(made) or any(size[a] != made[a] for a in spatial):
            return None
        pairs = zip(found or own, own, strict=True)
        both = [span.joined(other) for span, other in pairs]
        if any(span is None for span in both):
            return None
        found = tuple(span for span in both if span is not None)
    return found
