"""How a model is to be opened, as every adapter is told it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class OpenOptions:
    """How to open a model; see ``open_model``."""

    weights: Path | None = None
    custom: Path | None = None
    trust: bool = False
    backend: str | None = None
    theano_kernels: bool | None = None
    signature: str | None = None
