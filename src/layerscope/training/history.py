"""A row of figures for each epoch, as a table that any program reads."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from layerscope.errors import InputError
from layerscope.outputs import new_file

Row = dict[str, float]

_LARGEST, _MOST_COLUMNS, _MOST_EPOCHS = 2**25, 200, 10**9


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
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST:,} bytes")
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(map(_row, csv.DictReader(file)))
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path} is no table of a training's history: {error}") from error


def _row(found: Mapping[str, str]) -> Row:
    row = {name: float(value) for name, value in found.items() if value}
    epoch = row.get("epoch", math.nan)
    if len(row) > _MOST_COLUMNS or not 0 <= epoch < _MOST_EPOCHS or epoch != int(epoch):
        raise ValueError("expected the number of an epoch, and its figures, in every row")
    return row


def _shown(name: str, value: float) -> str:
    return str(int(value)) if name == "epoch" else repr(float(value))
