"""Reading a picture back: the values from nothing but the PNG."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import InputError
from layerscope.render.figure import Entry, Figure, Tiles
from layerscope.render.png import facts_of


def read_figure(source: bytes | str | os.PathLike[str]) -> Figure:
    """The figure that a PNG was made from: its pixels, its tiles and their ranges.

    source: the file's bytes or its path. Raises InputError where the file cannot be read or
    layerscope did not write it.
    """
    from PIL import Image

    name = "the picture" if isinstance(source, bytes) else repr(os.fspath(source))
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise InputError(
            f"expected a PNG that layerscope wrote at {name} but {error.strerror or error}. "
            "Check the path."
        ) from None
    facts = facts_of(data, name)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode != "P":
                raise ValueError(f"its mode is {image.mode}, not P")
            pixels = np.asarray(image)
            palette = np.frombuffer(bytes(image.getpalette() or b""), np.uint8).reshape(-1, 3)
        figure = _figure(facts, pixels, palette)
        _check(figure)
        return figure
    except (ValueError, KeyError, TypeError, OSError, SyntaxError) as error:
        raise InputError(
            f"expected a PNG that layerscope wrote but {name} is damaged ({error}). Draw it anew."
        ) from None


def _figure(facts: dict[str, Any], pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Figure:
    tiles = facts["tiles"]
    count = int(tiles["count"])

    def column(name: str, kind: type) -> NDArray[Any]:
        held = tiles[name]
        listed = held if isinstance(held, list) else [held] * count
        if len(listed) != count:
            raise ValueError(f"{len(listed)} of {count} entries for {name}")
        return np.array(listed, kind)

    table = Tiles(
        channel=column("channel", np.int64),
        top=column("top", np.int64),
        left=column("left", np.int64),
        height=int(tiles["height"]),
        width=int(tiles["width"]),
        vmin=column("vmin", np.float64),
        vmax=column("vmax", np.float64),
        sources=None if tiles["from"] is None else tuple(tiles["from"]),
        slices=None if tiles["slice"] is None else column("slice", np.int64),
    )
    first, last = facts["levels"]
    return Figure(
        pixels=pixels,
        palette=palette,
        table=table,
        levels=(int(first), int(last)),
        colormap=str(facts["colormap"]),
        scale=str(facts["scale"]),
        zoom=int(facts["zoom"]),
        name=str(facts["node"]),
        axes=str(facts["axes"]),
        sizes=str(facts["sizes"]),
        sample=int(facts["sample"]),
        notes=tuple(map(str, facts["notes"])),
        top=tuple(Entry(int(channel), value, name) for channel, value, name in facts["top"]),
    )


def _check(figure: Figure) -> None:
    """Refuse geometry that leaves the picture."""
    table, zoom = figure.table, figure.zoom
    height, width = figure.pixels.shape
    first, last = figure.levels
    if zoom < 1 or not 0 <= first < last < 256 or min(table.height, table.width) < 0:
        raise ValueError("its zoom, levels or tile size make no sense")
    if table.sources is not None and len(table.sources) != len(table.channel):
        raise ValueError("its sources do not match its tiles")
    if len(table.channel) and not (
        min(table.top.min(), table.left.min()) >= 0
        and table.top.max() + table.height * zoom <= height
        and table.left.max() + table.width * zoom <= width
    ):
        raise ValueError("a tile lies outside the picture")
