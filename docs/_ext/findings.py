"""The table of findings, made from the list in the code."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from layerscope.explain.checkup import CODES

_HEADINGS = ("code", "what is seen", "levels", "needs")


class Findings(SphinxDirective):
    """``{findings}``: a row for every code."""

    def run(self) -> list[nodes.Node]:
        group = nodes.tgroup(cols=len(_HEADINGS))
        group += [nodes.colspec(colwidth=width) for width in (30, 48, 14, 8)]
        head, body = nodes.thead(), nodes.tbody()
        head += _row([nodes.Text(word) for word in _HEADINGS])
        for code, kind in CODES.items():
            cells = [
                nodes.literal("", code),
                nodes.Text(kind.seen),
                nodes.Text(", ".join(kind.levels)),
                nodes.Text(kind.needs),
            ]
            body += _row(cells)
        group += [head, body]
        table = nodes.table(classes=["findings"])
        table += group
        return [table]


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", "", cell))
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("findings", Findings)
    return {"parallel_read_safe": True}
