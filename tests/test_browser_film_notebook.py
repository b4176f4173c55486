"""A training record in a notebook's cell: with Python behind it, and as a report."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from browsing import PAINTED, painted
from filmed import EPOCHS, alive, every, filmed, plane, wall_levels
from layerscope.training.record import Record
from notebooks import PATIENCE, laboratory, run_first_cell

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filmed(tmp_path_factory.mktemp("film"))


def test_a_cell_plays_a_record(folder: Path, browser: Browser) -> None:
    record = Record.open(folder)
    cell = f"import layerscope as ls\n\nls.Record.open({folder.name!r})"
    with laboratory(folder.parent, cell) as address:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        run_first_cell(page)
        page.wait_for_selector(f".jp-OutputArea-output {PAINTED}")
        page.locator("[data-epoch=shown]").fill("0")
        page.wait_for_selector(".wall-frame[data-painted^='p0e0/']")
        page.locator("[data-speed]").select_option("20")
        page.get_by_role("button", name="Play").click()
        page.wait_for_selector(f".wall-frame[data-painted^='p0e{EPOCHS}/']")
        painted(page)
        channel = alive(record, "first")
        most = every(record, "first")[..., channel].max()
        shown = wall_levels(page, channel, (18, 22), "viridis")
        wanted = plane(record, EPOCHS, "first", channel) / most * 240
        assert np.abs(shown - wanted).max() <= 2
        page.wait_for_selector(".forming .mosaic")
        assert page.evaluate("() => location.hash") == ""
        page.context.close()


def test_without_anywidget_a_cell_shows_the_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    # What an import finds where a package is not installed.
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "layerscope.faces.explorer.widget", raising=False)
    bundle = Record.open(folder)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.set_default_timeout(PATIENCE)
    page.set_content(bundle["text/html"])
    frame = page.frame_locator("iframe")
    frame.locator(PAINTED).wait_for()
    frame.get_by_role("button", name="First epoch").click()
    frame.locator(".wall-frame[data-painted^='p0e0/']").wait_for()
    frame.get_by_role("button", name="Epoch after").click()
    frame.locator(".wall-frame[data-painted^='p0e1/']").wait_for()
    page.context.close()
