"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real models and pictures, which is not part of the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "material"
    folder = Path(os.environ.get("LAYERSCOPE_MATERIAL", default))
    if not folder.is_dir():
        pytest.skip(f"no real models and pictures in {folder}: set LAYERSCOPE_MATERIAL")
    return folder
