"""Draw the pictures of a documented training from what the command left.

    layerscope train DATA -o cats_dogs.keras --watch cat.jpg
    python docs/make_run.py cats_dogs.training

Copies the tables and the curves, and makes of the record a film of one convolution, a table
of each layer's share of zeros, and pictures of the page that shows it (in Chromium, as the
tests in a browser need it).
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, sync_playwright

import layerscope as ls

RUN = Path(__file__).resolve().parent / "runs" / "cats-and-dogs"
COPIED = ("history.csv", "curves.png", "confusion.csv", "confusion.png")
LAYER, CHANNELS, EPOCHS = "conv2d_2", 7, (0, 1, 2, 5, 10, 20, 30)
GAP, MARGIN, LABEL = 6, 12, 84


def film(record: ls.Record, channels: list[int], epochs: list[int]) -> Image.Image:
    """Maps of a few channels, a row for each epoch, all on one scale."""
    low, high = record.range(LAYER)
    rows = []
    for epoch in epochs:
        maps = record.maps(epoch, LAYER)
        tiles = [
            maps.figure(channels=[c], scale=(low, high), zoom=4, labels=False).rgb()
            for c in channels
        ]
        side = tiles[0].shape[0]
        gap = np.full((side, GAP, 3), 255, np.uint8)
        parts = [part for tile in tiles for part in (tile, gap)][:-1]
        rows.append(np.concatenate(parts, axis=1))
    height, width = rows[0].shape[:2]
    sheet = Image.new(
        "RGB",
        (LABEL + width + MARGIN, len(rows) * (height + GAP) + 30 + MARGIN),
        "white",
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for place, channel in enumerate(channels):
        left = LABEL + place * (rows[0].shape[0] + GAP)
        pen.text((left, 22), f"channel {channel}", "#66727f", font, "ls")
    for place, (epoch, row) in enumerate(zip(epochs, rows, strict=True)):
        top = 30 + place * (height + GAP)
        sheet.paste(Image.fromarray(row), (LABEL, top))
        pen.text((LABEL - 10, top + height / 2), f"epoch {epoch}", "#1c2733", font, "rm")
    return sheet


def chosen(record: ls.Record) -> list[int]:
    """A few epochs, the last among them."""
    return sorted({epoch for epoch in EPOCHS if epoch in record.epochs} | {record.epochs[-1]})


def sparsity(record: ls.Record) -> list[list[object]]:
    """A row for each convolution: the share of zeros at each of a few epochs, dead at the last."""
    epochs = chosen(record)
    rows: list[list[object]] = [["layer", *(f"epoch {epoch}" for epoch in epochs), "dead"]]
    for name, node in record.layers.items():
        if node.type in ("Conv2D", "Dense") and node.channels != 1:
            found = [record.statistics(epoch, name) for epoch in epochs]
            shares = [f"{100 * figures.zeros.mean():.0f} %" for figures in found]
            rows.append([name, *shares, f"{found[-1].dead.sum()} of {node.channels}"])
    return rows


def liveliest(record: ls.Record, epochs: list[int]) -> list[int]:
    """Channels that show much at the last of some epochs, and little of it at the first."""
    first, last = (record.maps(epoch, LAYER).planes()[0] for epoch in (epochs[0], epochs[-1]))
    first, last = (maps.reshape(len(maps), -1) for maps in (first, last))
    pairs = zip(first, last, strict=True)
    likeness = [np.corrcoef(a + 1e-9 * b, b)[0, 1] if b.std() else 1.0 for a, b in pairs]
    return sorted(np.argsort(-last.std(axis=1) * (1 - np.array(likeness)))[:CHANNELS].tolist())


def photograph_page(folder: Path, output: Path) -> None:
    """Pictures of the page: a layer at the best epoch, and two epochs beside each other."""
    command = [sys.executable, "-m", "layerscope", "serve", str(folder), "--no-open"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            for theme in ("dark", "light"):
                for name, keys in (("page", "b"), ("epochs", "ba")):
                    pixels = _photograph(browser, address, theme, keys)
                    with Image.open(io.BytesIO(pixels)) as picture:
                        file = output / f"{name}-{theme}.webp"
                        picture.convert("RGB").save(file, quality=92, method=6)
        finally:
            browser.close()
            server.terminate()


def _photograph(browser: Browser, address: str, theme: str, keys: str) -> bytes:
    scheme = "dark" if theme == "dark" else "light"
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page.goto(f"{address}#layer=conv2d_1&channel=31")
    page.wait_for_selector(".wall-frame[data-painted]")
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_selector(".pinned .histogram rect")
    page.wait_for_selector(".middle[aria-busy=false]")
    page.wait_for_timeout(1000)
    pixels = page.screenshot()
    page.close()
    return pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="MODEL.training")
    parser.add_argument("-o", "--output", type=Path, default=RUN, metavar="DIR")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        if (asked.folder / name).exists():
            shutil.copy(asked.folder / name, asked.output)
    record = ls.Record.open(asked.folder)
    epochs = chosen(record)
    drawn = film(record, liveliest(record, epochs), epochs)
    drawn.quantize(256).save(asked.output / "film.png")
    with (asked.output / "sparsity.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sparsity(record))
    photograph_page(asked.folder, asked.output)


if __name__ == "__main__":
    main()
