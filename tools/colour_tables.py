"""Write the explorer's colour tables (frontend/src/tables.js) from those that pictures use."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from layerscope.render import palette as entries
from layerscope.render.colormap import DIVERGING, SEQUENTIAL, colors, is_diverging, names

TARGET = Path(__file__).resolve().parents[1] / "frontend" / "src" / "tables.js"


def text() -> str:
    """The module's text: every colour map's levels and every mark's colour, in base64."""
    levels = entries.LAST - entries.FIRST + 1
    marks = entries.palette(SEQUENTIAL)[entries.LAST + 1 :]
    constants = {
        "FIRST": entries.FIRST,
        "LAST": entries.LAST,
        "GUTTER": entries.GUTTER,
        "SHADE": entries.SHADE,
        "BAR": entries.BAR,
        "HATCH": list(entries.HATCH),
        "NAN": list(entries.NAN),
        "PLUS_INFINITY": list(entries.PLUS_INFINITY),
        "MINUS_INFINITY": list(entries.MINUS_INFINITY),
        "CLIPPED_LOW": entries.CLIPPED_LOW,
        "CLIPPED_HIGH": entries.CLIPPED_HIGH,
    }
    lines = ["// Made by tools/colour_tables.py from layerscope.render. Do not edit.", ""]
    lines += [f"export const {name} = {value};" for name, value in constants.items()]
    lines += [
        f'export const SEQUENTIAL = "{SEQUENTIAL}";',
        f'export const DIVERGING = "{DIVERGING}";',
        "",
        "/** Colours of the entries after LAST: red, green, blue each, in base64. */",
        f'export const MARKS = "{b64encode(marks.tobytes()).decode()}";',
        "",
        "/** By name: whether the map's middle stands for 0, and its colours in base64. */",
        "/** @type {Record<string, [boolean, string]>} */",
        "export const MAPS = {",
    ]
    for name in names():
        packed = b64encode(colors(name, levels).tobytes()).decode()
        lines.append(f'  "{name}": [{str(is_diverging(name)).lower()}, "{packed}"],')
    return "\n".join([*lines, "};", ""])


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
