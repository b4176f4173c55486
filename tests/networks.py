"""Small networks on disk, and the command run in this process."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CUSTOM = '''\
import keras


class Doubling(keras.layers.Layer):
    """Twice its input."""

    def call(self, x):
        return 2 * x
'''


@dataclass(frozen=True)
class Done:
    """What a command did: exit status, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """The one message on stderr, without the command's name before it."""
        assert self.err.startswith("layerscope: "), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("layerscope: ").removesuffix("\n")


def run_here(capsys: Any, monkeypatch: Any, *words: object) -> Done:
    """Run ``layerscope WORDS`` in this process."""
    from layerscope.faces.cli import main

    monkeypatch.setattr(sys, "argv", ["layerscope", *map(str, words)])
    capsys.readouterr()
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    printed = capsys.readouterr()
    return Done(status, printed.out, printed.err)


Command = Callable[..., Done]


def small(keras: Any) -> Any:
    """Conv2D, pooling, Flatten and Dense on 16×16 RGB."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3), name="image"),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flat"),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        name="small",
    )


def cats_and_dogs(keras: Any) -> Any:
    """Use case 2's network."""
    layers = keras.layers
    body: list[Any] = [keras.Input((150, 150, 3))]
    for i, filters in enumerate((32, 64, 128, 128)):
        tail = f"_{i}" if i else ""
        body.append(layers.Conv2D(filters, 3, activation="relu", name=f"conv2d{tail}"))
        body.append(layers.MaxPooling2D(name=f"max_pooling2d{tail}"))
    body.append(layers.Flatten(name="flatten"))
    body.append(layers.Dense(512, activation="relu", name="dense"))
    body.append(layers.Dense(1, activation="sigmoid", name="dense_1"))
    return keras.Sequential(body, name="cats_dogs")


def saved(model: Any, path: Path) -> Path:
    """The path of a model, once it is saved there."""
    with warnings.catch_warnings():
        # Keras warns of .h5, and NumPy of TensorFlow's arrays, whenever a model is saved.
        warnings.simplefilter("ignore")
        if path.name.endswith(".weights.h5"):
            model.save_weights(path)
        else:
            model.save(path)
    return path


def by_keras(model: Any, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Every layer's output, from a model of the kind that Keras's own guide builds."""
    import keras

    outputs = {layer.name: layer.output for layer in model.layers}
    found = keras.Model(model.inputs[0], outputs)(x)
    # Some backends sort a dict of outputs by name.
    return {name: plain_array(found[name]) for name in outputs}


def plain_array(tensor: Any) -> NDArray[Any]:
    """Any backend's tensor as a numpy array."""
    import keras

    with warnings.catch_warnings():
        # NumPy warns of the way in which some backends hand over their tensors.
        warnings.simplefilter("ignore")
        return np.array(keras.ops.convert_to_numpy(tensor))


def write_networks(folder: Path) -> None:
    """Every file that the tests of commands open."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(7)
    one = small(keras)
    (folder / "small.json").write_text(one.to_json())
    for name in ("small.keras", "small.h5", "small.weights.h5"):
        saved(one, folder / name)

    # Python code stored in a file: refused unless trusted.
    twice = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(2, 3, name="first"),
            layers.Lambda(lambda x: x * 2, name="twice"),
        ]
    )
    saved(twice, folder / "lambda.keras")
    saved(twice, folder / "lambda.h5")

    (folder / "custom.py").write_text(CUSTOM)
    from layerscope.models.code import run_file

    doubling = run_file(folder / "custom.py").Doubling
    own = keras.Sequential([keras.Input((16, 16, 3)), doubling(name="own")])
    saved(own, folder / "custom.keras")
    saved(own, folder / "custom.h5")

    left, right = keras.Input((16, 16, 3), name="left"), keras.Input((16, 16, 3), name="right")
    both = layers.Subtract(name="difference")([left, right])
    pair = keras.Model([left, right], both, name="pair")
    saved(pair, folder / "pair.keras")

    free = keras.Sequential(
        [keras.Input((None, None, 3), name="image"), layers.Conv2D(2, 3, name="first")]
    )
    saved(free, folder / "free.keras")
    saved(cats_and_dogs(keras), folder / "cats_dogs.keras")

    random = np.random.default_rng(3)
    for name, size in (("cat.png", (16, 16)), ("dog.png", (16, 16)), ("large.png", (24, 20))):
        picture = Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8))
        picture.save(folder / name)
