"""Fields: the size, stride and padding of every node's receptive field, in closed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from layerscope.errors import InputError
from layerscope.explain.reads import SUMMING, spatial_axes
from layerscope.explain.sizes import Sizes, result_of, sized, sizes_of
from layerscope.explain.windows import Window, windows
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Concatenation,
    Convolution,
    Elementwise,
    Normalization,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Submodel,
    Upsampling,
)

Move = tuple[Fraction, Fraction, Fraction]


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


Spans = tuple[Span, ...]


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

    def as_json(self) -> dict[str, list[float]]:
        """The field as ``layerscope layers --json`` prints it; whole numbers stay whole."""
        return {
            "size": list(self.size),
            "stride": [_number(value) for value in self.stride],
            "padding": [_number(value) for value in self.padding],
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
    Receptive Fields of Convolutional Neural Networks", Distill (2019), equations 1 to 4.
    """
    sizes = sizes_of(graph, shapes)
    given = given or graph.main_input or graph.inputs[0].name
    start = Span(Fraction(0), Fraction(0), Fraction(1))
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


def _field(spans: Spans) -> Field:
    return Field(
        tuple(floor(span.last - span.first) + 1 for span in spans),
        tuple(span.stride for span in spans),
        tuple(-span.first for span in spans),
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
    moves = _moves(operation, sizes[sources[0]], sizes[node.name])
    if moves is None or len(moves) != len(own):
        return None
    return tuple(span.through(*move) for span, move in zip(own, moves, strict=True))


def _moves(operation: Operation, given: Sizes, output: Sizes) -> list[Move] | None:
    """What output o reads along each spatial axis: first + o·stride to last + o·stride."""
    if isinstance(operation, Padding):
        amounts = operation.amounts if operation.mode in ("zero", "crop", "constant") else ()
        return [(Fraction(-before), Fraction(-before), Fraction(1)) for before, _ in amounts]
    if isinstance(operation, Upsampling):
        methods = {"nearest": _nearest, "bilinear": _bilinear}
        made = methods.get(operation.method)
        return None if made is None else [made(factor) for factor in operation.factors]
    if isinstance(operation, Convolution | Pooling):
        if isinstance(operation, Pooling) and operation.everywhere:
            return None
        axes = spatial_axes(len(given), operation.data_format)
        along = windows(operation, [given[a] for a in axes], [output[a] for a in axes])
        return [_slide(window) for window in along]
    return None


def _slide(window: Window) -> Move:
    first, last = Fraction(-window.before), Fraction(window.reach - 1 - window.before)
    if window.transposed:
        step = Fraction(1, window.stride)
        return -last * step, -first * step, step
    return first, last, Fraction(window.stride)


def _nearest(factor: int) -> Move:
    return Fraction(1 - factor, factor), Fraction(0), Fraction(1, factor)


def _bilinear(factor: int) -> Move:
    """Pixel centres: o lies at (2·o + 1 − factor) / (2·factor), between two whole positions."""
    middle = Fraction(1 - factor, 2 * factor)
    reach = 1 - Fraction(1, factor if factor % 2 else 2 * factor)
    return middle - reach, middle + reach, Fraction(1, factor)


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
