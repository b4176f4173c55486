"""Opening a model for a command, with the options that every command has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from layerscope.faces.commands import options as o

if TYPE_CHECKING:
    from layerscope.models import Model


def open_named(
    model: str,
    weights: Path | None,
    custom: Path | None,
    trust: bool,
    backend: str | None,
    theano_kernels: str | None = None,
    signature: str | None = None,
) -> Model:
    """Open a model as a command does: quietly unless debugging, with memory kept."""
    from layerscope.faces.process import keep_freed_memory, without_collection
    from layerscope.models import open_model
    from layerscope.models.quiet import hush

    keep_freed_memory()
    hush.set("--debug" not in sys.argv)
    with without_collection():
        return open_model(
            model,
            weights=weights,
            custom=custom,
            trust=trust,
            backend=backend,
            theano_kernels=o.yes_or_no("--theano-kernels", theano_kernels),
            signature=signature,
        )
