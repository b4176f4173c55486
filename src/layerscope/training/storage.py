"""How a record lies on the disk: a description, and one file for each recorded epoch.

A file is written under another name and then renamed, and never changed again, so that a
record can be read while it grows and after a crash.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.outputs import new_file

ABOUT, HISTORY, EPOCHS, PICTURES = "record.json", "history.csv", "epochs", "pictures.npz"
VERSION = 1

_EPOCH = re.compile(r"(\d{5}|[1-9]\d{5,8})\.npz", re.ASCII)
_WITHIN = "record"


def record_in(path: Path) -> Path | None:
    """The folder of a record: the one given, or ``record`` in it. None where neither is one."""
    for folder in (path, path / _WITHIN):
        if (folder / ABOUT).is_file():
            return folder
    return None


def holds_record(path: Path) -> bool:
    """Whether a record is there, or the results of a training that hold one."""
    return record_in(path) is not None


def epoch_file(folder: Path, epoch: int) -> Path:
    """Where an epoch's arrays lie."""
    return folder / EPOCHS / f"{epoch:05d}.npz"


def epochs_in(folder: Path) -> list[int]:
    """The epochs that a record holds, in order."""
    try:
        names = os.listdir(folder / EPOCHS)
    except OSError:
        return []
    return sorted(int(match[1]) for name in names if (match := _EPOCH.fullmatch(name)))


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as one .npz file, deflated lightly: speed counts more than the last byte."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        new_file(path, own=True) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(f"{name}.npy", held.getvalue())
