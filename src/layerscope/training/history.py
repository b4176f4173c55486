"""A row of figures for each epoch, as a table that any program reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from layerscope.errors import InputError
from layerscope.outputs import new_file

Row = dict[str, float]


def write_history(path: Path, history: Sequence[Row]) -> None:
    """Write ``history.csv``: the column ``epoch`` first, counted from 1, then every figure.

    Numbers are written in full, so that they are read back as they were.
    """
    columns = list(dict.fromkeys(name for row in history for name in row))
    held = io.StringIO()
    writer = csv.DictWriter(held, columns, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: _shown(name, value) for name, value in row.items()})
    with new_file(path, own=True) as temporary:
        temporary.write_text(held.getvalue(), encoding="utf-8")


def read_history(path: Path) -> tuple[Row, ...]:
    """The rows of a ``history.csv``, a figure that is missing left out.

    Raises InputError where it cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(
                {name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path} is no table of a training's history: {error}") from error


def _shown(name: str, value: float) -> str:
    return str(int(value)) if name == "epoch" else repr(float(value))
