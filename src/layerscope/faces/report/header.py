"""The top of the page: the model, the inputs as the network saw them, what it said of them."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from layerscope.axes import Axes
from layerscope.faces.report.layer import finding
from layerscope.faces.report.pictures import Shot
from layerscope.faces.report.text import count, number, text

Preview = NDArray[Any] | None
_MOST_CLASSES = 10


def title(manifest: Mapping[str, Any]) -> str:
    """The model's name, for a heading or a title."""
    file = manifest["model"].get("file")
    return text(PurePath(str(file)).name) if file else "a model in memory"


def model_facts(manifest: Mapping[str, Any], inputs: int) -> str:
    """What was opened, as a list of terms. inputs: how many the figures are over."""
    model, nodes = manifest["model"], manifest["nodes"]
    channels = sum(
        len({tile["channel"] for tile in picture["tiles"]})
        for node in nodes
        for picture in node.get("pictures", ())[:1]
    )
    facts = [
        ("file", model.get("file")),
        ("format", model.get("format")),
        ("framework", model.get("framework")),
        ("SHA-256", model.get("sha256")),
        ("layers", f"{len(nodes):,}" + (f" with {count(channels, 'channel')}" if channels else "")),
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
    return f'<ul class="opened">{items}</ul>\n' if items else ""


def samples(
    manifest: Mapping[str, Any],
    previews: Sequence[Preview],
    labels: Sequence[str],
    predictions: Sequence[Sequence[tuple[str, float]]],
) -> str:
    """One section for each input: its picture, the steps that made it, and the prediction."""
    records, each = manifest["inputs"], len(manifest["inputs"]) // max(len(labels), 1)
    largest = 512 if len(labels) <= 4 else 256 if len(labels) <= 32 else 96
    parts = []
    for i, label in enumerate(labels):
        preview = previews[i] if i < len(previews) else None
        said = predictions[i] if i < len(predictions) else ()
        parts.append(
            f'<section class="sample" data-sample="{i}"{" hidden" if i else ""}>\n'
            + (_picture(preview, label, largest) if preview is not None else "")
            + f"<div><h2>{text(label)}</h2>\n"
            + "".join(_record(record) for record in records[i * each : (i + 1) * each])
            + "</div>\n"
            + (_prediction(said) if said else "")
            + "</section>\n"
        )
    return "".join(parts)


def left_out(shots: Sequence[Sequence[Shot]], limit: int) -> str:
    """A sentence on the pictures that are not whole, and how to have them."""
    every = [shot for row in shots for shot in row]
    missing = sum(shot.content is None for shot in every)
    cut = sum(shot.content is not None and not shot.whole for shot in every)
    said = [f"{count(cut, 'picture')} cut short"] if cut else []
    said += [f"{count(missing, 'picture')} left out"] if missing else []
    if not said:
        return ""
    return (
        f'<p class="remark">To keep this page below {limit / 1e6:,.3g} MB, {" and ".join(said)} '
        f"(of {len(every):,}). The whole ones are the files named below each layer, beside this "
        "page. For fewer layers use <kbd>-l</kbd>, for a larger page "
        "<kbd>--report-limit</kbd>.</p>\n"
    )


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
        f'<section class="findings"><h2>{count(len(found), "finding")}</h2>\n'
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


def _picture(preview: NDArray[Any], label: str, largest: int) -> str:
    height, width = preview.shape[:2]
    plane = preview[..., 0] if preview.shape[2:] == (1,) else preview
    image = Image.fromarray(np.ascontiguousarray(plane, np.uint8))
    factor = -(-max(height, width) // largest)
    note = f"as the network saw it, {width}×{height}"
    if factor > 1:
        image = image.reduce(factor)
        note += f", drawn at 1/{factor} of its size"
    held = io.BytesIO()
    image.save(held, "PNG")
    times = max(1, round(224 / max(image.size)))
    address = f"data:image/png;base64,{b64encode(held.getvalue()).decode('ascii')}"
    return (
        f'<figure class="seen"><img src="{address}" alt="{text(label)}" '
        f'width="{image.width * times}" height="{image.height * times}">'
        f"<figcaption>{note}</figcaption></figure>\n"
    )


def _prediction(said: Sequence[tuple[str, float]]) -> str:
    most = max((abs(value) for _, value in said), default=0.0) or 1.0
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{number(value)}</td><td>'
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="all" width="100" height="10"/>'
        f'<rect width="{100 * max(value, 0) / most:.1f}" height="10"/></svg></td></tr>\n'
        for name, value in said[:_MOST_CLASSES]
    )
    rest = f"the first {_MOST_CLASSES} of {len(said)}" if len(said) > _MOST_CLASSES else ""
    return f'<table class="prediction"><caption>prediction {rest}</caption>{rows}</table>\n'
