"""The page as a whole: its address, its keys, its files, its themes and widths, its beginnings."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

import layerscope as ls
from browsing import closed, opened, painted, pixels, screenshot, screenshots, served, violations
from networks import saved
from pictures import content

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second picture, and a network with branches and a nested model."""
    folder = tmp_path_factory.mktemp("page")
    with Image.open(CAT) as picture:
        picture.rotate(90).save(folder / "turned.png")
    layers = keras.layers
    inside = keras.Sequential(
        [keras.Input((16, 16, 6)), layers.Conv2D(4, 1, name="squeeze"), layers.ReLU(name="relu")],
        name="inside",
    )
    given = keras.Input((16, 16, 3), name="picture")
    stem = layers.Conv2D(6, 3, padding="same", name="stem")(given)
    left = layers.Conv2D(3, 1, name="left")(stem)
    right = layers.Conv2D(5, 3, padding="same", name="right")(stem)
    joined = layers.Concatenate(name="join")([left, right])
    back = layers.Conv2D(6, 1, name="back")(joined)
    model = keras.Model(given, layers.Flatten(name="flat")(inside(back)), name="branching")
    saved(model, folder / "branching.keras")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(MODEL, CAT, folder / "turned.png") as address:
        yield address


def test_branches_lie_side_by_side_and_nested_models_fold(browser: Browser, folder: Path) -> None:
    with served(folder / "branching.keras", CAT) as address:
        page = opened(browser, address, "#layer=join")
        left, right = (
            page.locator(f".cell[title*=' {n}: ']").bounding_box() for n in ("left", "right")
        )
        assert left is not None
        assert right is not None
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] <= right["x"]
        title = page.locator(".fold .title", has_text="inside")
        assert title.get_attribute("aria-expanded") == "true"
        assert page.locator(".row", has_text="squeeze").count() == 1
        title.click()
        assert page.locator(".row", has_text="squeeze").count() == 0
        headings = page.evaluate("() => document.querySelector('.wall-frame').ariaLabel")
        assert "join" in headings
        page.keyboard.press("End")
        page.wait_for_function(
            "() => document.querySelector('.pinned h2')?.textContent.includes('from right:4')"
        )
        assert violations(page) == []
        screenshots(page, "branches")
        closed(page)


def test_the_address_holds_what_is_seen(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    page.locator(".strip .row", has_text="conv2d_2").click()
    page.locator("[data-picture]").select_option(label="turned.png")
    page.locator("[data-setting=colours]").select_option("magma")
    page.locator("[data-setting=scale]").select_option("layer")
    page.locator("[data-setting=sort]").select_option("energy")
    page.locator("[data-setting=zoom]").select_option("3")
    page.locator(".wall-frame").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("e")
    page.wait_for_selector(".neuron")
    page.locator("[data-overlay]").fill("0.5")
    sent = page.url
    again = opened(browser, sent)
    again.wait_for_selector(".neuron")
    again.wait_for_selector(".seen .over")
    assert again.url == sent
    for selector in ("h1", ".pinned h2", ".neuron h2", ".neuron .total", "[data-value] b"):
        assert again.locator(selector).inner_text() == page.locator(selector).inner_text()
    painted(page)
    painted(again)
    np.testing.assert_array_equal(pixels(again, "canvas.wall"), pixels(page, "canvas.wall"))
    page.go_back()
    page.wait_for_function("() => document.querySelector('h1').textContent.endsWith('conv2d')")
    closed(page)
    closed(again)


def test_a_wrong_address_shows_what_there_is(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=none&channel=99999&at=1,2&scale=9,1&colours=x&sort=y")
    assert page.locator("h1").inner_text() == "0 conv2d"
    assert page.locator(".pinned").count() == 0
    closed(page)


def test_everything_is_done_by_keys(browser: Browser, address: str) -> None:
    page = opened(browser, address)
    # Caught from now on: the browser is told so without an answer, which may come late.
    page.on("filechooser", lambda _: None)

    def layer(name: str) -> None:
        page.wait_for_function(
            "n => document.querySelector('h1').textContent.endsWith(n)", arg=name
        )
        painted(page)

    def pinned() -> str:
        return page.locator(".pinned h2").inner_text().split("\n")[0]

    page.keyboard.press("j")
    layer("max_pooling2d")
    page.keyboard.press("k")
    layer("conv2d")
    columns = int(painted(page)["columns"])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert pinned() == "channel 1"
    page.keyboard.press("ArrowDown")
    assert pinned() == f"channel {1 + columns}"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert pinned() == "channel 0"
    page.keyboard.press("End")
    assert pinned() == "channel 23"
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    assert "at=74,75" in page.url
    page.keyboard.press("e")
    page.wait_for_selector(".neuron")
    page.keyboard.press("Escape")
    page.wait_for_selector(".neuron", state="detached")
    page.keyboard.press("Escape")
    assert "at=" not in page.url
    page.keyboard.press("m")
    assert "overlay=0.25" in page.url
    page.keyboard.press("c")
    assert "colours=viridis" in page.url
    page.keyboard.press("s")
    assert "scale=layer" in page.url
    page.keyboard.press("r")
    assert "sort=energy" in page.url
    page.keyboard.press("+")
    assert "zoom=2" in page.url
    page.keyboard.press("0")
    assert "zoom=" not in page.url
    page.keyboard.press("p")
    assert "picture=turned.png" in page.url
    page.keyboard.press("Escape")
    assert page.locator(".pinned").count() == 0
    page.locator(".strip .row").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    layer("max_pooling2d")
    assert "max_pooling2d" in page.evaluate("() => document.activeElement.textContent")
    with page.expect_file_chooser():
        page.keyboard.press("o")
    page.keyboard.press("?")
    assert page.locator(".help kbd").count() > 15
    assert page.evaluate("() => document.activeElement.ariaLabel") == "Close"
    assert violations(page) == []
    screenshots(page, "keys")
    page.keyboard.press("?")
    assert page.locator(".help").count() == 0
    closed(page)


def test_what_is_seen_is_exported_as_an_exact_picture(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    page = opened(browser, address, "#layer=conv2d_4&scale=layer")
    painted(page)
    acts = ls.extract(MODEL, CAT, "conv2d_4")["conv2d_4"]

    def exported(name: str) -> Path:
        page.locator("details.menu summary").click()
        with page.expect_download() as caught:
            page.get_by_role("button", name=name).click()
        target = tmp_path / caught.value.suggested_filename
        caught.value.save_as(target)
        return target

    seen = np.asarray(Image.open(exported("as it is seen")).convert("RGB"))
    wall = pixels(page, "canvas.wall")
    height, width = min(seen.shape[0], wall.shape[0]), min(seen.shape[1], wall.shape[1])
    np.testing.assert_array_equal(seen[:height, :width], wall[:height, :width])
    drawn = exported("as view draws it").read_bytes()
    assert content(drawn) == content(acts.figure(scale="layer").png())
    page.locator(".wall-frame").focus()
    page.keyboard.press("ArrowRight")
    pinned = exported("the pinned channel").read_bytes()
    assert content(pinned) == content(acts.figure(scale="layer", channels=[0]).png())
    array = np.load(io.BytesIO(exported(".npy").read_bytes()))
    np.testing.assert_array_equal(array, acts.array)
    closed(page)


VIEWS = {
    "wall": "#layer=conv2d_1",
    "pinned": "#layer=conv2d_1&channel=5&at=10,20&overlay=0.3",
    "explanation": "#layer=conv2d_1&channel=5&explain=yes",
    "value": "#layer=conv2d_1&channel=5&at=10,20&explain=yes",
    "comparison": "#layer=conv2d_1&channel=5&with=turned.png",
    "difference": "#layer=conv2d_1&channel=5&with=turned.png&view=difference",
    "vector": "#layer=dropout&channel=3",
    "numbers": "#layer=conv2d_1&scale=0,3&clip=0",
}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1440, 1024, 800])
@pytest.mark.parametrize("view", list(VIEWS))
def test_nothing_is_inaccessible_or_cut_off(
    browser: Browser, address: str, view: str, width: int, theme: str
) -> None:
    page = opened(browser, address, VIEWS[view], size=(width, 768), theme=theme)
    painted(page)
    if "explain" in VIEWS[view]:
        page.wait_for_selector(".terms .term")
    page.wait_for_timeout(200)
    assert violations(page) == []
    wide = page.evaluate(
        "() => [...document.querySelectorAll('.top, .bar, .controls, .strip, .panel, .body')]"
        ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.className)"
    )
    assert wide == []
    frame = page.locator(".wall-frame").bounding_box()
    assert frame is not None
    assert frame["height"] > 90
    assert frame["width"] > 330
    screenshot(page, f"{view}-{width}-{theme}")
    closed(page)


@pytest.mark.parametrize("menu", [".about", ".predictions", ".menu"])
def test_menus_are_accessible_and_escape_closes_them(
    browser: Browser, address: str, menu: str
) -> None:
    page = opened(browser, address)
    page.locator(f"{menu} summary").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    assert page.locator(f"{menu}[open]").count() == 0
    closed(page)


def test_the_page_follows_the_systems_theme(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=conv2d_1", theme="dark")
    grounds = []
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        painted(page)
        ground = page.locator(".wall-frame").evaluate(
            "frame => getComputedStyle(frame).getPropertyValue('--ground').trim()"
        )
        red, green, blue = pixels(page, "canvas.wall")[1, 1]
        assert f"#{red:02x}{green:02x}{blue:02x}" == ground
        grounds.append(ground)
    assert len(set(grounds)) == 2
    closed(page)


def test_a_person_may_choose_the_theme(browser: Browser, address: str) -> None:
    page = opened(browser, address)

    def ground() -> str:
        return str(
            page.evaluate(
                "() => getComputedStyle(document.querySelector('.middle')).backgroundColor"
            )
        )

    seen = [ground()]
    for _ in range(3):
        page.get_by_label("Theme").click()
        seen.append(ground())
    assert seen[0] == seen[1] == seen[3] != seen[2]
    assert pixels(page, "canvas.wall")[0, -1].tolist() == [34, 36, 41]
    closed(page)


def test_the_page_is_there_before_the_model_and_tells_how_far_it_is(
    browser: Browser, tmp_path: Path
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time, keras\n"
        "def make():\n"
        "    time.sleep(6)\n"
        "    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])\n"
    )
    with served(f"{slow}:make", CAT, "--trust") as address:
        page = opened(browser, address, ready="progress")
        assert page.locator(".message").inner_text().startswith("layerscope")
        assert violations(page) == []
        page.wait_for_selector(".wall-frame[data-painted]", timeout=60_000)
        closed(page)


def test_a_model_that_does_not_open_shows_the_command_lines_message(
    browser: Browser, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ls.LayerscopeError) as caught:
        ls.open_model(broken)
    with served(broken) as address:
        page = opened(browser, address, ready=".failed")
        assert page.locator(".failed").inner_text() == str(caught.value)
        assert violations(page) == []
        page.context.close()
