"""Several operations that are one layer: batch normalisation, dilated convolutions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from layerscope.models.tensorflow.attributes import data_format
from layerscope.models.tensorflow.constants import behind, value, whole_numbers
from layerscope.models.tensorflow.meaning import Meaning
from layerscope.models.tensorflow.translate import translate
from layerscope.operations import Convolution, Normalization

_ADDS = ("Add", "AddV2")
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
Carries = Callable[[Any], bool]


def find_patterns(graph: Any, carries: Carries) -> tuple[dict[str, Meaning], frozenset[str]]:
    """Meanings by the name of a pattern's last operation, and the names of its other ones."""
    found: dict[str, Meaning] = {}
    folded: set[str] = set()
    for operation in graph.get_operations():
        match = None
        if operation.type in _ADDS:
            match = _normalization(operation, carries)
        elif operation.type in ("BatchToSpaceND", "BatchToSpace"):
            match = _dilated(operation, carries)
        if match is not None:
            found[operation.name] = match[0]
            folded |= match[1]
    return found, frozenset(folded)


def _one_user(tensor: Any) -> bool:
    return len({user.name for user in tensor.consumers()}) == 1


def _split(operation: Any, carries: Carries) -> tuple[Any, Any] | None:
    """The carrying and the constant input of an operation of two, or None."""
    if len(operation.inputs) != 2:
        return None
    first, second = operation.inputs
    if carries(first) == carries(second):
        return None
    return (first, second) if carries(first) else (second, first)


def _normalization(operation: Any, carries: Carries) -> tuple[Meaning, set[str]] | None:
    """x·m + (β − μ·m) with m = γ / √(σ² + ε), as tf.nn.batch_normalization writes it."""
    outer = _split(operation, carries)
    if outer is None or outer[0].op.type != "Mul" or not _one_user(outer[0]):
        return None
    scaled, shift = outer[0].op, behind(outer[1]).op
    inner = _split(scaled, carries)
    if inner is None or shift.type != "Sub":
        return None
    factor = behind(inner[1])
    beta, moved = shift.inputs
    parts = _other(behind(moved).op, factor) if behind(moved).op.type == "Mul" else None
    root = _root(factor.op)
    if parts is None or root is None:
        return None
    gamma, variance, epsilon = root
    axis = _scaled_axis(parts, operation.outputs[0])
    if axis is None:
        return None
    weights = {"beta": beta, "moving_mean": parts, "moving_variance": variance}
    if gamma is not None:
        weights = {"gamma": gamma, **weights}
    return Meaning(Normalization("batch", (axis,), epsilon), weights), {scaled.name}


def _other(operation: Any, known: Any) -> Any:
    """The input of a product that is not the one known, or None."""
    rest = [i for i in operation.inputs if behind(i).name != known.name]
    return rest[0] if len(rest) == 1 else None


def _root(operation: Any) -> tuple[Any, Any, float] | None:
    """γ, σ² and ε of γ / √(σ² + ε), γ perhaps missing."""
    gamma = None
    if operation.type == "Mul":
        roots = [i for i in operation.inputs if behind(i).op.type == "Rsqrt"]
        rest = [i for i in operation.inputs if behind(i).op.type != "Rsqrt"]
        if len(roots) != 1:
            return None
        operation, gamma = behind(roots[0]).op, rest[0]
    if operation.type != "Rsqrt":
        return None
    inside = behind(operation.inputs[0]).op
    if inside.type not in _ADDS:
        return None
    values = [value(i) for i in inside.inputs]
    small = [v is not None and v.ndim == 0 for v in values]
    if small.count(True) != 1:
        return None
    place = small.index(True)
    epsilon = values[place]
    return gamma, inside.inputs[1 - place], float(np.asarray(epsilon))


def _scaled_axis(mean: Any, output: Any) -> int | None:
    shape = mean.shape.as_list() if mean.shape.rank is not None else None
    rank = output.shape.rank
    if not shape or None in shape or rank is None or len(shape) > rank:
        return None
    full = [1] * (rank - len(shape)) + shape
    wide = [i for i, size in enumerate(full) if size != 1]
    return wide[0] if len(wide) == 1 else (rank - 1 if not wide else None)


def _dilated(operation: Any, carries: Carries) -> tuple[Meaning, set[str]] | None:
    """A dilated convolution, as tf.nn.convolution wrote it: space to batch, convolve, and back."""
    inner = operation.inputs[0].op
    if inner.type not in _CONVOLUTIONS or not _one_user(operation.inputs[0]):
        return None
    outer = inner.inputs[0].op
    if outer.type not in ("SpaceToBatchND", "SpaceToBatch") or not _one_user(inner.inputs[0]):
        return None
    pads, crops = (whole_numbers(end.inputs[-1]) for end in (outer, operation))
    if outer.type == "SpaceToBatchND":
        block = whole_numbers(outer.inputs[1])
        pads, crops = (whole_numbers(end.inputs[2]) for end in (outer, operation))
    else:
        size = int(outer.get_attr("block_size"))
        block = (size, size)
        pads, crops = (whole_numbers(end.inputs[1]) for end in (outer, operation))
    meaning = translate(inner, carries)
    convolution = meaning.operation
    if not isinstance(convolution, Convolution) or convolution.padding != "valid" or not block:
        return None
    if pads is None or crops is None or any(s != 1 for s in convolution.strides):
        return None
    pairs = tuple(
        (pads[2 * i] - crops[2 * i], pads[2 * i + 1] - crops[2 * i + 1]) for i in range(len(block))
    )
    if len(block) != 2 or data_format(inner) != "channels_last" or any(crops[::2]):
        return None
    whole = replace(convolution, dilation=tuple(block), padding=pairs)
    return Meaning(whole, meaning.weights), {inner.name, outer.name}
