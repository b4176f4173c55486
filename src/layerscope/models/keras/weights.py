"""Weights files: held against what a file may hold, and read by Keras 3 into a live model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras.containers import check_hdf5
from layerscope.models.keras.reasons import told_as


def check_weights(path: Path) -> int:
    """The size of a weights file in bytes, once it is known to be safe to read."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise ModelError(
            f"There is no weights file {path}. Expected weights saved by Keras (.weights.h5, .h5)."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    if head != b"\x89HDF\r\n\x1a\n":
        raise ModelError(
            f"{path} is no HDF5 file. Expected weights saved by Keras (.weights.h5, .h5)."
        )
    check_hdf5(path)
    return path.stat().st_size


def load_weights(model: Any, path: Path) -> None:
    """Give a live model the weights in a file of Keras 3."""
    import h5py

    with h5py.File(path, "r") as archive:
        whole = "model_weights" in archive or "layer_names" in archive.attrs
    suffix = ".h5" if whole else ".weights.h5"
    with told_as(path, "3"), under_suffix(path, suffix) as name:
        model.load_weights(name)


@contextmanager
def under_suffix(path: Path, suffix: str) -> Iterator[str]:
    """The file under a name with the suffix that Keras goes by."""
    if path.name.endswith(suffix):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="layerscope-") as folder:
        name = os.path.join(folder, "model" + suffix)
        os.symlink(path.resolve(), name)
        yield name
