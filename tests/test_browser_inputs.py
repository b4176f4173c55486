"""Networks with several inputs: each input is shown, with how it was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from browsing import closed, opened, pixels, served
from layerscope.extract import plan
from layerscope.faces.view import view_extraction
from layerscope.models import open_model
from layerscope.render import Drawing
from networks import saved

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two pictures and a vector, and what it is given."""
    folder = tmp_path_factory.mktemp("inputs")
    layers = keras.layers
    left, right = (keras.Input((8, 10, 3), name=name) for name in ("left", "right"))
    told = keras.Input((4,), name="told")
    both = layers.Conv2D(2, 3, name="conv")(layers.Add(name="sum")([left, right]))
    joined = layers.Concatenate(name="join")([layers.Flatten(name="flat")(both), told])
    saved(keras.Model([left, right, told], joined), folder / "three.keras")
    random = np.random.default_rng(1)
    for name in ("left", "right"):
        pixels = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    np.save(folder / "told.npy", np.arange(4, dtype=np.float32))
    return folder


def given(folder: Path) -> list[str]:
    names = ("left.png", "right.png", "told.npy")
    return [f"{name.partition('.')[0]}={folder / name}" for name in names]


@pytest.fixture(scope="module", params=["server", "report"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    model = folder / "three.keras"
    if request.param == "server":
        with served(model, *given(folder)) as address:
            yield address
    else:
        view_extraction(plan(open_model(str(model)), given(folder)), folder / "view", Drawing())
        yield (folder / "view" / "report.html").as_uri()


def picture(folder: Path, name: str) -> np.ndarray:
    with Image.open(folder / f"{name}.png") as found:
        return np.asarray(found)


def test_each_input_is_shown_with_its_steps(browser: Browser, address: str, folder: Path) -> None:
    page = opened(browser, address, "#layer=conv&channel=1&at=2,3")
    choose = page.get_by_role("combobox", name="Input")
    assert choose.locator("option").all_inner_texts() == ["left", "right", "told"]
    for name in ("left", "right"):
        choose.select_option(label=name)
        page.locator(f".seen canvas[aria-label^='{name} of']").wait_for()
        np.testing.assert_array_equal(pixels(page, ".seen canvas"), picture(folder, name))
        page.locator(".steps summary").click()
        steps = page.locator(".steps li").all_inner_texts()
        assert steps[0].startswith("decoded PNG 10×8")
        assert f"{name}.png" in page.locator(".steps summary").inner_text()
        page.locator(".steps summary").click()
    choose.select_option(label="told")
    page.wait_for_selector(".picture:not(:has(.seen))")
    assert "no picture" in page.locator(".picture").inner_text()
    assert "told.npy" in page.locator(".picture .steps").inner_text()
    closed(page)


def box(page: Page) -> tuple[float, ...]:
    """What a neuron sees, in the picture's own pixels: top, left, bottom, right."""
    shares = page.locator(".seen .field").evaluate(
        "e => ['top', 'left', 'height', 'width'].map(name => parseFloat(e.style[name]))"
    )
    top, left, height, width = (share / 100 for share in shares)
    return tuple(round(v, 6) for v in (8 * top, 10 * left, 8 * (top + height), 10 * (left + width)))


def test_what_a_neuron_sees_is_marked_in_each(browser: Browser, folder: Path) -> None:
    with served(folder / "three.keras", *given(folder)) as address:
        page = opened(browser, address, "#layer=conv&channel=1&at=2,3")
        for name in ("left", "right"):
            page.get_by_role("combobox", name="Input").select_option(label=name)
            page.locator(f".seen canvas[aria-label^='{name} of']").wait_for()
            assert box(page) == (2, 3, 5, 6)
        closed(page)
