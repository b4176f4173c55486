"""What every dimension in a network means, found from the operations around it.

Convolutions, pooling, recurrent layers, embeddings and attention say what their axes are;
additions, concatenations and the like pass this on, forwards and backwards; what nobody
says is taken to be the usual for its rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerscope.axes import Axes, Axis
from layerscope.operations import (
    Attention,
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Embedding,
    Gather,
    Input,
    Normalization,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Recurrent,
    Reshape,
    Slice,
    Stack,
    Submodel,
    Upsampling,
)

# Operations whose inputs have the axes of their output, where the ranks agree.
_KEEPING = Elementwise | Normalization | Concatenation | Dense | Slice | Gather


@dataclass(frozen=True)
class Step:
    """As much of a node as its axes depend on. output: which of its call's outputs it is."""

    name: str
    operation: Operation
    inputs: tuple[str, ...]
    rank: int
    output: int = 0
    alias: str | None = None


def find_axes(steps: Sequence[Step], data_format: str = "channels_last") -> dict[str, Axes]:
    """The axes of every step's output, by name.

    steps: in order of computation. data_format: what is taken for arrays of which nothing
    is known.
    """
    ranks = {step.name: step.rank for step in steps}
    found: dict[str, Axes] = {}
    for _ in range(4):
        before = len(found)
        for step in steps:
            if step.name not in found:
                axes = _forwards(step, found, ranks)
                if axes is not None and len(axes) == step.rank:
                    found[step.name] = axes
        for step in reversed(steps):
            _backwards(step, found, ranks)
        if len(found) == before:
            break
    for step in steps:
        if step.name not in found:
            axes = _forwards(step, found, ranks)
            known = axes is not None and len(axes) == step.rank
            found[step.name] = axes if axes and known else _usual(step, data_format)
    return found


def _usual(step: Step, data_format: str) -> Axes:
    if isinstance(step.operation, Attention) and step.output == 1:
        return _scores(step.rank)
    return Axes.usual(step.rank, data_format)


def _scores(rank: int) -> Axes:
    return Axes.parse({3: "NQK", 4: "NAQK"}.get(rank, "N" + "?" * (rank - 1)))


def _own(operation: Operation, rank: int) -> Axes | None:
    """The axes of an input of this rank that the operation itself states."""
    if isinstance(operation, Convolution | Pooling | Padding | Upsampling) and 3 <= rank <= 5:
        return Axes.of_convolution(rank - 2, operation.data_format)
    if isinstance(operation, Recurrent):
        return Axes.parse({3: "NTC", 4: "NTWC", 5: "NTHWC"}.get(rank, "N" + "?" * (rank - 1)))
    if isinstance(operation, Embedding) and rank == 2:
        return Axes.parse("NT")
    return None


def _forwards(step: Step, found: Mapping[str, Axes], ranks: Mapping[str, int]) -> Axes | None:
    operation, rank = step.operation, step.rank
    if step.alias is not None:
        return found.get(step.alias)
    if isinstance(operation, Attention) and step.output == 1:
        return _scores(rank)
    if isinstance(operation, Recurrent):
        if operation.returns_steps and step.output == 0:
            return _own(operation, rank)
        return Axes.usual(rank)
    if isinstance(operation, Pooling) and operation.everywhere and not operation.keepdims:
        return Axes.parse("NC")
    if isinstance(operation, Embedding) and rank == 3:
        return Axes.parse("NTC")
    if isinstance(operation, Convolution | Pooling | Padding | Upsampling):
        return _own(operation, rank)
    if isinstance(operation, Input):
        return None
    return _passed_on(step, [found.get(name) for name in step.inputs])


def _passed_on(step: Step, sources: list[Axes | None]) -> Axes | None:
    operation, rank = step.operation, step.rank
    first = sources[0] if sources else None
    if isinstance(operation, Permutation) and first is not None:
        return Axes(tuple(first.names[i] for i in operation.order))
    if isinstance(operation, Reshape):
        return Axes.parse("NC") if rank == 2 else None
    if isinstance(operation, Stack):
        return None
    if isinstance(operation, Slice) and first is not None:
        kept = (name for axis, name in enumerate(first.names) if axis not in operation.dropped)
        return Axes(tuple(kept))
    if isinstance(operation, Dense) and first is not None and len(first) == rank:
        names = list(first.names)
        if Axis.CHANNEL in names[:-1]:
            return Axes.unknown(rank)
        names[-1] = Axis.CHANNEL
        return Axes(tuple(names))
    for source in sources:
        if source is not None and len(source) == rank:
            return source
    return None


def _backwards(step: Step, found: dict[str, Axes], ranks: Mapping[str, int]) -> None:
    """Give a step's inputs the axes that the step needs them to have."""
    own = found.get(step.name)
    if step.alias is not None:
        if own is not None:
            found.setdefault(step.alias, own)
        return
    for name in step.inputs:
        if name in found or name not in ranks:
            continue
        rank = ranks[name]
        needed = _own(step.operation, rank)
        keeps = isinstance(step.operation, _KEEPING)
        if needed is None and keeps and own is not None and len(own) == rank and own.known:
            needed = own
        if needed is None and isinstance(step.operation, Permutation) and own is not None:
            names = [Axis.OTHER] * rank
            for output, source in enumerate(step.operation.order):
                names[source] = own.names[output]
            needed = Axes(tuple(names))
        if needed is not None and not isinstance(step.operation, Submodel):
            found[name] = needed
