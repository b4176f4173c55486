"""What a training run tells while it runs, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.training.folders import Collection
from layerscope.training.settings import Settings

Row = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """A run as it is settled.

    description: what the model's file will say of its input. compiled: the optimizer and the
    loss in words. begun: how many epochs were finished before.
    """

    settings: Settings
    collection: Collection
    description: Mapping[str, Any]
    parameters: int
    compiled: str
    framework: str
    begun: int


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    history: a row for each epoch. best: the row of the epoch whose network was kept, None
    where none is finished. confusion: counts by (truth, answer), None where it was stopped.
    """

    output: Path
    folder: Path
    classes: tuple[str, ...]
    history: tuple[Row, ...]
    best: Row | None
    confusion: NDArray[np.int64] | None
    stopped: bool


class Listener:
    """Told of a run as it goes; its methods do nothing, and are there to be overridden."""

    def reading(self, done: int, total: int) -> None:
        """Pictures were read for the first time."""

    def starts(self, run: Run) -> None:
        """Everything is settled, and the first epoch begins."""

    def batch(self, epoch: int, step: int, figures: Row) -> None:
        """A batch is done. epoch, step: counted from 1."""

    def epoch(self, row: Row, *, best: bool) -> None:
        """An epoch is finished, and on the disk."""

    def stops(self) -> bool:
        """Whether to end after this batch."""
        return False
