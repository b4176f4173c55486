"""The command ``layerscope``."""

from __future__ import annotations

import os
import sys
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from layerscope.faces import options as o
from layerscope.faces.check_command import check
from layerscope.faces.explain_command import explain
from layerscope.faces.opening import open_named
from layerscope.faces.serve_command import serve
from layerscope.faces.train_command import train

if TYPE_CHECKING:
    from layerscope.faces.view import View
    from layerscope.inputs import Preprocessing
    from layerscope.models import Model
    from layerscope.render import Drawing

app = typer.Typer(
    name="layerscope",
    help="See what every layer of a trained network makes of a picture.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

OutFolder = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="DIR", help="Where to write [./layerscope-MODEL]."),
]
OutArrays = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="OUT", help="NAME.npz, NAME.zarr, or a folder of .npy files."
    ),
]


def _version(wanted: bool) -> None:
    if wanted:
        from layerscope.manifest import layerscope_version

        print(f"layerscope {layerscope_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """See what every layer of a trained network makes of a picture."""


@app.command()
def view(
    model: o.Model,
    inputs: o.Inputs,
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
    report_limit: Annotated[
        float, typer.Option(metavar="MB", help="The report's largest size.")
    ] = 30.0,
    force: o.Force = False,
    debug: o.Debug = False,
) -> None:
    """Write every layer's maps of a picture: a report, pictures, a manifest."""
    from layerscope.inputs import Preprocessing
    from layerscope.render import Drawing

    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    drawing = Drawing.parse(channels, colormap, scale, clip, zoom, columns, format)
    opened = open_named(model, weights, custom, trust, backend, theano_kernels, signature)
    _view(
        opened, inputs, layers, output, preprocessing, drawing, classes, training,
        int(report_limit * 1e6), force,
    )  # fmt: skip


@app.command()
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


@app.command("layers")
def layers_(
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
        from layerscope.faces.sized import tell_size

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


@app.command()
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


app.command()(explain)
app.command()(serve)
app.command()(check)
app.command()(train)


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


def _tell(done: View, extraction: Any) -> None:
    from layerscope.faces.findings_text import summary_lines
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


def main() -> None:
    """Run the command; what a person can mend is one message and exit status 1."""
    from layerscope.errors import LayerscopeError
    from layerscope.faces.process import told_to_end

    debug = "--debug" in sys.argv
    try:
        try:
            with told_to_end():
                app(prog_name="layerscope", standalone_mode=True)
        finally:
            # Here, and not when the interpreter ends, so that a closed pipe is no error.
            sys.stdout.flush()
    except LayerscopeError as error:
        if debug:
            raise
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        if debug:
            raise
        _fail("The memory does not suffice. Choose fewer layers with -l, or give fewer inputs.")
    except Exception as error:
        if debug:
            raise
        _fail(
            f"{type(error).__name__}: {error}. This is a fault of layerscope's own, and not of "
            "what you gave it; --debug shows where it lies."
        )


def _fail(message: str) -> NoReturn:
    from layerscope.faces.terminal import complain, plain

    complain(plain(message))
    sys.exit(1)
