"""The command ``layerscope explain``."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named

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
Chain = Annotated[
    bool,
    typer.Option(
        "--chain",
        help="Take the convolution or dense layer, the normalisation and the activation function "
        "that end in LAYER as one.",
    ),
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
    chain: Chain = False,
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
    """Show what a channel is made of: the partial map of every input channel, or of each branch."""
    from layerscope.faces.explained.dispatch import asked_json, came_from, chain_hint, told_of_value
    from layerscope.faces.explaining import parse_channel, parse_place, prepare_explaining
    from layerscope.faces.terminal import plain, say
    from layerscope.inputs import Preprocessing

    number, place = parse_channel(channel), parse_place(at, channel)
    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    ready = prepare_explaining(opened, inputs, layer, number, preprocessing, chain=chain)
    asked, place = place, ready.place(place)
    if not json:
        for record in ready.records:
            say(plain(record.file or record.name))
            for step in record.steps:
                say(plain(f"  {step}"))
        for line in came_from(ready.choice, place):
            say(plain(line))
    if place is not None:
        told, text = told_of_value(ready, place, every=all_)
    else:
        path, told, text = _draw(ready, output, all_, force)
        text = "\n".join([text, *chain_hint(ready), f"Picture: {path}"])
    if not json:
        for line in text.split("\n"):
            say(plain(line))
    told |= asked_json(ready.choice, asked)
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
    ready: Explaining, output: Path | None, every: bool, force: bool
) -> tuple[Path, dict[str, Any], str]:
    """Write the picture; returns its path, what ``--json`` tells of it, and what is printed."""
    from layerscope.faces.explained.dispatch import draw_all, draw_one
    from layerscope.faces.view import default_folder
    from layerscope.outputs import new_file, safe_name

    if ready.channel is None:
        picture, told, text = draw_all(ready)
    else:
        picture, told, text = draw_one(ready.one(ready.channel), every=every)
    if output is None:
        base = default_folder(ready.model.source)
        output = base.with_name(f"{base.name}-explain")
    which = "all" if ready.channel is None else str(ready.channel)
    chain = "-chain" if ready.choice.chain else ""
    path = output / f"{safe_name(ready.node.name)}{chain}-{which}.png"
    with new_file(path, force=force, own=_is_own(path)) as temporary:
        temporary.write_bytes(picture.png())
    told["picture"] = {"file": str(path), "tiles": picture.facts()["tiles"]}
    return path, told, text


def _is_own(path: Path) -> bool:
    from layerscope.errors import InputError
    from layerscope.render.png import facts_of

    try:
        return bool(facts_of(path.read_bytes(), path.name))
    except (OSError, InputError):
        return False
