"""Findings as lines for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from layerscope.explain.checkup import LEVELS, Finding
from layerscope.faces.terminal import counted, plain

_WIDTH = 88
_INDENT = "  "
_NAMED = 4
_SHAPE = re.compile(r"\((?:None|\d+)(?:, (?:None|\d+))*,?\)")
_FIXED = "\N{NO-BREAK SPACE}"


def counts(found: Sequence[Finding]) -> str:
    """How many of each level: ``1 error, 2 notes``.

    >>> counts([])
    'nothing looks wrong'
    """
    numbers = [(sum(one.level == level for one in found), level) for level in LEVELS]
    return ", ".join(counted(n, level) for n, level in numbers if n) or "nothing looks wrong"


def finding_lines(found: Sequence[Finding], *, fold: bool = True) -> Iterator[str]:
    """A heading and indented sentences for each finding.

    fold: several of one level and code are told once, with the names of the others.
    """
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for i, one in enumerate(found):
        key = (one.level, one.code, "" if fold and one.level != "error" else str(i))
        groups.setdefault(key, []).append(one)
    for group in groups.values():
        first = group[0]
        where = "" if first.node is None else f": {plain(first.node)}"
        yield f"{first.level}{where} ({first.code})"
        yield from _indented(first.message, _INDENT)
        yield from _indented(f"→ {first.remedy}", _INDENT)
        if len(group) > 1:
            names = [plain(one.node) for one in group[1:] if one.node is not None]
            more = " …" if len(names) > _NAMED else ""
            yield from _indented(
                f"and {len(group) - 1} more: {', '.join(names[:_NAMED])}{more}", _INDENT
            )
        yield ""


def summary_lines(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What ``view`` prints of a manifest's findings: the errors and warnings, and how many."""
    if not found:
        return
    every = [Finding(**one) for one in found]
    yield from finding_lines([one for one in every if one.level != "note"])
    yield f"Findings: {counts(every)}. All that can be told: layerscope check MODEL INPUT"


def _indented(text: str, indent: str) -> list[str]:
    """Lines of at most 88 characters, with shapes kept whole."""
    lines = wrap(
        _SHAPE.sub(lambda shape: shape[0].replace(" ", _FIXED), plain(text)),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_FIXED, " ") for line in lines]
