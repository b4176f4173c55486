"""Explanations as containers: a channel's sum map by map, and one value's multiplications."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.axes import Axes
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.contributions import Explanation, Summation
from layerscope.explain.neuron import neuron
from layerscope.explain.receptive_field import Box, boxes
from layerscope.faces.explained import ROWS
from layerscope.faces.explained_text import channel_json, channel_text, neuron_text
from layerscope.faces.explaining import explicable
from layerscope.faces.explorer.blobs import place_of
from layerscope.faces.explorer.container import pack
from layerscope.faces.explorer.runs import Run
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket
from layerscope.graph import Node
from layerscope.render.quantize import quantize
from layerscope.render.scale import Extremes, Limits, Ranges, choose_colormap, ranges_of
from layerscope.render.stack import numeric, stack_of

Place = tuple[int, int, int]
Pixels = NDArray[np.uint8]


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
    """What a channel is summed from, or one of its values, as a container.

    number: of the node. place: slice, row and column of one value. every: all input channels,
    and not those with the largest shares and the rest in one. Raises SelectionError where the
    layer is none that can be taken apart, ModelError where its sum is not what was computed.
    """
    graph = explorer.graph(run.made_by.model)
    asked = explorer.node(number, run.made_by.model)
    if asked.name not in {node.name for node in graph.nodes}:
        raise SelectionError(f"{asked.name} is an input, which is summed from nothing.")
    node, own = explicable(graph, asked.name, channel)
    assert own is not None
    summation = _summation(explorer, run, node, ticket or Ticket())
    e = summation.explain(own)
    numbers = {node.name: i for i, node in enumerate(explorer.nodes(run.made_by.model))}
    source = numbers[e.source.name]
    header: dict[str, Any] = {
        "kind": "sum",
        "node": numbers[node.name],
        "name": node.name,
        "channel": own,
        "asked": {"node": number, "channel": channel},
        "source": source,
        "source_name": e.source.name,
        "bias": e.bias,
        "function": e.function,
        "residual": e.residual if isfinite(e.residual) else None,
        "kernel_shape": list(e.kernel.shape[1:]),
        "count": len(e.inputs),
    }
    if place is None:
        return _channel(e, header, run.summary.nodes[source].limits, every)
    activation = numeric(explorer.activation(run, asked.name, ticket))
    at = place_of(activation, stack_of(activation, run.sample), place)
    if node is not asked and _spatial(activation) != e.output.shape:
        raise SelectionError(
            f"{asked.name} moves its maps, so that the place is another one in {node.name}, which "
            f"makes them. Choose the place in {node.name}."
        )
    found = _boxes(explorer, run, node, at, own)
    return _value(e, header, at, found, every)


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
    return [_box(run, box) for box in _boxes(explorer, run, node, at, own)]


def _spatial(activation: Activation) -> tuple[int, ...]:
    return tuple(activation.array.shape[axis] for axis in activation.axes.spatial)


def _boxes(
    explorer: Explorer, run: Run, node: Node, at: Sequence[int] | None, channel: int | None
) -> tuple[Box, ...]:
    graph = explorer.graph(run.made_by.model)
    shapes = {name: (1, *array.shape[1:]) for name, array in run.made_by.feeds.items()}
    return boxes(graph, node.name, at, channel=channel, shapes=shapes)


def _box(run: Run, box: Box) -> dict[str, Any]:
    return {
        "input": box.input,
        "axes": box.axes,
        "ranges": [list(pair) for pair in box.ranges],
        "status": box.status,
        "notes": list(box.notes),
        "picture": _in_picture(run, box),
    }


def _in_picture(run: Run, box: Box) -> dict[str, int] | None:
    """The box in pixels of the original picture, where there is one."""
    record = next((record for record in run.records if record.name == box.input), None)
    if record is None or run.original is None or not {"H", "W"} <= set(box.axes):
        return None
    fed = dict(zip(record.axes, record.shape, strict=True))
    down, across = run.original[1][0] / fed["H"], run.original[1][1] / fed["W"]
    return {
        "top": floor(box.top * down),
        "left": floor(box.left * across),
        "bottom": ceil(box.bottom * down),
        "right": ceil(box.right * across),
    }


def _summation(explorer: Explorer, run: Run, node: Node, ticket: Ticket) -> Summation:
    source, before = node.inputs[0], f"{node.name}:pre"

    def make() -> Summation:
        held = explorer.arrays(run, [source, before, node.name], ticket)
        weights = explorer.models[run.made_by.model].weights(node.name)
        return Summation(held[source], held[before], held[node.name], weights, run.sample)

    key = (run.made_by.id, "sum", run.sample, node.name)
    made: Summation = explorer.cache.get(
        key, make, lambda s: int(s.maps.nbytes + s.kernel.values.nbytes)
    )
    return made


def _channel(e: Explanation, header: dict[str, Any], limits: Limits, every: bool) -> bytes:
    shares = e.shares
    order = np.argsort(-shares, kind="stable")
    shown = order if every or len(order) <= ROWS else order[:ROWS]
    rest = order[len(shown) :]
    partial = _planes(e.contributions[shown])
    if len(rest):
        partial = np.concatenate([partial, _planes(e.contributions[rest].sum(axis=0)[None])])
    results = _planes(np.stack([e.sum, e.pre_activation]))
    reach = max(float(np.abs(part).max(initial=0)) for part in (partial, results))
    maps, maps_lo, maps_hi = _own(_planes(e.maps), limits, shown)
    after = _planes(e.output[None])
    output, lo, hi = _own(after, Limits.over(Extremes.of(after, axis=0)), np.array([0]))
    common = _common(np.concatenate([partial, results]), reach)
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
        "kernel": _planes(e.kernel[shown]).astype(np.float32),
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
    patch, kernel = _planes(one.patch[shown]), _planes(one.kernel[shown])
    sections = {
        "patch": patch.astype(np.float64),
        "kernel": kernel.astype(np.float64),
        "products": (patch * kernel).astype(np.float64),
        "sums": one.sums[shown].astype(np.float64),
        "inside": _planes(one.inside[None]).astype(np.uint8),
    }
    return pack(told, sections)


def _letters(axes: Axes, count: int) -> str:
    letters = "".join(axes.names[axis].value for axis in axes.spatial)
    return letters if len(letters) == count else "?" * count


def _planes(values: NDArray[Any]) -> NDArray[Any]:
    """(maps, \\*spatial) as (maps, slices, height, width)."""
    shape = (1, 1, 1, *values.shape[1:])
    return values.reshape(len(values), prod(shape[:-2]), *shape[-2:])


def _own(
    values: NDArray[Any], limits: Limits, shown: NDArray[np.intp]
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """Maps each on their own scale, single values on one for all, as the layer is drawn."""
    extremes = Extremes.of(values, axis=0)
    single = values.shape[1:] == (1, 1, 1)
    every = ranges_of(
        values, extremes.joined() if single else extremes, limits,
        "layer" if single else "channel", choose_colormap(limits, "channel"), values, None,
    )  # fmt: skip
    own = Ranges(
        every.vmin[shown], every.vmax[shown], every.constant[shown], every.strength[shown],
        every.bounded, every.finite, every.start,
    )  # fmt: skip
    lo, hi = own.vmin.astype(np.float32), own.vmax.astype(np.float32)
    return quantize(values[shown], own), lo, hi


def _common(values: NDArray[Any], reach: float) -> Pixels:
    """Maps on one scale around 0."""
    if not isfinite(reach):
        raise ModelError("expected finite values, but some partial maps are not.")
    count = len(values)
    ends = np.full(count, reach or 1.0)
    nothing = np.zeros(count, np.bool_)
    return quantize(values, Ranges(-ends, ends, nothing, ends, False, True, "centre"))
