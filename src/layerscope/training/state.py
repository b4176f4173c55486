"""All that a training run needs to go on, in one file that is replaced as a whole."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from layerscope.errors import ModelError
from layerscope.models.keras.backends import to_array
from layerscope.outputs import new_file

Row = dict[str, float]


@dataclass
class Progress:
    """Where a run stands. epoch: how many are finished. history: a row for each. best: its row."""

    epoch: int = 0
    history: list[Row] = field(default_factory=list)
    best: int | None = None


def save_state(path: Path, model: Any, progress: Progress) -> None:
    """Write the variables of a network and its optimizer, and where the run stands.

    The file of before stays until the new one is on the disk as a whole.
    """
    told = {"epoch": progress.epoch, "history": progress.history, "best": progress.best}
    arrays: dict[str, Any] = {"progress": np.frombuffer(json.dumps(told).encode(), np.uint8)}
    for name, variable in _variables(model):
        arrays[name] = to_array(variable.value)
    with new_file(path, own=True) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_state(path: Path, model: Any) -> Progress:
    """Give a network and its optimizer the variables in a file; returns where the run stood.

    Raises ModelError where the file is damaged, or is of another network.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            told = json.loads(archive["progress"].tobytes())
            progress = Progress(int(told["epoch"]), list(told["history"]), told["best"])
            held = {name: archive[name] for name in archive.files if name != "progress"}
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path} is damaged, so the training cannot go on from it ({error}): train anew "
            "with --force"
        ) from error
    wanted = dict(_variables(model))
    if held.keys() != wanted.keys() or any(
        held[name].shape != tuple(variable.shape) for name, variable in wanted.items()
    ):
        raise ModelError(
            f"{path} is of another network than the one to train: has the code changed? Train "
            "anew with --force"
        )
    for name, variable in wanted.items():
        variable.assign(held[name])
    return progress


def _variables(model: Any) -> Iterator[tuple[str, Any]]:
    """The variables that one epoch hands to the next: those of metrics begin anew in each."""
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    passing = {id(variable) for variable in model.metrics_variables}
    kept = [variable for variable in model.variables if id(variable) not in passing]
    for kind, variables in (("network", kept), ("optimizer", optimizer.variables)):
        for number, variable in enumerate(variables):
            yield f"{kind}/{number}", variable
