"""Arrays from .npy, .npz, .mat and text tables, and from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from layerscope.errors import InputError, MissingExtraError, ValuesError
from layerscope.inputs import matlab
from layerscope.inputs.files import Found
from layerscope.inputs.record import Array
from layerscope.inputs.tables import read_table


def names_in(found: Found) -> tuple[str, ...]:
    """The names of the arrays in an .npz or .mat file; none for other files."""
    if found.sniffed.kind == "npz":
        with _guard(found.path), np.load(found.path, allow_pickle=False) as archive:
            return tuple(archive.files)
    if found.sniffed.kind == "mat":
        with _guard(found.path):
            return matlab.names_in(found.path)
    return ()


def read_array(found: Found, input_name: str) -> Array:
    """The numbers in a file; an .npy file stays on the disk until it is used.

    input_name: the network's input, which chooses among several arrays where no key does.
    """
    kind, path = found.sniffed.kind, found.path
    if kind == "table":
        return read_table(path)
    if kind == "npy":
        with _guard(path):
            return numbers(_load_npy(path), str(path))
    key = _choose(found, input_name)
    with _guard(path):
        if kind == "npz":
            with np.load(path, allow_pickle=False) as archive:
                return numbers(archive[key], f"{path}:{key}")
        return numbers(matlab.read(path, key), f"{path}:{key}")


def numbers(value: Any, what: str) -> Array:
    """An array of real numbers from anything that NumPy understands; bfloat16 is widened."""
    try:
        array: Array = np.asanyarray(value)
    except Exception as error:  # other libraries' arrays refuse in their own ways
        raise InputError(f"{what} cannot be read as an array: {error}") from error
    if array.dtype.name == "bfloat16" or array.dtype.name.startswith("float8"):
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise ValuesError(
            f"{what} holds {_DTYPES.get(array.dtype.kind, str(array.dtype))}, and a network "
            "takes real numbers: convert it first"
        )
    if array.size == 0:
        raise ValuesError(f"{what} has shape {array.shape} and holds no values")
    return array


_DTYPES = {"c": "complex numbers", "O": "Python objects", "U": "text", "S": "text"}


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    """Turn what a reader raises on a damaged or hostile file into an InputError."""
    try:
        yield
    except (InputError, MissingExtraError):
        raise
    except Exception as error:
        if isinstance(error, ValueError) and "bject" in str(error):
            raise InputError(
                f"{path} holds pickled Python objects, which could run code and are never "
                "loaded: save it as a plain array of numbers"
            ) from None
        raise InputError(
            f"{path} is a damaged or cut-off array file ({error}): save or copy it again"
        ) from error


def _load_npy(path: Path) -> Array:
    array: Array
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # an array without values cannot be mapped, nor can objects
        array = np.load(path, allow_pickle=False)
    return array


def _choose(found: Found, input_name: str) -> str:
    names = names_in(found)
    if found.key is not None:
        if found.key in names:
            return found.key
        raise InputError(f"{found.path} has no array {found.key!r}; it has {_list(names)}")
    if len(names) == 1:
        return names[0]
    if input_name in names:
        return input_name
    if not names:
        raise InputError(f"{found.path} holds no arrays")
    raise InputError(
        f"{found.path} holds several arrays: {_list(names)}. Choose one, as in "
        f"{found.path.name}:{names[0]}"
    )


def _list(names: tuple[str, ...]) -> str:
    shown = ", ".join(repr(name) for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "")
