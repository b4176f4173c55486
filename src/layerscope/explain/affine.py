"""Affine: a scale and a shift for every value, as normalisations and biases have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.explain.explained import Sample
from layerscope.explain.kernels import Floats
from layerscope.graph import Node
from layerscope.operations import Elementwise, Normalization

Weights = Mapping[str, NDArray[Any]]
_FIXED_EPSILON = 1e-7
_UNIT_EPSILON = 1e-12


@dataclass(frozen=True, eq=False)
class Affine:
    """output = input × scale + shift.

    scale, shift, terms: arrays that broadcast to the input of one sample, without its batch
    axis. of_sample: whether they depend on the sample. words: how the scale is made.
    """

    scale: Floats
    shift: Floats
    of_sample: bool = False
    words: str = ""
    terms: Mapping[str, Floats] = field(default_factory=dict)


def affines(node: Node, given: Sample, weights: Weights) -> Iterator[Affine]:
    """What a node may multiply its input by and add to it, the likeliest first.

    weights: by role. Several are given where a node does not say on which side its constant
    stands or along which axis it runs; none where it does something else. Raises ModelError
    where a weight is not there.
    """
    operation = node.operation
    if isinstance(operation, Normalization):
        found = _METHODS.get(operation.method)
        if found is not None:
            yield found(node, operation, given, weights)
    elif isinstance(operation, Elementwise) and len(node.inputs) == 1:
        yield from _of_constants(node, operation.function, given, weights)


def _of_constants(node: Node, function: str, given: Sample, weights: Weights) -> Iterator[Affine]:
    one, zero = np.ones(()), np.zeros(())
    if function == "rescaling" and {"scale", "offset"} <= set(weights):
        pairs = zip(_laid(given, weights["scale"]), _laid(given, weights["offset"]), strict=False)
        yield from (Affine(scale, shift) for scale, shift in pairs)
    role = "bias" if function == "add-bias" else "constant"
    if function == "layer_scale" and len(weights) == 1:
        role = next(iter(weights))
    for constant in _laid(given, weights[role]) if role in weights else ():
        if function in ("add", "add-bias"):
            yield Affine(one, constant)
        elif function in ("multiply", "layer_scale"):
            yield Affine(constant, zero)
        elif function == "subtract":
            yield Affine(one, -constant)
            yield Affine(-one, constant)
        elif function in ("divide", "true_divide") and constant.all():
            yield Affine(1 / constant, zero)


def _laid(given: Sample, constant: NDArray[Any]) -> Iterator[Floats]:
    """A constant along the axes that it may run along: the last ones, or the channels."""
    shape, values = given.values.shape, np.asarray(constant, np.float64)
    if values.ndim == len(shape) + 1 and values.shape[0] == 1:
        values = values[0]
    try:
        np.broadcast_to(values, shape)
        yield values
    except ValueError:
        pass
    if values.size == given.channels and given.channel_axis is not None:
        yield _along(values, (given.channel_axis,), len(shape))


def _along(values: NDArray[Any], axes: tuple[int, ...], rank: int) -> Floats:
    """Numbers along these axes of an array of this rank, the same along all others."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim == len(axes):
        sizes = [1] * rank
        for axis, size in zip(axes, numbers.shape, strict=True):
            sizes[axis] = size
        return numbers.reshape(sizes)
    return numbers.reshape(numbers.shape[-rank:] if numbers.ndim >= rank else ())


def _axes(operation: Normalization) -> tuple[int, ...]:
    """The scaled axes of one sample."""
    return tuple(axis - 1 for axis in operation.axis)


def _role(node: Node, weights: Weights, role: str, axes: tuple[int, ...], rank: int) -> Floats:
    if role not in weights:
        held = ", ".join(weights) or "none"
        raise ModelError(
            f"expected {node.name} ({node.type}) to hold a weight called {role!r} but its weights "
            f"are: {held}. A layer whose weights are stored otherwise cannot be taken apart."
        )
    return _along(weights[role], axes, rank)


def _made(
    operation: Normalization,
    given: Sample,
    weights: Weights,
    mean: Floats,
    variance: Floats,
    *,
    of_sample: bool,
) -> Affine:
    """scale = γ / √(variance + ε), shift = β − mean × scale (Ioffe and Szegedy 2015, section 3)."""
    rank, axes = given.values.ndim, _axes(operation)
    one, zero = np.ones(()), np.zeros(())
    gamma = _along(weights["gamma"], axes, rank) if "gamma" in weights else one
    beta = _along(weights["beta"], axes, rank) if "beta" in weights else zero
    scale = gamma / np.sqrt(variance + operation.epsilon)
    terms = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    words = f"gamma / sqrt(variance + {operation.epsilon:g})"
    return Affine(scale, beta - mean * scale, of_sample, words, terms)


def _batch(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    rank, axes = given.values.ndim, _axes(operation)
    mean = _role(node, weights, "moving_mean", axes, rank)
    variance = _role(node, weights, "moving_variance", axes, rank)
    return _made(operation, given, weights, mean, variance, of_sample=False)


def _fixed(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    rank, axes = given.values.ndim, _axes(operation)
    mean = _role(node, weights, "mean", axes, rank)
    variance = _role(node, weights, "variance", axes, rank)
    scale = 1 / np.maximum(np.sqrt(variance), _FIXED_EPSILON)
    terms = {"mean": mean, "variance": variance}
    return Affine(scale, -mean * scale, False, "1 / sqrt(variance)", terms)


def _layer(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    """Ba, Kiros and Hinton 2016, equation 3."""
    values = given.values.astype(np.float64)
    mean = values.mean(axis=_axes(operation), keepdims=True)
    variance = values.var(axis=_axes(operation), keepdims=True)
    return _made(operation, given, weights, mean, variance, of_sample=True)


def _group(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    """Wu and He 2018, equation 2: mean and variance over a group of channels and all places."""
    axis = _axes(operation)[0]
    values = np.moveaxis(given.values.astype(np.float64), axis, 0)
    groups = operation.groups or len(values)
    groups = len(values) if groups == -1 or operation.method == "instance" else groups
    flat = values.reshape(groups, -1)
    each = len(values) // groups
    mean = _along(np.repeat(flat.mean(axis=1), each), (axis,), values.ndim)
    variance = _along(np.repeat(flat.var(axis=1), each), (axis,), values.ndim)
    return _made(operation, given, weights, mean, variance, of_sample=True)


def _rms(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    """Zhang and Sennrich 2019, equation 4."""
    axes, rank = _axes(operation), given.values.ndim
    square = np.square(given.values.astype(np.float64)).mean(axis=axes, keepdims=True)
    gamma = _along(weights["scale"], axes, rank) if "scale" in weights else np.ones(())
    words = f"gamma / sqrt(mean square + {operation.epsilon:g})"
    scale = gamma / np.sqrt(square + operation.epsilon)
    return Affine(scale, np.zeros(()), True, words, {"gamma": gamma, "mean square": square})


def _unit(node: Node, operation: Normalization, given: Sample, weights: Weights) -> Affine:
    square = np.square(given.values.astype(np.float64)).sum(axis=_axes(operation), keepdims=True)
    scale = 1 / np.sqrt(np.maximum(square, _UNIT_EPSILON))
    return Affine(scale, np.zeros(()), True, "1 / sqrt(sum of squares)", {"sum of squares": square})


_METHODS: dict[str, Callable[[Node, Normalization, Sample, Weights], Affine]] = {
    "batch": _batch,
    "fixed": _fixed,
    "layer": _layer,
    "group": _group,
    "instance": _group,
    "rms": _rms,
    "unit": _unit,
}
