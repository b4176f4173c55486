"""Figure: exact pixels made from an activation, and all that is needed to read them back."""

from __future__ import annotations

import html
import io
import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import OutputError
from layerscope.render import png
from layerscope.render.palette import decode
from layerscope.render.text import clean

_FORMATS = ("png", "webp", "jpg")
_LARGEST = {"webp": 16383, "jpg": 65535, "png": 2**31 - 1}


@dataclass(frozen=True)
class Tile:
    """Where one channel's values lie in a picture and what their colours stand for.

    top, left: the first pixel. height, width: in values; the tile covers height·zoom ×
    width·zoom pixels. vmin, vmax: the values of the first and last level; both are the
    constant where the channel is constant, both NaN where nothing in it is finite. source:
    ``"<node>:<channel>"`` where the channel comes from another node. slice: which plane of a
    volume, else None.
    """

    channel: int
    top: int
    left: int
    height: int
    width: int
    vmin: float
    vmax: float
    source: str | None = None
    slice: int | None = None


@dataclass(frozen=True)
class Entry:
    """One of the largest values of a vector; name is its class, where classes are known."""

    channel: int
    value: float
    name: str | None = None

    def __str__(self) -> str:
        label = str(self.channel) if self.name is None else f"{self.name} ({self.channel})"
        return f"{label}: {self.value:.4g}"


@dataclass(frozen=True, eq=False)
class Tiles:
    """All tiles of a picture as columns: arrays of one entry per tile, and the common size."""

    channel: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    height: int
    width: int
    vmin: NDArray[np.float64]
    vmax: NDArray[np.float64]
    sources: tuple[str | None, ...] | None = None
    slices: NDArray[np.int64] | None = None

    def each(self) -> tuple[Tile, ...]:
        """The tiles one by one."""
        return tuple(
            Tile(channel, top, left, self.height, self.width, vmin, vmax, source, part)
            for channel, top, left, vmin, vmax, source, part in self._rows()
        )

    def as_json(self) -> list[dict[str, Any]]:
        """The tiles as a manifest holds them: NaN becomes null, a slice is there if it has one."""
        return [
            {
                "channel": channel,
                **({} if part is None else {"slice": part}),
                "top": top,
                "left": left,
                "height": self.height,
                "width": self.width,
                "vmin": None if isnan(vmin) else vmin,
                "vmax": None if isnan(vmax) else vmax,
                "from": source,
            }
            for channel, top, left, vmin, vmax, source, part in self._rows()
        ]

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        count = len(self.channel)
        sources = self.sources or (None,) * count
        slices = (None,) * count if self.slices is None else self.slices.tolist()
        columns = (self.channel, self.top, self.left, self.vmin, self.vmax)
        return zip(*(column.tolist() for column in columns), sources, slices, strict=True)


@dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """A picture of one sample of one node's activation.

    pixels: palette entries, an array (height, width). palette: (256, 3), red, green and blue
    from 0 to 255. levels: the entries that stand for a tile's vmin and vmax. scale:
    ``"channel"``, ``"layer"``, ``"symmetric"`` or ``"LO,HI"``. zoom: pixels per value, down
    and across. name: the node's. notes: what a reader should know (left out, clipped …).
    top: the largest values of a vector.
    """

    pixels: NDArray[np.uint8]
    palette: NDArray[np.uint8]
    table: Tiles
    levels: tuple[int, int]
    colormap: str
    scale: str
    zoom: int
    name: str
    axes: str
    sizes: str
    sample: int = 0
    notes: tuple[str, ...] = ()
    top: tuple[Entry, ...] = ()

    @cached_property
    def tiles(self) -> tuple[Tile, ...]:
        """Every tile, in the order they were drawn."""
        return self.table.each()

    @property
    def node(self) -> str:
        """The node's name."""
        return self.name

    def values(self, tile: Tile) -> NDArray[np.float64]:
        """The values of one tile, read back from the pixels: (height, width).

        They differ from the activation's by at most 1/480 of the tile's range. A clipped
        value comes back as the end of the range; NaN and infinities come back as they were.
        """
        zoom = self.zoom
        bottom, right = tile.top + tile.height * zoom, tile.left + tile.width * zoom
        indices = self.pixels[tile.top : bottom : zoom, tile.left : right : zoom]
        return decode(indices, tile.vmin, tile.vmax, self.levels)

    def rgb(self) -> NDArray[np.uint8]:
        """The picture as red, green and blue: an array (height, width, 3), 0 to 255."""
        colored: NDArray[np.uint8] = np.take(self.palette, self.pixels, axis=0)
        return colored

    def png(self) -> bytes:
        """A paletted PNG whose text holds what is needed to read the values back."""
        return png.encode(self.pixels, self.palette, self.facts())

    def encode(self, format: str = "png") -> bytes:
        """The file's bytes as ``"png"`` (paletted), ``"webp"`` (lossless) or ``"jpg"``.

        Raises OutputError for another format, or a picture too large for the format.
        """
        chosen = parse_format(format)
        height, width = self.pixels.shape
        if max(height, width) > _LARGEST[chosen]:
            raise OutputError(
                f"expected at most {_LARGEST[chosen]} pixels a side for {chosen} but the picture "
                f"of {self.name!r} is {width} × {height}. Use png, fewer channels, or a smaller "
                "zoom."
            )
        if chosen == "png":
            return self.png()
        from PIL import Image

        options: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
        if chosen == "webp":
            options = {"format": "WEBP", "lossless": True, "quality": 20, "method": 1}
        held = io.BytesIO()
        Image.fromarray(self.rgb()).save(held, **options)
        return held.getvalue()

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write the picture, whole or not at all, and return its path.

        format: ``"png"``, ``"webp"`` or ``"jpg"``; by default what the suffix says. A jpg is
        not exact. Raises OutputError for an unknown suffix or a folder that is not there.
        """
        target = Path(path)
        partial = target.with_name(f".layerscope-{token_hex(8)}.part")
        data = self.encode(format or target.suffix[1:] or "a name without a suffix")
        try:
            try:
                with partial.open("xb") as file:
                    file.write(data)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"expected to write a picture to {str(target)!r} but {error.strerror or error}. "
                "Choose a folder that exists and that you may write to."
            ) from None
        return target

    def facts(self) -> dict[str, Any]:
        """What the PNG's text holds: geometry, ranges, levels, and how the picture was made."""
        table = self.table
        return {
            "layerscope": 1,
            "node": self.name,
            "axes": self.axes,
            "sizes": self.sizes,
            "sample": self.sample,
            "colormap": self.colormap,
            "scale": self.scale,
            "zoom": self.zoom,
            "levels": list(self.levels),
            "notes": list(self.notes),
            "top": [[entry.channel, entry.value, entry.name] for entry in self.top],
            "tiles": {
                "count": len(table.channel),
                "channel": _column(table.channel),
                "slice": None if table.slices is None else _column(table.slices),
                "top": _column(table.top),
                "left": _column(table.left),
                "height": table.height,
                "width": table.width,
                "vmin": _column(table.vmin),
                "vmax": _column(table.vmax),
                "from": None if table.sources is None else list(table.sources),
            },
        }

    def as_json(self, file: str, input: str | int) -> dict[str, Any]:
        """The picture as a manifest's ``pictures`` hold it: its file, its input and its tiles."""
        return {
            "file": file,
            "input": input,
            "zoom": self.zoom,
            "colormap": self.colormap,
            "scale": self.scale,
            "levels": list(self.levels),
            "tiles": self.table.as_json(),
        }

    def caption(self) -> str:
        """The node, its sizes, the scale, and the notes, in one line of plain text."""
        scale = f"scale {self.scale}, {self.colormap}"
        top = tuple(str(entry) for entry in self.top)
        return clean("; ".join([f"{self.name}: {self.sizes}", scale, *top, *self.notes]), 2000)

    def _repr_png_(self) -> bytes:
        return self.png()

    def _repr_html_(self) -> str:
        caption = html.escape(self.caption())
        return (
            '<figure style="margin:0;overflow-x:auto">'
            f'<img src="data:image/png;base64,{b64encode(self.png()).decode("ascii")}" '
            f'alt="{caption}" style="image-rendering:pixelated;max-width:none">'
            f"<figcaption>{caption}</figcaption></figure>"
        )

    def __repr__(self) -> str:
        height, width = self.pixels.shape
        return (
            f"<Figure of {self.name}: {len(self.table.channel)} tiles, {width} × {height} pixels>"
        )


def parse_format(format: str) -> str:
    """``"png"``, ``"webp"`` or ``"jpg"``. Raises OutputError for another."""
    chosen = {"jpeg": "jpg"}.get(format.lower().lstrip("."), format.lower().lstrip("."))
    if chosen not in _FORMATS:
        raise OutputError(
            f"expected a picture format but got {format!r}. Known are .png, .webp and .jpg."
        )
    return chosen


def _column(values: NDArray[Any]) -> Any:
    """One number where all are the same, else a list; NaN becomes null."""
    if len(values) and (values == values[0]).all():
        return values[0].item()
    if values.dtype.kind == "f" and np.isnan(values).any():
        return [None if np.isnan(value) else value for value in values.tolist()]
    return values.tolist()
