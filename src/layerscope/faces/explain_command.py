"""The command ``layerscope explain``."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerscope.faces import options as o
from layerscope.faces.opening import open_named

if TYPE_CHECKING:
    from layerscope.faces.explaining import Explaining

Layer = Annotated[
    str, typer.Option("-l", "--layer", metavar="LAYER", help="A layer's name or number.")
]
Channel = Annotated[
    str,
    typer.Option(
        "-c", "--channel", metavar="CHANNEL|all", help="An output channel, or all in one table."
    ),
]
At = Annotated[
    str | None,
    typer.Option(metavar="ROW,COL", help="Take one value apart, to the last multiplication."),
]
Every = Annotated[
    bool, typer.Option("--all", help="Show every input channel, not the first 16 and the rest.")
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="DIR", help="Where to write [./layerscope-MODEL-explain]."
    ),
]


def explain(
    model: o.Model,
    inputs: o.Inputs,
    layer: Layer,
    channel: Channel,
    at: At = None,
    all_: Every = False,
    output: Folder = None,
    json: o.Json = False,
    weights: o.Weights = None,
    custom: o.Custom = None,
    trust: o.Trust = False,
    backend: o.Backend = None,
    theano_kernels: o.TheanoKernels = None,
    signature: o.Signature = None,
    size: o.Size = None,
    resize: o.Resize = None,
    range: o.Range = None,
    color: o.Color = None,
    allow_nan: o.AllowNan = False,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Show what a channel is summed from: the partial map of every input channel."""
    from layerscope.faces.explained_text import channel_json, channel_text, neuron_json, neuron_text
    from layerscope.faces.explaining import parse_channel, parse_place, prepare_explaining
    from layerscope.faces.terminal import plain, say
    from layerscope.inputs import Preprocessing

    number, place = parse_channel(channel), parse_place(at, channel)
    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    ready = prepare_explaining(opened, inputs, layer, number, preprocessing)
    if not json:
        for record in ready.records:
            say(plain(record.file or record.name))
            for step in record.steps:
                say(plain(f"  {step}"))
    told: dict[str, Any] = {}
    if place is not None:
        from layerscope.explain.neuron import neuron

        assert ready.channel is not None
        one = neuron(ready.one(ready.channel), place)
        found = ready.boxes(place, ready.channel)
        if not json:
            for line in neuron_text(one, found, every=all_).split("\n"):
                say(plain(line))
        told = neuron_json(one, found)
    else:
        path, told = _draw(ready, output, all_, force, channel_json)
        if not json:
            for line in channel_text(told).split("\n"):
                say(plain(line))
            say(f"Picture: {plain(path)}")
    if json:
        from layerscope.manifest import layerscope_version

        document = {
            "layerscope": layerscope_version(),
            "model": opened.source.as_json(),
            "inputs": [record.as_json() for record in ready.records],
            **told,
        }
        print(json_.dumps(document, ensure_ascii=False, indent=1))


def _draw(
    ready: Explaining, output: Path | None, every: bool, force: bool, channel_json: Any
) -> tuple[Path, dict[str, Any]]:
    """Write the picture; returns its path and what ``--json`` tells of it."""
    from layerscope.faces.explained import draw_explanation, draw_table, largest_of
    from layerscope.faces.view import default_folder
    from layerscope.outputs import new_file, safe_name

    if ready.channel is None:
        # Twice over all channels, since the scale must be known before the first is drawn.
        reach, channels = 0.0, []
        for e in ready:
            reach = max(reach, largest_of(e))
            channels.append(channel_json(e))
        picture = draw_table(ready.node.name, ready, reach, ready.summation.channels)
        told: dict[str, Any] = {"node": ready.node.name, "channels": channels}
    else:
        one = ready.one(ready.channel)
        picture = draw_explanation(one, every=every)
        told = channel_json(one)
    if output is None:
        base = default_folder(ready.model.source)
        output = base.with_name(f"{base.name}-explain")
    which = "all" if ready.channel is None else str(ready.channel)
    path = output / f"{safe_name(ready.node.name)}-{which}.png"
    with new_file(path, force=force, own=_is_own(path)) as temporary:
        temporary.write_bytes(picture.png())
    told["picture"] = {"file": str(path), "tiles": picture.facts()["tiles"]}
    return path, told


def _is_own(path: Path) -> bool:
    from layerscope.errors import InputError
    from layerscope.render.png import facts_of

    try:
        return bool(facts_of(path.read_bytes(), path.name))
    except (OSError, InputError):
        return False
