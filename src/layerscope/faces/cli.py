"""The command ``layerscope``."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from layerscope.faces.commands.check import check
from layerscope.faces.commands.explain import explain
from layerscope.faces.commands.extract import extract
from layerscope.faces.commands.layers import layers
from layerscope.faces.commands.serve import serve
from layerscope.faces.commands.train import train
from layerscope.faces.commands.view import demo, view

app = typer.Typer(
    name="layerscope",
    help="See what every layer of a trained network makes of a picture.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


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


for command in (view, demo, layers, extract, explain, serve, check, train):
    app.command()(command)


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
