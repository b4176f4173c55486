"""What ``layerscope train`` shows while it runs: a line an epoch, and a bar on a terminal."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from layerscope.faces.terminal import counted, plain, say
from layerscope.training.confusion import accuracy_of
from layerscope.training.listening import Listener, Outcome, Row, Run

_LISTED = 10


class Showing(Listener):
    """Shows a run on the terminal, and lets Ctrl-C end it after a batch.

    The lines go to stdout and the bar to stderr, where that is a terminal. A second Ctrl-C
    ends at once.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._run: Run | None = None
        self._stop = False
        self._before: Any = None

    def __enter__(self) -> Showing:
        if sys.stderr.isatty():
            self._bar = _bar()
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._asked_to_stop)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def reading(self, done: int, total: int) -> None:
        self._show("reading pictures", done, total)

    def starts(self, run: Run) -> None:
        self._run = run
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        with self._below():
            for line in beginning(run):
                say(plain(line))
            sys.stdout.flush()

    def batch(self, epoch: int, step: int, figures: Row) -> None:
        assert self._run is not None
        asked, begun = self._run.settings, self._run.begun
        words = [f"epoch {epoch}/{asked.epochs}"]
        words += [f"{name} {figures[name]:.4f}" for name in ("loss", "accuracy") if name in figures]
        if self._stop:
            words.append("stopping")
        done = (epoch - 1 - begun) * asked.steps + step
        self._show("  ".join(words), done, (asked.epochs - begun) * asked.steps)

    def epoch(self, row: Row, *, best: bool) -> None:
        assert self._run is not None
        with self._below():
            say(plain(epoch_line(row, self._run.settings.epochs, best=best)))
            sys.stdout.flush()

    def stops(self) -> bool:
        return self._stop

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stop or self._run is None:
            raise KeyboardInterrupt
        self._stop = True

    def _show(self, words: str, done: int, total: int) -> None:
        if self._bar is None:
            return
        if self._task is None:
            self._task = self._bar.add_task(words, total=total)
            self._bar.start()
        self._bar.update(self._task, description=words, completed=done, total=total)

    @contextlib.contextmanager
    def _below(self) -> Iterator[None]:
        """Take the bar away while lines are printed."""
        shown = self._bar is not None and self._bar.live.is_started
        if shown:
            self._bar.stop()
        yield
        if shown:
            sys.stdout.flush()
            self._bar.start()


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeLeft(compact=True),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )


def beginning(run: Run) -> Iterator[str]:
    """What is settled, before the first epoch."""
    found, asked = run.collection, run.settings
    names = ", ".join(found.classes[:_LISTED]) + (" …" if len(found.classes) > _LISTED else "")
    yield f"{run.framework}"
    yield f"{counted(len(found.classes), 'class')}: {names}".replace("classs", "classes")
    yield (
        f"{counted(len(found.train), 'picture')} to train on, "
        f"{counted(len(found.validation), 'picture')} to measure on"
    )
    for item in found.skipped[:_LISTED]:
        yield f"  skipped {item.name}: {item.reason}"
    if len(found.skipped) > _LISTED:
        yield f"  skipped {counted(len(found.skipped) - _LISTED, 'more file')}"
    given = run.description["input"]
    yield (
        f"size {given['size'][0]}×{given['size'][1]}, resized bilinear, range {given['range']}, "
        f"color {given['color']}{', varied at random' if asked.augment else ''}"
    )
    yield f"{counted(run.parameters, 'parameter')}; {run.compiled}"
    yield (
        f"{counted(asked.epochs, 'epoch')} of {counted(asked.steps, 'batch')} of {asked.batch}, "
        f"seed {asked.seed}"
    ).replace("batchs", "batches")
    if run.begun:
        yield f"going on after epoch {run.begun}"


def epoch_line(row: Row, epochs: int, *, best: bool) -> str:
    """An epoch's figures in one line; the network of the best so far is kept."""
    figures = [
        f"{name} {row[name]:.4f}"
        for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        if name in row
    ]
    number = f"{row['epoch']:.0f}".rjust(len(str(epochs)))
    words = [f"epoch {number}/{epochs}", *figures, f"{row['seconds']:.0f} s"]
    return "  ".join([*words, *(["kept"] if best else [])])


def told(outcome: Outcome) -> Iterator[str]:
    """What a run came to, in lines."""
    best = outcome.best
    if best is None:
        yield "Stopped before the first epoch was finished: there is no network to keep yet."
        yield "Start again, or go on with --resume (which comes to the same)."
        return
    accuracy = best.get("val_accuracy", math.nan)
    figure = "" if math.isnan(accuracy) else f", val_accuracy {accuracy:.4f}"
    kept = f"epoch {best['epoch']:.0f}{figure}"
    if outcome.stopped:
        done = len(outcome.history)
        yield f"Stopped after {counted(done, 'finished epoch')}. Go on with --resume."
    elif outcome.confusion is not None:
        yield ""
        yield from _confusion_lines(outcome)
        yield ""
    yield f"Network: {outcome.output} ({kept})"
    yield f"Results: {outcome.folder}"


def _confusion_lines(outcome: Outcome) -> Iterator[str]:
    counts = outcome.confusion
    assert counts is not None
    yield (
        f"accuracy {accuracy_of(counts):.4f} on {counted(int(counts.sum()), 'validation picture')}"
    )
    classes = [plain(name) for name in outcome.classes]
    if len(classes) > _LISTED:
        return
    heads = [f"taken for {name}" for name in classes]
    wide = max(map(len, classes))
    yield "  ".join([" " * wide, *heads])
    for name, row in zip(classes, counts.tolist(), strict=True):
        cells = [str(n).rjust(len(head)) for n, head in zip(row, heads, strict=True)]
        yield "  ".join([name.ljust(wide), *cells])
