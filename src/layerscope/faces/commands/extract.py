"""The command ``layerscope extract``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named

OutArrays = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="OUT", help="NAME.npz, NAME.zarr, or a folder of .npy files."
    ),
]


def extract(
    model: o.Model,
    inputs: o.Inputs,
    output: OutArrays,
    layers: o.Layers = None,
    weights: o.Weights = None,
    custom: o.Custom = None,
    trust: o.Trust = False,
    backend: o.Backend = None,
    theano_kernels: o.TheanoKernels = None,
    signature: o.Signature = None,
    training: o.Training = False,
    size: o.Size = None,
    resize: o.Resize = None,
    range: o.Range = None,
    color: o.Color = None,
    allow_nan: o.AllowNan = False,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Write the arrays of the layers: .npz, .zarr or a folder of .npy."""
    from layerscope.extract import plan
    from layerscope.faces.terminal import counted, plain, progress, say
    from layerscope.inputs import Preprocessing
    from layerscope.saving import save

    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    extraction = plan(opened, inputs, layers, preprocessing, training=training)
    with progress("extracting") as advance:
        path = save(extraction, output, force=force, progress=advance)
    layers_of = counted(len(extraction.nodes), "layer")
    say(plain(f"{layers_of} of {counted(len(extraction), 'input')} in {path}"))
