"""What the activations of a run tell: dead channels, saturation, NaN, scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.checkup.evidence import Evidence
from layerscope.explain.checkup.finding import Finding, listed, share
from layerscope.explain.checkup.observing import Observation, function_of, is_rectifier
from layerscope.graph import Node
from layerscope.operations import Convolution, Dense, Normalization

_ENOUGH_VALUES, _ENOUGH_SAMPLES = 16, 10
_HALF, _NEARLY_ALL = 0.5, 0.9
_DRIFT = 1e5
_MAKERS = Convolution | Dense | Normalization


def activations(evidence: Evidence) -> Iterator[Finding]:
    """Findings on what was observed; none without a run."""
    yield from _not_finite(evidence)
    for node in evidence.graph:
        observed = evidence.seen.get(node.name)
        if observed is not None:
            yield from _still(evidence, node, observed)
            yield from _saturated(evidence, node, observed)
    yield from _drift(evidence)


def _still(evidence: Evidence, node: Node, observed: Observation) -> Iterator[Finding]:
    """Channels that are 0 everywhere behind a rectifier, or one number everywhere."""
    figures, channels = observed.statistics, node.channels
    if channels is None or not figures.finite or _blank(evidence):
        return
    enough = observed.each >= _ENOUGH_VALUES
    if is_rectifier(node) and len(figures.dead) == channels > 1:
        yield Finding(
            "error",
            "dead",
            node.name,
            f"All {channels} channels of {node.name} are 0 {_rests(evidence, observed)}: nothing "
            "of the input gets past it.",
            "Look at the layers before it, and at the range of the input; a network that died in "
            "training needs a lower learning rate.",
        )
    elif is_rectifier(node) and figures.dead and enough:
        yield _dead(evidence, node, observed, channels)
    if enough and figures.constant and (isinstance(node.operation, _MAKERS) or function_of(node)):
        already = _still_before(evidence, node)
        own = tuple(i for i in figures.constant if i not in already)
        if own:
            verb = "holds" if len(own) == 1 else "hold"
            yield Finding(
                "note",
                "dead",
                node.name,
                f"{len(own)} of {channels} channels of {node.name} {verb} one number "
                f"{_rests(evidence, observed)}: {listed(own)}.",
                "They do not depend on the picture. Their weights may be 0.",
            )


def _dead(evidence: Evidence, node: Node, observed: Observation, channels: int) -> Finding:
    """Some channels are 0 everywhere: unusual if they are nearly all, for many pictures."""
    dead, many = observed.statistics.dead, evidence.samples >= _ENOUGH_SAMPLES
    return Finding(
        "warning" if many and len(dead) >= _NEARLY_ALL * channels else "note",
        "dead",
        node.name,
        f"{len(dead)} of {channels} channels of {node.name} {'is' if len(dead) == 1 else 'are'} 0 "
        f"{_rests(evidence, observed)}: {listed(dead)}.",
        "They add nothing to what follows: prune them, or train with a lower learning rate."
        if many
        else "Other pictures may wake them: give more.",
    )


def _rests(evidence: Evidence, observed: Observation) -> str:
    samples = "1 sample" if evidence.samples == 1 else f"{evidence.samples} samples"
    return f"in all {observed.each:,} values of {samples}"


def _still_before(evidence: Evidence, node: Node) -> set[int]:
    """Channels that do not change in what feeds a node channel by channel."""
    if isinstance(node.operation, Convolution | Dense) or len(node.inputs) != 1:
        return set()
    before = evidence.seen.get(node.inputs[0])
    if before is None:
        return set()
    return {*before.statistics.dead, *before.statistics.constant}


def _blank(evidence: Evidence) -> bool:
    """Whether what was fed is one number everywhere."""
    return any(
        fed.observation.statistics.min == fed.observation.statistics.max
        for fed in evidence.fed.values()
        if fed.node.axes.channel is not None
    )


def _saturated(evidence: Evidence, node: Node, observed: Observation) -> Iterator[Finding]:
    """Sigmoids and tanh at their ends; the network's own outputs are meant to be there."""
    if observed.saturated <= _HALF or observed.statistics.min == observed.statistics.max:
        return
    if node.name in evidence.graph.outputs or observed.each * (node.channels or 1) < 16:
        return
    function = function_of(node)
    ends = "1 % of 0 or 1" if function == "sigmoid" else "1 % of −1 or 1"
    yield Finding(
        "warning" if observed.saturated >= _NEARLY_ALL else "note",
        "saturated",
        node.name,
        f"{share(observed.saturated)} of the values of {node.name} ({function}) are within {ends}, "
        f"over {evidence.rests_on()}.",
        "What is fed to it is large: look at the range of the input (--range) and at the scale "
        "of its weights.",
    )


def _not_finite(evidence: Evidence) -> Iterator[Finding]:
    """NaN and infinite values in the input, or the first layer that makes them."""
    for fed in evidence.fed.values():
        if fed.observation.nan or fed.observation.infinite:
            yield Finding(
                "error",
                "not-finite",
                fed.node.name,
                f"The input itself holds {_bad(fed.observation)}, which every layer that "
                "sees them hands on.",
                "Mend the input: numpy.nan_to_num(array), or leave the pictures concerned out.",
            )
            return
    broken = [node for node in evidence.graph if _is_bad(evidence, node.name)]
    if not broken:
        return
    first = broken[0]
    follow = len(broken) - 1
    then = f", and {follow} layers after it" if follow > 1 else ""
    weights = [
        role
        for role, values in evidence.weights(first.name).items()
        if values.dtype.kind == "f" and values.size and not _finite(values)
    ]
    if weights:
        why = f"Its {' and '.join(weights)} already hold them"
        remedy = "The training that wrote these weights diverged: take an earlier checkpoint."
    else:
        why = "Its input and its weights are finite"
        remedy = (
            "float16 ends at 65504: run the network in float32."
            if first.dtype == "float16"
            else "Look for a division by 0, a logarithm or root of 0, or an overflow in it."
        )
    yield Finding(
        "error",
        "not-finite",
        first.name,
        f"{first.name} is the first layer with {_bad(evidence.seen[first.name])}{then}. {why}.",
        remedy,
    )


def _is_bad(evidence: Evidence, name: str) -> bool:
    observed = evidence.seen.get(name)
    return observed is not None and bool(observed.nan or observed.infinite)


def _bad(observed: Observation) -> str:
    kinds = [f"{observed.nan:,} NaN"] if observed.nan else []
    kinds += [f"{observed.infinite:,} infinite"] if observed.infinite else []
    values = "value" if observed.nan + observed.infinite == 1 else "values"
    return f"{' and '.join(kinds)} {values}"


def _drift(evidence: Evidence) -> Iterator[Finding]:
    """The standard deviation of layers with weights, against that of the first of them."""
    steps = [
        (node, evidence.seen[node.name].statistics.std)
        for node in evidence.graph
        if isinstance(node.operation, _MAKERS)
        and node.name in evidence.seen
        and function_of(node) in ("", "linear", "relu")
        and evidence.seen[node.name].each * (node.channels or 1) >= _ENOUGH_VALUES
    ]
    first, at = next(((std, node) for node, std in steps if std > 0), (0.0, None))
    if at is None:
        return
    for word in ("grows", "shrinks"):
        grows = word == "grows"
        far = next(
            (
                (node, std)
                for node, std in steps
                if std > 0 and (std / first if grows else first / std) > _DRIFT
            ),
            None,
        )
        if far is not None:
            node, std = far
            ratio = std / first if grows else first / std
            yield Finding(
                "warning",
                "scale-drift",
                node.name,
                f"The standard deviation {word} from {first:.3g} at {at.name} to {std:.3g} at "
                f"{node.name}, {ratio:.0e} times, over {evidence.rests_on()}.",
                "Normalise between the layers, or choose an initializer for the activation "
                "function (he_normal for relu); and look at the range of the input.",
            )


def _finite(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())
