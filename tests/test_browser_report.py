"""The report opened from disk by a real browser: no server, no network, the same page."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

import layerscope as ls
from browsing import PAINTED, click_value, closed, opened, painted, screenshot, tile, violations
from layerscope.activation import Activations
from layerscope.extract import plan
from layerscope.faces.view import view_extraction
from layerscope.render import Drawing

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two pictures, and one that has too little room."""
    folder = tmp_path_factory.mktemp("report")
    with Image.open(CAT) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    model = ls.open_model(MODEL)
    both = plan(model, [CAT, folder / "mirrored.png"])
    view_extraction(both, folder / "whole", Drawing())
    view_extraction(plan(model, CAT), folder / "short", Drawing(), report_limit=400_000)
    return folder


@pytest.fixture(scope="module")
def acts() -> Activations:
    return ls.extract(MODEL, CAT)


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Page]:
    page = opened(browser, (folder / "whole" / "report.html").as_uri())
    yield page
    closed(page)


@pytest.mark.parametrize("name", ["conv2d", "batch_normalization_1", "conv2d_4"])
def test_the_wall_shows_what_the_picture_shows(page: Page, acts: Activations, name: str) -> None:
    page.locator(".strip .row", has_text=name).first.click()
    page.wait_for_function(
        "name => document.querySelector('h1').textContent.endsWith(name)", arg=name
    )
    zoom = int(painted(page)["zoom"])
    figure = acts[name].figure(zoom=zoom)
    rgb = figure.rgb()
    for i in (0, 7, len(figure.tiles) - 1):
        one = figure.tiles[i]
        wanted = rgb[one.top :, one.left :][: one.height * zoom, : one.width * zoom]
        np.testing.assert_array_equal(tile(page, i, one.height, one.width), wanted)


def test_nothing_is_asked_of_any_network(browser: Browser, folder: Path) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    address = (folder / "whole" / "report.html").as_uri()
    page.goto(address)
    page.wait_for_selector(PAINTED)
    page.keyboard.press("j")
    painted(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".pinned .histogram rect")
    assert [url for url in asked if not url.startswith("data:")] == [address]
    context.close()


def test_values_are_told_as_nearly_as_the_page_holds_them(page: Page, acts: Activations) -> None:
    channel = acts["conv2d"].array[0, ..., 7]
    row, column = (int(i) for i in np.unravel_index(channel.argmax() - 3, channel.shape))
    click_value(page, 7, row, column)
    told = page.locator("[data-value] b").inner_text()
    assert told.startswith("≈ ")
    assert float(told[2:]) == pytest.approx(
        channel[row, column], abs=float(channel.max()) / 480 * 1.05
    )
    assert page.locator(".explain-button").count() == 0
    assert "layerscope serve" in page.locator(".left-out").inner_text()


def test_two_pictures_are_compared_without_python(page: Page) -> None:
    page.keyboard.press("p")
    page.wait_for_function(
        "() => document.querySelector('[data-picture]').selectedOptions[0].textContent"
        " === 'mirrored.png'"
    )
    page.locator("[data-compare]").select_option(label="cat.jpg")
    painted(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".larges figure >> nth=1")
    assert page.locator(".larges figcaption").all_inner_texts() == ["mirrored.png", "cat.jpg"]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 800])
def test_it_is_accessible(browser: Browser, folder: Path, width: int, theme: str) -> None:
    page = opened(
        browser,
        (folder / "whole" / "report.html").as_uri(),
        "#layer=conv2d_1&channel=8&at=20,20",
        size=(width, 768),
        theme=theme,
    )
    painted(page)
    assert violations(page) == []
    screenshot(page, f"report-{width}-{theme}")
    closed(page)


def test_a_report_without_room_says_what_it_left_out(browser: Browser, folder: Path) -> None:
    report = folder / "short" / "report.html"
    assert report.stat().st_size <= 400_000
    page = opened(browser, report.as_uri(), ready=".left-out")
    assert "report" in page.locator(".left-out").inner_text()
    seen = 0
    for place in range(page.locator(".strip .row").count()):
        page.locator(".strip .row").nth(place).click()
        page.wait_for_selector(f".strip [data-node='{place}'][aria-current=true]")
        page.wait_for_selector(".middle[aria-busy=false]")
        page.wait_for_timeout(100)
        wall, problem = page.locator(PAINTED).count(), page.locator(".finding.error").count()
        assert wall + problem == 1
        seen += wall
    assert seen > 5
    closed(page)


def test_browsers_without_the_new_base64_open_it_too(browser: Browser, folder: Path) -> None:
    context = browser.new_context()
    context.add_init_script("delete Uint8Array.fromBase64")
    page = context.new_page()
    page.goto((folder / "whole" / "report.html").as_uri())
    page.wait_for_selector(PAINTED)
    assert page.evaluate("() => Uint8Array.fromBase64 === undefined")
    context.close()
