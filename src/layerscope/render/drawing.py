"""draw: one sample of an activation as a Figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.render import paint
from layerscope.render.colormap import is_diverging, parse_colormap
from layerscope.render.figure import Entry, Figure, Tiles
from layerscope.render.legend import BAR_LENGTH, Block, header, largest, legend, marks
from layerscope.render.mosaic import (
    Cell,
    Layout,
    auto_zoom,
    mosaic,
    stacked_rows,
    strip_columns,
)
from layerscope.render.options import Channels, choose, parse_count
from layerscope.render.palette import FIRST, GUTTER, LAST, palette
from layerscope.render.quantize import quantize
from layerscope.render.scale import (
    Extremes,
    Limits,
    Ranges,
    Scale,
    choose_colormap,
    parse_clip,
    parse_scale,
    ranges_of,
)
from layerscope.render.sections import Group, Section, sections_of
from layerscope.render.stack import Stack, stack_of
from layerscope.render.text import LARGE, clean, fitted, line_height, number_size

_MARGIN = 8
_NARROWEST = 260
_LISTED = 5


def draw(
    activation: Activation,
    *,
    sample: int = 0,
    channels: Channels | None = None,
    colormap: str | None = None,
    scale: Scale = "channel",
    clip: float | None = None,
    zoom: int | None = None,
    columns: int | None = None,
    groups: Sequence[Group] | None = None,
    classes: Sequence[str] | None = None,
    labels: bool = True,
    limits: Limits | None = None,
) -> Figure:
    """One sample of an activation as exact pixels: every value one square of one colour.

    sample: which of the batch. channels: numbers and slices; all by default. colormap: a name
    of ``colormap.names()``; by default the one that suits the whole layer. scale:
    ``"channel"``, ``"layer"``, ``"symmetric"`` or (low, high). clip: a percentile (above 50,
    up to 100) where colours end. zoom: pixels per value, down and across. columns: tiles per
    row (values per row of a vector, columns of a sequence's rows). groups: sections with a heading
    each, such as the branches of a concatenation. classes: names for the entries of a vector.
    labels: whether numbers, header and legend are drawn. limits: ``Limits.of(activation)``,
    to save finding them for every sample.

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
        asked, extremes = "layer" if asked == "channel" else asked, extremes.joined()
    chosen = parse_colormap(colormap) if colormap else choose_colormap(limits, asked)
    ranges = ranges_of(values, extremes, limits, asked, chosen, activation.array, percentile)
    page = _Page(activation, stack, values, sections, ranges, limits, asked, chosen, sample)
    return page.figure(zoom, columns, classes, labels=labels)


@dataclass(frozen=True)
class _Page:
    """What is drawn, decided; ``figure`` places and paints it."""

    activation: Activation
    stack: Stack
    values: NDArray[Any]
    sections: tuple[Section, ...]
    ranges: Ranges
    limits: Limits
    scale: Scale
    colormap: str
    sample: int

    def figure(
        self, zoom: int | None, columns: int | None, classes: Sequence[str] | None, *, labels: bool
    ) -> Figure:
        indices = quantize(self.values, self.ranges)
        count, slices, height, width = indices.shape
        planes = indices.reshape(count * slices, height, width)
        zoom = zoom or self._zoom(count * slices, height, width)
        order = np.array([c for s in self.sections for c in s.channels], np.int64)
        channels = np.repeat(order, slices)
        cell, above, tiny = self._cell(height * zoom, width * zoom, order, zoom, labels)
        layout = self._layout(cell, columns, order, above, labels)
        top, notes = _top(self.values, order, classes) if self._is("strip") else ((), ())
        notes = (*self.stack.notes, *notes, *_constants(self.ranges, order))
        outer = _MARGIN if labels else 0
        inner = max(layout.width, _NARROWEST if labels else 0)
        head, foot = Block(), Block()
        if labels:
            head = header(self.activation.name, self._detail(), self._legend(indices), inner)
            foot = largest(top, inner)
        gap = 8 if foot.height else 0
        canvas = np.full(
            (
                max(1, 2 * outer + head.height + layout.height + gap + foot.height),
                max(1, 2 * outer + inner),
            ),
            GUTTER,
            np.uint8,
        )
        head.onto(canvas, outer, outer)
        foot.onto(canvas, outer + head.height + layout.height + gap, outer)
        down = outer + head.height
        for text, y, x in layout.headings:
            drawn = fitted(clean(text), inner - x, LARGE)
            canvas[down + y + 6 :, outer + x :][: drawn.shape[0], : drawn.shape[1]] = drawn
        grids = [grid.moved(down, outer) for grid in layout.grids]
        for grid in grids:
            paint.tiles(canvas, grid, planes, zoom)
            if self._bars():
                paint.bars(canvas, grid, np.repeat(self.ranges.strength, slices), cell)
            if above:
                first = np.arange(len(channels)) % slices == 0
                paint.labels_above(canvas, grid, np.where(first, channels, -1), cell, tiny=tiny)
            elif labels:
                paint.labels_beside(canvas, grid, channels, cell)
            if above and not tiny and not self._is("strip"):
                indent = number_size(int(order.max(initial=0)), tiny=False)[1] + 3
                paint.captions(canvas, grid, self._captions(slices), cell, indent)
        places = [grid.places() for grid in grids]
        nowhere = np.zeros(0, np.int64)
        table = Tiles(
            channel=channels,
            top=np.concatenate([nowhere, *(tops for tops, _ in places)]),
            left=np.concatenate([nowhere, *(lefts for _, lefts in places)]),
            height=height,
            width=width,
            vmin=np.repeat(self.ranges.vmin, slices),
            vmax=np.repeat(self.ranges.vmax, slices),
            sources=self._sources(slices),
            slices=np.tile(np.array(self.stack.slices), count) if slices > 1 else None,
        )
        scale = self.scale if isinstance(self.scale, str) else f"{self.scale[0]:g},{self.scale[1]:g}"
        return Figure(
            pixels=canvas,
            palette=palette(self.colormap),
            table=table,
            levels=(FIRST, LAST),
            colormap=self.colormap,
            scale=scale,
            zoom=zoom,
            name=self.activation.name,
            axes=str(self.activation.axes),
            sizes=self.stack.sizes,
            sample=self.sample,
            notes=notes,
            top=top,
        )

    def _is(self, arrangement: str) -> bool:
        return self.stack.arrangement == arrangement

    def _bars(self) -> bool:
        return self.scale == "channel" and self.values.size > 0

    def _zoom(self, count: int, height: int, width: int) -> int:
        if self._is("strip"):
            return max(3, min(24, 720 // strip_columns(count)))
        if self._is("rows"):
            area = (2e6 / max(1, count * width)) ** 0.5
            return max(1, min(12, 1024 // max(width, 1), int(area)))
        return auto_zoom(count, height, width)

    def _cell(
        self, height: int, width: int, order: NDArray[np.int64], zoom: int, labels: bool
    ) -> tuple[Cell, bool, bool]:
        """The cell, whether numbers are above the tiles, and whether in tiny digits."""
        if self._is("rows"):
            return Cell(height, width, right=BAR_LENGTH + 4 if self._bars() else 0), False, False
        room = {tiny: number_size(int(order.max(initial=0)), tiny=tiny) for tiny in (False, True)}
        tiny = room[False][1] > width
        above = labels and room[tiny][1] <= width
        if self._is("strip"):
            above = above and len(order) <= 32
        label = room[tiny][0] + 2 if above else 0
        gap = (1, 1) if self._is("strip") and zoom >= 4 else (0, 0)
        if self._is("mosaic"):
            gap = (5, 3) if above else (3, 2)
        return Cell(height, width, label, 3 if self._bars() else 0, 0, gap), above, tiny

    def _layout(
        self,
        cell: Cell,
        columns: int | None,
        order: NDArray[np.int64],
        above: bool,
        labels: bool,
    ) -> Layout:
        margin = paint.margin_for(int(order.max(initial=0))) if labels and not above else 0
        if self._is("rows"):
            return stacked_rows(len(order), cell, columns, margin)
        if self._is("strip"):
            return mosaic([len(order)], cell, columns or strip_columns(len(order)), margin=margin)
        slices = self.values.shape[1]
        named = labels and any(section.label for section in self.sections)
        return mosaic(
            [len(section.channels) * slices for section in self.sections],
            cell,
            columns,
            headings=[self._heading(section) for section in self.sections] if named else None,
            heading_height=line_height(LARGE) + 12 if named else 0,
            margin=margin,
            unit=slices,
        )

    def _heading(self, section: Section) -> str:
        count = len(section.channels)
        return f"{section.label} · {count} {'channel' if count == 1 else 'channels'}"

    def _detail(self) -> str:
        batch = self.activation.axes.batch
        several = batch is not None and self.activation.array.shape[batch] > 1
        return self.stack.sizes + (f" · sample {self.sample}" if several else "")

    def _legend(self, indices: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if not self.values.size:
            return []
        centred = is_diverging(self.colormap) or self.scale == "symmetric"
        start = "centre" if centred else "low" if self.limits.signed else "zero"
        name = self.scale if isinstance(self.scale, str) else "numbers"
        items = legend(name, self.ranges, start, self.limits.magnitude, self._bars())
        return [*items, *marks(indices, self.ranges)]

    def _captions(self, slices: int) -> dict[int, tuple[str, ...]]:
        found = np.flatnonzero(self.ranges.constant)
        return {
            int(i) * slices: (f"constant {self.ranges.vmin[i]:.3g}", f"= {self.ranges.vmin[i]:.3g}")
            for i in found
        }

    def _sources(self, slices: int) -> tuple[str | None, ...] | None:
        if not any(section.sources for section in self.sections):
            return None
        return tuple(
            source
            for section in self.sections
            for source in section.sources or (None,) * len(section.channels)
            for _ in range(slices)
        )


def _top(
    values: NDArray[Any], order: NDArray[np.int64], classes: Sequence[str] | None
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The largest entries of a vector, and a note where the class names do not fit it."""
    flat = values.reshape(-1).astype(np.float64)
    count = len(flat)
    notes: tuple[str, ...] = ()
    names = list(classes or ())
    if count == 1 and len(names) == 2:
        notes = (f"0 stands for {names[0]}, 1 for {names[1]}",)
        names = []
    elif names and int(order.max(initial=-1)) >= len(names):
        notes = (f"{len(names)} class names do not fit entry {int(order.max())}: not used",)
        names = []
    held = np.flatnonzero(np.isfinite(flat))
    best = held[np.argsort(-flat[held], kind="stable")][:_LISTED]
    entries = (
        Entry(int(order[i]), float(flat[i]), names[order[i]] if names else None) for i in best
    )
    return tuple(entries), notes


def _constants(ranges: Ranges, order: NDArray[np.int64]) -> tuple[str, ...]:
    """A note on the channels that hold one value only."""
    found = order[ranges.constant]
    if not len(found) or len(found) == len(order) == 1:
        return ()
    few = ", ".join(map(str, found[:8].tolist())) + (" …" if len(found) > 8 else "")
    what = "channel is" if len(found) == 1 else "channels are"
    zero = " 0" if not ranges.vmin[ranges.constant].any() else ""
    return (f"{len(found)} of {len(order)} {what} constant{zero}: {few}",)
