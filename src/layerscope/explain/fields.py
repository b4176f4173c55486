"""Fields: the size, stride and padding of every node's receptive field, in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from layerscope.explain.copies import slice_moves
from layerscope.explain.reads import spatial_axes
from layerscope.explain.sizes import Sizes, result_of, sizes_of
from layerscope.explain.windows import windows
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Concatenation,
    Convolution,
    Elementwise,
    Gather,
    Normalization,
    Padding,
    Pooling,
    Slice,
    Submodel,
    Upsampling,
)


@dataclass(frozen=True)
class Span:
    """Where a neuron looks along one axis, borders left aside.

    Neuron o sees positions ``first + o·stride`` to ``last + o·stride``, both included.
    """

    first: Fraction
    last: Fraction
    stride: Fraction

    def joined(self, other: Span) -> Span | None:
        """What two branches see together; None where they move at different strides."""
        if self.stride != other.stride:
            return None
        return Span(min(self.first, other.first), max(self.last, other.last), self.stride)

    def through(self, first: Fraction, last: Fraction, stride: Fraction) -> Span:
        """What an operation sees that reads inputs first + o·stride to last + o·stride."""
        step = self.stride
        return Span(self.first + first * step, self.last + last * step, step * stride)


@dataclass(frozen=True)
class Field:
    """A node's receptive field along each spatial axis, in positions of the network's input.

    size: positions from the first to the last that a neuron sees, borders left aside (the
    largest, where neurons differ). stride: positions from one neuron's field to the next.
    padding: positions by which the first neuron's field begins before the input.
    """

    size: tuple[int, ...]
    stride: tuple[Fraction, ...]
    padding: tuple[Fraction, ...]


def fields(
    graph: Graph, shapes: Mapping[str, Sequence[int | None]] | None = None
) -> dict[str, Field | None]:
    """Every node's field; None where there is none of one size.

    That is so for nodes that see everything, that are not understood, or whose branches move
    at different strides. shapes: of inputs whose sizes the network leaves free.
    """
    sizes = sizes_of(graph, shapes)
    spans: dict[str, tuple[Span, ...] | None] = {}
    for node in graph.inputs:
        start = Span(Fraction(0), Fraction(0), Fraction(1))
        spans[node.name] = (start,) * len(node.axes.spatial)
    for node in graph.nodes:
        spans[node.name] = _after(graph, node, spans, sizes)
    return {name: None if not own else _field(own) for name, own in spans.items()}


def _field(spans: tuple[Span, ...]) -> Field:
    return Field(
        tuple(floor(span.last - span.first) + 1 for span in spans),
        tuple(span.stride for span in spans),
        tuple(-span.first for span in spans),
    )


def _after(
    graph: Graph,
    node: Node,
    spans: Mapping[str, tuple[Span, ...] | None],
    sizes: Mapping[str, Sizes],
) -> tuple[Span, ...] | None:
    operation = node.operation
    if isinstance(operation, Submodel):
        inner = result_of(graph, node)
        return spans[inner[0]] if len(inner) == 1 else None
    given = [spans[name] for name in node.inputs]
    known = [own for own in given if own is not None]
    if (
        not known
        or len(known) < len(given)
        or not all(n in sizes for n in (*node.inputs, node.name))
    ):
        return None
    if isinstance(operation, Convolution | Pooling):
        if isinstance(operation, Pooling) and operation.everywhere:
            return None
        return _window(operation, known[0], sizes[node.inputs[0]], sizes[node.name])
    if isinstance(operation, Padding):
        moves: list[tuple[Fraction | int, ...]] = [
            (-before, -before, 1) for before, _ in operation.amounts
        ]
    elif isinstance(operation, Upsampling) and operation.method == "nearest":
        moves = [(Fraction(1 - f, f), 0, Fraction(1, f)) for f in operation.factors]
    elif isinstance(operation, Slice) and len(known[0]) == len(node.axes.spatial):
        source = graph[node.inputs[0]]
        moves = list(slice_moves(operation, sizes[source.name], source.axes.spatial))
    elif isinstance(operation, Concatenation | Gather) and operation.axis in node.axes.spatial:
        return None
    elif isinstance(operation, Elementwise | Concatenation | Gather) or (
        isinstance(operation, Normalization) and operation.method in ("batch", "fixed")
    ):
        return _joined(node, known)
    else:
        return None
    return tuple(
        span.through(Fraction(first), Fraction(last), Fraction(stride))
        for span, (first, last, stride) in zip(known[0], moves, strict=True)
    )


def _joined(node: Node, known: Sequence[tuple[Span, ...]]) -> tuple[Span, ...] | None:
    if any(len(own) != len(node.axes.spatial) for own in known):
        return None
    found = list(known[0])
    for other in known[1:]:
        for i, span in enumerate(other):
            both = found[i].joined(span)
            if both is None:
                return None
            found[i] = both
    return tuple(found)


def _window(
    operation: Convolution | Pooling, spans: tuple[Span, ...], given: Sizes, output: Sizes
) -> tuple[Span, ...] | None:
    axes = spatial_axes(len(given), operation.data_format)
    if len(axes) != len(spans):
        return None
    along = windows(operation, [given[a] for a in axes], [output[a] for a in axes])
    found = []
    for span, window in zip(spans, along, strict=True):
        first, last = -window.before, window.reach - 1 - window.before
        if window.transposed:
            step = Fraction(1, window.stride)
            found.append(span.through(-last * step, -first * step, step))
        else:
            found.append(span.through(Fraction(first), Fraction(last), Fraction(window.stride)))
    return tuple(found)
