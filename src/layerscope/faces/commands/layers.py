"""The command ``layerscope layers``."""

from __future__ import annotations

from typing import Annotated

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named


def layers(
    model: o.Model,
    json: o.Json = False,
    receptive_fields: Annotated[
        bool,
        typer.Option(
            "--receptive-fields", help="Also what a neuron of each layer sees of the input."
        ),
    ] = False,
    size: o.FullSize = None,
    weights: o.Weights = None,
    custom: o.Custom = None,
    trust: o.Trust = False,
    backend: o.Backend = None,
    theano_kernels: o.TheanoKernels = None,
    signature: o.Signature = None,
    debug: o.Debug = False,
) -> None:
    """List every layer: index, name, type, output shape with its axes, parameters."""
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    sizes = None
    if size is not None:
        from layerscope.faces.commands.sized import tell_size

        sizes = tell_size(opened, size)
    if json:
        from json import dumps

        from layerscope.explain.fields import fields_if_known
        from layerscope.manifest import describe_graph

        document = describe_graph(opened.source, opened.graph, fields_if_known(opened.graph, sizes))
        print(dumps(document, ensure_ascii=False, indent=1))
        return
    from layerscope.faces.terminal import layer_table, plain, say

    found = None
    if receptive_fields:
        from layerscope.explain.fields import fields
        from layerscope.explain.sizes import sized

        found = fields(opened.graph, sized(opened.graph, sizes))
    table = layer_table(opened.graph, found)
    for note in opened.source.notes:
        say(plain(note))
    say(table)
