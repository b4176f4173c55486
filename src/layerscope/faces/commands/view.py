"""The commands ``layerscope view`` and ``layerscope demo``."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named
from layerscope.faces.commands.records import no_record, record_at, tell

if TYPE_CHECKING:
    from layerscope.faces.viewed import View
    from layerscope.inputs import Preprocessing
    from layerscope.models import Model
    from layerscope.render import Drawing
    from layerscope.training.record import Record

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Pictures, arrays (.npy .npz .csv .tsv .mat) or folders of them; "
        "name=file for a model with several inputs. A training record needs none.",
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="DIR", help="Where to write [./layerscope-MODEL]."),
]


def view(
    context: typer.Context,
    model: o.ModelOrRecord,
    inputs: Inputs = None,
    layers: o.Layers = None,
    output: OutFolder = None,
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
    channels: o.Channels = None,
    colormap: o.Colormap = None,
    scale: o.Scale = None,
    clip: o.Clip = None,
    zoom: o.Zoom = None,
    columns: o.Columns = None,
    format: o.Format = None,
    classes: o.Classes = None,
    epochs: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Of a training record, the epochs whose maps are drawn, such as 0,10,best,last.",
            rich_help_panel="Drawing",
        ),
    ] = None,
    report_limit: Annotated[
        float, typer.Option(metavar="MB", help="The report's largest size.")
    ] = 30.0,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Write every layer's maps of a picture: a report, pictures, a manifest.

    Of a training record: the maps over the epochs, the curves and the kernels.
    """
    from layerscope.errors import ModelError
    from layerscope.inputs import Preprocessing
    from layerscope.render import Drawing

    record = record_at(
        model, inputs,
        {"--layers": layers, "--weights": weights, "--custom": custom, "--trust": trust,
         "--backend": backend, "--theano-kernels": theano_kernels, "--signature": signature,
         "--training": training, "--size": size, "--resize": resize, "--range": range,
         "--color": color, "--allow-nan": allow_nan, "--classes": classes},
    )  # fmt: skip
    limit = int(report_limit * 1e6)
    if record is not None:
        drawing = Drawing.parse(channels, colormap, None, clip, zoom, columns, format)
        _view_record(record, output, drawing, epochs, scale, limit, force)
        return
    if not inputs:
        raise typer.BadParameter(
            "expected a picture or an array; only a training record needs none.",
            ctx=context, param_hint="INPUT",
        )  # fmt: skip
    if epochs is not None:
        raise typer.BadParameter(
            "it goes with a training record only.", ctx=context, param_hint="--epochs"
        )
    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    drawing = Drawing.parse(channels, colormap, scale, clip, zoom, columns, format)
    try:
        opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    except ModelError as error:
        raise no_record(model, error) from error
    _view(
        opened, inputs, layers, output, preprocessing, drawing, classes, training,
        limit, force,
    )  # fmt: skip


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write.")
    ] = Path("layerscope-demo"),
    backend: o.Backend = None,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Do ``view`` with the model and picture that ship inside the package."""
    from layerscope.inputs import Preprocessing
    from layerscope.render import Drawing

    folder = files("layerscope") / "demo"
    with as_file(folder / "cats_dogs.keras") as model, as_file(folder / "cat.jpg") as picture:
        opened = open_named(str(model), None, None, False, backend)
        _view(
            opened, [str(picture)], None, output, Preprocessing(), Drawing(), None, False,
            30_000_000, force, within=model.parent,
        )  # fmt: skip


def _view(
    model: Model,
    inputs: list[str],
    layers: list[str] | None,
    output: Path | None,
    preprocessing: Preprocessing,
    drawing: Drawing,
    classes: Path | None,
    training: bool,
    report_limit: int,
    force: bool,
    within: Path | None = None,
) -> None:
    from layerscope.classes import read_classes
    from layerscope.extract import plan
    from layerscope.faces.terminal import progress
    from layerscope.faces.view import default_folder, view_extraction

    names = None if classes is None else read_classes(classes)
    extraction = plan(model, inputs, layers, preprocessing, training=training)
    with progress("running") as advance:
        done = view_extraction(
            extraction,
            output or default_folder(model.source),
            drawing,
            classes=names,
            force=force,
            progress=advance,
            report_limit=report_limit,
            within=within,
        )
    _tell(done, extraction)


def _view_record(
    record: Record,
    output: Path | None,
    drawing: Drawing,
    epochs: str | None,
    scale: str | None,
    report_limit: int,
    force: bool,
) -> None:
    from layerscope.faces.record_view import view_record
    from layerscope.faces.terminal import progress

    with progress("reading") as advance:
        done = view_record(
            record, output, drawing, epochs=epochs, scale=scale, force=force, progress=advance,
            report_limit=report_limit,
        )  # fmt: skip
    tell(done, record)


def _tell(done: View, extraction: Any) -> None:
    from layerscope.faces.commands.findings import summary_lines
    from layerscope.faces.terminal import kind, plain, run_table, say

    manifest = done.manifest
    say(plain(f"{manifest['model']['file']}: {manifest['model']['framework']}"))
    for note in manifest["model"].get("notes", ()):
        say(plain(f"  {note}"))
    for record in manifest["inputs"]:
        say(plain(record["file"] or record["name"]))
        for step in record["steps"]:
            say(plain(f"  {step}"))
    say()
    say(run_table(manifest["nodes"], {node.name: kind(node) for node in extraction.nodes}))
    say()
    for label, said in zip(done.labels, done.predictions, strict=False):
        say(plain(f"{label}: " + ", ".join(f"{name} {value:.3g}" for name, value in said)))
    for line in summary_lines(manifest["findings"]):
        say(line)
    say(f"Report: {plain(done.report)}")
