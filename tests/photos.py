"""Folders of small generated pictures, and the training command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("cats", "dogs")

# A network that every part of a run's state matters to: moving statistics, dropout, slots.
NETWORK = """\
import keras
from keras import layers


def small():
    return keras.Sequential(
        [
            keras.Input((12, 16, 3)),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.MaxPooling2D(name="pool"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flat"),
            layers.Dropout(0.3, name="drop"),
            layers.Dense(1, activation="sigmoid", name="answer"),
        ]
    )


def three():
    model = keras.Sequential(
        [
            keras.Input((12, 16, 3)),
            layers.Conv2D(3, 3, name="first"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, activation="softmax", name="answer"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def logits():
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(1, name="answer")]
    )


def seven():
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(7)])


def vector():
    return keras.Sequential([keras.Input((8,)), layers.Dense(1)])


def pair():
    left, right = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([left, right], layers.Dense(1)(layers.Flatten()(left + right)))
"""


def write_photos(folder: Path, counts: Mapping[str, int], seed: int = 0) -> Path:
    """Pictures by subfolder: ``{"train/cats": 6, …}``; each class is of another colour."""
    random = np.random.default_rng(seed)
    classes = sorted({name.rpartition("/")[2] for name in counts})
    for name, count in counts.items():
        place = folder / name
        place.mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 220, (14 + number % 3, 20, 3), dtype=np.uint8)
            pixels[..., classes.index(place.name) % 3] += 35
            Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def write_cats_and_dogs(folder: Path, train: int = 10, validation: int = 5) -> Path:
    """The usual folder of two parts and two classes."""
    parts = {"train": train, "validation": validation}
    return write_photos(
        folder, {f"{part}/{name}": count for part, count in parts.items() for name in CLASSES}
    )


def words(*arguments: object) -> list[str]:
    """``layerscope train`` with arguments, as a process."""
    return [sys.executable, "-m", "layerscope", "train", *map(str, arguments)]


def trained(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``layerscope train`` in a process of its own."""
    return subprocess.run(
        words(*arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, **environment},
    )


def state_of(output: Path) -> dict[str, Any]:
    """All arrays that a run would go on from."""
    with np.load(output.with_name(f"{output.stem}.training") / "state.npz") as archive:
        return {name: archive[name] for name in archive.files if name != "progress"}
