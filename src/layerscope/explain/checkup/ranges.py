"""The values that were fed, against what the network expects."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from layerscope.explain.checkup.evidence import Evidence, Fed
from layerscope.explain.checkup.finding import Finding, Level, share
from layerscope.explain.checkup.observing import function_of
from layerscope.graph import Node
from layerscope.hints import Hints
from layerscope.operations import Convolution, Normalization, Padding, Submodel

_FAR, _DARK = 30.0, 0.1


def ranges(evidence: Evidence) -> Iterator[Finding]:
    """The values that were fed, against what the model says and what its layers show."""
    for fed in evidence.fed.values():
        if fed.node.axes.kind == "maps":
            yield from _range(evidence, fed)


def _range(evidence: Evidence, fed: Fed) -> Iterator[Finding]:
    figures, hints = fed.observation.statistics, evidence.hints
    low, high = figures.min, figures.max
    if low == high:
        yield Finding(
            "note",
            "input-range",
            fed.node.name,
            f"The input is {low:g} everywhere: a blank picture.",
            "Give another picture: what the layers make of this one says little.",
        )
        return
    if not low < high:
        return
    told = any(hints.reason and hints.reason in step for steps in fed.steps for step in steps)
    if hints.range is not None and not told:
        if not (hints.range == "0..255" and _rescaled_well(evidence)):
            yield from _against_hints(fed, hints.range, hints)
    elif hints.range is None:
        if hints.doubt and any(hints.doubt in step for steps in fed.steps for step in steps):
            yield Finding(
                "note",
                "input-range",
                fed.node.name,
                f"The input's values go from {low:.3g} to {high:.3g} for want of knowing better: "
                f"{hints.doubt}.",
                "Say what the network was trained on, such as --range 0..255.",
            )
        yield from _against_layers(evidence, fed)


def _rescaled_well(evidence: Evidence) -> bool:
    """Whether a rescaling layer makes a usual range of what it is fed, and so not of 0 to 255."""
    first = next((node for node in evidence.graph if function_of(node) == "rescaling"), None)
    seen = evidence.seen.get(first.name) if first is not None else None
    return seen is not None and seen.statistics.max - seen.statistics.min > _DARK


def _against_hints(fed: Fed, expected: str, hints: Hints) -> Iterator[Finding]:
    figures = fed.observation.statistics
    low, high = figures.min, figures.max
    unit = low >= 0 and high <= 1
    level: Level = "warning" if hints.guessed else "error"
    if expected == "0..255" and unit:
        cure = "Multiply the array by 255, or give the picture's file."
        level = level if fed.observation.fractions else "warning"
    elif expected in ("0..1", "-1..1", "imagenet") and high > 10:
        cure = f"Bring it there with --range {expected}, which takes 0 to 255 or 0 to 1."
    elif expected == "caffe" and unit:
        cure = "Bring it there with --range caffe, which takes 0 to 255 or 0 to 1."
    elif expected == "caffe" and low >= 0 and high > 10:
        level = "warning"
        cure = (
            "Subtract the mean of each channel and put blue first: --range caffe does both for "
            "values from 0 to 255."
        )
    elif expected in ("-1..1", "imagenet") and unit and low < _DARK:
        level = "warning"
        cure = f"Bring it there with --range {expected}, which takes 0 to 255 or 0 to 1."
    else:
        return
    yield Finding(
        level,
        "input-range",
        fed.node.name,
        f"The input's values go from {low:.3g} to {high:.3g}, and the network expects "
        f"{_words(expected)} ({hints.reason}).",
        cure,
    )


def _words(expected: str) -> str:
    return {
        "0..255": "0 to 255",
        "0..1": "0 to 1",
        "-1..1": "−1 to 1",
        "imagenet": "values about 0, ImageNet's mean subtracted and divided by its deviation",
        "caffe": "values about 0, blue first, with the mean of each channel subtracted from "
        "0 to 255",
    }[expected]


def _against_layers(evidence: Evidence, fed: Fed) -> Iterator[Finding]:
    """Where the model says nothing: its first normalisation, or its first saturating layer."""
    figures = fed.observation.statistics
    low, high = figures.min, figures.max
    factor = _against_normalization(evidence, fed.node.name)
    if factor is not None:
        node, times = factor
        larger = times > 1
        yield Finding(
            "warning",
            "input-range",
            fed.node.name,
            f"The input's values go from {low:.3g} to {high:.3g}. What reaches {node.name} varies "
            f"{times if larger else 1 / times:,.0f} times {'more' if larger else 'less'} than "
            "in training, as its stored statistics tell.",
            "Scale the input as in training; for pictures that is often --range 0..1."
            if larger
            else "The network seems to expect larger values: try --range 0..255.",
        )
        return
    if high <= 10:
        return
    first = _first_saturating(evidence, fed.node.name)
    if first is not None:
        part = evidence.seen[first.name].saturated
        yield Finding(
            "warning",
            "input-range",
            fed.node.name,
            f"The input's values go from {low:.3g} to {high:.3g}, and {share(part)} of the "
            f"values of {first.name}, the first sigmoid or tanh, are at its ends.",
            "The network seems to expect smaller values: try --range 0..1 or --range=-1..1.",
        )


def _against_normalization(evidence: Evidence, name: str) -> tuple[Node, float] | None:
    """The first batch normalisation, and how much its input varies against its statistics.

    None where there is a rectifier before it or the two agree to within a factor of 30.
    """
    graph, linear = evidence.graph, {name}
    for node in graph:
        if not node.inputs or not set(node.inputs) <= linear:
            continue
        operation = node.operation
        if isinstance(operation, Normalization) and operation.method == "batch":
            return _compared(evidence, node)
        plain = isinstance(operation, Convolution) and operation.activation == "linear"
        bias = getattr(operation, "function", "") in ("add-bias", "identity")
        if plain or bias or isinstance(operation, Padding | Submodel):
            linear.add(node.name)
    return None


def _compared(evidence: Evidence, node: Node) -> tuple[Node, float] | None:
    source = node.inputs[0]
    fed = evidence.fed.get(source)
    before = evidence.seen.get(source) or (fed.observation if fed else None)
    held = evidence.weights(node.name)
    if before is None or not {"moving_mean", "moving_variance"} <= held.keys():
        return None
    mean, variance = held["moving_mean"], held["moving_variance"]
    if not mean.any() and (variance == 1).all():
        return None
    stored = sqrt(float(variance.mean()) + float(mean.var()))
    now = before.statistics.std
    if not (stored > 0 and now > 0) or 1 / _FAR < now / stored < _FAR:
        return None
    return node, now / stored


def _first_saturating(evidence: Evidence, name: str) -> Node | None:
    """The first sigmoid or tanh behind an input, if most of its values are at its ends."""
    for node in evidence.graph:
        observed = evidence.seen.get(node.name)
        if observed is not None and observed.saturated > 0 and node.axes.channel is not None:
            return node if observed.saturated > 0.5 else None
    return None
