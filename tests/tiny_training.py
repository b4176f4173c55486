"""A network so small that it is trained within a test, and what it really gave at each epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

import layerscope as ls
from networks import plain_array

LAYERS = ["first", "pool", "flat", "answer"]


def network(size: int = 12) -> Any:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Conv2D(4, 3, activation="relu", name="first", data_format="channels_last"),
            layers.MaxPooling2D(name="pool", data_format="channels_last"),
            layers.Flatten(name="flat"),
            layers.Dense(2, name="answer"),
        ]
    )
    rate = keras.optimizers.SGD(0.05)
    model.compile(rate, "mse", metrics=["mae"], jit_compile=False)
    return model


def some(size: int = 12, count: int = 8) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    x = random.random((count, size, size, 3), dtype=np.float32)
    return x, random.random((count, 2), dtype=np.float32)


class Spy(keras.callbacks.Callback):  # type: ignore[misc]
    """Runs the network itself, layer by layer, at the same moments as the recorder."""

    def __init__(self, x: Any) -> None:
        super().__init__()
        self.x, self.seen, self.kernels = x, [], []  # type: ignore[var-annotated]

    def look(self) -> None:
        value, found = self.x, {}
        for layer in self.model.layers:
            value = layer(value)
            found[layer.name] = plain_array(value)
        self.seen.append(found)
        self.kernels.append(plain_array(self.model.get_layer("first").kernel))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self.seen:
            self.look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.look()


def record_of(folder: Path, epochs: int = 4, pictures: int = 2) -> tuple[ls.Record, Spy]:
    """A record of a training, and what the network really gave; channel 2 of the first is dead."""
    x, y = some()
    model, spy = network(), Spy(x[:pictures])
    kernel = plain_array(model.get_layer("first").kernel)
    kernel[..., 2] = -1.0
    model.get_layer("first").kernel.assign(kernel)
    recorder = ls.FeatureMapRecorder(x[:pictures], LAYERS, output=folder)
    model.fit(
        x, y, epochs=epochs, batch_size=4, shuffle=False, verbose=0, callbacks=[recorder, spy]
    )
    return ls.Record.open(folder), spy
