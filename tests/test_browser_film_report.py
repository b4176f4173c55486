"""A training record as a report: one file, opened from disk, with no network and no Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from browsing import PAINTED, closed, opened, painted, pixels, violations
from filmed import EPOCHS, alive, every, filmed, levels, plane, wall_levels
from layerscope.faces.record_view import view_record
from layerscope.training.record import Record

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filmed(tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def record(folder: Path) -> Record:
    return Record.open(folder)


@pytest.fixture(scope="module")
def report(record: Record, tmp_path_factory: pytest.TempPathFactory) -> str:
    view = view_record(record, tmp_path_factory.mktemp("report") / "whole")
    return (view.folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, report: str) -> Iterator[Page]:
    page = opened(browser, report, "#layer=first")
    yield page
    closed(page)


def test_the_film_plays_from_disk(browser: Browser, report: str, record: Record) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report)
    page.wait_for_selector(PAINTED)
    page.locator("[data-speed]").select_option("20")
    page.get_by_role("button", name="First epoch").click()
    page.wait_for_selector(".wall-frame[data-painted^='p0e0/']")
    page.locator(".wall-frame").focus()
    page.keyboard.press("Space")
    page.wait_for_selector(f".wall-frame[data-painted^='p0e{EPOCHS}/']")
    page.wait_for_selector("button[aria-label=Play]")
    most = every(record, "first").max((0, 1, 2, 3))
    channel = alive(record, "first")
    shown = wall_levels(page, channel, (18, 22), "viridis")
    wanted = plane(record, EPOCHS, "first", channel) / most[channel] * 240
    assert np.abs(shown - wanted).max() <= 2
    assert page.locator(".forming .mosaic").count() == 1
    assert [url for url in asked if not url.startswith("data:")] == [report]
    context.close()


def test_a_difference_is_worked_out_in_the_page(page: Page, record: Record) -> None:
    """From 241 levels of each of the two: so much is said, and so near it is."""
    page.locator("[data-compare]").select_option("0")
    page.get_by_role("button", name="difference").click()
    channel = alive(record, "first")
    for _ in range(channel + 1):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector(".pinned")
    painted(page)
    one, other = (plane(record, epoch, "first", channel) for epoch in (EPOCHS, 0))
    reach = every(record, "first")[..., channel].max()
    shown = levels(pixels(page, ".larges canvas"), "blue-white-red")
    assert np.abs(shown - ((one - other) / reach + 1) * 120).max() <= 2
    assert "241 levels" in page.locator(".bar .facts").inner_text()


def test_a_thinned_report_goes_from_one_epoch_it_holds_to_the_next(
    browser: Browser, record: Record, tmp_path: Path
) -> None:
    whole = view_record(record, tmp_path / "whole").folder / "report.html"
    limit = whole.stat().st_size - 40_000
    short = view_record(record, tmp_path / "short", report_limit=limit).folder / "report.html"
    page = opened(browser, short.as_uri(), "#layer=first&epoch=1")
    held = [
        epoch
        for epoch in record.epochs
        if page.locator(f"[data-layerscope='runs/p0e{epoch}/statistics']").count()
    ]
    assert len(held) < EPOCHS + 1
    assert held[0] == 0
    assert held[-1] == EPOCHS
    assert "epochs are in it" in page.locator(".left-out").inner_text()
    slider = page.locator("[data-epoch=shown]")
    slider.focus()
    page.keyboard.press("Home")
    for epoch in held:
        page.wait_for_selector(f".wall-frame[data-painted^='p0e{epoch}/']")
        assert slider.input_value() == str(epoch)
        page.keyboard.press("ArrowRight")
    closed(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_is_accessible(browser: Browser, report: str, theme: str) -> None:
    fragment = "#layer=second&channel=2&epoch=4&with=0&view=difference"
    page = opened(browser, report, fragment, size=(1024, 768), theme=theme)
    painted(page)
    assert violations(page) == []
    closed(page)
