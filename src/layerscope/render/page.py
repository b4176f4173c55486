"""Page: a picture's layout decided, and everything painted at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.render import paint
from layerscope.render.figure import Figure, Tiles
from layerscope.render.legend import BAR_LENGTH, Block, header, largest, legend, marks
from layerscope.render.mosaic import (
    Cell,
    Grid,
    Layout,
    auto_zoom,
    mosaic,
    stacked_rows,
    strip_columns,
)
from layerscope.render.notes import largest_of, notes_on
from layerscope.render.palette import FIRST, GUTTER, LAST, palette
from layerscope.render.quantize import quantize
from layerscope.render.scale import Limits, Ranges, Scale, scale_text
from layerscope.render.sections import Section
from layerscope.render.stack import Stack
from layerscope.render.text import LARGE, clean, fitted, line_height, number_size

_MARGIN = 8
_NARROWEST = 260


@dataclass(frozen=True)
class Page:
    """Everything that is decided before a pixel is placed; ``figure`` places and paints."""

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
        zoom = zoom or self._zoom(count * slices, height, width)
        order = np.array([c for s in self.sections for c in s.channels], np.int64)
        cell, style = self._cell(height * zoom, width * zoom, order, zoom, labels)
        layout = self._layout(cell, columns, order, style)
        top, notes = largest_of(self.values, order, classes) if self._is("strip") else ((), ())
        notes = (*self.stack.notes, *notes, *notes_on(indices, self.ranges, order))
        legend = self._legend(indices) if labels else []
        inner = max(layout.width, *(item.shape[1] for item in legend), _NARROWEST if labels else 0)
        outer = _MARGIN if labels else 0
        head, foot = Block(), Block()
        if labels:
            head = header(self.activation.name, self._detail(len(order)), legend, inner)
            foot = largest(top, inner)
        gap = 8 if foot.height else 0
        tall = head.height + layout.height + gap + foot.height
        size = (max(1, 2 * outer + tall), max(1, 2 * outer + inner))
        canvas = np.full(size, GUTTER, np.uint8)
        head.onto(canvas, outer, outer)
        foot.onto(canvas, outer + tall - foot.height, outer)
        down = outer + head.height
        for text, y, x in layout.headings:
            drawn = fitted(clean(text), inner - x, LARGE)
            canvas[down + y + 6 :, outer + x :][: drawn.shape[0], : drawn.shape[1]] = drawn
        grids = [grid.moved(down, outer) for grid in layout.grids]
        for grid in grids:
            paint.tiles(canvas, grid, indices.reshape(count * slices, height, width), zoom)
            if self._bars():
                paint.bars(canvas, grid, np.repeat(self.ranges.strength, slices), cell)
            self._label(canvas, grid, order, cell, style)
        return Figure(
            pixels=canvas,
            palette=palette(self.colormap),
            table=self._table(grids, order),
            levels=(FIRST, LAST),
            colormap=self.colormap,
            scale=scale_text(self.scale),
            zoom=zoom,
            name=self.activation.name,
            axes=str(self.activation.axes),
            sizes=self._sizes(len(order)),
            sample=self.sample,
            notes=notes,
            top=top,
        )

    def _label(
        self,
        canvas: NDArray[np.uint8],
        grid: Grid,
        order: NDArray[np.int64],
        cell: Cell,
        style: str,
    ) -> None:
        slices = self.values.shape[1]
        channels = np.repeat(order, slices)
        if style == "beside":
            paint.labels_beside(canvas, grid, channels, cell)
        elif style:
            first = np.arange(len(channels)) % slices == 0
            shown = np.where(first, channels, -1)
            paint.labels_above(canvas, grid, shown, tiny=style == "tiny")
        if style == "above" and self._is("mosaic"):
            indent = number_size(int(order.max(initial=0)), tiny=False)[1] + 3
            paint.captions(canvas, grid, self._captions(slices), cell, indent)

    def _table(self, grids: Sequence[Grid], order: NDArray[np.int64]) -> Tiles:
        count, slices, height, width = self.values.shape
        places = [grid.places() for grid in grids]
        nowhere = np.zeros(0, np.int64)
        return Tiles(
            channel=np.repeat(order, slices),
            top=np.concatenate([nowhere, *(tops for tops, _ in places)]),
            left=np.concatenate([nowhere, *(lefts for _, lefts in places)]),
            height=height,
            width=width,
            vmin=np.repeat(self.ranges.vmin, slices),
            vmax=np.repeat(self.ranges.vmax, slices),
            sources=self._sources(slices),
            slices=np.tile(np.array(self.stack.slices), count) if slices > 1 else None,
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
    ) -> tuple[Cell, str]:
        """The cell, and where its number goes: ``"above"``, ``"tiny"``, ``"beside"`` or ``""``."""
        beside = "beside" if labels else ""
        if self._is("rows"):
            return Cell(height, width, right=BAR_LENGTH + 4 if self._bars() else 0), beside
        room = {tiny: number_size(int(order.max(initial=0)), tiny=tiny) for tiny in (False, True)}
        tiny = room[False][1] > width
        above = labels and room[tiny][1] <= width
        if self._is("strip"):
            above = above and len(order) <= 32
        label = room[tiny][0] + 2 if above else 0
        gap = (1, 1) if self._is("strip") and zoom >= 4 else (0, 0)
        if self._is("mosaic"):
            gap = (5, 3) if above else (3, 2)
        style = ("tiny" if tiny else "above") if above else beside
        return Cell(height, width, label, 3 if self._bars() else 0, 0, gap), style

    def _layout(
        self,
        cell: Cell,
        columns: int | None,
        order: NDArray[np.int64],
        style: str,
    ) -> Layout:
        margin = paint.margin_for(int(order.max(initial=0))) if style == "beside" else 0
        if self._is("rows"):
            return stacked_rows(len(order), cell, columns, margin)
        if self._is("strip"):
            return mosaic([len(order)], cell, columns or strip_columns(len(order)), margin=margin)
        slices = self.values.shape[1]
        named = bool(style) and any(section.label for section in self.sections)
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

    def _sizes(self, shown: int) -> str:
        held = self.stack.values.shape[0]
        return f"{shown} of {self.stack.sizes}" if shown < held else self.stack.sizes

    def _detail(self, shown: int) -> str:
        batch = self.activation.axes.batch
        several = batch is not None and self.activation.array.shape[batch] > 1
        return self._sizes(shown) + (f" · sample {self.sample}" if several else "")

    def _legend(self, indices: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if not self.values.size:
            return []
        name = self.scale if isinstance(self.scale, str) else "numbers"
        items = legend(name, self.ranges, self.limits.magnitude, bars=self._bars())
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
