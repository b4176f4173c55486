"""The layers, their maps and their values, in a real browser, against numpy and render's PNG."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

import layerscope as ls
from browsing import (
    click_value,
    closed,
    opened,
    painted,
    pixels,
    screenshots,
    served,
    tile,
    where,
)
from layerscope.activation import Activations
from layerscope.render.palette import palette

pytestmark = pytest.mark.browser
DEMO = files("layerscope") / "demo"
MODEL, CAT = Path(str(DEMO / "cats_dogs.keras")), Path(str(DEMO / "cat.jpg"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(MODEL, CAT) as address:
        yield address


@pytest.fixture(scope="module")
def acts() -> Activations:
    return ls.extract(MODEL, CAT)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = opened(browser, address)
    yield page
    closed(page)


def test_the_strip_shows_every_layer_with_its_shape_and_sparsity(
    page: Page, acts: Activations
) -> None:
    rows = page.locator(".strip .row")
    assert rows.count() == 1 + len(acts)
    row = page.locator(".strip .row", has_text="conv2d_1")
    assert "72²×48" in row.inner_text()
    zeros = float((acts["conv2d_1"].array == 0).mean())
    bar = row.locator(".sparsity").evaluate(
        "bar => bar.firstElementChild.getBoundingClientRect().width / "
        "bar.getBoundingClientRect().width"
    )
    assert bar == pytest.approx(zeros, abs=0.01)
    small = row.locator("canvas").evaluate("canvas => [canvas.width, canvas.height]")
    assert small == [64, 64]


@pytest.mark.parametrize("name", ["conv2d", "conv2d_1", "batch_normalization_2", "conv2d_4"])
def test_a_clicked_layer_shows_all_its_maps_as_the_picture_has_them(
    page: Page, acts: Activations, name: str
) -> None:
    page.locator(".strip .row", has_text=name).first.click()
    page.wait_for_function(
        "name => document.querySelector('h1').textContent.endsWith(name)", arg=name
    )
    zoom = int(painted(page)["zoom"])
    figure = acts[name].figure(zoom=zoom)
    rgb = figure.rgb()
    assert len(figure.tiles) == acts[name].array.shape[-1]
    for i in (0, 1, 5, len(figure.tiles) // 2, len(figure.tiles) - 1):
        one = figure.tiles[i]
        wanted = rgb[one.top :, one.left :][: one.height * zoom, : one.width * zoom]
        np.testing.assert_array_equal(tile(page, i, one.height, one.width), wanted)
    if name == "conv2d":
        screenshots(page, "wall")


@pytest.mark.parametrize(
    ("scale", "colormap"),
    [("layer", None), ("symmetric", None), ("channel", "magma"), ("layer", "coolwarm"),
     ("0,20", "gray"), ("0,0.5", "viridis"), ("channel", "RdBu_r")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["conv2d_1", "batch_normalization"])
def test_other_scales_and_colours_are_within_one_level_of_the_picture(
    browser: Browser, address: str, acts: Activations, name: str, scale: str, colormap: str | None
) -> None:
    wish = f"#layer={name}&scale={scale}" + (f"&colours={colormap}" if colormap else "")
    page = opened(browser, address, wish)
    zoom = int(painted(page)["zoom"])
    figure = acts[name].figure(zoom=zoom, scale=scale, colormap=colormap)
    table = palette(figure.colormap).astype(np.int64)
    for i in (0, 3, 20):
        one = figure.tiles[i]
        part = np.s_[one.top : one.top + one.height * zoom, one.left : one.left + one.width * zoom]
        entries = figure.pixels[part].astype(np.int64)
        shown = tile(page, i, one.height, one.width)
        # A range narrower than what was sent shows the levels that were sent, spread out.
        own = np.ptp(acts[name].array[..., one.channel]) * (2 if "batch" in name else 1)
        told = one.vmax - one.vmin
        apart = max(1, int(np.ceil(own / told))) if "," in scale and told else 1
        off = levels_off(shown, entries, table)
        assert off.max() <= apart
        assert (off == 0).mean() > (0.5 if apart == 1 else 0.2)
    closed(page)


def levels_off(
    shown: NDArray[np.uint8], entries: NDArray[np.int64], table: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many levels colours are off from entries; neighbouring levels may share a colour."""
    least: dict[tuple[int, ...], int] = {}
    most: dict[tuple[int, ...], int] = {}
    for entry, colour in enumerate(table.tolist()):
        least.setdefault(tuple(colour), entry)
        most[tuple(colour)] = entry
    end = {254: 0, 255: 240}
    plain = np.vectorize(lambda entry: end.get(entry, entry))
    low = np.array([[least[tuple(colour)] for colour in line] for line in shown.tolist()])
    high = np.array([[most[tuple(colour)] for colour in line] for line in shown.tolist()])
    wanted = plain(entries)
    off: NDArray[np.int64] = np.maximum(plain(low) - wanted, wanted - plain(high)).clip(0)
    return off


def test_a_clipped_scale_ends_at_the_percentile(
    browser: Browser, address: str, acts: Activations
) -> None:
    page = opened(browser, address, "#layer=conv2d_1&clip=95&channel=9")
    values = acts["conv2d_1"].array[0, ..., 9]
    told = page.locator(".pinned .ticks span").last.inner_text()
    step = values.max() / 240
    assert float(told) == pytest.approx(np.percentile(values, 95), abs=float(2 * step))
    shown = tile(page, 9, 72, 72)
    above = (shown == palette("viridis")[255]).all(-1).mean()
    assert above == pytest.approx(0.05, abs=0.01)
    closed(page)


def test_hovering_tells_the_exact_value_that_python_has(page: Page, acts: Activations) -> None:
    box = page.locator(".wall-frame").bounding_box()
    assert box is not None
    for channel, row, column in ((0, 10, 20), (2, 140, 3), (6, 77, 78)):
        x, y = where(page, channel, row, column)
        page.mouse.move(box["x"] + x, box["y"] + y)
        wanted = acts["conv2d"].array[0, row, column, channel]
        told = page.locator(".readout b")
        page.wait_for_function(
            "() => !document.querySelector('.readout b').textContent.includes('…')"
        )
        assert np.float32(told.inner_text()) == wanted
        assert f"row {row}, column {column}" in page.locator(".readout").inner_text()


def test_a_pinned_channel_is_shown_large_with_its_figures(page: Page, acts: Activations) -> None:
    click_value(page, 7, 30, 40)
    channel = acts["conv2d"].array[0, ..., 7]
    assert page.locator(".pinned h2").inner_text().startswith("channel 7")
    figure = acts["conv2d"].figure(zoom=1)
    one = figure.tiles[7]
    wanted = figure.rgb()[one.top :, one.left :][: one.height, : one.width]
    np.testing.assert_array_equal(pixels(page, ".large canvas"), wanted)
    size = page.locator(".large canvas").evaluate(
        "c => [c.getBoundingClientRect().width / c.width, getComputedStyle(c).imageRendering]"
    )
    assert size[0] == int(size[0]) >= 1
    assert size[1] == "pixelated"
    told = {
        dt: float(dd.removesuffix(" %"))
        for dt, dd in page.locator(".pinned .facts div").evaluate_all(
            "each => each.map(one => [...one.children].map(part => part.textContent))"
        )
    }
    assert told["min"] == channel.min()
    assert told["mean"] == pytest.approx(channel.mean(), rel=1e-3)
    assert told["max"] == pytest.approx(channel.max(), rel=1e-3)
    assert told["zeros"] == pytest.approx(100 * (channel == 0).mean(), abs=0.5)
    page.wait_for_function(
        "() => !document.querySelector('[data-value] b').textContent.includes('…')"
    )
    assert np.float32(page.locator("[data-value] b").inner_text()) == channel[30, 40]
    page.wait_for_selector(".histogram rect")
    bars = page.locator(".histogram rect").evaluate_all(
        "all => all.map(r => +r.getAttribute('height'))"
    )
    drawn = channel[channel != 0] if (channel == 0).mean() > 0.2 else channel
    counts, _ = np.histogram(drawn, bins=48, range=(0, channel.max()))
    assert int(np.argmax(bars)) == int(np.argmax(counts))
    np.testing.assert_allclose(np.array(bars) / max(bars), counts / counts.max(), atol=0.03)


def test_colours_scale_and_order_ask_python_for_nothing(page: Page, acts: Activations) -> None:
    click_value(page, 2, 5, 5)
    page.wait_for_timeout(500)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = pixels(page, "canvas.wall")
    for setting, choice in (
        ("colours", "magma"),
        ("scale", "layer"),
        ("clip", "99"),
        ("sort", "energy"),
    ):
        page.locator(f"[data-setting={setting}]").select_option(choice)
        painted(page)
        after = pixels(page, "canvas.wall")
        assert (after != before).any(), setting
        before = after
    page.wait_for_timeout(300)
    assert asked == []


def test_sorting_by_energy_puts_the_strongest_first(
    browser: Browser, address: str, acts: Activations
) -> None:
    page = opened(browser, address, "#layer=conv2d_1&sort=energy")
    array = acts["conv2d_1"].array[0].astype(np.float64)
    order = np.argsort(-(array**2).mean(axis=(0, 1)), kind="stable")
    page.locator(".wall-frame").focus()
    for channel in order[:3]:
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "n => document.querySelector('.pinned h2')?.textContent.match(/\\d+/)[0] === n",
            arg=str(channel),
        )
    closed(page)


def test_typing_filters_layers_and_enter_goes_to_the_first(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("pool 3")
    rows = page.locator(".strip .row")
    assert [text.split("\n")[0] for text in rows.all_inner_texts()] == ["10 max_pooling2d_3"]
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.querySelector('h1').textContent.includes('max_pooling2d_3')"
    )
    assert rows.count() == 18
    page.keyboard.press("/")
    page.keyboard.type("nothing of the kind")
    assert "No layer answers" in page.locator(".strip").inner_text()
