"""draw: one sample of an activation as a Figure."""

from __future__ import annotations

from collections.abc import Sequence

from layerscope.activation import Activation
from layerscope.render.colormap import parse_colormap
from layerscope.render.figure import Figure
from layerscope.render.options import Channels, choose, parse_count
from layerscope.render.page import Page
from layerscope.render.scale import (
    Extremes,
    Limits,
    Scale,
    choose_colormap,
    parse_clip,
    parse_scale,
    ranges_of,
)
from layerscope.render.sections import Group, sections_of
from layerscope.render.stack import numeric, stack_of


def draw(
    activation: Activation,
    *,
    sample: int = 0,
    channels: Channels | int | str | None = None,
    colormap: str | None = None,
    scale: Scale = "channel",
    clip: float | None = None,
    zoom: int | None = None,
    columns: int | None = None,
    groups: Sequence[Group] | None = None,
    classes: Sequence[str] | None = None,
    labels: bool = True,
    limits: Limits | None = None,
    spans: Extremes | None = None,
) -> Figure:
    """One sample of an activation as exact pixels: every value one square of one colour.

    sample: which of the batch. channels: a number, numbers and slices,
    or a text as in ``"6,20:24"``; all by default. colormap: a name
    of ``colormap.names()``; by default the one that suits the whole layer. scale:
    ``"channel"``, ``"layer"``, ``"symmetric"`` or (low, high). clip: a percentile (above 50,
    up to 100) where colours end. zoom: pixels per value, down and across. columns: tiles side
    by side (of a vector: values). groups: sections with a heading each, such as the branches
    of a concatenation. classes: names for the entries of a vector. labels: whether numbers,
    header and legend are drawn. limits: ``Limits.of(activation)``, to save finding them anew
    for every sample. spans: for the scale ``"channel"``, what each channel of the activation is
    taken to hold, so that several activations are drawn alike.

    Raises SelectionError where a sample or channel does not exist, OutputError for any other
    option that cannot be followed.

    >>> import numpy as np
    >>> from layerscope.axes import Axes
    >>> from layerscope.graph import Node
    >>> from layerscope.operations import Opaque
    >>> axes = Axes.parse("NHWC")
    >>> node = Node("conv", 0, "conv", "Conv2D", Opaque(), (), (None, 4, 4, 2), axes)
    >>> values = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
    >>> figure = draw(Activation(values, axes, node), zoom=3)
    >>> figure.colormap, figure.tiles[1].channel, figure.tiles[1].vmax
    ('viridis', 1, 31.0)
    """
    asked = parse_scale(scale)
    percentile = parse_clip(clip, asked)
    zoom, columns = parse_count(zoom, "zoom"), parse_count(columns, "columns")
    activation = numeric(activation)
    stack = stack_of(activation, sample)
    count = stack.values.shape[0]
    sections = sections_of(groups, choose(channels, count, activation.name), activation.name)
    order = [channel for section in sections for channel in section.channels]
    values = stack.values if order == list(range(count)) else stack.values[order]
    extremes = Extremes.of(values, axis=0)
    if limits is None:
        whole = values.size == activation.array.size
        limits = Limits.over(extremes) if whole else Limits.of(activation)
    if stack.arrangement == "strip":
        # Single values would each fill their own range.
        asked, extremes = "layer" if asked == "channel" else asked, extremes.joined()
    chosen = parse_colormap(colormap) if colormap else choose_colormap(limits, asked)
    spans = None if spans is None or stack.arrangement == "strip" else spans.chosen(order)
    ranges = ranges_of(values, extremes, limits, asked, chosen, activation.array, percentile, spans)
    page = Page(activation, stack, values, sections, ranges, limits, asked, chosen, sample)
    return page.figure(zoom, columns, classes, labels=labels)
