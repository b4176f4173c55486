"""The command line reference, made from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from layerscope.faces.cli import app as typer_app


def commands() -> dict[str, Any]:
    """Every command of ``layerscope`` by its name."""
    return dict(typer.main.get_command(typer_app).commands)  # type: ignore[attr-defined]


def panels(command: Any) -> dict[str, list[Any]]:
    """A command's options by the group that they belong to; the general ones last."""
    found: dict[str, list[Any]] = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            found.setdefault(parameter.rich_help_panel or "", []).append(parameter)
    own = found.pop("", [])
    return {**found, "": own}


def usage(name: str, command: Any) -> str:
    """``layerscope view MODEL INPUT... [options]``; a required option is written out."""
    words = ["layerscope", name]
    words += [p.metavar for p in command.params if p.param_type_name == "argument"]
    words += [
        f"{p.opts[0]} {p.metavar}"
        for p in command.params
        if p.param_type_name == "option" and p.required
    ]
    return " ".join([*words, "[options]"])


class Commands(SphinxDirective):
    """``{commands}``: a section for every command, with all its arguments and options."""

    def run(self) -> list[nodes.Node]:
        return [self._section(name, command) for name, command in commands().items()]

    def _section(self, name: str, command: Any) -> nodes.section:
        section = nodes.section(ids=[f"layerscope-{name}"])
        section += nodes.title("", "", nodes.literal("", f"layerscope {name}"))
        section += self._rich(inspect.cleandoc(command.help))
        section += nodes.literal_block("", usage(name, command), language="text")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        if arguments:
            section += self._list(([p.metavar], p) for p in arguments)
        for panel, options in panels(command).items():
            section += nodes.rubric("", panel or "General")
            section += self._list((spellings(p), p) for p in options)
        return section

    def _list(self, rows: Iterable[tuple[list[str], Any]]) -> nodes.definition_list:
        found = nodes.definition_list(classes=["options"])
        for words, parameter in rows:
            term = nodes.term("", "", *_between(words))
            text = parameter.help + _default(parameter)
            found += nodes.definition_list_item("", term, nodes.definition("", *self._rich(text)))
        return found

    def _rich(self, text: str) -> list[nodes.Node]:
        """Help is plain text but for ``double backticks``."""
        paragraphs: list[nodes.Node] = []
        for part in text.split("\n\n"):
            pieces = part.split("``")
            paragraphs.append(
                nodes.paragraph(
                    "",
                    "",
                    *(
                        nodes.literal("", piece) if i % 2 else nodes.Text(piece)
                        for i, piece in enumerate(pieces)
                    ),
                )
            )
        return paragraphs


def spellings(option: Any) -> list[str]:
    """An option's ways to be written: ``-l SEL``, ``--layers SEL``."""
    value = "" if option.is_flag else f" {option.metavar}"
    return [f"{name}{value}" for name in (*option.opts, *option.secondary_opts)]


def _between(words: list[str]) -> Iterator[nodes.Node]:
    for i, word in enumerate(words):
        if i:
            yield nodes.Text(", ")
        yield nodes.literal("", word)


def _default(parameter: Any) -> str:
    if parameter.required or parameter.default in (None, False, ()) or callable(parameter.default):
        return ""
    return f" Default: {parameter.default}."


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
