"""What lies beside a record's maps: curves, dead channels, kernels; and records that grow."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from browsing import closed, opened, painted, pixels, served, violations
from filmed import EPOCHS, every, filmed, levels
from layerscope.training.record import Record

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filmed(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def record(folder: Path) -> Record:
    return Record.open(folder)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with served(folder) as address:
        yield address


def chart(page: Page, title: str) -> str:
    """What a chart tells of the epoch that is shown."""
    figure = page.locator(".chart", has=page.locator(".what", has_text=re.compile(f"^{title}")))
    return re.sub(r"\s+", " ", figure.locator("figcaption").inner_text())


def test_the_curves_are_the_history(browser: Browser, address: str, folder: Path) -> None:
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    page = opened(browser, address, "#layer=first&epoch=3")
    for name in ("accuracy", "loss"):
        train, validation = (float(rows[2][key]) for key in (name, f"val_{name}"))
        assert chart(page, name) == f"{name} train {train:.3g} validation {validation:.3g}"
    path = page.locator(".chart .line.validation").nth(1).get_attribute("d") or ""
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    losses = [float(row["val_loss"]) for row in rows]
    assert len(heights) == EPOCHS
    assert list(np.argsort(heights)) == list(np.argsort(losses)[::-1])
    page.locator("[data-epoch=shown]").fill("0")
    page.wait_for_function("() => document.querySelector('[data-now]').textContent === '0'")
    assert chart(page, "accuracy") == "accuracy train – validation –"
    closed(page)


def test_a_click_in_a_curve_goes_to_its_epoch(browser: Browser, address: str) -> None:
    page = opened(browser, address, "#layer=first&epoch=0")
    svg = page.locator(".chart svg").nth(1)
    box = svg.bounding_box()
    assert box is not None
    right = float(page.locator(".chart .grid line").first.get_attribute("x2") or 0)
    left = float(page.locator(".chart .grid line").first.get_attribute("x1") or 0)
    svg.click(position={"x": left + (right - left) * 4 / EPOCHS, "y": 20})
    page.wait_for_selector(".wall-frame[data-painted^='p0e4/']")
    across = float(page.locator(".chart .cursor").first.get_attribute("x1") or 0)
    assert across == pytest.approx(left + (right - left) * 4 / EPOCHS)
    closed(page)


def test_zeros_and_dead_channels_are_told_of_every_epoch(
    browser: Browser, address: str, record: Record
) -> None:
    page = opened(browser, address, "#layer=relu&epoch=0")
    values = every(record, "relu")
    for epoch in (0, 2, EPOCHS):
        page.locator("[data-epoch=shown]").fill(str(epoch))
        page.wait_for_selector(f".wall-frame[data-painted^='p0e{epoch}/']")
        told = re.search(r"([\d.]+) %", chart(page, "values that are 0"))
        assert told is not None
        assert float(told[1]) / 100 == pytest.approx((values[epoch] == 0).mean(), abs=0.006)
    dead = [(values[epoch] == 0).all((0, 1, 2)).sum() for epoch in record.epochs]
    if any(dead):
        assert chart(page, "dead channels").endswith(f" {dead[-1]}")
    else:
        assert page.locator(".chart .what", has_text="dead").count() == 0
    closed(page)


def test_kernels_are_the_layers_own_on_one_scale(
    browser: Browser, address: str, record: Record
) -> None:
    page = opened(browser, address, f"#layer=first&channel=4&epoch={EPOCHS}")
    kernels = [record.kernel(epoch, "first") for epoch in record.epochs]
    reach = max(np.abs(kernel).max() for kernel in kernels)
    page.wait_for_selector(".own .mosaic canvas")
    for epoch in (EPOCHS, 0):
        page.locator("[data-epoch=shown]").fill(str(epoch))
        page.wait_for_selector(f".wall-frame[data-painted^='p0e{epoch}/']")
        painted(page)
        page.wait_for_timeout(200)
        one = kernels[epoch] / reach
        # As colours: input channels are red, green and blue, mid-grey is 0.
        wanted = np.round((one[..., 4] + 1) / 2 * 255)
        side = 7
        drawn = pixels(page, ".forming > .mosaic canvas").astype(int)
        shown = drawn[2 + side // 2 :: side, 2 + 4 * 23 + side // 2 :: side][:3, :3]
        assert np.abs(shown - wanted).max() <= 1
        own = pixels(page, ".own .mosaic canvas")
        side = 10
        for number in range(3):
            left = 2 + number * 32
            part = levels(own[2 : 2 + 3 * side, left : left + 3 * side], "blue-white-red", side)
            assert np.abs(part - (one[:, :, number, 4] + 1) * 120).max() <= 1.5
    canvas = page.locator(".forming > .mosaic canvas")
    canvas.click(position={"x": 2 * 23 + 8, "y": 8})
    page.wait_for_function("() => location.hash.includes('channel=2&')")
    closed(page)


SLOWLY = """\
import sys, time

import keras, numpy as np

import layerscope as ls


class Wait(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(4)


model = keras.Sequential([
    keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3, activation="relu", name="first"),
    keras.layers.Flatten(), keras.layers.Dense(1),
])
model.compile("sgd", "mse")
x = np.random.default_rng(0).random((8, 12, 12, 3), dtype=np.float32)
recorder = ls.FeatureMapRecorder(sys.argv[1], ["first"], output=sys.argv[2])
model.fit(x, x[:, 0, 0, :1], epochs=5, verbose=0, callbacks=[recorder, Wait()])
"""


def test_a_record_that_grows_is_followed(browser: Browser, tmp_path: Path) -> None:
    Image.fromarray(np.arange(432, dtype=np.uint8).reshape(12, 12, 3)).save(tmp_path / "a.png")
    command = [sys.executable, "-c", SLOWLY, str(tmp_path / "a.png"), str(tmp_path / "record")]
    with subprocess.Popen(command) as training:
        try:
            while not (tmp_path / "record" / "epochs" / "00001.npz").exists():
                assert training.poll() is None
                time.sleep(0.1)
            with served(tmp_path / "record") as address:
                page = opened(browser, address)
                assert page.locator(".growing").count() == 1
                first = int(page.locator("[data-now]").inner_text())
                page.wait_for_function(
                    "n => Number(document.querySelector('[data-now]').textContent) > n",
                    arg=first, timeout=60_000,
                )  # fmt: skip
                assert "epoch=" not in page.url
                page.keyboard.press(",")
                page.wait_for_function("() => location.hash.includes('epoch=')")
                held = page.locator("[data-now]").inner_text()
                page.wait_for_selector(".growing", state="detached", timeout=60_000)
                assert page.locator("[data-now]").inner_text() == held
                assert page.locator("[data-epoch=shown]").get_attribute("max") == "5"
                closed(page)
            assert training.wait(30) == 0
        finally:
            training.kill()


def test_a_record_without_an_epoch_waits_for_its_first(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "record"
    shutil.copytree(folder / "record", copied, ignore=shutil.ignore_patterns("*.npz"))
    shutil.copy(folder / "record" / "pictures.npz", copied)
    about = json.loads((copied / "record.json").read_text())
    (copied / "record.json").write_text(json.dumps({**about, "ended": False}))
    with served(copied) as address:
        page = opened(browser, address, "#layer=pool", ready=".message [role=status]")
        assert "No epoch is recorded yet. The first" in page.locator(".message").inner_text()
        assert violations(page) == []
        shutil.copy(folder / "record" / "epochs" / "00000.npz", copied / "epochs")
        page.wait_for_selector(".wall-frame[data-painted^='p0e0/']", timeout=30_000)
        assert page.locator("h1").inner_text() == "1 pool"
        closed(page)
