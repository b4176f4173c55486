"""What a page is told of a record: its manifest, its runs, and what all epochs come to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import Any

from layerscope.faces.explorer.answers.documents import NOTHING, document, network
from layerscope.faces.explorer.film.frame import frame_id
from layerscope.faces.explorer.film.scales import EPOCHS_CHANNEL, Span
from layerscope.training.history import Row
from layerscope.training.outline import Outline
from layerscope.training.record import Record

ABLE = {**NOTHING, "export": True}


def manifest_of(
    record: Record, runs: Sequence[Mapping[str, Any]], told: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of a record. told: of ``record_document``."""
    nodes = tuple(record.layers.values())
    parameters = sum(node.parameters for node in nodes)
    feeding = {name for node in nodes for name in node.inputs}
    outputs = [node.name for node in nodes if node.name not in feeding]
    model = {
        "id": 0,
        "title": record.results.title,
        "file": str(record.folder),
        "format": "training record",
        "framework": record.framework,
        "notes": _notes(record, len(told["epochs"])),
        "parameters": parameters,
    }
    made = document(
        [model],
        network(nodes, outputs, parameters),
        None,
        runs,
        (),
        ABLE,
        {"scale": EPOCHS_CHANNEL},
    )
    return {**made, "record": dict(told)}


def record_document(
    record: Record,
    outlines: Mapping[int, Outline],
    epochs: Collection[int] | None = None,
    *,
    growing: bool,
) -> dict[str, Any]:
    """What the epochs of a record come to.

    outlines: of all recorded epochs, by which the ranges are chosen. epochs: those that are
    shown, all by default.
    """
    shown = {e: one for e, one in outlines.items() if epochs is None or e in epochs}
    layers = {name: [one.layers[name] for one in shown.values()] for name in record.layers}
    whole = [[one.layers[name] for one in outlines.values()] for name in record.layers]
    kernels = record.kernel_layers
    return {
        "pictures": list(record.inputs),
        "epochs": list(shown),
        "growing": growing,
        "planned": record.results.planned,
        "history": columns(record.history),
        "best": record.best,
        "ranges": [_told(Span.over(every)) for every in whole],
        "dead": [[one.dead for one in every] for every in layers.values()],
        "zeros": [[_number(one.zeros) for one in every] for every in layers.values()],
        "channels": [max((one.channels for one in every), default=0) for every in layers.values()],
        "kernels": [place for place, name in enumerate(layers) if name in kernels],
    }


def run_document(
    picture: int, epoch: int, label: str, records: Sequence[Mapping[str, Any]], first: int
) -> dict[str, Any]:
    """A run of a record. first: an epoch whose run has the same preview."""
    return {
        "id": frame_id(picture, epoch),
        "model": 0,
        "label": frame_label(label, epoch),
        "picture": picture,
        "epoch": epoch,
        "preview": frame_id(picture, first),
        "inputs": [dict(record) for record in records],
        "original": None,
        "predictions": [],
        "removable": False,
    }


def frame_label(label: str, epoch: int) -> str:
    """A short name of a picture at an epoch."""
    return f"{label} · epoch {epoch}"


def columns(history: Sequence[Row]) -> dict[str, list[float | None]]:
    """The figures of a training as columns, ``epoch`` first, None where one is missing.

    >>> columns([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": float("nan"), "mae": 1.0}])
    {'epoch': [1, 2], 'loss': [0.5, None], 'mae': [None, 1.0]}
    """
    names = dict.fromkeys(["epoch", *(name for row in history for name in row)])
    held = {name: [_number(row.get(name)) for row in history] for name in names}
    held["epoch"] = [None if epoch is None else int(epoch) for epoch in held["epoch"]]
    return held


def _notes(record: Record, shown: int) -> list[str]:
    count = len(record.epochs)
    return [] if shown >= count else [f"{shown:,} of {count:,} recorded epochs are here."]


def _told(span: Span | None) -> dict[str, Any] | None:
    return None if span is None else span.as_json()


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
