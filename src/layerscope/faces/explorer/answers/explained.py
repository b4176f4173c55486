"""Explanations as containers: a channel's sum map by map, and one value's multiplications."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activations
from layerscope.axes import Axes
from layerscope.explain.choice import choose
from layerscope.explain.contributions import Explanation
from layerscope.explain.explained import Explainer
from layerscope.explain.neuron import neuron
from layerscope.explain.receptive_field import Box, boxes
from layerscope.faces.explained.dispatch import came_from
from layerscope.faces.explained.drawing import ROWS
from layerscope.faces.explained.text import channel_json, channel_text, neuron_text
from layerscope.faces.explaining import Explaining, check_copy
from layerscope.faces.explorer.answers.blobs import place_of
from layerscope.faces.explorer.answers.container import pack
from layerscope.faces.explorer.answers.explained_other import other
from layerscope.faces.explorer.answers.scales import common_scale, own_scale, planes
from layerscope.faces.explorer.runs import Run
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket
from layerscope.render.scale import Extremes, Limits
from layerscope.render.stack import numeric, stack_of

Place = tuple[int, int, int]


def explained(
    explorer: Explorer,
    run: Run,
    number: int,
    channel: int,
    place: Place | None = None,
    *,
    every: bool = False,
    ticket: Ticket | None = None,
) -> bytes:
    """What a channel is made of, or one of its values, as a container.

    number: of the node. place: slice, row and column of one value. every: all input channels,
    and not those with the largest shares and the rest in one. Raises SelectionError where the
    layer is none that can be explained, ModelError where it is not what was computed.
    """
    ready = _ready(explorer, run, number, channel, ticket or Ticket())
    assert ready.channel is not None
    asked = ready.choice.asked
    at = None
    if place is not None:
        activation = numeric(explorer.activation(run, asked.name, ticket))
        at = ready.place(place_of(activation, stack_of(activation, run.sample), place))
    e = ready.one(ready.channel)
    numbers = {node.name: i for i, node in enumerate(explorer.nodes(run.made_by.model))}
    header: dict[str, Any] = {
        "node": numbers[e.node.name],
        "name": e.node.name,
        "channel": e.channel,
        "asked": {"node": number, "channel": channel},
        "source": numbers[e.source.name],
        "source_name": e.source.name,
        "residual": e.residual if isfinite(e.residual) else None,
        "came_from": came_from(ready.choice, at),
    }
    if not isinstance(e, Explanation):
        return other(e, header, numbers, run, at, ready.boxes(at, e.channel) if at else ())
    header |= {
        "kind": "sum",
        "bias": e.bias,
        "function": e.function,
        "kernel_shape": list(e.kernel.shape[1:]),
        "count": len(e.inputs),
    }
    if at is None:
        return _channel(e, header, run.summary.nodes[header["source"]].limits, every)
    return _value(e, header, at, ready.boxes(at, e.channel), every)


def field(
    explorer: Explorer,
    run: Run,
    number: int,
    channel: int,
    place: Place | None,
    ticket: Ticket | None = None,
) -> list[dict[str, Any]]:
    """What the neuron at a place sees of every input, in the input's and the picture's pixels.

    place: slice, row and column; None for the whole channel.
    """
    node = explorer.node(number, run.made_by.model)
    at = None
    if place is not None:
        activation = numeric(explorer.activation(run, node.name, ticket))
        at = place_of(activation, stack_of(activation, run.sample), place)
    own = channel if node.axes.channel is not None else None
    graph = explorer.graph(run.made_by.model)
    found = boxes(graph, node.name, at, channel=own, shapes=run.made_by.shapes)
    return [_box(run, box) for box in found]


def _box(run: Run, box: Box) -> dict[str, Any]:
    record = next((record for record in run.records if record.name == box.input), None)
    inside = None if record is None or run.original is None else box.in_picture(record)
    picture = None
    if inside is not None and {"H", "W"} <= set(inside.axes):
        picture = {"top": inside.top, "left": inside.left, "bottom": inside.bottom,
                   "right": inside.right}  # fmt: skip
    return {
        "input": box.input,
        "axes": box.axes,
        "ranges": [list(pair) for pair in box.ranges],
        "status": box.status,
        "notes": list(box.notes),
        "picture": picture,
    }


def _ready(explorer: Explorer, run: Run, number: int, channel: int, ticket: Ticket) -> Explaining:
    """The layer that makes a channel, ready to be explained; kept while there is room."""
    one, graph = run.made_by, explorer.graph(run.made_by.model)
    model = explorer.models[one.model]
    choice = choose(graph, explorer.node(number, one.model), channel, one.sizes, chain=False)

    def make() -> tuple[Explainer, int]:
        held = explorer.arrays(run, choice.names, ticket)
        size = sum(activation.array.nbytes for activation in held.values())
        return choice.explainer(held, model.weights, run.sample), int(2 * size)

    # A copy's explainer is its own; others are the same for all their channels.
    key = (one.id, "explain", run.sample, choice.node.name, choice.tracing and choice.asked.name)
    explainer, _ = explorer.cache.get(key, make, lambda made: made[1])
    if choice.places is not None:
        copied = [choice.node.name, choice.asked.name]
        check_copy(choice, Activations(explorer.arrays(run, copied, ticket)), run.sample)
    return Explaining(model, choice, explainer, run.records, one.shapes)


def _channel(e: Explanation, header: dict[str, Any], limits: Limits, every: bool) -> bytes:
    shares = e.shares
    order = np.argsort(-shares, kind="stable")
    shown = order if every or len(order) <= ROWS else order[:ROWS]
    rest = order[len(shown) :]
    partial = planes(e.contributions[shown])
    if len(rest):
        partial = np.concatenate([partial, planes(e.contributions[rest].sum(axis=0)[None])])
    results = planes(np.stack([e.sum, e.pre_activation]))
    reach = max(float(np.abs(part).max(initial=0)) for part in (partial, results))
    maps, maps_lo, maps_hi = own_scale(planes(e.maps), limits, shown)
    after = planes(e.output[None])
    output, lo, hi = own_scale(after, Limits.over(Extremes.of(after, axis=0)), np.array([0]))
    common = common_scale(np.concatenate([partial, results]), reach)
    told = {
        **header,
        "inputs": [e.inputs[int(i)] for i in shown],
        "shares": [float(shares[i]) for i in shown],
        "rest": {"count": len(rest), "share": float(shares[rest].sum())} if len(rest) else None,
        "reach": reach,
        "signed": limits.signed,
        "output_limits": [float(lo[0]), float(hi[0])],
        "output_signed": bool(after.min(initial=0) < 0),
        "text": channel_text(channel_json(e)).split("\n"),
    }
    sections: dict[str, NDArray[Any]] = {
        "maps": maps,
        "maps_lo": maps_lo,
        "maps_hi": maps_hi,
        "kernel": planes(e.kernel[shown]).astype(np.float32),
        "contributions": common[: len(partial)],
        "sum": common[-2:-1],
        "pre": common[-1:],
        "output": output,
    }
    return pack(told, sections)


def _value(
    e: Explanation, header: dict[str, Any], at: tuple[int, ...], found: Sequence[Box], every: bool
) -> bytes:
    one = neuron(e, at)
    order = np.argsort(-np.abs(one.sums), kind="stable")
    shown = order if every else order[:ROWS]
    rest = order[len(shown) :]
    told = {
        **header,
        "at": list(at),
        "place": [list(pair) for pair in one.place],
        "axes": _letters(e.source.axes, len(one.place)),
        "inputs": [e.inputs[int(i)] for i in shown],
        "rest": {"count": len(rest), "sum": float(one.sums[rest].sum())} if len(rest) else None,
        "total": float(one.sums.sum()),
        "pre_activation": one.pre_activation,
        "value": one.value,
        "text": neuron_text(one, found, every=every).split("\n"),
    }
    patch, kernel = planes(one.patch[shown]), planes(one.kernel[shown])
    sections = {
        "patch": patch.astype(np.float64),
        "kernel": kernel.astype(np.float64),
        "products": (patch * kernel).astype(np.float64),
        "sums": one.sums[shown].astype(np.float64),
        "inside": planes(one.inside[None]).astype(np.uint8),
    }
    return pack(told, sections)


def _letters(axes: Axes, count: int) -> str:
    letters = "".join(axes.names[axis].value for axis in axes.spatial)
    return letters if len(letters) == count else "?" * count
