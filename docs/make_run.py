"""Draw the pictures of a documented training from what the command left.

    layerscope train DATA -o cats_dogs.keras --watch cat.jpg
    python docs/make_run.py cats_dogs.training

Copies the tables and the curves, and makes of the record a film of the first convolution and
a table of each layer's share of zeros.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import layerscope as ls

RUN = Path(__file__).resolve().parent / "runs" / "cats-and-dogs"
COPIED = ("history.csv", "curves.png", "confusion.csv", "confusion.png")
LAYER, CHANNELS, EPOCHS = "conv2d_1", 7, (0, 1, 2, 5, 10, 20, 30)
GAP, MARGIN, LABEL = 6, 12, 84


def film(record: ls.Record, channels: list[int], epochs: list[int]) -> Image.Image:
    """Maps of a few channels, a row for each epoch, all on one scale."""
    low, high = record.range(LAYER)
    rows = []
    for epoch in epochs:
        maps = record.maps(epoch, LAYER)
        tiles = [
            maps.figure(channels=[c], scale=(low, high), zoom=2, labels=False).rgb()
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


def sparsity(record: ls.Record) -> list[list[object]]:
    """A row for each convolution: the share of zeros at each of a few epochs, dead at the last."""
    epochs = [epoch for epoch in EPOCHS if epoch in record.epochs]
    rows: list[list[object]] = [["layer", *(f"epoch {epoch}" for epoch in epochs), "dead"]]
    for name, node in record.layers.items():
        if node.type in ("Conv2D", "Dense") and node.channels != 1:
            found = [record.statistics(epoch, name) for epoch in epochs]
            shares = [f"{100 * figures.zeros.mean():.0f} %" for figures in found]
            rows.append([name, *shares, f"{found[-1].dead.sum()} of {node.channels}"])
    return rows


def liveliest(record: ls.Record, epochs: list[int]) -> list[int]:
    """Channels that change most between the first and the last of some epochs, in order."""
    first, last = (record.maps(epoch, LAYER).planes()[0] for epoch in (epochs[0], epochs[-1]))
    change = np.abs(last - first).mean(axis=(1, 2))
    return sorted(np.argsort(-change)[:CHANNELS].tolist())


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
    epochs = [epoch for epoch in EPOCHS if epoch in record.epochs]
    drawn = film(record, liveliest(record, epochs), epochs)
    drawn.quantize(256).save(asked.output / "film.png")
    with (asked.output / "sparsity.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(sparsity(record))


if __name__ == "__main__":
    main()
