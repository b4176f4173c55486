"""Handlers: what each address of the server answers, computed in a worker thread."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as field_
from typing import Any

import numpy as np

from layerscope.activation import Activation
from layerscope.errors import OutputError, SelectionError
from layerscope.faces.explorer.answers import blobs
from layerscope.faces.explorer.answers.explained import explained, field
from layerscope.faces.explorer.film.scales import check_clip
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.server.missing import RequestError
from layerscope.faces.explorer.work import Ticket
from layerscope.outputs import safe_name
from layerscope.render import Drawing, draw
from layerscope.render.stack import numeric, stack_of

_MOST_PIXELS = 200_000_000
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a handler gives back: bytes, or a value that becomes JSON."""

    content: Any
    media: str = "application/octet-stream"
    headers: Mapping[str, str] = field_(default_factory=dict)


def manifest(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """The network, the runs, and what can be done."""
    return Answer(opened.manifest(), "application/json")


def preview(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """An input as the network saw it, and the picture it was made from."""
    number = given["input"]
    if number is None:
        run = opened.run(given["run"])
        original, size = run.original or (None, None)
        return Answer(blobs.preview_blob(run.preview, original, size))
    ran = opened.live().run(given["run"])
    if number >= len(ran.previews):
        raise SelectionError(
            f"There are inputs 0 to {len(ran.previews) - 1}, but input {number} was asked for."
        )
    original, size = ran.originals[number] or (None, None)
    return Answer(blobs.preview_blob(ran.previews[number], original, size))


def statistics(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """Figures of every channel and layer."""
    return Answer(opened.run(given["run"]).summary.statistics())


def thumbnails(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """One small picture of every node."""
    return Answer(opened.run(given["run"]).summary.thumbnails())


def layer(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """Every map of a layer."""
    run = opened.run(given["run"])
    return Answer(opened.layer(run, given["layer"], ticket, given["minus"]))


def exact(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """The exact values of one channel."""
    _, activation = _activation(opened, given, ticket)
    return Answer(blobs.exact_blob(activation, 0, given["channel"]))


def value(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """One exact value, as text."""
    _, activation = _activation(opened, given, ticket)
    values = blobs.channel_of(activation, 0, given["channel"])
    text = blobs.value_at(values, given["slice"], given["row"], given["column"])
    return Answer({"value": text}, "application/json")


def picture(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """A layer's maps as a PNG whose values can be read back."""
    run, activation = _activation(opened, given, ticket)
    scaling = opened.scaling(run, given["layer"], given["scale"] or "channel", given["minus"])
    drawing = Drawing.parse(
        channels=given["channels"] or None,
        colormap=given["colormap"] or None,
        clip=given["clip"] or None,
        zoom=given["zoom"],
        columns=given["columns"],
    )
    check_clip(given["scale"] or "", drawing.clip)
    shown = stack_of(numeric(activation), 0).values.size * (drawing.zoom or 1) ** 2
    if shown > _MOST_PIXELS:
        raise OutputError(
            f"expected a picture of at most {_MOST_PIXELS:,} pixels but zoom {drawing.zoom} gives "
            f"{shown:,}. Choose a smaller zoom."
        )
    figure = draw(
        activation,
        groups=opened.groups(run, activation, drawing.channels),
        classes=opened.classes_of(run, activation),
        **{**drawing.options(), **scaling},
    )
    return Answer(figure.png(), "image/png", _download(activation, "png"))


def array(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """A layer's exact values for this picture, in the model's own layout, as .npy."""
    _, activation = _activation(opened, given, ticket)
    held = io.BytesIO()
    np.save(held, activation.array, allow_pickle=False)
    return Answer(held.getvalue(), "application/octet-stream", _download(activation, "npy"))


def explain(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """What a channel, or one of its values, is summed from."""
    explorer = opened.live()
    run = explorer.run(given["run"])
    return Answer(
        explained(
            explorer,
            run,
            given["layer"],
            given["channel"],
            _place(given),
            every=bool(given["all"]),
            ticket=ticket,
        )
    )


def receptive_field(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """What a neuron, or a whole channel, sees of every input."""
    explorer = opened.live()
    run = explorer.run(given["run"])
    found = field(explorer, run, given["layer"], given["channel"], _place(given), ticket)
    return Answer(found, "application/json")


def record(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """What all epochs of a training come to, and the runs."""
    return Answer(opened.film().fresh(), "application/json")


def kernels(opened: Opened[Any], given: Given, ticket: Ticket) -> Answer:
    """A convolution's kernels at an epoch."""
    return Answer(opened.film().kernels(given["layer"], given["epoch"]))


def _activation(opened: Opened[Any], given: Given, ticket: Ticket) -> tuple[Any, Activation]:
    run = opened.run(given["run"])
    return run, opened.shown(run, given["layer"], ticket, given["minus"])


def _download(activation: Activation, suffix: str) -> dict[str, str]:
    name = f"{safe_name(activation.name)}.{suffix}"
    return {"content-disposition": f'attachment; filename="{name}"'}


def _place(given: Given) -> tuple[int, int, int] | None:
    """Slice, row and column, or None. Raises RequestError for a row or a column alone."""
    if (given["row"] is None) != (given["column"] is None):
        raise RequestError("expected both a row and a column, or neither.")
    return None if given["row"] is None else (given["slice"], given["row"], given["column"])
