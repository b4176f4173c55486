"""Explanations of every kind, told and drawn each in its own way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerscope.errors import SelectionError
from layerscope.explain.applying import Applying
from layerscope.explain.chain import Chaining, chain_of
from layerscope.explain.choice import Choice
from layerscope.explain.contributions import Explanation, Summation
from layerscope.explain.explained import Explained, checked_place
from layerscope.explain.neuron import neuron
from layerscope.explain.scaling import Scaling
from layerscope.faces.explained.drawing import draw_explanation, draw_table
from layerscope.faces.explained.node_text import (
    all_text,
    node_json,
    node_text,
    value_json,
    value_text,
)
from layerscope.faces.explained.rows import draw_explained
from layerscope.faces.explained.table import draw_explained_table
from layerscope.faces.explained.text import channel_json, channel_text, neuron_json, neuron_text
from layerscope.faces.explaining import Explaining
from layerscope.render.sheet import SheetPicture

Told = dict[str, Any]


def draw_one(e: Explanation | Explained, *, every: bool) -> tuple[SheetPicture, Told, str]:
    """One channel: its picture, what ``--json`` tells, and what is printed."""
    if isinstance(e, Explanation):
        told = channel_json(e)
        return draw_explanation(e, every=every), told, channel_text(told)
    return draw_explained(e), node_json(e), node_text(e)


def draw_all(ready: Explaining) -> tuple[SheetPicture, Told, str]:
    """Every channel, in the same three ways. Each is explained once, and one is held at a time."""
    count, name, explainer = ready.explainer.channels, ready.node.name, ready.explainer
    channels: list[Told] = []
    told: Told = {"node": name, "channels": channels}
    if isinstance(explainer, Summation | Chaining):

        def largest() -> float:
            """The scale that all share, known before the first channel is drawn."""
            return max((explainer.largest(channel) for channel in range(count)), default=0.0)

        picture = draw_table(name, _sums(ready, channels), largest, count)
        return picture, told, channel_text(told)
    picture = draw_explained_table(name, _others(ready, channels), count)
    return picture, told, all_text(told)


def _sums(ready: Explaining, told: list[Told]) -> Iterator[Explanation]:
    for e in ready:
        if isinstance(e, Explanation):
            told.append(channel_json(e))
            yield e


def _others(ready: Explaining, told: list[Told]) -> Iterator[Explained]:
    for e in ready:
        if isinstance(e, Explained):
            told.append(node_json(e))
            yield e


def told_of_value(ready: Explaining, at: Sequence[int], *, every: bool) -> tuple[Told, str]:
    """One value of the channel asked for: what ``--json`` tells, and what is printed."""
    assert ready.channel is not None
    e = ready.one(ready.channel)
    if isinstance(e, Explanation):
        one = neuron(e, at)
        found = ready.boxes(at, e.channel)
        return neuron_json(one, found), neuron_text(one, found, every=every)
    place = checked_place(e.node, e.output.shape, at)
    found = ready.boxes(place, e.channel)
    return value_json(e, place, found), value_text(e, place, found)


def came_from(choice: Choice, place: Sequence[int] | None) -> list[str]:
    """Where a copy comes from, in one line; none for what is no copy."""
    if choice.asked.name == choice.node.name:
        return []
    if choice.places is None or choice.channel is None:
        return [f"{choice.asked.name} gives back {choice.node.name}, which is explained."]
    where = ""
    if not choice.places.still:
        where = ", its values at other places"
        if place is not None:
            where = f" at {','.join(map(str, place))}"
    return [
        f"{choice.asked.name}, channel {choice.asked_channel}, is {choice.node.name}, channel "
        f"{choice.channel}{where}: that is explained."
    ]


def asked_json(choice: Choice, at: Sequence[int] | None) -> Told:
    """What was asked for, where the node that is explained is another. at: the place asked for."""
    if choice.asked.name == choice.node.name:
        return {}
    asked: Told = {"node": choice.asked.name, "channel": choice.asked_channel}
    return {"asked": asked if at is None else {**asked, "at": list(at)}}


def chain_hint(ready: Explaining) -> list[str]:
    """That the node is the end of a chain that could be taken as one; nothing else."""
    if not isinstance(ready.explainer, Scaling | Applying):
        return []
    try:
        chain = chain_of(ready.model.graph, ready.node)
    except SelectionError:
        return []
    return [f"{' > '.join(node.name for node in chain)} as one: --chain"]
