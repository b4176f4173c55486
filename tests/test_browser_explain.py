"""Explanations, receptive fields and overlays as a real browser draws them, against explain/."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

import layerscope as ls
from browsing import click_value, closed, opened, pixels, screenshots, served
from layerscope.render.palette import palette

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))
TERM = ".terms .term"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(MODEL, CAT) as address:
        yield address


def levels(values: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Where values lie among the 241 levels from −reach to reach."""
    return (values + reach) / (2 * reach) * 240


def levels_shown(rgb: NDArray[np.uint8], colormap: str) -> NDArray[np.int64]:
    """The levels that a map's colours stand for."""
    table = {tuple(c): i for i, c in enumerate(palette(colormap)[:241].tolist())}
    return np.array([[table[tuple(c)] for c in line] for line in rgb.tolist()])


def explained(page: Page) -> list[NDArray[np.uint8]]:
    """All the canvases of the terms, as pixels: map, kernel and partial map of each."""
    page.wait_for_selector(TERM)
    count = page.locator(f"{TERM} canvas").count()
    return [pixels(page, f"{TERM} canvas >> nth={i}") for i in range(count)]


def test_a_channel_is_drawn_as_the_sum_of_partial_maps(browser: Browser, address: str) -> None:
    e = ls.explain(MODEL, CAT, "conv2d", channel=18)
    page = opened(browser, address, "#layer=conv2d&channel=18")
    page.keyboard.press("e")
    drawn = explained(page)
    order = np.argsort(-e.shares, kind="stable")
    assert len(drawn) == 3 * len(e.inputs) == 9
    reach = max(np.abs(part).max() for part in (e.contributions, e.sum, e.pre_activation))
    for place, i in enumerate(order):
        partial = levels_shown(drawn[3 * place + 2], "blue-white-red")
        assert np.abs(partial - levels(e.contributions[i], reach)).max() <= 1.01
        kernel = levels_shown(drawn[3 * place + 1], "blue-white-red")
        assert np.abs(kernel - levels(e.kernel[i], np.abs(e.kernel).max())).max() <= 1.01
        told = page.locator(TERM).nth(place).inner_text()
        assert told.startswith(f"input_layer:{i}\n")
        assert float(told.split("\n")[-1].rstrip(" %")) == pytest.approx(100 * e.shares[i], abs=0.5)
    total, before, after = (pixels(page, f".result figure canvas >> nth={i}") for i in range(3))
    assert np.abs(levels_shown(total, "blue-white-red") - levels(e.sum, reach)).max() <= 1.01
    assert (
        np.abs(levels_shown(before, "blue-white-red") - levels(e.pre_activation, reach)).max()
        <= 1.01
    )
    whole = ls.extract(MODEL, CAT, "conv2d")["conv2d"].figure(zoom=1)
    one = whole.tiles[18]
    wanted = whole.rgb()[one.top :, one.left :][: one.height, : one.width]
    np.testing.assert_array_equal(after, wanted)
    assert f"{e.bias:.4g}" in page.locator(".result").inner_text().replace("−", "-")
    screenshots(page, "explanation")
    closed(page)


def test_many_input_channels_are_shown_by_share_and_all_on_request(
    browser: Browser, address: str
) -> None:
    e = ls.explain(MODEL, CAT, "conv2d_2", channel=3)
    page = opened(browser, address, "#layer=conv2d_2&channel=3&explain=yes")
    page.wait_for_selector(TERM)
    order = np.argsort(-e.shares, kind="stable")
    told = page.locator(f"{TERM} .of").all_inner_texts()
    assert told[:16] == [f"{e.source.name}:{i}" for i in order[:16]]
    assert told[16:] == [f"the other {len(order) - 16}, summed"]
    page.get_by_text(f"show all {len(order)} input channels").click()
    page.wait_for_function("n => document.querySelectorAll('.term').length === n", arg=len(order))
    closed(page)


def test_a_value_is_taken_apart_to_the_last_multiplication(browser: Browser, address: str) -> None:
    array = ls.extract(MODEL, CAT, "conv2d_1")["conv2d_1"].array[0]
    row, column = (int(i) for i in np.unravel_index(array[..., 5].argmax(), array.shape[:2]))
    e = ls.explain(MODEL, CAT, "conv2d_1", channel=5)
    page = opened(browser, address, f"#layer=conv2d_1&channel=5&at={row},{column}&explain=yes")
    page.wait_for_selector(TERM)
    total = page.locator(".neuron .total").inner_text().replace("−", "-")
    words = total.replace("\n", " ").split()
    numbers = [float(word) for word in words if word.lstrip("-").replace(".", "").isdigit()]
    wanted = [e.sum[row, column], e.bias, e.pre_activation[row, column], array[row, column, 5]]
    assert numbers == pytest.approx(wanted, rel=1e-3)
    assert "relu" in total
    label = page.locator(f"{TERM} canvas").nth(0).get_attribute("aria-label") or ""
    first = int(page.locator(f"{TERM} .of").first.inner_text().rpartition(":")[2])
    patch = e.maps[first][row : row + 3, column : column + 3].ravel()
    said = [float(n.replace("−", "-")) for n in label.partition(": ")[2].split(", ")]
    assert said == pytest.approx(patch, rel=1e-3, abs=1e-6)
    kernel = page.locator(f"{TERM} canvas").nth(1).get_attribute("aria-label") or ""
    said = [float(n.replace("−", "-")) for n in kernel.partition(": ")[2].split(", ")]
    assert said == pytest.approx(e.kernel[first].ravel(), rel=1e-3, abs=1e-6)
    screenshots(page, "value")
    closed(page)


def test_what_is_no_sum_is_drawn_too(browser: Browser, address: str) -> None:
    acts = ls.extract(MODEL, CAT, ["conv2d", "max_pooling2d"])
    page = opened(browser, address, "#layer=max_pooling2d&channel=18&at=30,40&explain=yes")
    page.wait_for_selector(".other figure >> nth=1")
    for i, name in enumerate(acts):
        figure = acts[name].figure(zoom=1)
        one = figure.tiles[18]
        wanted = figure.rgb()[one.top :, one.left :][: one.height, : one.width]
        np.testing.assert_array_equal(pixels(page, f".other canvas >> nth={i}"), wanted)
    window = acts["conv2d"].array[0, 60:62, 80:82, 18]
    told = page.locator(".other").inner_text()
    assert f"largest {window.max():.6g}" in told
    frame = page.locator(".other .pin").first.bounding_box()
    whole = page.locator(".other canvas").first.bounding_box()
    assert frame is not None
    assert whole is not None
    assert frame["x"] - whole["x"] == pytest.approx(80 / 148 * whole["width"], abs=1)
    closed(page)


def test_what_cannot_be_explained_is_said(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=input_layer&channel=1&explain=yes")
    page.wait_for_selector(".explain .finding")
    assert "input_layer" in page.locator(".explain .finding").inner_text()
    assert page.locator(".explain-button").count() == 0
    faults = page.faults  # type: ignore[attr-defined]
    faults[:] = [fault for fault in faults if "404" not in fault]
    closed(page)


def test_the_receptive_field_lies_on_the_picture(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=conv2d_2")
    click_value(page, 4, 10, 20)
    page.wait_for_selector(".seen .field")
    box = ls.receptive_field(MODEL, "conv2d_2", at=(10, 20))
    with Image.open(CAT) as picture:
        across, down = picture.width / 150, picture.height / 150
    seen = page.locator(".seen").bounding_box()
    field = page.locator(".seen .field").bounding_box()
    assert seen is not None
    assert field is not None
    scale = seen["width"] / (150 * across)
    assert field["x"] - seen["x"] == pytest.approx(box.left * across * scale, abs=1.5)
    assert field["y"] - seen["y"] == pytest.approx(box.top * down * scale, abs=1.5)
    assert field["width"] == pytest.approx((box.right - box.left) * across * scale, abs=2)
    assert field["height"] == pytest.approx((box.bottom - box.top) * down * scale, abs=2)
    told = page.locator(".sees").inner_text()
    assert f"rows {box.top}–{box.bottom - 1}, columns {box.left}–{box.right - 1}" in told
    closed(page)


def test_a_map_is_laid_over_the_picture_as_strongly_as_wished(
    browser: Browser, address: str
) -> None:
    page = opened(browser, address, "#layer=conv2d_2&channel=4")
    page.wait_for_selector("[data-overlay]")
    assert page.locator(".seen .over").count() == 0
    page.locator("[data-overlay]").fill("0.4")
    over = page.locator(".seen .over")
    assert over.evaluate("one => getComputedStyle(one).opacity") == "0.4"
    figure = ls.extract(MODEL, CAT, "conv2d_2")["conv2d_2"].figure(zoom=1)
    one = figure.tiles[4]
    wanted = figure.rgb()[one.top :, one.left :][: one.height, : one.width]
    np.testing.assert_array_equal(pixels(page, ".seen .over canvas"), wanted)
    whole, part = (page.locator(s).bounding_box() for s in (".seen", ".seen .over canvas"))
    assert whole == part
    assert "overlay=0.4" in page.url
    screenshots(page, "overlay")
    closed(page)
