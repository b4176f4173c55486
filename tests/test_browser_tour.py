"""The ten steps of docs/explorer.md, done in a real browser; they make the page's pictures."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

import layerscope as ls
from browsing import closed, opened, painted, screenshot, served, where

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    other = tmp_path_factory.mktemp("tour") / "mirrored.png"
    with Image.open(CAT) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    with served(MODEL, CAT, other) as address:
        yield address


def test_a_first_look_in_ten_steps(browser: Browser, address: str) -> None:
    page = opened(browser, address, size=(1280, 800))
    frame = page.locator(".wall-frame")

    # 1: the page as it opens.
    painted(page)
    assert page.locator("h1").inner_text() == "0 conv2d"
    dead = len(ls.extract(str(MODEL), str(CAT), "conv2d")["conv2d"].stats().dead)
    assert f"dead\n{dead} channels" in page.locator(".facts").inner_text()
    screenshot(page, "tour-01-opened")

    # 2: another layer.
    page.locator(".strip .row", has_text="conv2d_1").first.click()
    page.wait_for_function("() => document.querySelector('h1').textContent.endsWith('conv2d_1')")
    painted(page)

    # 3: the value under the pointer.
    box = frame.bounding_box()
    assert box is not None
    x, y = where(page, 5, 23, 31)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_function(
        "() => /^\\d/.test(document.querySelector('.readout b')?.textContent ?? '')"
    )
    screenshot(page, "tour-03-value")

    # 4: a pinned channel.
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_selector(".pinned .histogram rect")
    page.wait_for_selector(".seen .field")
    assert "at=23,31" in page.url
    page.mouse.move(1, 1)
    screenshot(page, "tour-04-pinned")

    # 5: the map over the picture.
    page.keyboard.press("m")
    page.keyboard.press("m")
    assert page.locator(".overlay output").inner_text() == "50 %"

    # 6: the value explained.
    page.keyboard.press("e")
    page.wait_for_selector(".neuron .term")
    screenshot(page, "tour-06-neuron")

    # 7: the whole channel explained.
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.wait_for_selector(".sum .term")
    screenshot(page, "tour-07-channel")
    page.keyboard.press("e")

    # 8: one scale for the layer, the strongest first.
    page.locator("[data-setting=scale]").select_option("layer")
    page.locator("[data-setting=sort]").select_option("energy")
    painted(page)
    screenshot(page, "tour-08-scale")
    page.locator("[data-setting=scale]").select_option("channel")
    page.locator("[data-setting=sort]").select_option("index")

    # 9: two pictures.
    page.locator("[data-compare]").select_option(label="mirrored.png")
    page.wait_for_selector(".larges figure >> nth=1")
    painted(page)
    screenshot(page, "tour-09-two")
    page.keyboard.press("d")
    page.wait_for_selector(".larges figure >> nth=1", state="detached")
    painted(page)
    assert "cat.jpg − mirrored.png" in page.locator(".bar .facts").inner_text()

    # 10: the address, opened by somebody else in the light.
    again = opened(browser, page.url, size=(1280, 800), theme="light")
    painted(again)
    again.wait_for_selector(".pinned .histogram rect")
    assert again.locator(".pinned h2").inner_text() == page.locator(".pinned h2").inner_text()
    screenshot(again, "tour-10-light")
    closed(again)
    closed(page)
