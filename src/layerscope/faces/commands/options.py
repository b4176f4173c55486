"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_OPENING = "Opening"
_INPUT = "Preprocessing"
_DRAWING = "Drawing"

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file, or FILE.py:name for your own code.")
]
ModelOrRecord = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model file, FILE.py:name for your own code, or a training record.",
    ),
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT",
        help="Pictures, arrays (.npy .npz .csv .tsv .mat) or folders of them; "
        "name=file for a model with several inputs.",
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--layers",
        metavar="SEL",
        help="A name, an index (3, -1), a slice (0:8), a glob (block?_conv*), a type "
        "(type:Conv2D), or NAME:pre for the values before the activation function. "
        "Repeatable; every layer by default.",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Weights for code or for an architecture.", metavar="FILE", rich_help_panel=_OPENING
    ),
]
Custom = Annotated[
    Path | None,
    typer.Option(
        help="Python file with classes that the model needs.",
        metavar="FILE.py",
        rich_help_panel=_OPENING,
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Let code that is stored in the model file run.", rich_help_panel=_OPENING
    ),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help="What Keras runs on.", metavar="tensorflow|jax|torch", rich_help_panel=_OPENING
    ),
]
TheanoKernels = Annotated[
    str | None,
    typer.Option(
        help="Whether Theano wrote the kernels of a Keras 1 or 2 file; by default as it tells.",
        metavar="yes|no",
        rich_help_panel=_OPENING,
    ),
]
Signature = Annotated[
    str | None,
    typer.Option(
        help="Which of a SavedModel's signatures.", metavar="NAME", rich_help_panel=_OPENING
    ),
]
Training = Annotated[
    bool,
    typer.Option(
        "--training",
        help="Run layers as in training (dropout, batch statistics).",
        rich_help_panel=_OPENING,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        help="Size of the network's input in pixels.", metavar="HxW", rich_help_panel=_INPUT
    ),
]
FullSize = Annotated[
    str | None,
    typer.Option(
        help="Size of the input in pixels, and its channels, where the model does not state them.",
        metavar="HxW|HxWxC",
        rich_help_panel=_INPUT,
    ),
]
Resize = Annotated[
    str | None,
    typer.Option(
        help="How pictures are resized.",
        metavar="bilinear|nearest|bicubic|lanczos|area",
        rich_help_panel=_INPUT,
    ),
]
Range = Annotated[
    str | None,
    typer.Option(
        help="The range of values that the network expects.",
        metavar="0..1|-1..1|0..255|imagenet|caffe|as-is",
        rich_help_panel=_INPUT,
    ),
]
Color = Annotated[
    str | None,
    typer.Option(
        help="The order of the colour channels.", metavar="rgb|bgr|gray", rich_help_panel=_INPUT
    ),
]
AllowNan = Annotated[
    bool,
    typer.Option(
        "--allow-nan", help="Let NaN and infinite input values pass.", rich_help_panel=_INPUT
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        help="Channels to draw, such as 6,15,20:24.", metavar="LIST", rich_help_panel=_DRAWING
    ),
]
Colormap = Annotated[
    str | None,
    typer.Option(
        help="viridis, gray, magma, … By default viridis for values from 0, blue–white–red "
        "for signed ones.",
        metavar="NAME",
        rich_help_panel=_DRAWING,
    ),
]
Scale = Annotated[
    str | None,
    typer.Option(
        help="The range of the colours: of each channel (default), of the layer, around 0, "
        "or numbers.",
        metavar="channel|layer|symmetric|LO,HI",
        rich_help_panel=_DRAWING,
    ),
]
Clip = Annotated[
    float | None,
    typer.Option(
        help="Let the colours end at this percentile and mark what is cut.",
        metavar="PERCENTILE",
        rich_help_panel=_DRAWING,
    ),
]
Zoom = Annotated[
    int | None, typer.Option(help="Pixels per value.", metavar="K", rich_help_panel=_DRAWING)
]
Columns = Annotated[
    int | None, typer.Option(help="Maps side by side.", metavar="N", rich_help_panel=_DRAWING)
]
Format = Annotated[
    str | None,
    typer.Option(
        help="The format of the pictures; png keeps the values.",
        metavar="png|webp|jpg",
        rich_help_panel=_DRAWING,
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        help="Class names: one a line, or JSON.", metavar="FILE", rich_help_panel=_DRAWING
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what layerscope did not write.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def yes_or_no(option: str, given: str | None) -> bool | None:
    """An answer to an option; None where there is none. Raises LayerscopeError for others."""
    if given not in (None, "yes", "no"):
        from layerscope.errors import LayerscopeError

        raise LayerscopeError(f"{option} must be yes or no, but is {given!r}.")
    return None if given is None else given == "yes"
