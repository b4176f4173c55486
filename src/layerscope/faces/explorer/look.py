"""Look: every node of a pass computed once, summarised, and looked at for what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.activation import Activation
from layerscope.explain.checkup import Observation, observe
from layerscope.faces.checking import FedWatch, findings_of
from layerscope.faces.explorer.answers.summary import Summary, summarise
from layerscope.faces.explorer.runs import Pass, grouped
from layerscope.faces.explorer.work import Ticket
from layerscope.inputs import Batch
from layerscope.inputs.record import Array
from layerscope.models import Model


@dataclass(frozen=True)
class Look:
    """What was seen: a summary for each sample, and findings on all of them."""

    summaries: Sequence[Summary]
    findings: Sequence[Mapping[str, Any]]


def look(
    model: Model,
    one: Pass,
    batch: Batch,
    compute: Callable[[Sequence[str]], dict[str, Array]],
    keep: Callable[[str, Array], None],
    ticket: Ticket,
    advance: Callable[[float], None],
    most: int,
) -> Look:
    """Compute every node of a pass, in groups of at most ``most`` bytes.

    compute: gives the arrays of nodes. keep: is given each array. advance: is told the share
    (0 to 1) that is done. Raises UnwantedError where nobody waits any more.
    """
    graph = model.graph
    summaries = [Summary() for _ in range(len(batch))]
    observed: dict[str, Observation] = {}
    total = max(1, len(graph.inputs) + len(graph.nodes))

    def take(activation: Activation) -> None:
        ticket.check()
        axis, shape = activation.axes.batch, activation.array.shape
        one.sizes[activation.name] = tuple(
            1 if place == axis else length for place, length in enumerate(shape)
        )
        seen = observe(activation.array, activation.axes, activation.node)
        known = seen.statistics if len(summaries) == 1 else None
        for sample, summary in enumerate(summaries):
            ticket.check()
            summary.nodes.append(summarise(activation, sample, statistics=known))
        if activation.node.index is not None:
            observed[activation.name] = seen
        if len(one.sizes) % 8 == 0:
            advance(0.5 + 0.5 * len(one.sizes) / total)

    advance(0.0)
    for node in graph.inputs:
        # What is not fed the model sets by itself.
        array = one.feeds[node.name] if node.name in one.feeds else compute([node.name])[node.name]
        take(Activation(array, node.axes, node))
    for nodes, _ in grouped(graph, one.feeds, max(1, most)):
        arrays = compute([node.name for node in nodes])
        for node in nodes:
            array = arrays.pop(node.name)
            take(Activation(array, node.axes, node))
            keep(node.name, array)
    watch = FedWatch(graph.inputs)
    watch.add(batch)
    found = [finding.as_json() for finding in findings_of(model, watch, observed)]
    advance(1.0)
    return Look(summaries, found)
