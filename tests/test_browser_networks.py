"""Networks of real size on the page: VGG16's walls, InceptionV3's branches, in both themes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

import layerscope as ls
from browsing import closed, opened, painted, screenshot, screenshots, served, tile, violations

pytestmark = pytest.mark.browser
CAT = Path(str(files("layerscope") / "demo/cat.jpg"))
# Random weights, the same in every process.
CODE = """\
import keras


def vgg16():
    keras.utils.set_random_seed(5)
    return keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))


def inception():
    keras.utils.set_random_seed(5)
    shape = (299, 299, 3)
    return keras.applications.InceptionV3(weights=None, include_top=False, input_shape=shape)
"""
THEMES = ("dark", "light")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("networks") / "networks.py"
    path.write_text(CODE)
    return path


@pytest.fixture(scope="module")
def vgg16(code: Path) -> Iterator[str]:
    with served(f"{code}:vgg16", CAT) as address:
        yield address


@pytest.fixture(scope="module")
def inception(code: Path) -> Iterator[str]:
    with served(f"{code}:inception", CAT) as address:
        yield address


@pytest.mark.parametrize("theme", THEMES)
def test_the_walls_of_vgg16(browser: Browser, code: Path, vgg16: str, theme: Any) -> None:
    names = ["block1_conv2", "block5_conv3"]
    acts = ls.extract(f"{code}:vgg16", CAT, layers=names)
    for name in names:
        page = opened(browser, vgg16, f"#layer={name}", theme=theme)
        zoom = int(painted(page)["zoom"])
        figure = acts[name].figure(zoom=zoom)
        rgb = figure.rgb()
        for i in (0, 40, len(figure.tiles) - 1):
            one = figure.tiles[i]
            wanted = rgb[one.top :, one.left :][: one.height * zoom, : one.width * zoom]
            np.testing.assert_array_equal(tile(page, i, one.height, one.width), wanted)
        page.locator(".wall-frame").evaluate("frame => (frame.scrollTop = 0)")
        painted(page)
        assert violations(page) == []
        screenshot(page, f"vgg16-{name}-{theme}")
        closed(page)


@pytest.mark.parametrize("theme", THEMES)
def test_the_branches_of_inception(browser: Browser, inception: str, theme: Any) -> None:
    page = opened(browser, inception, "#layer=mixed0&channel=70", theme=theme)
    painted(page)
    # Of mixed0's 64 + 64 + 96 + 32 channels, 70 is the second branch's seventh.
    page.wait_for_function(
        "() => document.querySelector('.pinned h2')?.textContent.includes('from activation_7:6')"
    )
    page.locator(".strip .row", has_text="mixed0").scroll_into_view_if_needed()
    tops = [
        page.locator(f".cell[title*=' {name}: ']").bounding_box()
        for name in ("conv2d_5", "conv2d_6", "conv2d_8", "average_pooling2d")
    ]
    assert all(box is not None for box in tops)
    assert len({round(box["y"]) for box in tops if box}) == 1
    assert len({round(box["x"]) for box in tops if box}) == 4
    assert violations(page) == []
    screenshot(page, f"inception-mixed0-{theme}")
    closed(page)


def test_a_narrow_window(browser: Browser, vgg16: str) -> None:
    page = opened(browser, vgg16, "#layer=block3_conv1&channel=9", size=(1024, 700))
    painted(page)
    page.wait_for_selector(".pinned h2")
    wide = page.evaluate("() => document.documentElement.scrollWidth")
    assert wide == 1024
    screenshots(page, "narrow")
    closed(page)
