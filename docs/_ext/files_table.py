"""``{which-files}``: the table of files that open, from what the tests found.

The rows lie in ``docs/generated/files.json``, which ``make test`` and ``make files`` write; see
``tests/which_files.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TABLE = Path(__file__).parents[1] / "generated" / "files.json"
_MISSING = (
    "This build has no table: it is made from what the tests find, by \u201cmake test\u201d or, "
    "for these tests alone, \u201cmake files\u201d. Run one of them and build the pages again."
)
_LONGEST = 400
_OPTION = re.compile(r"((?<![\w-])--[a-z][a-z-]+(?: [A-Z]+(?:\.\w+)?)?)")
_FILE = re.compile(r"^[\w.-]+\.\w+: ")


class WhichFiles(SphinxDirective):
    """``{which-files}``: what was opened, and what was refused with which words, by era."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(TABLE))
        if not TABLE.is_file():
            return [nodes.note("", nodes.paragraph("", _MISSING))]
        return sections(json.loads(TABLE.read_text(encoding="utf-8")))


def sections(table: dict[str, Any]) -> list[nodes.Node]:
    """A section for every era, with what opens and what is refused."""
    rows = table["rows"]
    found: list[nodes.Node] = [nodes.paragraph("", _summary(rows, table["versions"]))]
    for era in sorted({row["era"] for row in rows}):
        mine = [row for row in rows if row["era"] == era]
        section = nodes.section(ids=[nodes.make_id(f"files-of-{era}")])
        section += nodes.title("", era)
        opens = [row for row in mine if row["result"] == "opens"]
        refused = [row for row in mine if row["result"] == "refused"]
        if opens:
            section += _table(("file", "written by", "what is in it", "compared with", "apart"),
                              (2, 2, 7, 3, 2), _opened(opens))  # fmt: skip
        if refused:
            section += nodes.rubric("", "Refused, and what is said")
            section += _table(("file", "what", "message"), (2, 3, 8), _refused(refused))
        found.append(section)
    return found


def _summary(rows: list[dict[str, Any]], versions: dict[str, str]) -> str:
    opens = sum(row["result"] == "opens" for row in rows)
    on = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{opens} kinds of file or layer that the tests wrote or found and opened, and "
        f"{len(rows) - opens} that they saw refused, on {on}. \u201cApart\u201d is the largest "
        "difference of any value of any node, as a share of the largest value of its node (of 1 "
        "where that is smaller)."
    )


def _opened(rows: list[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    """One line for each kind of file, writer and yardstick, with all that was in such files."""
    compared = {(row["file"], row["what"]) for row in rows if row["against"]}
    kinds: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["against"] or (row["file"], row["what"]) not in compared:
            kinds.setdefault((row["file"], row["writer"], row["against"] or ""), []).append(row)
    for (file, writer, against), mine in sorted(kinds.items()):
        apart = [row["difference"] for row in mine if row["difference"] is not None]
        whats = "; ".join(_gathered({row["what"] for row in mine}))
        yield file, writer, whats, against or "\u2013", _difference(apart)


def _gathered(whats: set[str]) -> Iterator[str]:
    """In the order of the alphabet; those that begin with the same word and a colon as one."""
    groups: dict[str, list[str]] = {}
    for what in sorted(whats, key=str.casefold):
        head, colon, rest = what.partition(": ")
        groups.setdefault(head, []).append(rest if colon else "")
    for head, rests in groups.items():
        told = [rest for rest in rests if rest]
        yield f"{head}: {', '.join(told)}" if told else head


def _difference(apart: list[float]) -> str:
    if not apart:
        return "\u2013"
    return "nothing" if max(apart) == 0 else f"{max(apart):.0e}"


def _refused(rows: list[dict[str, Any]]) -> Iterable[tuple[str, ...]]:
    for row in sorted(rows, key=lambda row: (row["file"], row["what"].casefold())):
        why = _FILE.sub("", row["why"])
        if why.partition(" ")[0].isalpha():
            why = why[:1].upper() + why[1:]
        yield row["file"], row["what"], why[:_LONGEST] + ("…" if len(why) > _LONGEST else "")


def _table(
    heads: tuple[str, ...], widths: tuple[int, ...], rows: Iterable[tuple[str, ...]]
) -> nodes.table:
    group = nodes.tgroup("", cols=len(heads))
    for width in widths:
        group += nodes.colspec(colwidth=width)
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["files"])


def _row(cells: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *_rich(c))) for c in cells))


def _rich(text: str) -> Iterator[nodes.Node]:
    """Text with the options in it set as such."""
    for i, piece in enumerate(_OPTION.split(text)):
        if piece:
            yield nodes.literal("", piece) if i % 2 else nodes.Text(piece)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("which-files", WhichFiles)
    return {"parallel_read_safe": True}
