"""Batches of pictures for Keras's fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from layerscope.training.augment import vary
from layerscope.training.folders import Photo
from layerscope.training.order import batch_places, variation
from layerscope.training.reading import Reader
from layerscope.training.settings import Settings


def answers(labels: NDArray[np.int64], kind: str, classes: int) -> NDArray[Any]:
    """What a network is to answer for pictures of these classes.

    kind: ``"binary"`` (shape (batch, 1), 0 or 1), ``"one-hot"`` (shape (batch, classes)) or
    ``"numbers"`` (shape (batch,), whole numbers).
    """
    if kind == "binary":
        return labels.astype(np.float32)[:, None]
    return np.eye(classes, dtype=np.float32)[labels] if kind == "one-hot" else labels


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras is untyped
    """Training batches of the epoch whose number stands in ``epoch``, counted from 0.

    A batch depends on the seed, the epoch and its own number alone: not on what was read
    before, nor on which thread asks.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        reader: Reader,
        settings: Settings,
        *,
        kind: str,
        classes: int,
    ) -> None:
        super().__init__()
        self.epoch = 0
        self._photos, self._reader, self._settings = photos, reader, settings
        self._kind, self._classes = kind, classes

    def __len__(self) -> int:
        return self._settings.steps

    def __getitem__(self, step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        asked, epoch = self._settings, self.epoch
        places = batch_places(
            asked.seed, epoch, step,
            steps=asked.steps, batch=asked.batch, count=len(self._photos),
        )  # fmt: skip
        chosen = [self._photos[i] for i in places]
        pictures: Any = [self._reader.plain(photo) for photo in chosen]
        if asked.augment:
            pictures = vary(np.stack(pictures), variation(asked.seed, epoch, step))
        labels = np.array([photo.label for photo in chosen])
        return self._reader.batch(pictures), answers(labels, self._kind, self._classes)


class InOrder(keras.utils.PyDataset):  # type: ignore[misc]  # as above
    """Pictures one after another, each once: what a network is measured on."""

    def __init__(
        self, photos: Sequence[Photo], reader: Reader, batch: int, *, kind: str, classes: int
    ) -> None:
        super().__init__()
        self._photos, self._reader, self._batch = photos, reader, batch
        self._kind, self._classes = kind, classes

    def __len__(self) -> int:
        return -(-len(self._photos) // self._batch)

    def __getitem__(self, step: int) -> tuple[NDArray[Any], NDArray[Any]]:
        chosen = self._photos[step * self._batch : (step + 1) * self._batch]
        pictures = [self._reader.plain(photo) for photo in chosen]
        labels = np.array([photo.label for photo in chosen])
        return self._reader.batch(pictures), answers(labels, self._kind, self._classes)
