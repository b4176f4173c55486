"""A training as text, for who reads a page without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from layerscope.faces.explorer.report.text import number, percent, text
from layerscope.training.history import Row
from layerscope.training.outline import Outline

_MOST_COLUMNS = 12


def training_table(
    outlines: Mapping[int, Outline], history: Sequence[Row], best: int | None
) -> str:
    """The figures of every epoch, and each layer's share of zeros and dead channels."""
    return _figures(history, best) + _layers(outlines)


def _figures(history: Sequence[Row], best: int | None) -> str:
    names = list(dict.fromkeys(name for row in history for name in row if name != "epoch"))
    names = names[:_MOST_COLUMNS]
    if not names:
        return ""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in ("epoch", *names))
    rows = "".join(
        f'<tr><th scope="row">{row["epoch"]:.0f}{" (kept)" if row["epoch"] == best else ""}</th>'
        + "".join(f"<td>{number(row.get(name))}</td>" for name in names)
        + "</tr>\n"
        for row in history
    )
    return f"<table><caption>the training</caption>\n<tr>{head}</tr>\n{rows}</table>\n"


def _layers(outlines: Mapping[int, Outline]) -> str:
    if not outlines:
        return ""
    ends = sorted({min(outlines), max(outlines)})
    names = outlines[ends[0]].layers
    head = "".join(
        f'<th scope="col">zeros, epoch {epoch}</th><th scope="col">dead, epoch {epoch}</th>'
        for epoch in ends
    )
    rows = []
    for name in names:
        cells = ""
        for epoch in ends:
            one = outlines[epoch].layers[name]
            share = percent(one.zeros if isfinite(one.zeros) else None)
            cells += f"<td>{share}</td><td>{one.dead} of {one.channels}</td>"
        rows.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>\n')
    return (
        "<table><caption>values that are 0, and channels that are 0 everywhere, over all "
        f'pictures</caption>\n<tr><th scope="col">layer</th>{head}</tr>\n{"".join(rows)}</table>\n'
    )
