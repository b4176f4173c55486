"""Matrices of numbers from .csv and .tsv text."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from layerscope.errors import InputError
from layerscope.inputs.record import Array


def read_table(path: Path) -> Array:
    """The numbers of a text table, float64 of shape (rows, columns).

    Columns are separated by tabs in a .tsv file and by commas in a .csv file (or by semicolons
    where its first line has no comma). Raises InputError with the line for what is no number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not text in UTF-8 (byte {error.start}): save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    lines = text.splitlines()
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise InputError(f"{path} holds no numbers: every line is empty")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    if delimiter == "," and "," not in filled[0] and ";" in filled[0]:
        delimiter = ";"
    try:
        return np.loadtxt(filled, delimiter=delimiter, comments=None, quotechar='"', ndmin=2)
    except ValueError:
        raise _explain(path, lines, delimiter) from None


def _explain(path: Path, lines: list[str], delimiter: str) -> InputError:
    width: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = next(csv.reader([line], delimiter=delimiter))
        for column, cell in enumerate(cells, start=1):
            try:
                float(cell)
            except ValueError:
                shown = cell if len(cell) <= 40 else cell[:40] + "…"
                return InputError(
                    f"{path}, line {number}, column {column}: expected a number and got "
                    f"{shown!r}. Leave headers and words out"
                )
        width = len(cells) if width is None else width
        if len(cells) != width:
            return InputError(
                f"{path}, line {number}: expected {width} columns as in the lines before "
                f"and got {len(cells)}"
            )
    return InputError(f"{path} is not a table of numbers")
