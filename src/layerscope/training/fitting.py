"""Keras's fit, with everything that must outlast a crash written as each epoch ends."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from layerscope.models.keras.backends import compute_alike, to_array
from layerscope.training.batches import Batches, InOrder
from layerscope.training.confusion import write_confusion
from layerscope.training.curves import write_curves
from layerscope.training.folders import Collection
from layerscope.training.history import write_history
from layerscope.training.keeping import describe_input, save_network, without_optimizer
from layerscope.training.learner import Learner
from layerscope.training.listening import Listener, Outcome, Run
from layerscope.training.merit import is_better
from layerscope.training.order import epoch_seed, validation_places
from layerscope.training.recorder import FeatureMapRecorder
from layerscope.training.settings import Settings
from layerscope.training.state import Progress, load_state, save_state


class _Stopped(Exception):  # noqa: N818  # it is no error
    """The run was asked to end after a batch."""


@dataclass(frozen=True)
class Places:
    """Where a run writes: the model's file, and the folder of results."""

    output: Path
    folder: Path

    @property
    def state(self) -> Path:
        """All that the run needs to go on."""
        return self.folder / "state.npz"


def prepare_watching(
    learner: Learner, settings: Settings, output: Path
) -> FeatureMapRecorder | None:
    """What records the maps of pictures; None where none are to be watched."""
    if not settings.watch:
        return None
    reader = learner.reader
    asked = settings.preprocessing
    recorder = FeatureMapRecorder(
        list(settings.watch), every=settings.watch_every, output=output,
        size=reader.size, range=asked.range, color=asked.color, force=True,
    )  # fmt: skip
    recorder.prepare(learner.opened)
    return recorder


def progress_of(learner: Learner, places: Places) -> Progress:
    """How far the run in a folder has come; the network and its optimizer are brought there."""
    return load_state(places.state, learner.model) if places.state.is_file() else Progress()


def fit(
    learner: Learner,
    collection: Collection,
    settings: Settings,
    places: Places,
    listener: Listener,
    *,
    progress: Progress,
    watching: FeatureMapRecorder | None,
) -> Outcome:
    """Train on from where a run stands, and write the network, its curves and its confusions."""
    model, reader = learner.model, learner.reader
    kind, classes = learner.kind, collection.classes
    description = describe_input(classes, reader.size, reader.range, reader.color)
    options: dict[str, Any] = {"kind": kind, "classes": len(classes)}
    batches = Batches(collection.train, reader, settings, **options)
    most = settings.validation_steps * settings.batch
    chosen = validation_places(settings.seed, len(collection.validation), most)
    measured = InOrder(
        [collection.validation[i] for i in chosen], reader, settings.batch, **options
    )
    listener.starts(
        Run(
            settings, collection, description, model.count_params(), _compiled(model),
            learner.opened.source.framework, progress.epoch,
        )
    )  # fmt: skip
    keeper = _Keeper(batches, progress, listener, places, description, settings.seed)
    stopped = False
    compute_alike()
    if progress.epoch < settings.epochs:
        try:
            model.fit(
                batches,
                epochs=settings.epochs,
                initial_epoch=progress.epoch,
                validation_data=measured,
                callbacks=[*([watching] if watching else []), keeper],
                verbose=0,
                shuffle=False,
            )
        except _Stopped:
            stopped = True
    if stopped:
        _let_go(model)
    history = tuple(progress.history)
    best = None if progress.best is None else history[progress.best]
    confusion = None
    if not stopped:
        _load_kept(model, places.output)
        every = InOrder(collection.validation, reader, settings.batch, **options)
        confusion = _confusion(learner, every, collection)
        write_confusion(places.folder, confusion, classes)
    return Outcome(places.output, places.folder, classes, history, best, confusion, stopped)


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is untyped
    """Writes the best network and the state of the run as each epoch ends."""

    def __init__(
        self,
        batches: Batches,
        progress: Progress,
        listener: Listener,
        places: Places,
        description: Mapping[str, Any],
        seed: int,
    ) -> None:
        super().__init__()
        self._batches, self._progress, self._listener = batches, progress, listener
        self._places = places
        self._description, self._seed = dict(description), seed
        self._twin: Any = None
        self._epoch, self._start = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.epoch = self._epoch = epoch
        # Torch's dropout draws from a generator of the process, which no variable holds.
        keras.utils.set_random_seed(epoch_seed(self._seed, epoch))
        self._start = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._listener.batch(self._epoch + 1, batch + 1, dict(logs or {}))
        if self._listener.stops():
            raise _Stopped

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._listener.stops():
            raise _Stopped

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # Keras's JAX trainer brings the variables up to date when it is asked for the model.
        model = self.model
        figures = {name: float(value) for name, value in sorted((logs or {}).items())}
        row = {"epoch": epoch + 1, **figures, "seconds": time.monotonic() - self._start}
        progress = self._progress
        best = is_better(row, None if progress.best is None else progress.history[progress.best])
        progress.history.append(row)
        if best:
            progress.best = epoch
            if self._twin is None:
                self._twin = without_optimizer(model)
            save_network(self._twin, model, self._places.output, self._description)
        progress.epoch = epoch + 1
        # From here on the epoch counts as finished.
        save_state(self._places.state, model, progress)
        write_history(self._places.folder / "history.csv", progress.history)
        write_curves(self._places.folder / "curves.png", progress.history, progress.best)
        self._listener.epoch(row, best=best)


def _let_go(model: Any) -> None:
    """Drop the iterators of a fit that was left, of which TensorFlow would complain at exit."""
    if hasattr(model, "_eval_epoch_iterator"):
        del model._eval_epoch_iterator
    gc.collect()


def _load_kept(model: Any, path: Path) -> None:
    """Give the network the weights in its file, whatever the last epoch left."""
    with warnings.catch_warnings():
        # Keras warns that there is no optimizer in the file.
        warnings.simplefilter("ignore")
        model.load_weights(path)


def _confusion(learner: Learner, every: InOrder, collection: Collection) -> NDArray[np.int64]:
    """How many pictures of each class (rows) were taken for which (columns)."""
    count = len(collection.classes)
    found = np.zeros((count, count), np.int64)
    done = 0
    for step in range(len(every)):
        pictures, _ = every[step]
        said = learner.labels(np.asarray(learner.model.predict_on_batch(pictures)))
        truth = [photo.label for photo in collection.validation[done : done + len(said)]]
        np.add.at(found, (np.array(truth), said), 1)
        done += len(said)
    return found


def _compiled(model: Any) -> str:
    """The optimizer and the loss in words."""
    loss = model.loss
    name = loss if isinstance(loss, str) else getattr(loss, "name", type(loss).__name__)
    rate = model.optimizer.learning_rate
    rate = to_array(getattr(rate, "value", rate)).item()
    return f"{type(model.optimizer).__name__} {rate:g}, {name}"
