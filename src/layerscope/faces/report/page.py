"""The page that ``view`` writes: one file with everything in it, made to be scrolled."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from layerscope.faces.report import header
from layerscope.faces.report.blocks import Block, fold
from layerscope.faces.report.branches import Region, Step, find_branches, lay_out, wiring
from layerscope.faces.report.layer import Layer
from layerscope.faces.report.pictures import Shot, choose
from layerscope.faces.report.text import count, data, text

_OPEN_AT_FIRST = 40
_TRIES = 8
_WITHOUT_SCRIPT = ".frame{display:none}[data-sample][hidden]{display:revert}.tools{display:none}"


def render_report(
    manifest: Mapping[str, Any],
    picture: Callable[[str], bytes],
    *,
    previews: Sequence[np.ndarray[Any, Any] | None],
    labels: Sequence[str],
    predictions: Sequence[Sequence[tuple[str, float]]] = (),
    note: str = "",
    limit: int = 30_000_000,
) -> str:
    """One HTML page that needs nothing beside it, with every layer of a run.

    manifest: what ``view`` writes as manifest.json; a node may have a ``"summary"`` besides.
    picture: the bytes of a picture by the manifest's name for its file. previews: per sample
    the input as the network saw it, uint8 (height, width) or (height, width, 3), or None.
    labels: per sample a short name. predictions: per sample class names with the values of
    the last layer. note: a sentence for the top of the page. limit: bytes that the page may
    take as UTF-8; pictures that do not fit are cut or left out, and the page says so. All
    text and figures are kept, even where they alone are larger.
    """
    parts = _Parts(manifest, note, previews, labels, predictions, limit)
    bare = parts.page(choose(manifest["nodes"], picture, 0))
    room = limit - len(bare.encode())
    for _ in range(_TRIES):
        if room <= 0:
            break
        page = parts.page(choose(manifest["nodes"], picture, room))
        excess = len(page.encode()) - limit
        if excess <= 0:
            return page
        room -= excess + room // 50
    return bare


class _Parts:
    """Everything but the pictures, prepared once."""

    def __init__(
        self,
        manifest: Mapping[str, Any],
        note: str,
        previews: Sequence[np.ndarray[Any, Any] | None],
        labels: Sequence[str],
        predictions: Sequence[Sequence[tuple[str, float]]],
        limit: int,
    ) -> None:
        self.manifest, self.labels, self.limit = manifest, labels, limit
        self.nodes: Sequence[Mapping[str, Any]] = manifest["nodes"]
        self.names = [node["name"] for node in self.nodes]
        self.places = {name: i for i, name in enumerate(self.names)}
        self.inputs = wiring(self.nodes)
        self.branches = find_branches(self.inputs)
        self.blocks = fold(self.nodes)
        self.findings: dict[str, list[Mapping[str, Any]]] = {}
        for found in manifest.get("findings", ()):
            self.findings.setdefault(str(found.get("node")), []).append(found)
        self.title = header.title(manifest)
        self.top = (
            f'<header id="input"><h1>{self.title}</h1>\n'
            + (f'<p class="remark">{text(note, 2000)}</p>\n' if note else "")
            + header.model_facts(manifest, len(labels))
            + header.decisions(manifest)
            + header.samples(manifest, previews, labels, predictions)
            + header.findings(manifest.get("findings", ()), self.places)
        )

    def page(self, shots: Sequence[Sequence[Shot]]) -> str:
        """The whole page with these pictures for each node."""
        style, script = _static("report.css"), _static("report.js")
        body = "".join(self._block(i, block, shots) for i, block in enumerate(self.blocks))
        pictures = "".join(
            data(f"picture-{shot.key}", shot.payload())
            for row in shots
            for shot in row
            if shot.content is not None
        )
        rules = (
            "default-src 'none'; img-src blob: data:; "
            f"style-src '{_digest(style)}' '{_digest(_WITHOUT_SCRIPT)}'; "
            f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
        )
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n'
            '<meta name="viewport" content="width=device-width">\n'
            '<meta name="color-scheme" content="dark light">\n'
            f"<title>{self.title} – layerscope</title>\n<style>{style}</style>\n"
            f"<noscript><style>{_WITHOUT_SCRIPT}</style></noscript>\n</head>\n<body>\n"
            f"{self._contents()}<main>\n{self.top}"
            f"{header.left_out(shots, self.limit)}"
            '<noscript><p class="remark">The pictures need JavaScript; without it they are in the '
            "folder maps beside this page.</p></noscript></header>\n"
            f"{body}</main>\n"
            f"{data('manifest', self._without_tiles())}{pictures}"
            f"<script>{script}</script>\n</body>\n</html>\n"
        )

    def _block(self, number: int, block: Block, shots: Sequence[Sequence[Shot]]) -> str:
        names = self.names[block.start : block.stop]
        opened = len(self.nodes) <= _OPEN_AT_FIRST or number == 0
        before = self.names[block.start - 1] if block.start else None
        return (
            f'<details class="block" id="block-{number}"{" open" if opened else ""}>'
            f"<summary><h2>{text(block.title)}</h2> "
            f"<span>{count(len(names), 'layer')}</span></summary>\n"
            f"{self._chain(lay_out(names, self.branches), before, shots)}</details>\n"
        )

    def _chain(
        self, steps: Sequence[Step], before: str | None, shots: Sequence[Sequence[Shot]]
    ) -> str:
        """Layers and regions one below the other, the first of them fed by ``before``."""
        parts = []
        for step in steps:
            if isinstance(step, Region):
                parts.append(self._region(step, shots))
                before = None
            else:
                parts.append(self._layer(step, before, shots[self.places[step]]))
                before = step
        return "".join(parts)

    def _region(self, region: Region, shots: Sequence[Sequence[Shot]]) -> str:
        total = len(region.branches)
        columns = "".join(
            f'<section class="branch"><h4>branch {i} of {total} '
            f"<span>from {text(region.fork)}</span></h4>\n"
            f"{self._chain(branch, region.fork, shots)}</section>\n"
            for i, branch in enumerate(region.branches, start=1)
        )
        return f'<div class="branches">\n{columns}</div>\n'

    def _layer(self, name: str, before: str | None, shots: Sequence[Shot]) -> str:
        place, sources = self.places[name], self.inputs[name]
        return Layer(
            node=self.nodes[place],
            place=place,
            sources=[(source, self.places.get(source)) for source in sources],
            follows=list(sources) == [before],
            shortcut=self.branches.shortcuts.get(name),
            findings=self.findings.get(name, ()),
            shots=shots,
        ).html()

    def _contents(self) -> str:
        select = ""
        if len(self.labels) > 1:
            options = "".join(
                f'<option value="{i}">{text(label)}</option>' for i, label in enumerate(self.labels)
            )
            select = f'<label>input <select id="sample">{options}</select></label>\n'
        parts = []
        for i, block in enumerate(self.blocks):
            rows = "".join(
                f'<li><a href="#layer-{place}">{_index(self.nodes[place])}'
                f"{text(self.names[place])}</a></li>"
                for place in range(block.start, block.stop)
            )
            parts.append(
                f'<li class="part"><a href="#block-{i}">{text(block.title)}</a><ul>{rows}</ul></li>'
            )
        return (
            f'<nav aria-label="Layers"><p><a href="#input">{self.title}</a></p>\n'
            f'<div class="tools">{select}'
            '<input id="filter" type="search" placeholder="filter layers  ( / )" '
            'aria-label="Filter layers" autocomplete="off" spellcheck="false">\n'
            '<p><button id="open-all" type="button">unfold all</button> '
            '<button id="fold-all" type="button">fold all</button></p></div>\n'
            f"<ol>{''.join(parts)}</ol>\n"
            '<p class="keys tools"><kbd>j</kbd> <kbd>k</kbd> next, previous layer. Click a picture '
            "to fit it to the width.</p></nav>\n"
        )

    def _without_tiles(self) -> dict[str, Any]:
        nodes = [
            {
                **node,
                "pictures": [
                    {key: value for key, value in picture.items() if key != "tiles"}
                    for picture in node.get("pictures", ())
                ],
            }
            for node in self.nodes
        ]
        return {**self.manifest, "nodes": nodes}


def _index(node: Mapping[str, Any]) -> str:
    index = node.get("index")
    return "" if index is None else f'<span class="index">{text(index)}</span> '


def _static(name: str) -> str:
    return (files(__package__) / "static" / name).read_text(encoding="utf-8").strip()


def _digest(content: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
