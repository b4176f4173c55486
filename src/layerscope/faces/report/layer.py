"""One layer of the page: its figures as text, and its pictures' frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope import operations
from layerscope.axes import Axes
from layerscope.faces.report.pictures import Shot
from layerscope.faces.report.text import count, link, number, percent, spans, text

# A transparent pixel: an image whose picture is not decoded yet still takes its place.
BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
_OPERATIONS = {kind.kind: kind for kind in operations.Operation.__subclasses__()}
_FEW_DEAD = 24


@dataclass(frozen=True)
class Layer:
    """What is said of one node.

    place: its position in the page. sources: names of the nodes that feed it, and the
    position of each in the page, or None. follows: whether these are just the node before it.
    shortcut: the node that a branch without layers comes from, or None.
    """

    node: Mapping[str, Any]
    place: int
    sources: Sequence[tuple[str, int | None]]
    follows: bool
    shortcut: str | None
    findings: Sequence[Mapping[str, Any]]
    shots: Sequence[Shot]

    def html(self) -> str:
        """The layer as an article."""
        node = self.node
        index = "" if node.get("index") is None else f'<span class="index">{node["index"]}</span> '
        summary = summary_of(node)
        return (
            f'<article class="layer" id="layer-{self.place}" tabindex="-1">\n'
            f'<h3>{index}<a href="#layer-{self.place}">{text(node["name"])}</a> '
            f'<span class="type">{text(node.get("type", ""))}</span>'
            + (f' <span class="summary">{text(summary)}</span>' if summary else "")
            + f"</h3>\n{self._origin()}{self._facts()}"
            + "".join(finding(f) for f in self.findings)
            + "".join(self._shot(shot) for shot in self.shots)
            + "</article>\n"
        )

    def _origin(self) -> str:
        fed = [_reference(name, at) for name, at in self.sources if name != self.shortcut]
        said = [f"from {', '.join(fed)}"] if fed and not self.follows else []
        said += [
            f"shortcut from {_reference(name, at)}"
            for name, at in self.sources
            if name == self.shortcut
        ]
        return f'<p class="from">{"; ".join(said)}</p>\n' if said else ""

    def _facts(self) -> str:
        node, figures = self.node, self.node.get("statistics") or {}
        facts = [("shape", text(_shape(node)), "wide")]
        if node.get("parameters"):
            facts.append(("parameters", f"{node['parameters']:,}", ""))
        if figures:
            values = [(name, number(figures.get(name)), "") for name in ("min", "mean", "max")]
            facts += [*values, ("zeros", _zeros(figures.get("zeros")), "")]
            if figures.get("dead"):
                facts.append(("dead channels", _dead(figures["dead"], _channels(node)), "wide"))
        rows = (
            f'<div class="{extra}"><dt>{name}</dt><dd>{value}</dd></div>'
            for name, value, extra in facts
        )
        return f"<dl>{''.join(rows)}</dl>\n"

    def _shot(self, shot: Shot) -> str:
        hidden = " hidden" if shot.sample else ""
        return (
            f'<figure class="shot" data-sample="{shot.sample}"{hidden}>{self._frame(shot)}'
            f"<figcaption>{caption(shot)}</figcaption></figure>\n"
        )

    def _frame(self, shot: Shot) -> str:
        if shot.content is None:
            return ""
        alt = text(f"Maps of {self.node['name']}, {count(len(shot.channels), 'channel')}", 400)
        return (
            f'<div class="frame" tabindex="0" role="group" aria-label="{alt}">'
            f'<img src="{BLANK}" data-picture="{shot.key}" alt="{alt}"'
            f' width="{shot.width}" height="{shot.height}"></div>'
        )


def summary_of(node: Mapping[str, Any]) -> str:
    """The few numbers that describe an operation, such as ``32, 3×3, relu, padding same``."""
    operation = dict(node.get("operation") or {})
    kind = _OPERATIONS.get(str(operation.pop("kind", "")))
    said = node.get("summary")
    if said is None and kind is not None:
        try:
            said = kind(**{name: _frozen(value) for name, value in operation.items()}).summary()
        except (TypeError, ValueError):
            said = ""
    padding = operation.get("padding")
    parts = [str(said or ""), f"padding {_padding(padding)}" if padding else ""]
    return ", ".join(part for part in parts if part)


def _padding(padding: Any) -> str:
    """``same``, or how much on each side of every axis: ``1+1 × 0+1``."""
    if isinstance(padding, str):
        return padding
    return " × ".join(f"{before}+{after}" for before, after in padding)


def finding(found: Mapping[str, Any], where: str = "") -> str:
    """A finding as a paragraph. where: a link to its layer, as HTML."""
    level = str(found.get("level", "note"))
    css = level if level in ("error", "warning") else "note"
    remedy = found.get("remedy")
    return (
        f'<p class="finding {css}"><b>{text(level)}</b> {text(found.get("message", ""), 2000)}'
        + (f" <i>{text(remedy, 2000)}</i>" if remedy else "")
        + f" <code>{text(found.get('code', ''))}</code>{where}</p>\n"
    )


def caption(shot: Shot) -> str:
    """How a picture was drawn, and where the whole of it is."""
    picture, address = shot.picture, f'<a href="{link(shot.file)}">{text(shot.file)}</a>'
    scale = picture.get("scale")
    ranges = {"channel": "each tile has its own range", "layer": "one range for all tiles"}
    said = ranges.get(str(scale), f"scale {text(scale)}")
    zoom = picture.get("zoom", 1)
    drawn = f"{text(picture.get('colormap', ''))}, {said}, {_zoom(zoom)}. "
    if shot.whole:
        return drawn + address
    if shot.content is None:
        return f"<strong>Left out of this page.</strong> The picture: {address}"
    total = len({tile["channel"] for tile in picture.get("tiles", ())})
    part = f"{len(shot.channels):,} of {count(total, 'channel')} shown: {spans(shot.channels)}"
    return f"{drawn}<strong>{text(part, 2000)}.</strong> All of them: {address}"


def _zoom(zoom: Any) -> str:
    return "1 pixel per value" if zoom == 1 else f"{text(zoom)}×{text(zoom)} pixels per value"


def _reference(name: str, place: int | None) -> str:
    if place is None:
        return f'<a href="#input">{text(name)}</a>'
    return f'<a href="#layer-{place}">{text(name)}</a>'


def _shape(node: Mapping[str, Any]) -> str:
    shape = node.get("shape") or ()
    try:
        said = Axes.parse(str(node["axes"])).describe(shape)
    except (KeyError, ValueError):
        said = " × ".join("?" if size is None else str(size) for size in shape)
    return said.replace(", ", ";").replace(" ", "\u00a0").replace(";", ", ")


def _channels(node: Mapping[str, Any]) -> int | None:
    axes, shape = str(node.get("axes", "")), node.get("shape") or ()
    at = axes.find("C")
    size: int | None = shape[at] if 0 <= at < len(shape) else None
    return size


def _zeros(share: float | None) -> str:
    if share is None:
        return number(None)
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="all" width="100" height="10"/><rect width="{100 * share:.1f}" height="10"/>'
        f"</svg>{percent(share)}"
    )


def _dead(dead: Sequence[int], channels: int | None) -> str:
    share = f"{len(dead):,}" + ("" if channels is None else f" of {channels:,}")
    listed = text(spans(dead), 4000)
    if len(dead) <= _FEW_DEAD:
        return f"{share}: {listed}"
    return f"<details><summary>{share}</summary>{listed}</details>"


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
