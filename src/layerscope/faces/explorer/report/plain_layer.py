"""One layer of a page as text: what it is, its figures, and links to its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerscope import operations
from layerscope.axes import Axes
from layerscope.faces.explorer.report.text import link, number, percent, spans, text

_OPERATIONS = {kind.kind: kind for kind in operations.Operation.__subclasses__()}
_FEW_DEAD = 24


def layer(
    node: Mapping[str, Any],
    place: int,
    before: str | None,
    places: Mapping[str, int],
    findings: Sequence[Mapping[str, Any]],
) -> str:
    """A node of a manifest as an article.

    place: its position in the page. before: the node that stands before it. places: of all
    nodes in the page, by name. findings: those that are about it.
    """
    index = "" if node.get("index") is None else f"{node['index']} "
    summary = summary_of(node)
    pictures = "".join(
        f'<p><a href="{link(picture["file"])}">{text(picture["file"])}</a></p>\n'
        for picture in node.get("pictures", ())
    )
    return (
        f'<article id="layer-{place}">\n<h3>{index}{text(node["name"])} '
        f"<small>{text(node.get('type', ''))}"
        + (f" {text(summary)}" if summary else "")
        + f"</small></h3>\n{_origin(node, before, places)}{_facts(node)}"
        + "".join(finding(f) for f in findings)
        + f"{pictures}</article>\n"
    )


def _origin(node: Mapping[str, Any], before: str | None, places: Mapping[str, int]) -> str:
    sources = list(dict.fromkeys(node.get("inputs", ())))
    if not sources or sources == [before]:
        return ""
    fed = [
        f'<a href="#layer-{places[name]}">{text(name)}</a>' if name in places else text(name)
        for name in sources
    ]
    return f"<p>from {', '.join(fed)}</p>\n"


def _facts(node: Mapping[str, Any]) -> str:
    figures = node.get("statistics") or {}
    facts = [("shape", text(_shape(node)))]
    if node.get("parameters"):
        facts.append(("parameters", f"{node['parameters']:,}"))
    if figures:
        facts += [(name, number(figures.get(name))) for name in ("min", "mean", "max")]
        facts.append(("zeros", percent(figures.get("zeros"))))
        if figures.get("dead"):
            facts.append(("dead channels", _dead(figures["dead"], _channels(node))))
    rows = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f"<dl>{''.join(rows)}</dl>\n"


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
    remedy = found.get("remedy")
    return (
        f"<p><b>{text(found.get('level', 'note'))}</b> {text(found.get('message', ''), 2000)}"
        + (f" <i>{text(remedy, 2000)}</i>" if remedy else "")
        + f" <code>{text(found.get('code', ''))}</code>{where}</p>\n"
    )


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


def _dead(dead: Sequence[int], channels: int | None) -> str:
    share = f"{len(dead):,}" + ("" if channels is None else f" of {channels:,}")
    listed = text(spans(dead), 4000)
    if len(dead) <= _FEW_DEAD:
        return f"{share}: {listed}"
    return f"<details><summary>{share}</summary>{listed}</details>"


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
