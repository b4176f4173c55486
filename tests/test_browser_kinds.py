"""Every kind of activation on the wall: sequences, attention, volumes, vectors, NaN, very many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser

import layerscope as ls
from browsing import closed, opened, painted, pixels, screenshot, served, violations
from layerscope.activation import Activations
from networks import saved

pytestmark = pytest.mark.browser
layers = keras.layers


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """A network with many kinds of activations, and a file for each of its inputs."""
    folder = tmp_path_factory.mktemp("kinds")
    keras.utils.set_random_seed(4)
    signal = keras.Input((60, 4), name="signal")
    steps = layers.Conv1D(24, 5, activation="relu", name="steps")(signal)
    seen, scores = layers.MultiHeadAttention(3, 8, name="heads")(
        steps, steps, return_attention_scores=True
    )
    volume = keras.Input((6, 12, 12, 1), name="volume")
    solid = layers.Conv3D(4, 3, activation="relu", name="solid")(volume)
    picture = keras.Input((300, 300, 2), name="picture")
    broken = keras.ops.log(picture)
    large = layers.Conv2D(2, 1, name="large")(picture)
    point = layers.Conv2D(2048, 300, name="point")(large)
    outputs = [seen, scores, solid, broken, point, layers.Flatten(name="flat")(solid)]
    saved(keras.Model([signal, volume, picture], outputs), folder / "kinds.keras")
    rng = np.random.default_rng(1)
    given: dict[str, NDArray[Any]] = {
        "signal": rng.normal(size=(60, 4)),
        "volume": rng.random((6, 12, 12, 1)),
        "picture": np.linspace(-1, 1, 180_000).reshape(300, 300, 2),
    }
    given["picture"][17, 30] = 0
    for name, array in given.items():
        np.save(folder / f"{name}.npy", array.astype(np.float32))
    return folder / "kinds.keras", {name: folder / f"{name}.npy" for name in given}


@pytest.fixture(scope="module")
def address(kinds: tuple[Path, dict[str, Path]]) -> Iterator[str]:
    model, given = kinds
    with served(model, *(f"{name}={file}" for name, file in given.items())) as address:
        yield address


@pytest.fixture(scope="module")
def acts(kinds: tuple[Path, dict[str, Path]]) -> Activations:
    model, given = kinds
    return ls.extract(model, {name: str(file) for name, file in given.items()})


@pytest.mark.parametrize(
    "name", ["steps", "heads", "heads[1]", "solid", "log", "large", "point", "flat"]
)
def test_the_wall_shows_what_the_picture_shows(
    browser: Browser, address: str, acts: Activations, name: str
) -> None:
    page = opened(browser, address, f"#layer={name}", size=(1440, 900))
    told = painted(page)
    figure = acts[name].figure(zoom=1)
    rgb = figure.rgb()
    wall = pixels(page, "canvas.wall")
    zoom, tall = float(told["zoom"]), float(told["tall"])
    left, top = (int(n) for n in told["first"].split(","))
    across, down = (int(n) for n in told["step"].split(","))
    columns = int(told["columns"])
    compared = 0
    for i, one in enumerate(figure.tiles):
        x, y = left + i % columns * across, top + i // columns * down
        height, width = round(one.height * tall), round(one.width * zoom)
        if y + height > wall.shape[0]:
            break
        wanted = rgb[one.top :, one.left :][: one.height, : one.width]
        shown = wall[y : y + height, x : x + width]
        if zoom >= 1:
            wanted = wanted.repeat(int(tall), axis=0).repeat(int(zoom), axis=1)
            np.testing.assert_array_equal(shown, wanted)
        else:
            k = round(1 / zoom)
            rows, side = one.height // k, one.width // k
            blocks = wanted[: rows * k, : side * k].reshape(rows, k, side, k, 3)
            assert np.abs(shown - np.rint(blocks.mean(axis=(1, 3)))).max() <= 1
        compared += 1
    assert compared >= min(len(figure.tiles), 2)
    assert violations(page) == []
    if name in ("steps", "log"):
        screenshot(page, f"kind-{name}-dark")
    closed(page)


def test_marks_are_explained_and_their_values_told(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=log&channel=0&at=17,30")
    painted(page)
    assert {"NaN", "−∞"} <= set(page.locator(".legend .swatch").all_inner_texts())
    page.wait_for_function(
        "() => !document.querySelector('[data-value] b').textContent.includes('…')"
    )
    assert page.locator("[data-value] b").inner_text() == "-inf"
    closed(page)


def test_slices_of_a_volume_are_gone_through(
    browser: Browser, address: str, acts: Activations
) -> None:
    page = opened(browser, address, "#layer=solid&channel=1")
    page.wait_for_selector(".slices input")
    page.locator(".slices input").fill("2")
    figure = acts["solid"].figure(zoom=1)
    one = next(t for t in figure.tiles if t.channel == 1 and t.slice == 2)
    wanted = figure.rgb()[one.top :, one.left :][: one.height, : one.width]
    np.testing.assert_array_equal(pixels(page, ".large canvas"), wanted)
    page.wait_for_function(
        "() => !document.querySelector('[data-value] b').textContent.includes('…')"
    )
    told = page.locator("[data-value]").inner_text()
    assert told.startswith("depth 2, row 0, column 0")
    assert np.float32(told.split()[-1]) == acts["solid"].array[0, 2, 0, 0, 1]
    closed(page)


def test_hundreds_of_layers_are_folded_and_can_be_gone_to(browser: Browser, tmp_path: Path) -> None:
    given = x = keras.Input((6, 6, 2), name="given")
    for block in range(20):
        for part in range(40):
            x = layers.Rescaling(1.0, name=f"block{block}_part{part}")(x)
    saved(keras.Model(given, x), tmp_path / "long.keras")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((6, 6, 2)).astype(np.float32))
    with served(tmp_path / "long.keras", tmp_path / "x.npy") as address:
        page = opened(browser, address)
        assert page.locator(".fold .title").count() == 20
        assert page.locator(".strip .row").count() < 200
        page.keyboard.press("/")
        page.keyboard.type("block17_part5")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "() => document.querySelector('h1').textContent.endsWith('block17_part5')"
        )
        row = page.locator("[aria-current=true]")
        assert row.inner_text().split("\n")[0].endswith("block17_part5")
        assert row.is_visible()
        assert violations(page) == []
        closed(page)
