"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import which_files
from networks import Command, run_here, write_networks

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MARKED = pytest.StashKey[set[str]]()
ROWS = pytest.StashKey[dict[str, list[which_files.Row]]]()


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


# The table "Which files open" of the documentation; see which_files.py.


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MARKED] = set()
    config.stash[ROWS] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[MARKED] = {item.nodeid for item in items if item.get_closest_marker("opens")}


def pytest_runtest_setup(item: pytest.Item) -> None:
    which_files.begin()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    done = yield
    if not _on_tensorflow():
        return done
    params = pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {}
    pyfuncitem.config.stash[ROWS][pyfuncitem.nodeid] = [
        which_files.row_of(marker, params) for marker in pyfuncitem.iter_markers("opens")
    ]
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped:
        item.config.stash[MARKED].discard(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    config = session.config
    rows = config.stash[ROWS]
    everything = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    marked = config.stash[MARKED]
    if exitstatus == 0 and everything and marked and marked <= rows.keys() and _on_tensorflow():
        found = [row for name in sorted(marked) for row in rows[name]]
        which_files.write(found, which_files.versions())


def _on_tensorflow() -> bool:
    return os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
