"""Docstrings of this package for Sphinx: plain text, with parameters as ``name: words.``."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

_NAMES = re.compile(r"(?:^|(?<=\. ))((?:\w+, )*\w+(?: … \w+| and \w+)?): ")
_LITERAL = re.compile(r"(``.*?``)")


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make a list of the parameters in a docstring, and keep its asterisks as they are."""
    text = "\n".join(lines).strip()
    known = parameters(obj)
    shown: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        if paragraph.lstrip().startswith(">>>"):
            shown += [paragraph, ""]
            continue
        flat = escaped(" ".join(paragraph.split()))
        for names, words in parts(flat, known):
            shown += [f"{names}\n    {words[:1].upper()}{words[1:]}" if names else words, ""]
    lines[:] = "\n".join(shown).splitlines()


def parameters(obj: Any) -> set[str]:
    """The names of what a function takes, or of a class's fields and properties."""
    if dataclasses.is_dataclass(obj):
        return {field.name for field in dataclasses.fields(obj)}
    try:
        return set(inspect.signature(obj).parameters)
    except (TypeError, ValueError):
        return set()


def parts(paragraph: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """A paragraph cut where a parameter's words begin: (names, words); no names before that."""
    found = [m for m in _NAMES.finditer(paragraph) if re.findall(r"\w+", m[1])[0] in known]
    ends = [*(match.start() for match in found), len(paragraph)][1:]
    before = paragraph[: found[0].start()] if found else paragraph
    if before.strip():
        yield "", before.strip()
    for match, end in zip(found, ends, strict=True):
        names = re.sub(r"(\w+)", lambda m: m[1] if m[1] == "and" else f"``{m[1]}``", match[1])
        yield names, paragraph[match.end() : end].strip()


def escaped(text: str) -> str:
    """Text whose asterisks are asterisks; those in ``literals`` are so already."""
    pieces = _LITERAL.split(text)
    return "".join(p if i % 2 else p.replace("*", r"\*") for i, p in enumerate(pieces))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
