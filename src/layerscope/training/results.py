"""Results: what lies around a record in the folder that ``train`` writes beside a network."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from layerscope.training import storage
from layerscope.training.merit import best_of

ABOUT = "training.json"
_LARGEST = 2**24
_MOST_EPOCHS = 10**9
_LEAST_WAIT, _TIMES = 60.0, 4.0


@dataclass(frozen=True)
class Results:
    """What is known of the training that a record is of.

    title: its name. planned: the epochs that it was to take, None where nobody says. kept:
    whether its best network is kept.
    """

    title: str
    planned: int | None
    kept: bool

    @classmethod
    def around(cls, folder: Path) -> Results:
        """What lies around a record's folder, as far as it can be read."""
        folder = folder.absolute()
        about = _read(folder.parent / ABOUT)
        if about is None:
            return cls(folder.name, None, False)
        settings = about.get("settings")
        planned = settings.get("epochs") if isinstance(settings, dict) else None
        good = type(planned) is int and 0 < planned < _MOST_EPOCHS
        return cls(folder.parent.name, planned if good else None, True)

    def best(self, history: Sequence[Mapping[str, float]]) -> int | None:
        """The epoch whose network is kept, None where none is."""
        row = best_of(history) if self.kept else None
        return None if row is None else int(history[row]["epoch"])


def is_growing(folder: Path, epochs: Sequence[int], ended: bool) -> bool:
    """Whether another epoch is still to be expected.

    ended: whether the recorder said so. A training that was killed says nothing: it is taken
    for ended when four times the longest time between two epochs has passed.
    """
    if ended:
        return False
    times = []
    for epoch in epochs[-8:]:
        try:
            times.append(storage.epoch_file(folder, epoch).stat().st_mtime)
        except OSError:
            continue
    if not times:
        return True
    between = [after - before for before, after in pairwise(times)]
    wait = max(_LEAST_WAIT, _TIMES * max(between, default=0.0))
    return time.time() - times[-1] < wait


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > _LARGEST:
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "layerscope" in found else None
