"""The command ``layerscope check``."""

from __future__ import annotations

import json as json_
from typing import Annotated

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named

_TOLD = 3
Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="As for view; without it the network alone is looked at.",
        show_default=False,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with status 1 if there are errors.")]


def check(
    model: o.Model,
    inputs: Inputs = None,
    json: o.Json = False,
    strict: Strict = False,
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
    debug: o.Debug = False,
) -> None:
    """Say what looks wrong with the shapes, the weights, the input or the activations."""
    from layerscope.faces.checking import check_model
    from layerscope.faces.commands.findings import counts, finding_lines
    from layerscope.faces.terminal import counted, plain, progress, say
    from layerscope.inputs import Preprocessing

    preprocessing = Preprocessing.parse(size, resize, range, color)
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    with progress("checking") as advance:
        done = check_model(opened, inputs or None, preprocessing, advance)
    if json:
        listed = [one.as_json() for one in done.findings]
        print(json_.dumps(listed, ensure_ascii=False, indent=1))
    else:
        source = opened.source
        say(plain(f"{source.file or source.name}: {source.framework}"))
        for note in source.notes:
            say(plain(f"  {note}"))
        for record in (record for sample in done.records[:_TOLD] for record in sample):
            say(plain(record.file or record.name))
            for step in record.steps:
                say(plain(f"  {step}"))
        if len(done.records) > _TOLD:
            say(f"and {len(done.records) - _TOLD} more inputs")
        say()
        for line in finding_lines(done.findings):
            say(line)
        layers = counted(len(opened.graph), "layer")
        rests = f"{layers} run on {counted(done.samples, 'input')}" if done.samples else layers
        alone = "" if inputs else "; an INPUT would tell more"
        say(f"{counts(done.findings)} ({rests}{alone})")
    if strict and any(one.level == "error" for one in done.findings):
        raise typer.Exit(1)
