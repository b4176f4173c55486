"""The layout mistake: a channel axis that is really the width, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from layerscope.axes import Axes
from layerscope.explain.checkup.evidence import Evidence
from layerscope.explain.checkup.finding import Finding, Level, times
from layerscope.explain.windows import output_size
from layerscope.graph import Graph, Node
from layerscope.operations import Convolution, Elementwise, Normalization, Padding, Submodel

_FEW, _LARGE, _MANY = 4, 8, 16
_SURE, _LIKELY = 6, 4


def layout(evidence: Evidence) -> Iterator[Finding]:
    """One finding for each input whose axes look exchanged, with both cures worked out."""
    for given in evidence.graph.inputs:
        suspect = _suspect(evidence.graph, given)
        if suspect is None:
            continue
        signs = list(suspect.signs())
        weight = sum(weight for weight, _ in signs)
        if weight >= _LIKELY:
            words = [words for _, words in signs if words]
            yield suspect.finding("error" if weight >= _SURE else "warning", words)


def first_reader(graph: Graph, name: str) -> Node | None:
    """The first convolution that sees an input as it is laid out."""
    reached = {name}
    for node in graph.nodes:
        if node.inputs and set(node.inputs) <= reached:
            if isinstance(node.operation, Convolution):
                return node
            if isinstance(node.operation, Elementwise | Normalization | Padding | Submodel):
                reached.add(node.name)
    return None


def _suspect(graph: Graph, given: Node) -> _Suspect | None:
    """An input with a spatial axis as small as a number of channels, and many channels."""
    reader = first_reader(graph, given.name)
    if reader is None or None in given.shape[1:]:
        return None
    operation = reader.operation
    assert isinstance(operation, Convolution)
    sizes = [size or 0 for size in given.shape[1:]]
    if len(sizes) != len(operation.kernel_size) + 1 or len(given.axes.spatial) < len(sizes) - 1:
        return None
    last = operation.data_format == "channels_last"
    tiny, meant = (sizes[0], sizes[1:]) if last else (sizes[-1], sizes[:-1])
    if not 0 < tiny <= _FEW or min(meant) < _LARGE:
        return None
    return _Suspect(given, reader, operation, tiny, tuple(meant))


@dataclass(frozen=True)
class _Suspect:
    """An input that may have been meant otherwise, and the convolution that reads it.

    tiny: the size along the spatial axis that may be the channels. meant: the spatial sizes of
    the picture that may have been meant; one of them is read as the channels.
    """

    given: Node
    reader: Node
    operation: Convolution
    tiny: int
    meant: tuple[int, ...]

    @property
    def last(self) -> bool:
        """Whether the convolution takes the last axis for the channels."""
        return self.operation.data_format == "channels_last"

    def signs(self) -> Iterator[tuple[int, str]]:
        """Each sign with its weight; those that speak against a mistake have no words."""
        kernel, axes = self.operation.kernel_size, self.given.axes
        channels = self.meant[-1] if self.last else self.meant[0]
        others = self.meant[:-1] if self.last else self.meant[1:]
        own, rest = (kernel[0], kernel[1:]) if self.last else (kernel[-1], kernel[:-1])
        axis = axes.names[axes.spatial[0 if self.last else -1]].word
        beside = axes.names[axes.spatial[-1 if self.last else 0]].word
        yield 2 if self.tiny in (1, 3) else 1, f"a {axis} of {self.tiny}"
        yield 1, f"{channels} channels, more than a picture has"
        if others and channels == (others[-1] if self.last else others[0]):
            yield 2, f"as many channels as the {beside}"
        elif not others and channels >= _MANY:
            yield 1, f"far more channels than {axis}s"
        if own > self.tiny:
            yield 1 if others else 2, f"a kernel of {own} along the {axis} of {self.tiny}"
        if others and all(channels / 4 <= size <= channels * 4 for size in others):
            yield 1, f"{times(self.meant)} would be a picture"
        if own == 1 and max(rest, default=1) > 1:
            # Whoever gives a kernel of one row knows that there is one row.
            yield -3, ""

    def finding(self, level: Level, signs: list[str]) -> Finding:
        """What is seen, and both cures worked out for this network."""
        given, reader, last = self.given, self.reader, self.last
        name, shape = reader.name, given.shape[1:]
        reads = Axes(given.axes.names[1:]).describe(shape)
        what = times(self.meant) if len(self.meant) > 1 else f"{self.meant[0]} steps"
        moved = (*self.meant, self.tiny) if last else (self.tiny, *self.meant)
        asks = f"Input({moved})" if given.type == "InputLayer" else f"an input of shape {moved}"
        other = "channels_first" if last else "channels_last"
        return Finding(
            level,
            "layout",
            name,
            f"The input {given.name} has the shape {shape}, which looks like {self.tiny} "
            f"{'channel' if self.tiny == 1 else 'channels'} of {what}; {name} "
            f"({self.operation.data_format}) reads it as {reads}, and gives "
            f"{_shown(reader.shape)} with {reader.parameters:,} parameters. "
            f"The signs: {'; '.join(signs)}.",
            f"Either put the channels {'last' if last else 'first'}, {asks}: {name} then gives "
            f"{self.outcome(last)}. Or keep the shape and set "
            f'data_format="{other}" in every layer that has it: {self.outcome(not last)}.',
        )

    def outcome(self, last: bool) -> str:
        """What the convolution would make of the picture as it may have been meant."""
        operation = replace(
            self.operation, data_format="channels_last" if last else "channels_first"
        )
        multiplier, taps = operation.depth_multiplier, prod(operation.kernel_size)
        filters, weights = operation.filters, taps * self.tiny * operation.filters
        if operation.depthwise:
            filters = self.tiny * multiplier
            weights = taps * filters
        elif operation.separable:
            weights = self.tiny * multiplier * (taps + filters)
        sizes = [output_size(operation, axis, size) for axis, size in enumerate(self.meant)]
        shape = (None, *sizes, filters) if last else (None, filters, *sizes)
        return f"{_shown(shape)} with {weights + filters * operation.use_bias:,} parameters"


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
