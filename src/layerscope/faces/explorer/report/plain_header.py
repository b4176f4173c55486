"""The top of a page as text: the model, how its inputs were made, what it said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from layerscope.axes import Axes
from layerscope.faces.explorer.report.plain_layer import finding
from layerscope.faces.explorer.report.text import count, number, text

_MOST_CLASSES = 10


def title(manifest: Mapping[str, Any]) -> str:
    """The model's name, for a heading or a title."""
    file = manifest["model"].get("file")
    return text(PurePath(str(file)).name) if file else "a model in memory"


def model_facts(manifest: Mapping[str, Any], inputs: int) -> str:
    """What was opened, as a list of terms. inputs: how many the figures are over."""
    model, nodes = manifest["model"], manifest["nodes"]
    facts = [
        ("file", model.get("file")),
        ("format", model.get("format")),
        ("framework", model.get("framework")),
        ("SHA-256", model.get("sha256")),
        ("layers", f"{len(nodes):,}"),
        ("parameters", f"{manifest['parameters']:,}" if "parameters" in manifest else None),
        ("figures", f"over all {inputs} inputs" if inputs > 1 else None),
    ]
    rows = (
        f"<div><dt>{name}</dt><dd>{text(value, 1000)}</dd></div>" for name, value in facts if value
    )
    return f'<dl class="model">{"".join(rows)}</dl>\n'


def decisions(manifest: Mapping[str, Any]) -> str:
    """What was decided while the model was opened."""
    notes = manifest["model"].get("notes", ())
    items = "".join(f"<li>{text(note, 2000)}</li>" for note in notes)
    return f"<ul>{items}</ul>\n" if items else ""


def samples(
    manifest: Mapping[str, Any],
    labels: Sequence[str],
    predictions: Sequence[Sequence[tuple[str, float]]],
) -> str:
    """One section for each input: the steps that made it, and the prediction."""
    records, each = manifest["inputs"], len(manifest["inputs"]) // max(len(labels), 1)
    parts = []
    for i, label in enumerate(labels):
        said = predictions[i] if i < len(predictions) else ()
        parts.append(
            f"<section>\n<h2>{text(label)}</h2>\n"
            + "".join(_record(record) for record in records[i * each : (i + 1) * each])
            + (_prediction(said) if said else "")
            + "</section>\n"
        )
    return "".join(parts)


def findings(found: Sequence[Mapping[str, Any]], places: Mapping[str, int]) -> str:
    """Every finding, with a link to its layer; notes are folded, since they also stand there."""
    if not found:
        return ""
    shown = [finding(one, _link(one, places)) for one in found if one.get("level") != "note"]
    notes = [finding(one, _link(one, places)) for one in found if one.get("level") == "note"]
    folded = (
        f"<details><summary>{count(len(notes), 'note')}</summary>\n{''.join(notes)}</details>\n"
    )
    return (
        f"<section><h2>{count(len(found), 'finding')}</h2>\n"
        f"{''.join(shown)}{folded if notes else ''}</section>\n"
    )


def _link(found: Mapping[str, Any], places: Mapping[str, int]) -> str:
    place = places.get(str(found.get("node")))
    if place is None:
        return ""
    return f' <a href="#layer-{place}">{text(found.get("node"))}</a>'


def _record(record: Mapping[str, Any]) -> str:
    shape, axes = record.get("shape") or (), record.get("axes")
    try:
        size = Axes.parse(str(axes)).describe(shape)
    except ValueError:
        size = " × ".join(map(str, shape))
    file = record.get("file")
    steps = "".join(f"<li>{text(step, 2000)}</li>" for step in record.get("steps", ()))
    return (
        f'<p class="fed"><b>{text(record.get("name", "input"))}</b> {text(size)}'
        + (f", from {text(file, 1000)}" if file else "")
        + f"</p>\n<ol>{steps}</ol>\n"
    )


def _prediction(said: Sequence[tuple[str, float]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{number(value)}</td></tr>\n'
        for name, value in said[:_MOST_CLASSES]
    )
    rest = f"the first {_MOST_CLASSES} of {len(said)}" if len(said) > _MOST_CLASSES else ""
    return f"<table><caption>prediction {rest}</caption>{rows}</table>\n"
