"""Two pictures, two models, new pictures: in a real browser, with the real server behind it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

import layerscope as ls
from browsing import (
    closed,
    opened,
    painted,
    pixels,
    screenshot,
    screenshots,
    served,
    tile,
    where,
)
from layerscope.render.palette import palette
from networks import plain_array, saved

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another picture, and the demo network with its weights changed."""
    folder = tmp_path_factory.mktemp("compare")
    with Image.open(CAT) as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    model = keras.saving.load_model(MODEL)
    conv = model.get_layer("conv2d")
    conv.set_weights([np.float32(1.25) * plain_array(part) for part in conv.weights])
    saved(model, folder / "trained_on.keras")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(MODEL, CAT, folder / "mirrored.png") as address:
        yield address


def maps(picture: Path, layer: str, model: Path = MODEL) -> NDArray[np.float32]:
    """(height, width, channels)"""
    array: NDArray[np.float32] = ls.extract(model, picture, layer)[layer].array[0]
    return array


def shown_levels(rgb: NDArray[np.uint8], colormap: str) -> NDArray[np.int64]:
    table = {tuple(c): i for i, c in enumerate(palette(colormap)[:241].tolist())}
    return np.array([[table[tuple(c)] for c in line] for line in rgb.tolist()])


def test_two_pictures_lie_side_by_side_on_one_scale(
    browser: Browser, address: str, folder: Path
) -> None:
    page = opened(browser, address, "#layer=conv2d_1")
    page.locator("[data-compare]").select_option(label="mirrored.png")
    page.wait_for_function("() => location.hash.includes('with=')")
    told = painted(page)
    cat, other = maps(CAT, "conv2d_1"), maps(folder / "mirrored.png", "conv2d_1")
    assert told["zoom"] == "1"
    pair = tile(page, 5, 72, 2 * 72 + 1)
    reach = max(cat[..., 5].max(), other[..., 5].max())
    for left, values in ((0, cat), (73, other)):
        levels = shown_levels(pair[:, left : left + 72], "viridis")
        assert np.abs(levels - values[..., 5] / reach * 240).max() <= 2
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".larges figure >> nth=1")
    assert page.locator(".larges figcaption").all_inner_texts() == ["cat.jpg", "mirrored.png"]
    screenshots(page, "comparison")
    closed(page)


def test_the_difference_is_that_of_the_exact_values(
    browser: Browser, address: str, folder: Path
) -> None:
    page = opened(browser, address, "#layer=conv2d_1&with=mirrored.png&view=difference&channel=7")
    cat, other = maps(CAT, "conv2d_1"), maps(folder / "mirrored.png", "conv2d_1")
    wanted = (cat - other)[..., 7]
    reach = np.abs(wanted).max()
    zoom = int(painted(page)["zoom"])
    levels = shown_levels(pixels(page, ".large canvas"), "blue-white-red")
    assert np.abs(levels - (wanted + reach) / (2 * reach) * 240).max() <= 1.5
    assert tile(page, 7, 72, 72).shape[0] == 72 * zoom
    x, y = where(page, 7, 31, 17)
    box = page.locator(".wall-frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_function(
        "() => /\\d/.test(document.querySelector('.readout b')?.textContent ?? '')"
    )
    assert np.float32(page.locator(".readout b").inner_text()) == wanted[31, 17]
    screenshots(page, "difference")
    closed(page)


def test_either_of_two_pictures_is_explained(browser: Browser, address: str, folder: Path) -> None:
    page = opened(
        browser, address, "#layer=conv2d_1&with=mirrored.png&channel=7&at=30,17&explain=yes"
    )
    row, column = 30, 17
    for picture, label in ((CAT, "cat.jpg"), (folder / "mirrored.png", "mirrored.png")):
        page.locator(".which").get_by_role("button", name=label).click()
        page.locator(".neuron h2", has_text=f"of {label}").wait_for()
        value = maps(picture, "conv2d_1")[row, column, 7]
        told = page.locator(".neuron .total .final").inner_text()
        assert float(told.replace("−", "-")) == pytest.approx(value, rel=1e-3, abs=1e-6)
    assert "explain=with" in page.url
    again = opened(browser, page.url)
    again.locator(".neuron h2", has_text="of mirrored.png").wait_for()
    again.locator("[data-compare]").select_option("")
    again.locator(".neuron h2:not(:has(.soft))").wait_for()
    assert "explain=yes" in again.url
    closed(again)
    closed(page)


def test_two_models_are_compared_on_one_picture(browser: Browser, folder: Path) -> None:
    other = folder / "trained_on.keras"
    with served(MODEL, CAT, "--compare", other) as address:
        page = opened(browser, address, "#layer=conv2d&channel=18")
        choices = page.locator("[data-compare] option").all_inner_texts()
        page.locator("[data-compare]").select_option(label=choices[1])
        page.get_by_role("button", name="difference").click()
        page.wait_for_function("() => location.hash.includes('view=difference')")
        painted(page)
        wanted = (maps(CAT, "conv2d") - maps(CAT, "conv2d", other))[..., 18]
        reach = np.abs(wanted).max()
        page.wait_for_function("() => document.querySelectorAll('.larges figure').length === 1")
        levels = shown_levels(pixels(page, ".large canvas"), "blue-white-red")
        assert np.abs(levels - (wanted + reach) / (2 * reach) * 240).max() <= 1.5
        closed(page)


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, as a person does."""
    data = list(path.read_bytes())
    transfer = page.evaluate_handle(
        "([bytes, name]) => { const held = new DataTransfer();"
        " held.items.add(new File([new Uint8Array(bytes)], name)); return held; }",
        [data, path.name],
    )
    page.dispatch_event(".layerscope", "dragover", {"dataTransfer": transfer})
    assert page.locator(".dropping").count() == 1
    page.dispatch_event(".layerscope", "drop", {"dataTransfer": transfer})


def test_a_dropped_picture_is_run_and_shown(browser: Browser, address: str, tmp_path: Path) -> None:
    with Image.open(CAT) as picture:
        picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "upside_down.png")
    page = opened(browser, address, "#layer=conv2d_1")
    drop(page, tmp_path / "upside_down.png")
    page.wait_for_function(
        "() => document.querySelector('[data-picture]').selectedOptions[0].textContent"
        " === 'upside_down.png'",
        timeout=60_000,
    )
    zoom = int(painted(page)["zoom"])
    figure = ls.extract(MODEL, tmp_path / "upside_down.png", "conv2d_1")["conv2d_1"].figure(
        zoom=zoom
    )
    one = figure.tiles[9]
    wanted = figure.rgb()[one.top :, one.left :][: 72 * zoom, : 72 * zoom]
    page.wait_for_selector("[data-painted*='/']")
    np.testing.assert_array_equal(tile(page, 9, 72, 72), wanted)
    closed(page)


def test_what_is_no_picture_gets_a_message_and_changes_nothing(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    (tmp_path / "letter.png").write_text("Dear reader")
    page = opened(browser, address, "#layer=conv2d_1")
    before = page.locator("[data-picture] option").count()
    page.set_input_files("[data-file]", tmp_path / "letter.png")
    page.wait_for_selector(".middle .finding.error")
    message = page.locator(".middle .finding.error").inner_text()
    assert "letter.png" in message
    assert page.locator("[data-picture] option").count() == before
    page.get_by_label("Dismiss").click()
    assert page.locator(".middle .finding.error").count() == 0
    faults = page.faults  # type: ignore[attr-defined]
    faults[:] = [fault for fault in faults if "Failed to load resource" not in fault]
    closed(page)


def test_a_run_can_be_watched_and_cancelled(browser: Browser, tmp_path: Path) -> None:
    slow = keras.Sequential([keras.Input((512, 512, 3))])
    for _ in range(12):
        slow.add(keras.layers.Conv2D(48, 3, padding="same", activation="relu"))
    slow.add(keras.layers.GlobalAveragePooling2D())
    saved(slow, tmp_path / "slow.keras")
    with served(tmp_path / "slow.keras", CAT) as address:
        page = opened(browser, address)
        page.set_input_files("[data-file]", CAT)
        page.wait_for_selector(".job progress", timeout=10_000)
        screenshot(page, "progress-dark")
        before = page.locator("[data-picture] option").count()
        page.locator(".job button").click()
        page.wait_for_selector(".job", state="detached")
        page.wait_for_timeout(1000)
        assert page.locator("[data-picture] option").count() == before
        assert (
            page.evaluate("fetch('api/manifest').then(a => a.json()).then(m => m.runs.length)") == 1
        )
        closed(page)
