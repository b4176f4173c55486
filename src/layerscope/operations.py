"""Neutral operations: what a layer does, in terms that belong to no framework.

Sizes are in elements of the input's spatial axes, in the order of those axes.
Weights are not held here: a Model gives them by role (``kernel``, ``bias``, ``gamma`` …).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Operation:
    """Base of the neutral operations; ``kind`` names the operation in a manifest."""

    kind: ClassVar[str] = "opaque"

    def as_json(self) -> dict[str, Any]:
        """The operation as a manifest holds it."""
        return {"kind": self.kind, **asdict(self)}

    def summary(self) -> str:
        """The few numbers that a table shows, such as ``32, 3×3, relu``."""
        return ""


@dataclass(frozen=True)
class Input(Operation):
    """A place where data enter the network."""

    kind: ClassVar[str] = "input"


@dataclass(frozen=True)
class Opaque(Operation):
    """Something that layerscope runs but does not understand."""

    detail: str = ""
    kind: ClassVar[str] = "opaque"


@dataclass(frozen=True)
class Convolution(Operation):
    """A convolution (as networks use the word: a correlation), of 1, 2 or 3 spatial axes.

    filters: output channels. padding: ``"valid"``, ``"same"`` or ``"causal"``, or one
    (before, after) pair per spatial axis. depthwise: every input channel has its own
    ``depth_multiplier`` kernels. separable: a depthwise stage and then a 1×1 one.
    activation: the fused activation function's name, ``"linear"`` for none.
    """

    filters: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1
    data_format: str = "channels_last"
    transposed: bool = False
    depthwise: bool = False
    depth_multiplier: int = 1
    separable: bool = False
    output_padding: tuple[int, ...] | None = None
    use_bias: bool = True
    activation: str = "linear"
    kind: ClassVar[str] = "convolution"

    def summary(self) -> str:
        parts = [str(self.filters), _times(self.kernel_size)]
        if any(s != 1 for s in self.strides):
            parts.append(f"stride {_times_or_one(self.strides)}")
        if any(d != 1 for d in self.dilation):
            parts.append(f"dilation {_times_or_one(self.dilation)}")
        if self.groups != 1:
            parts.append(f"{self.groups} groups")
        if self.activation != "linear":
            parts.append(self.activation)
        return ", ".join(parts)


@dataclass(frozen=True)
class Pooling(Operation):
    """Maximum or mean over a window, or over all positions (``window`` is then empty)."""

    function: str
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | tuple[tuple[int, int], ...]
    data_format: str = "channels_last"
    everywhere: bool = False
    keepdims: bool = False
    kind: ClassVar[str] = "pooling"

    def summary(self) -> str:
        if self.everywhere:
            return ""
        parts = [_times(self.window)]
        if self.strides != self.window:
            parts.append(f"stride {_times_or_one(self.strides)}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Dense(Operation):
    """A matrix product over the last axis, plus a bias, through an activation function."""

    units: int
    use_bias: bool = True
    activation: str = "linear"
    kind: ClassVar[str] = "dense"

    def summary(self) -> str:
        return str(self.units) + (f", {self.activation}" if self.activation != "linear" else "")


@dataclass(frozen=True)
class Concatenation(Operation):
    """Inputs joined along one axis (counted from 0, the batch axis included)."""

    axis: int
    kind: ClassVar[str] = "concatenation"


@dataclass(frozen=True)
class Elementwise(Operation):
    """A function of each element: of one input (``relu``) or of several (``add``).

    settings: the function's own numbers by name, where they are not the usual ones. axis: the
    axes that a ``softmax`` sums over (counted from 0, the batch axis included); empty for
    functions that look at no other element.
    """

    function: str
    settings: tuple[tuple[str, float], ...] = ()
    axis: tuple[int, ...] = ()
    kind: ClassVar[str] = "elementwise"

    def summary(self) -> str:
        return "" if self.function == "identity" else self.function


@dataclass(frozen=True)
class Normalization(Operation):
    """Batch, layer, group, instance or fixed normalisation; ``axis`` is the scaled axis or axes."""

    method: str
    axis: tuple[int, ...]
    epsilon: float = 0.0
    groups: int | None = None
    kind: ClassVar[str] = "normalization"


@dataclass(frozen=True)
class Reshape(Operation):
    """A new shape over the same values, in row-major order (``flatten`` and the like).

    order: the order of axes in which the input's values are read; empty for its own.
    """

    method: str = "reshape"
    order: tuple[int, ...] = ()
    kind: ClassVar[str] = "reshape"


@dataclass(frozen=True)
class Permutation(Operation):
    """Axes in another order; ``order[i]`` is the input axis that becomes output axis i."""

    order: tuple[int, ...]
    kind: ClassVar[str] = "permutation"


@dataclass(frozen=True)
class Slice(Operation):
    """A regular part of each axis, as ``x[..., :3]`` and each output of a split give it.

    parts: (start, stop, step) for every axis of the input, as Python's slices have them.
    dropped: axes of which one position is kept and the axis left out.
    """

    parts: tuple[tuple[int | None, int | None, int | None], ...]
    dropped: tuple[int, ...] = ()
    kind: ClassVar[str] = "slice"

    def summary(self) -> str:
        return ", ".join(
            str(part[0]) if axis in self.dropped else _part(part)
            for axis, part in enumerate(self.parts)
            if axis
        )


@dataclass(frozen=True)
class Gather(Operation):
    """Chosen positions of one axis (counted from 0, the batch axis included), in any order."""

    axis: int
    indices: tuple[int, ...]
    kind: ClassVar[str] = "gather"

    def summary(self) -> str:
        return f"{len(self.indices)} chosen"


@dataclass(frozen=True)
class Stack(Operation):
    """Inputs of one shape side by side along a new axis (its place in the output)."""

    axis: int
    kind: ClassVar[str] = "stack"


@dataclass(frozen=True)
class Padding(Operation):
    """Values added around (or, with negative amounts, cut from) the spatial axes."""

    amounts: tuple[tuple[int, int], ...]
    data_format: str = "channels_last"
    mode: str = "zero"
    kind: ClassVar[str] = "padding"

    def summary(self) -> str:
        return ", ".join(f"{before}+{after}" for before, after in self.amounts)


@dataclass(frozen=True)
class Upsampling(Operation):
    """Each spatial axis enlarged by a whole factor."""

    factors: tuple[int, ...]
    method: str = "nearest"
    data_format: str = "channels_last"
    kind: ClassVar[str] = "upsampling"

    def summary(self) -> str:
        return _times(self.factors)


@dataclass(frozen=True)
class Recurrent(Operation):
    """A cell applied step by step along the step axis."""

    cell: str
    units: int
    returns_steps: bool = False
    returns_state: bool = False
    backwards: bool = False
    bidirectional: bool = False
    kind: ClassVar[str] = "recurrent"

    def summary(self) -> str:
        return str(self.units)


@dataclass(frozen=True)
class Attention(Operation):
    """Weighted sums over keys for every query; ``scores`` says whether the weights can be had."""

    method: str
    heads: int | None = None
    scores: bool = True
    kind: ClassVar[str] = "attention"

    def summary(self) -> str:
        return f"{self.heads} heads" if self.heads else ""


@dataclass(frozen=True)
class Embedding(Operation):
    """A table row for each whole number."""

    entries: int
    size: int
    kind: ClassVar[str] = "embedding"

    def summary(self) -> str:
        return f"{self.entries} × {self.size}"


@dataclass(frozen=True)
class Submodel(Operation):
    """A call of a nested model or composite layer; its own calls are nodes below its path."""

    kind: ClassVar[str] = "submodel"


def _part(part: tuple[int | None, int | None, int | None]) -> str:
    start, stop, step = ("" if number is None else str(number) for number in part)
    return f"{start}:{stop}" + (f":{step}" if step not in ("", "1") else "")


def _times(sizes: tuple[int, ...]) -> str:
    return "×".join(map(str, sizes))


def _times_or_one(sizes: tuple[int, ...]) -> str:
    return str(sizes[0]) if len(set(sizes)) == 1 else _times(sizes)
