"""Checkup: what looks wrong with a network, its input or its activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from layerscope.explain.checkup.activations import activations
from layerscope.explain.checkup.channels import backend_bug, summed_channels, training_mode
from layerscope.explain.checkup.evidence import Evidence, Fed
from layerscope.explain.checkup.finding import CODES, LEVELS, Finding, Kind, Level
from layerscope.explain.checkup.inputs import inputs
from layerscope.explain.checkup.layout import layout
from layerscope.explain.checkup.misfit import misfit, sentence
from layerscope.explain.checkup.observing import Observation, Observer, observe
from layerscope.explain.checkup.ranges import ranges
from layerscope.explain.checkup.shapes import shapes
from layerscope.explain.checkup.weights import weights

__all__ = [
    "CODES",
    "LEVELS",
    "Evidence",
    "Fed",
    "Finding",
    "Kind",
    "Level",
    "Observation",
    "Observer",
    "checkup",
    "in_order",
    "misfit",
    "observe",
    "sentence",
]

_FAMILIES: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    layout,
    inputs,
    ranges,
    shapes,
    backend_bug,
    training_mode,
    activations,
    summed_channels,
)

# What is said of a layer whose input is laid out wrongly is no finding of its own.
_FOLLOWING = ("kernel-larger-than-input", "summed-channels")


def checkup(evidence: Evidence, *, largest: int | None = None) -> tuple[Finding, ...]:
    """Everything that looks wrong or is good to know, the worst first.

    largest: weights of layers with more parameters than this are not looked at.
    """
    found = list(weights(evidence, largest))
    for family in _FAMILIES:
        found += family(evidence)
    mislaid = {one.node for one in found if one.code == "layout"}
    found = [one for one in found if not (one.code in _FOLLOWING and one.node in mislaid)]
    if any(one.code == "untrained" and one.node is None for one in found):
        # Nothing has fitted the layers of such a network to each other yet.
        found = [replace(one, level="note") if one.code == "scale-drift" else one for one in found]
    return in_order(found, evidence)


def in_order(found: list[Finding], evidence: Evidence) -> tuple[Finding, ...]:
    """Findings by level, then by code, then in the order of the network, each once."""
    graph, codes = evidence.graph, list(CODES)
    place = {node.name: i for i, node in enumerate((*graph.inputs, *graph.nodes))}
    return tuple(
        sorted(
            dict.fromkeys(found),
            key=lambda one: (
                LEVELS.index(one.level), codes.index(one.code), place.get(one.node or "", -1),
            ),
        )
    )  # fmt: skip
