"""Merit: which epoch of a training is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def is_better(row: Mapping[str, float], than: Mapping[str, float] | None) -> bool:
    """Whether an epoch's network is to be kept: the higher accuracy, then the lower loss.

    An epoch whose figures are no numbers is never better.
    """
    if than is None:
        return True
    return _merit(row) > _merit(than)


def best_of(history: Sequence[Mapping[str, float]]) -> int | None:
    """The index of the row whose network was kept, None where no epoch is finished.

    >>> best_of([{"val_accuracy": 0.5}, {"val_accuracy": 0.7}, {"val_accuracy": 0.7}])
    1
    """
    best: int | None = None
    for number, row in enumerate(history):
        if is_better(row, None if best is None else history[best]):
            best = number
    return best


def _merit(row: Mapping[str, float]) -> tuple[float, float]:
    accuracy, loss = row.get("val_accuracy", 0.0), -row.get("val_loss", math.inf)
    return (
        -1.0 if math.isnan(accuracy) else accuracy,
        -math.inf if math.isnan(loss) else loss,
    )
