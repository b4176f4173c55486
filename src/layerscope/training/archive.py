"""Arrays in an .npz file that anybody may have written: no more is read than is expected."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import InputError

MOST_BYTES = 2**29
_MOST_DIRECTORY = 2**24
_END = b"PK\x05\x06"
_TAIL = 22 + 2**16
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, RuntimeError, NotImplementedError, RecursionError,
    SyntaxError, MemoryError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """An array as it is expected.

    shape: None stands for any length; the whole may be None for any shape. kinds: what its
    type may be, as numpy names it.
    """

    name: str
    shape: tuple[int | None, ...] | None = None
    kinds: tuple[str, ...] = ("float32", "float64")


def read_arrays(path: Path, wanted: Sequence[Wanted]) -> list[NDArray[Any]]:
    """Arrays of an .npz file. Raises InputError where it is not there, or not as expected."""
    try:
        with path.open("rb") as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                return list(_each(archive, wanted))
    except FileNotFoundError:
        raise InputError(f"{path} is not there: the epoch was not recorded, or left out") from None
    except _DAMAGE as error:
        raise InputError(f"{path} is a damaged part of a record: {_words(error)}") from error


def _each(archive: zipfile.ZipFile, wanted: Sequence[Wanted]) -> Iterator[NDArray[Any]]:
    room = MOST_BYTES
    for one in wanted:
        array = _read(archive, one, room)
        room -= array.nbytes
        yield array


def _read(archive: zipfile.ZipFile, wanted: Wanted, room: int) -> NDArray[Any]:
    info = archive.getinfo(f"{wanted.name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{wanted.name} is compressed in a way that records are not")
    with archive.open(info) as member:
        shape, in_columns, dtype = _header(wanted.name, member)
        _check(wanted, shape, dtype, room)
        size = prod(shape) * dtype.itemsize
        data = member.read(size)
    if len(data) != size:
        raise ValueError(f"{wanted.name} is cut off")
    array: NDArray[Any] = np.frombuffer(data, dtype)
    return array.reshape(shape, order="F" if in_columns else "C").astype(
        dtype.newbyteorder("="), copy=False
    )


def _header(name: str, member: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    if np.lib.format.read_magic(member) != (1, 0):
        raise ValueError(f"{name} is of another version of the .npy format")
    try:
        return np.lib.format.read_array_header_1_0(member)
    except Exception as error:  # NumPy lets Python's own parsers loose on it
        raise ValueError(f"{name} has a header that cannot be read") from error


def _check(wanted: Wanted, shape: tuple[int, ...], dtype: np.dtype[Any], room: int) -> None:
    if dtype.name not in wanted.kinds:
        raise ValueError(
            f"{wanted.name} is {dtype.name}, and {' or '.join(wanted.kinds)} was expected"
        )
    fits = wanted.shape is None or (
        len(shape) == len(wanted.shape)
        and all(length in (None, found) for length, found in zip(wanted.shape, shape, strict=True))
    )
    if not fits:
        told = " × ".join("any" if n is None else str(n) for n in wanted.shape or ())
        raise ValueError(f"{wanted.name} has shape {shape}, and {told or 'one value'} was expected")
    if prod(shape) * dtype.itemsize > room:
        raise ValueError(
            f"{wanted.name} has shape {shape}, and with it more than {MOST_BYTES:,} bytes are "
            "asked for at once"
        )


def _check_directory(file: Any) -> None:
    """Refuse a table of contents that is larger than any record's, before it is read."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(_END)
    if at >= 0 and len(tail) >= at + 16:
        (length,) = struct.unpack_from("<I", tail, at + 12)
        if length > _MOST_DIRECTORY:
            raise ValueError("its table of contents is larger than any record's")
    file.seek(0)


def _words(error: BaseException) -> str:
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return text[:300] or type(error).__name__
