"""A view in a notebook: JupyterLab, a real browser, and a click on a map."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import layerscope as ls
from browsing import PAINTED, click_value, painted, screenshots
from notebooks import PATIENCE, laboratory, run_first_cell

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab with a notebook beside the demo network; yields the notebook's address."""
    folder = tmp_path_factory.mktemp("lab")
    for file in (MODEL, CAT):
        shutil.copy(file, folder)
    cell = 'import layerscope as ls\n\nls.view("cats_dogs.keras", "cat.jpg", force=True)'
    with laboratory(folder, cell) as address:
        yield address


def test_a_cell_shows_the_explorer_and_answers_clicks(lab: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(lab)
    run_first_cell(page)
    page.wait_for_selector(f".jp-OutputArea-output {PAINTED}")
    page.locator(".jp-OutputArea-output .row", has_text="conv2d_1").click()
    page.locator(".middle", has_text="72 × 72 × 48").wait_for()
    painted(page)
    click_value(page, 5, 23, 31)
    page.locator(".pinned", has_text="channel 5").wait_for()
    page.wait_for_selector(".pinned .histogram rect")
    page.wait_for_selector(".seen .field")
    array = ls.extract(str(MODEL), str(CAT), layers="conv2d_1")["conv2d_1"].array
    shown = page.locator("[data-value] b").inner_text()
    assert float(shown) == pytest.approx(array[0, 23, 31, 5], rel=1e-5)
    page.mouse.move(1, 1)
    screenshots(page, "notebook")
    page.context.close()


def test_without_anywidget_a_cell_shows_the_report(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser
) -> None:
    # What an import finds where a package is not installed.
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "layerscope.faces.explorer.widget", raising=False)
    done = ls.view(str(networks / "small.keras"), str(networks / "cat.png"), tmp_path / "v")
    bundle = done._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert len(bundle["text/plain"]) < 2000
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    page.set_default_timeout(PATIENCE)
    page.set_content(bundle["text/html"])
    frame = page.frame_locator("iframe")
    frame.locator(PAINTED).wait_for()
    frame.locator(".row", has_text="pool").click()
    frame.locator(".middle", has_text="MaxPooling2D").wait_for()
    page.context.close()
