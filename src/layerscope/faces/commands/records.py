"""Training records on the command line: what goes with them, and what is printed of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerscope.errors import InputError, ModelError

if TYPE_CHECKING:
    from layerscope.faces.viewed import View
    from layerscope.training.record import Record


def record_at(path: str, inputs: Sequence[str] | None, given: Mapping[str, Any]) -> Record | None:
    """The training record at a path, None where there is something else.

    given: by flag, what a person gave that goes with a network only. Raises InputError where
    there is any of these.
    """
    from layerscope.training.record import Record
    from layerscope.training.storage import holds_record

    if not holds_record(Path(path)):
        return None
    wrong = [*(inputs or ()), *(flag for flag, value in given.items() if value)]
    if wrong:
        raise InputError(
            f"{path} is a training record, whose pictures and layers were chosen when it was "
            f"recorded: leave out {' '.join(wrong)}"
        )
    return Record.open(path)


def no_record(path: str, error: ModelError) -> ModelError:
    """The error for a folder that holds no model, in view of what a record would be."""
    folder = Path(path)
    if not folder.is_dir():
        return error
    if (folder / "training.json").is_file():
        return ModelError(
            f"{folder} holds the results of a training, but no record of maps: give the network "
            "itself, or train with --watch PICTURE"
        )
    return ModelError(f"{error} Nor is it a training record: it has no record.json.")


def tell(done: View, record: Record) -> None:
    """Print what a record holds, and where its report lies."""
    from layerscope.faces.explorer.film.choice import told
    from layerscope.faces.terminal import counted, film_table, plain, say

    found = done.manifest["record"]
    epochs, history = found["epochs"], found["history"]
    say(plain(f"{record.results.title}: {record.framework or 'a network'}"))
    if record.file:
        say(plain(f"  recorded from {record.file}"))
    planned = found["planned"]
    more = f", of {planned} planned" if planned and epochs[-1] < planned else ""
    say(f"  {counted(len(epochs), 'epoch')} recorded: {told(epochs)}{more}")
    for label in record.inputs:
        say(plain(f"  {label}"))
    best = found["best"]
    if best is not None:
        row = history["epoch"].index(best)
        figures = (
            f"{name} {history[name][row]:.4f}"
            for name in ("val_accuracy", "val_loss", "accuracy", "loss")
            if history.get(name) and history[name][row] is not None
        )
        say(f"  kept: epoch {best}, {', '.join(figures)}")
    say()
    say(film_table(tuple(record.layers.values()), found))
    say()
    say(f"Report: {plain(done.report)}")
