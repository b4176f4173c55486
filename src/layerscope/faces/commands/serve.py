"""The command ``layerscope serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layerscope.faces.commands import options as o
from layerscope.faces.commands.opening import open_named
from layerscope.faces.commands.records import no_record, record_at

if TYPE_CHECKING:
    from layerscope.faces.explorer.opened import Opened
    from layerscope.faces.explorer.work import Ticket

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT...]",
        help="Pictures, arrays or folders to begin with; more can be dropped on the page.",
    ),
]
Compare = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL2", help="The same network with other weights, to put beside the first."
    ),
]
Port = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=65535, help="Any free port by default.")
]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")]
Memory = Annotated[
    int,
    typer.Option(
        metavar="MB", min=1, help="Megabytes of maps kept; others are computed when needed."
    ),
]


def serve(
    model: o.ModelOrRecord,
    inputs: Inputs = None,
    compare: Compare = None,
    port: Port = None,
    no_open: NoOpen = False,
    memory: Memory = 1000,
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
    classes: o.Classes = None,
    debug: o.Debug = False,
) -> None:
    """Open the explorer in a browser: its address is the first line printed."""
    from layerscope.faces.explorer.film.film import Film
    from layerscope.faces.explorer.server.serving import serve as serve_
    from layerscope.faces.terminal import complain, plain
    from layerscope.inputs import Preprocessing

    record = record_at(
        model, inputs,
        {"--compare": compare, "--weights": weights, "--custom": custom, "--trust": trust,
         "--backend": backend, "--theano-kernels": theano_kernels, "--signature": signature,
         "--training": training, "--size": size, "--resize": resize, "--range": range,
         "--color": color, "--allow-nan": allow_nan, "--classes": classes},
    )  # fmt: skip
    preprocessing = Preprocessing.parse(size, resize, range, color, allow_nan)
    names = None
    if classes is not None:
        from layerscope.classes import read_classes

        names = read_classes(classes)

    def make(ticket: Ticket) -> Opened[Any]:
        if record is not None:
            ticket.tell("opening", Path(model).name)
            return Film(record, memory * 10**6)
        from layerscope.errors import ModelError
        from layerscope.faces.explorer.pairing import same_architecture
        from layerscope.faces.explorer.session import Explorer

        models = []
        for path in (model, compare):
            if path is not None:
                ticket.tell("opening", Path(path).name)
                try:
                    opened = open_named(path, weights if path is model else None, custom, trust,
                                        backend, theano_kernels, signature)  # fmt: skip
                except ModelError as error:
                    raise no_record(path, error) from error
                models.append(opened)
        explorer = Explorer(models, preprocessing, names, training, memory * 10**6)
        for number, one in enumerate(models):
            if inputs:
                explorer.add(inputs, number, ticket)
            if number:
                same_architecture(models[0], one)
        return explorer

    def announce(address: str) -> None:
        print(address, flush=True)

    status = serve_(
        make,
        port=port,
        open_browser=not no_open,
        announce=announce,
        complain=lambda text: complain(plain(text)),
    )
    raise typer.Exit(status)
