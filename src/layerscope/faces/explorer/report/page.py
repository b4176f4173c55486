"""The report: one page with a run of ``view`` in it, which needs no network and no server."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from layerscope.faces.explorer.report import plain_header as header
from layerscope.faces.explorer.report.plain_layer import layer
from layerscope.faces.explorer.report.room import cut, deflated, in_base64, shares
from layerscope.faces.explorer.report.text import count, text

_TRIES = 8
_AROUND = 120
_PLAIN = (
    "body{overflow:auto;font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}dl{display:flex;flex-wrap:wrap;gap:.2rem 1.5rem}dt{display:inline}"
    "dd{display:inline;margin:0 0 0 .4rem;font-variant-numeric:tabular-nums}dt{opacity:.7}"
    "#layerscope-report{display:none}"
)


@dataclass(frozen=True)
class Words:
    """What a report says of itself.

    title: for a heading; None for the model's name. more: HTML that stands before the layers,
    for who reads without scripts. fewer: how to have less in the page. rest: what the page
    cannot do, and what can.
    """

    title: str | None = None
    more: str = ""
    fewer: str = "For fewer layers use -l, for a larger page --report-limit. "
    rest: str = (
        "Exact numbers, explanations and receptive fields need the model: layerscope serve "
        "MODEL INPUT."
    )


@dataclass(frozen=True)
class Contents:
    """What a report is made of.

    described: what ``view`` writes as manifest.json. page: the manifest that the front end
    begins with. answers: by address, such as ``"runs/r0/preview"``, containers that are always
    in the page. layers: by address, the deflated containers of layers. labels, predictions:
    for each input, as text. words: what it says of itself.
    """

    described: Mapping[str, Any]
    page: Mapping[str, Any]
    answers: Mapping[str, bytes]
    layers: Mapping[str, bytes]
    labels: Sequence[str]
    predictions: Sequence[Sequence[tuple[str, float]]] = ()
    words: Words = Words()


def render_report(contents: Contents, limit: int = 30_000_000) -> bytes:
    """One HTML page that needs nothing beside it, with every layer of a run.

    limit: bytes that the page may take; layers that do not fit are cut to their first channels
    or left out, and the page says so. Text and figures are kept, even where they alone are
    larger.
    """
    parts = _Parts(contents, limit)
    room = limit - len(parts.page({}, 0, len(contents.layers)))
    if sum(parts.costs.values()) <= room:
        return parts.page(contents.layers, 0, 0)
    for _ in range(_TRIES):
        page = parts.within(room)
        excess = len(page) - limit
        if excess <= 0:
            return page
        room -= excess + room // 50
    return parts.page({}, 0, len(contents.layers))


class _Parts:
    """Everything but the layers, prepared once."""

    def __init__(self, contents: Contents, limit: int) -> None:
        self.contents, self.limit = contents, limit
        self.costs = {
            path: in_base64(len(packed)) + _AROUND for path, packed in contents.layers.items()
        }
        self.always = b"".join(
            _held(path, deflated(answer)) for path, answer in contents.answers.items()
        )
        self.plain = _plain(contents)
        self.title = _title(contents)

    def within(self, room: int) -> bytes:
        """The page with as much of its layers as a room holds."""
        chosen: dict[str, bytes] = {}
        short = missing = 0
        taken = shares(list(self.costs.values()), room)
        for (path, cost), share in zip(self.costs.items(), taken, strict=True):
            packed = self.contents.layers[path]
            if share < cost:
                held = cut(packed, (share - _AROUND) * 3 // 4)
                if held is None:
                    missing += 1
                    continue
                packed, short = held[0], short + 1
            chosen[path] = packed
        return self.page(chosen, short, missing)

    def page(self, layers: Mapping[str, bytes], short: int, missing: int) -> bytes:
        """The page with these layers. short, missing: how many are cut, and not there at all."""
        manifest = {**self.contents.page, "left_out": self._left_out(short, missing)}
        style, script = _static("explorer.css"), _static("explorer.js")
        rules = (
            "default-src 'none'; img-src blob: data:; "
            f"style-src '{_digest(style)}' '{_digest(_PLAIN)}'; script-src '{_digest(script)}'; "
            "base-uri 'none'; form-action 'none'"
        )
        document = json.dumps(manifest, allow_nan=False, separators=(",", ":")).encode("ascii")
        top = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n'
            '<meta name="viewport" content="width=device-width">\n'
            '<meta name="color-scheme" content="dark light">\n'
            f"<title>{self.title} – layerscope</title>\n<style>{style}</style>\n"
            f"<noscript><style>{_PLAIN}</style></noscript>\n</head>\n<body>\n"
            '<div id="layerscope-report"></div>\n'
            f"<noscript>\n{self.plain}</noscript>\n"
        )
        return b"".join(
            [
                top.encode("utf-8", "replace"),
                _held("manifest", deflated(document)),
                self.always,
                *(_held(path, packed) for path, packed in layers.items()),
                f'<script type="module">{script}</script>\n</body>\n</html>\n'.encode(),
            ]
        )

    def _left_out(self, short: int, missing: int) -> str:
        said = [f"{count(short, 'layer')} shown in part"] if short else []
        said += [f"{count(missing, 'layer')} left out"] if missing else []
        about = (
            f"To keep this page below {self.limit / 1e6:,.3g} MB, {' and '.join(said)}; the whole "
            f"pictures are in the folder maps beside it. {self.contents.words.fewer}"
            if said
            else ""
        )
        return f"{about}{self.contents.words.rest}"


def _plain(contents: Contents) -> str:
    """All that can be said without scripts: the model, the inputs, and every layer."""
    described = contents.described
    nodes = described["nodes"]
    places = {node["name"]: i for i, node in enumerate(nodes)}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in described.get("findings", ()):
        found.setdefault(str(one.get("node")), []).append(one)
    befores = [None, *places]
    layers = (
        layer(node, i, before, places, found.get(node["name"], ()))
        for i, (node, before) in enumerate(zip(nodes, befores, strict=False))
    )
    return (
        f"<h1>{_title(contents)}</h1>\n"
        "<p>Without JavaScript this page has no pictures; they are in the folder maps beside it."
        f"</p>\n{header.model_facts(described, len(contents.labels))}"
        f"{header.decisions(described)}"
        f"{header.samples(described, contents.labels, contents.predictions)}"
        f"{header.findings(described.get('findings', ()), places)}{contents.words.more}"
        f"{''.join(layers)}"
    )


def _title(contents: Contents) -> str:
    title = contents.words.title
    return header.title(contents.described) if title is None else text(title)


def _held(path: str, packed: bytes) -> bytes:
    """Bytes under an address, where scripts find them and nothing runs them."""
    return (
        f'<script type="application/octet-stream" data-layerscope="{text(path)}">'.encode()
        + b64encode(packed)
        + b"</script>\n"
    )


@lru_cache(maxsize=4)
def _static(name: str) -> str:
    return (
        (files("layerscope.faces.explorer") / "static" / name).read_text(encoding="utf-8").strip()
    )


def _digest(content: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")
