"""Train the small cat-or-dog network that `layerscope demo` shows.

    python examples/train_demo.py DATA -o cats_dogs.keras

DATA holds `train/cats`, `train/dogs`, `validation/cats` and `validation/dogs`, each a folder
of photographs. The network is the usual stack of convolutions and max-poolings, made small
enough to travel inside a package. It expects RGB values in 0..1 and answers with one number:
near 0 for a cat, near 1 for a dog.

The photographs are varied in the data pipeline and not by layers of the network, so that
every layer in the file is one that works on a photograph as it is.
"""

import argparse
import json
import math
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from PIL import Image

CLASSES = ("cat", "dog")
FOLDERS = ("cats", "dogs")
SIZE = 150
FILTERS = (24, 48, 96, 128, 128)
# Varied photographs are cut from a slightly larger one, whose rim is mirrored: a photograph
# that is shifted or turned then has no black corners for the network to learn.
RIM = 25
DESCRIPTION = {
    "classes": list(CLASSES),
    "input": {"size": [SIZE, SIZE], "range": "0..1", "color": "rgb"},
}


def network() -> keras.Model:
    """Five convolutions, each but the last followed by a pooling that halves the maps."""
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3))])
    for stage, filters in enumerate(FILTERS):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        if stage < len(FILTERS) - 1:
            model.add(layers.MaxPooling2D())
        model.add(layers.BatchNormalization())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


def read_photographs(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read every photograph of both classes.

    Returns the photographs, uint8 of shape (photographs, height, width, 3), and the answers,
    float32 of shape (photographs, 1): 0 for a cat, 1 for a dog.
    """
    photographs: list[np.ndarray] = []
    answers: list[int] = []
    for answer, name in enumerate(FOLDERS):
        files = sorted(path for path in (folder / name).glob("*") if path.suffix.lower() == ".jpg")
        if not files:
            raise SystemExit(f"expected .jpg photographs in {folder / name}, found none")
        for file in files:
            with Image.open(file) as picture:
                small = picture.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            photographs.append(np.asarray(small))
            answers.append(answer)
    return np.stack(photographs), np.asarray(answers, np.float32)[:, None]


class VariedPhotographs(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Batches of the training photographs, each time mirrored, turned, cut and tinted anew."""

    def __init__(
        self, photographs: np.ndarray, answers: np.ndarray, batch_size: int, seed: int
    ) -> None:
        super().__init__()
        rim = ((0, 0), (RIM, RIM), (RIM, RIM), (0, 0))
        self.pictures = [Image.fromarray(p) for p in np.pad(photographs, rim, mode="reflect")]
        self.answers = answers
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self.order = np.random.default_rng((seed, 0)).permutation(len(answers))

    def __len__(self) -> int:
        return math.ceil(len(self.answers) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        # Seeded by its place, so that a batch does not depend on which thread asks, or when.
        random = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        batch = np.stack([vary_geometry(self.pictures[i], random) for i in chosen])
        return vary_colours(batch.astype(np.float32) / 255, random), self.answers[chosen]

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self.order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.answers))


def vary_geometry(picture: Image.Image, random: np.random.Generator) -> np.ndarray:
    """Mirror, turn, stretch and shift a photograph that has a rim; uint8, without the rim."""
    turn = math.radians(random.uniform(-12, 12))
    zoom = random.uniform(0.72, 1.12)
    stretch = math.exp(random.uniform(-0.12, 0.12))
    across = zoom * stretch * (1 if random.random() < 0.5 else -1)
    down = zoom / stretch
    # The further in, the more room there is to look elsewhere.
    room = SIZE * (0.06 + max(0.0, 1 - zoom) / 2)
    centre_x, centre_y = random.uniform(-room, room, 2) + RIM + SIZE / 2
    # Pillow wants the map from places in the result to places in the source.
    a, b = across * math.cos(turn), -down * math.sin(turn)
    d, e = across * math.sin(turn), down * math.cos(turn)
    half = SIZE / 2
    matrix = (a, b, centre_x - (a + b) * half, d, e, centre_y - (d + e) * half)
    return np.asarray(
        picture.transform(
            (SIZE, SIZE), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
        )
    )


def vary_colours(batch: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation and tint; float32 in 0..1."""
    one_each = (len(batch), 1, 1, 1)
    grey = batch.mean(axis=3, keepdims=True)
    level = grey.mean(axis=(1, 2), keepdims=True)
    saturation = random.uniform(0.6, 1.3, one_each).astype(np.float32)
    contrast = random.uniform(0.75, 1.3, one_each).astype(np.float32)
    brightness = random.uniform(-0.12, 0.12, one_each).astype(np.float32)
    tint = random.uniform(0.92, 1.08, (len(batch), 1, 1, 3)).astype(np.float32)
    batch = (grey + (batch - grey) * saturation - level) * contrast + level + brightness
    tinted: np.ndarray = np.clip(batch * tint, 0, 1)
    return tinted


def confusion(model: keras.Model, pictures: np.ndarray, answers: np.ndarray) -> dict[str, int]:
    """Count how many cats and dogs were taken for what."""
    said_dog = np.asarray(model.predict(pictures, batch_size=50, verbose=0)) > 0.5
    return {
        f"{CLASSES[truth]} taken for {CLASSES[said]}": int(
            np.sum((answers == truth) & (said_dog == bool(said)))
        )
        for truth in (0, 1)
        for said in (0, 1)
    }


def train(data: Path, epochs: int, seed: int, batch_size: int, peak_rate: float) -> keras.Model:
    """Train the network and return it as it was after its best epoch."""
    keras.utils.set_random_seed(seed)
    train_photographs, train_answers = read_photographs(data / "train")
    check_photographs, check_answers = read_photographs(data / "validation")
    check = check_photographs.astype(np.float32) / 255
    batches = VariedPhotographs(train_photographs, train_answers, batch_size, seed)

    model = network()
    model.summary()
    warm_up = 2 * len(batches)
    rate = keras.optimizers.schedules.CosineDecay(
        peak_rate / 10,
        max(1, epochs * len(batches) - warm_up),
        alpha=0.0,
        warmup_target=peak_rate,
        warmup_steps=warm_up,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3),
        loss=keras.losses.BinaryCrossentropy(label_smoothing=0.05),
        metrics=["accuracy"],
        # On a CPU, TensorFlow's own convolutions are about three times as fast as XLA's.
        jit_compile=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        best = os.path.join(folder, "best.weights.h5")
        keep_best = keras.callbacks.ModelCheckpoint(
            best, monitor="val_accuracy", mode="max", save_best_only=True, save_weights_only=True
        )
        model.fit(
            batches,
            epochs=epochs,
            shuffle=False,
            validation_data=(check, check_answers),
            validation_batch_size=50,
            callbacks=[keep_best],
            verbose=2,
        )
        print("last epoch:", confusion(model, check, check_answers))
        # A model that was never compiled carries no optimizer state into its file, and after
        # clearing the session its layers have the names that a first model's layers get.
        keras.utils.clear_session()
        trained = network()
        trained.load_weights(best)
    print("best epoch:", confusion(trained, check, check_answers))
    return trained


def save(model: keras.Model, path: Path) -> None:
    """Save the network, with a member that says what its input and its answer mean."""
    model.save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("layerscope.json", json.dumps(DESCRIPTION, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train layerscope's cat-or-dog network.")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of train/ and validation/")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.keras")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate")
    chosen: Any = parser.parse_args(arguments)
    if chosen.output.suffix != ".keras":
        parser.error(f"expected an output that ends in .keras, got {chosen.output}")
    model = train(chosen.data, chosen.epochs, chosen.seed, chosen.batch_size, chosen.rate)
    save(model, chosen.output)


if __name__ == "__main__":
    main()
