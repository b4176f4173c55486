"""A training record as a film: epochs, play, scale and comparison, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route

from browsing import PAINTED, closed, opened, painted, pixels, screenshot, served, violations, where
from filmed import EPOCHS, alive, every, filmed, levels, plane, wall_levels
from layerscope.training.record import Record

pytestmark = pytest.mark.browser
SHAPE = (18, 22)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filmed(tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def record(folder: Path) -> Record:
    return Record.open(folder)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(folder) as address:
        yield address


def at_epoch(page: Page, epoch: int) -> None:
    """Wait until the wall shows an epoch."""
    page.wait_for_selector(f".wall-frame[data-painted*='e{epoch}/']")
    page.wait_for_selector(".middle[aria-busy=false]")


@pytest.mark.parametrize("scale", ["epochs-channel", "epochs"])
def test_each_epoch_is_shown_on_one_scale(
    browser: Browser, address: str, record: Record, scale: str
) -> None:
    fragment = "#layer=first" + ("&scale=epochs" if scale == "epochs" else "")
    page = opened(browser, address, fragment)
    assert page.locator("[data-setting=scale]").input_value() == scale
    assert page.locator("[data-now]").inner_text() == str(EPOCHS)
    whole = every(record, "first")
    most = whole.max((0, 1, 2, 3)) if scale == "epochs-channel" else np.full(6, whole.max())
    dead = (whole == whole[:, :, :1, :1]).all((2, 3))[:, 0]
    changes = []
    for epoch in reversed(record.epochs):
        at_epoch(page, epoch)
        for channel in range(6):
            if dead[epoch, channel]:
                continue
            shown = wall_levels(page, channel, SHAPE, "viridis")
            wanted = plane(record, epoch, "first", channel) / most[channel] * 240
            # Rounded twice; and some of viridis's levels are of one colour.
            assert np.abs(shown - wanted).max() <= 2
            changes.append(shown.mean())
        assert page.locator(".legend .ticks").first.inner_text().startswith("0")
        page.keyboard.press(",")
    assert len({round(change, 2) for change in changes}) > EPOCHS, "nothing was learned"
    closed(page)


def test_a_signed_layer_is_drawn_around_zero_at_every_epoch(
    browser: Browser, address: str, record: Record
) -> None:
    page = opened(browser, address, "#layer=second&epoch=0&scale=epochs")
    reach = np.abs(every(record, "second")).max()
    for epoch in (0, 3, EPOCHS):
        page.locator("[data-epoch=shown]").fill(str(epoch))
        at_epoch(page, epoch)
        shown = wall_levels(page, 2, (7, 9), "blue-white-red")
        wanted = (plane(record, epoch, "second", 2) / reach + 1) * 120
        assert np.abs(shown - wanted).max() <= 1.5
    closed(page)


def watched(page: Page, until: str) -> list[str]:
    """Play; the epochs that the wall showed until there is what ``until`` selects."""
    shown: list[str] = page.evaluate(
        """([play, pause, until]) => new Promise((go) => {
            const frame = document.querySelector('.wall-frame'), seen = [];
            new MutationObserver(() => {
                const key = frame.dataset.painted.split('/')[0];
                if (seen.at(-1) !== key) seen.push(key);
            }).observe(frame, {attributes: true, attributeFilter: ['data-painted']});
            document.querySelector(play).click();
            let begun = false;
            const look = () => {
                begun ||= document.querySelector(pause) !== null;
                if (begun && document.querySelector(until)) go(seen);
                else setTimeout(look, 5);
            };
            look();
        })""",
        [PLAY, PAUSE, until],
    )
    return shown


PLAY, PAUSE = "button[aria-label=Play]", "button[aria-label=Pause]"


def test_it_plays_every_epoch_and_stops_at_the_end(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=first&epoch=0")
    page.locator("[data-speed]").select_option("20")
    seen = watched(page, PLAY)
    assert seen == [f"p0e{epoch}" for epoch in range(1, EPOCHS + 1)]
    page.wait_for_function("n => location.hash.includes(`epoch=${n}`)", arg=EPOCHS)
    again = watched(page, PLAY)
    assert again == [f"p0e{epoch}" for epoch in range(EPOCHS + 1)]
    page.locator("[data-epoch=shown]").fill(str(EPOCHS - 1))
    at_epoch(page, EPOCHS - 1)
    page.get_by_role("button", name="Again and again").click()
    around = watched(page, ".wall-frame[data-painted^='p0e2/']")
    assert around[:4] == [f"p0e{EPOCHS}", "p0e0", "p0e1", "p0e2"]
    page.locator(".wall-frame").focus()
    page.keyboard.press("Space")
    page.wait_for_selector(PLAY)
    closed(page)


def test_what_comes_late_is_waited_for_and_told(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=second&epoch=0", ready=PAINTED)

    def late(route: Route) -> None:
        page.wait_for_timeout(250)
        route.continue_()

    page.route(re.compile(r"/layers/\d+$"), late)
    page.locator("[data-speed]").select_option("20")
    page.evaluate(
        "() => new MutationObserver(() => { window.told ||= document.querySelector('.slower') })"
        ".observe(document.querySelector('.film'), {subtree: true, childList: true})"
    )
    page.locator(PLAY).click()
    at_epoch(page, EPOCHS)
    assert re.fullmatch(r"now \d+\.\d/s", page.evaluate("() => window.told?.textContent ?? ''"))
    closed(page)


def test_two_epochs_lie_side_by_side_on_the_scale_of_all(
    browser: Browser, address: str, record: Record
) -> None:
    page = opened(browser, address, f"#layer=second&epoch={EPOCHS}&scale=epochs")
    options = page.locator("[data-compare] option").all_inner_texts()
    assert options[:2] == ["no comparison", "epoch 0 · before training"]
    assert any("best" in option for option in options)
    assert len(options) == EPOCHS + 2
    page.locator("[data-compare]").select_option("0")
    page.wait_for_selector("[data-epoch=against]")
    page.wait_for_function("() => location.hash.includes('with=0')")
    reach = np.abs(every(record, "second")).max()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".larges figure >> nth=1")
    for which, epoch in enumerate((EPOCHS, 0)):
        shown = pixels(page, f".larges figure:nth-child({which + 1}) canvas")
        wanted = (plane(record, epoch, "second", 1) / reach + 1) * 120
        assert np.abs(levels(shown, "blue-white-red") - wanted).max() <= 1.5
    page.locator("[data-epoch=against]").fill("2")
    page.wait_for_function("() => location.hash.includes('with=2')")
    told = page.locator(".bar .facts").inner_text()
    assert f"left epoch {EPOCHS}" in re.sub(r"\s+", " ", told)
    assert "right epoch 2" in re.sub(r"\s+", " ", told)
    page.locator(".wall-frame").focus()
    page.keyboard.press("a")
    page.wait_for_selector("[data-epoch=against]", state="detached")
    closed(page)


@pytest.mark.parametrize("scale", ["epochs-channel", "epochs"])
def test_the_difference_of_two_epochs(
    browser: Browser, address: str, record: Record, scale: str
) -> None:
    channel = alive(record, "first")
    chosen = f"epoch={EPOCHS}&with=0&view=difference&channel={channel}&scale={scale}"
    page = opened(browser, address, f"#layer=first&{chosen}")
    wanted = plane(record, EPOCHS, "first", channel) - plane(record, 0, "first", channel)
    whole = every(record, "first")
    reach = whole[..., channel].max() if scale == "epochs-channel" else whole.max()
    page.wait_for_selector(".larges figure")
    painted(page)
    shown = levels(pixels(page, ".larges canvas"), "blue-white-red")
    assert np.abs(shown - (wanted / reach + 1) * 120).max() <= 1.5
    assert np.abs(shown - 120).max() > 5
    # A film goes through the epoch that it is compared with, where there is no difference.
    page.locator("[data-epoch=shown]").fill("0")
    at_epoch(page, 0)
    assert page.locator("[data-epoch=against]").input_value() == "0"
    closed(page)


def test_the_address_names_epochs(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=second&channel=1&at=2,3")
    page.locator("[data-picture]").select_option(index=1)
    page.locator("[data-epoch=shown]").focus()
    page.keyboard.press("Home")
    at_epoch(page, 0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    page.locator("[data-setting=scale]").select_option("layer")
    page.wait_for_function("() => location.hash.includes('with=0')")
    at_epoch(page, 2)
    assert "picture=1.png&epoch=2&with=0&scale=layer" in page.url
    again = opened(browser, page.url)
    for selector in ("[data-now]", "h1", "[data-value] b", ".facts >> nth=0"):
        assert again.locator(selector).inner_text() == page.locator(selector).inner_text()
    np.testing.assert_array_equal(pixels(again, "canvas.wall"), pixels(page, "canvas.wall"))
    closed(again)
    closed(page)
    wrong = opened(browser, address, "#layer=first&epoch=99999&with=x&picture=nobody&scale=none")
    assert wrong.locator("[data-now]").inner_text() == str(EPOCHS)
    assert wrong.locator("[data-epoch=against]").count() == 0
    closed(wrong)


def test_the_slider_speaks(browser: Browser, address: str, record: Record) -> None:
    page = opened(browser, address, "#layer=first&epoch=0")
    slider = page.get_by_role("slider", name="Epoch", exact=True)
    assert slider.get_attribute("aria-valuetext") == "epoch 0 · before training"
    slider.focus()
    page.keyboard.press("PageUp")
    at_epoch(page, EPOCHS)
    said = slider.get_attribute("aria-valuetext") or ""
    loss = record.history[-1]["val_loss"]
    assert said.startswith(f"epoch {EPOCHS} · ")
    assert f"validation loss {float(f'{loss:.4g}'):g}" in said
    page.keyboard.press("?")
    assert "play the epochs" in page.locator(".help").inner_text()
    assert "explain" not in page.locator(".help").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    best = record.best
    assert best is not None
    at_epoch(page, best)
    closed(page)


def test_the_value_under_the_pointer_follows_the_film(
    browser: Browser, address: str, record: Record
) -> None:
    page = opened(browser, address, f"#layer=second&epoch={EPOCHS}")
    box = page.locator(".wall-frame").bounding_box()
    assert box is not None
    x, y = where(page, 3, 2, 4)
    page.mouse.move(box["x"] + x, box["y"] + y)
    for epoch in (EPOCHS, EPOCHS - 1, EPOCHS - 2):
        at_epoch(page, epoch)
        values = plane(record, epoch, "second", 3)
        told = page.locator(".readout b").inner_text().replace("−", "-")
        assert told.startswith("≈ ")
        assert float(told[2:]) == pytest.approx(values[2, 4], abs=np.abs(values).max() / 200)
        page.keyboard.press(",")
    closed(page)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 1024, 800])
def test_it_is_accessible(browser: Browser, address: str, width: int, theme: str) -> None:
    fragment = "#layer=first&channel=2&epoch=4&with=0&at=3,4"
    page = opened(browser, address, fragment, size=(width, 900), theme=theme)
    page.wait_for_selector(".mosaic")
    painted(page)
    assert violations(page) == []
    wide = page.evaluate("() => document.querySelector('.film').scrollWidth - innerWidth")
    assert wide <= 0
    screenshot(page, f"film_{width}_{theme}")
    closed(page)
