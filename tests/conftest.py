"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from networks import Command, run_here, write_networks

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def material() -> Path:
    """The folder of real models and pictures, which is not part of the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "material"
    folder = Path(os.environ.get("LAYERSCOPE_MATERIAL", default))
    if not folder.is_dir():
        pytest.skip(f"no real models and pictures in {folder}: set LAYERSCOPE_MATERIAL")
    return folder


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small networks and pictures; see networks.py."""
    folder = tmp_path_factory.mktemp("networks")
    write_networks(folder)
    return folder


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """``command("layers", path, …)`` runs layerscope in this process, and gives a ``Done``."""
    return partial(run_here, capsys, monkeypatch)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser; only tests that are marked for it may ask."""
    from browsing import launched

    with launched() as browser:
        yield browser
