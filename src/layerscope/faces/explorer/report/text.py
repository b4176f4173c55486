"""Text for a page: names made harmless, numbers made readable, data that cannot end a script."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from layerscope.render.text import clean

NOTHING = "–"
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def text(value: object, longest: int = 300) -> str:
    """Any name as HTML text or attribute value, without control and direction characters.

    >>> text('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return html.escape(clean(str(value), longest)) or "(no name)"


def link(file: str) -> str:
    """The address of a file beside the page, as an attribute value; never another scheme.

    >>> link("maps/a b#.png"), link("javascript:alert(1)")
    ('./maps/a%20b%23.png', './javascript%3Aalert%281%29')
    """
    return html.escape("./" + quote(file.encode("utf-8", "replace"), safe="/"))


def data(name: str, value: Any) -> str:
    """A value as an inert block of JSON that a script can read by its id."""
    written = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escape in _ESCAPES.items():
        written = written.replace(character, escape)
    return f'<script type="application/json" id="{name}">{written}</script>\n'


def number(value: float | None) -> str:
    """Four significant digits with a true minus sign.

    >>> number(-0.123456), number(1234567.0), number(None)
    ('−0.1235', '1.235e+06', '–')
    """
    if value is None or math.isnan(value):
        return NOTHING
    return f"{value:.4g}".replace("-", "−")


def count(value: int, noun: str) -> str:
    """A number of things, with its plural.

    >>> count(1, "channel"), count(1792, "parameter")
    ('1 channel', '1,792 parameters')
    """
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as a percentage; neither end is named unless it is exactly reached.

    >>> percent(0.4321), percent(0.00001), percent(0.99999), percent(1.0)
    ('43.2 %', '< 0.1 %', '> 99.9 %', '100 %')
    """
    if share is None or math.isnan(share):
        return NOTHING
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def spans(numbers: Iterable[int]) -> str:
    """Whole numbers in rising order with runs drawn together.

    >>> spans([7, 3, 4, 5, 9])
    '3–5, 7, 9'
    """
    runs: list[list[int]] = []
    for value in sorted(set(numbers)):
        if runs and runs[-1][1] == value - 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(f"{a}" if a == b else f"{a}–{b}" for a, b in runs)
