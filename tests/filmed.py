"""A tiny training whose feature maps were recorded, and what its walls must look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from browsing import painted, tile
from layerscope.render.palette import palette
from layerscope.training.record import Record
from photos import trained, write_cats_and_dogs

Plane = NDArray[np.float64]
Levels = NDArray[np.int64]

EPOCHS = 6
NETWORK = """\
import keras
from keras import layers


def filmed():
    keras.utils.set_random_seed(5)
    return keras.Sequential(
        [
            keras.Input((20, 24, 3)),
            layers.Conv2D(6, 3, activation="relu", name="first"),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(5, 3, name="second"),
            layers.ReLU(name="relu"),
            layers.Flatten(name="flat"),
            layers.Dense(1, activation="sigmoid", name="answer"),
        ]
    )
"""


def filmed(folder: Path) -> Path:
    """Train for six epochs and watch two pictures; returns the results, with their record."""
    data = write_cats_and_dogs(folder / "data")
    (folder / "net.py").write_text(NETWORK)
    watched = [data / "train/cats/0.png", data / "validation/dogs/1.png"]
    output = folder / "tiny.keras"
    done = trained(
        *(data, "-o", output, "--model", f"{folder / 'net.py'}:filmed", "--epochs", EPOCHS),
        *("--steps", 5, "--batch", 4, "--optimizer", "adam", "--learning-rate", 0.02),
        *(word for picture in watched for word in ("--watch", picture)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    return output.with_name("tiny.training")


def plane(record: Record, epoch: int, layer: str, channel: int, picture: int = 0) -> Plane:
    """(height, width): a channel's map as it was recorded."""
    values: Plane = record.maps(epoch, layer).array[picture, ..., channel].astype(np.float64)
    return values


def every(record: Record, layer: str) -> NDArray[np.float64]:
    """The maps of a layer at all epochs, of all pictures."""
    return np.stack([record.maps(epoch, layer).array for epoch in record.epochs]).astype(float)


def alive(record: Record, layer: str) -> int:
    """The channel that is furthest from dead at the epoch where it is nearest."""
    reach: Plane = np.abs(every(record, layer)).max((1, 2, 3)).min(0)
    assert reach.max() > 0
    return int(reach.argmax())


def levels(rgb: NDArray[np.uint8], colormap: str, zoom: int = 1) -> NDArray[np.int64]:
    """What palette entries pixels are, once for each value. -1: none of the colour map's."""
    table = {tuple(c): i for i, c in enumerate(palette(colormap)[:241].tolist())}
    small = rgb[::zoom, ::zoom]
    np.testing.assert_array_equal(np.repeat(np.repeat(small, zoom, 0), zoom, 1), rgb)
    return np.array([[table.get(tuple(c), -1) for c in line] for line in small.tolist()])


def wall_levels(page: Page, place: int, shape: tuple[int, int], colormap: str) -> Levels:
    """The entries of one map on the wall."""
    height, width = shape
    zoom = int(painted(page)["zoom"])
    return levels(tile(page, place, height, width), colormap, zoom)
