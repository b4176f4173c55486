"""The archives and HDF5 files that Keras would read: sound, whole, and nothing but themselves."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from copy import copy
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError, UntrustedError
from layerscope.models.keras.archive import open_member

_LARGEST_CONFIG = 16 * 2**20
_LARGEST_GROWTH = 100
_SMALL = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_FAILURES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    IndexError,
    OverflowError,
    RuntimeError,
    MemoryError,
)


def read_archive(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A .keras archive's config, metadata and layerscope's own member, all sizes checked first.

    Raises ModelError where the archive is damaged, or would grow beyond reason when unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            _check_members(path, archive)
            return (
                _json(path, archive, "config.json"),
                _json(path, archive, "metadata.json"),
                _json(path, archive, "layerscope.json") if "layerscope.json" in members else {},
            )
    except _ZIP_FAILURES as error:
        raise _damaged_archive(path, error) from None


def _damaged_archive(path: Path, error: BaseException) -> ModelError:
    return ModelError(
        f"{path} is a damaged or truncated .keras file ({error}). Copy or download it again."
    )


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    stored, unpacked = path.stat().st_size, sum(info.file_size for info in members)
    if sum(info.compress_size for info in members) > stored:
        raise zipfile.BadZipFile("its members overlap")
    if unpacked > max(_LARGEST_CONFIG, _LARGEST_GROWTH * stored):
        raise ModelError(
            f"{path} is an archive of {stored:,} bytes that would unpack to {unpacked:,}. "
            "No Keras model looks like this; the file was not read."
        )
    for info in members:
        name = info.filename
        if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
            raise UntrustedError(
                f"{path} holds {name!r}, which would be unpacked outside its folder. "
                "The file was not read."
            )
        if name.endswith(".npz") or info.compress_type not in _METHODS:
            raise ModelError(
                f"{path} holds {name!r} in a way that Keras does not write. Expected weights in "
                "model.weights.h5, stored or deflated; save the model again."
            )
        grown = info.file_size > max(_SMALL, _LARGEST_GROWTH * info.compress_size)
        text = name.endswith(".json") and info.file_size > _LARGEST_CONFIG
        if grown or text or _unpacks_to_more(archive, info):
            raise ModelError(
                f"{path} holds {name!r} of {info.compress_size:,} bytes that would unpack to "
                f"{info.file_size:,} or more. No Keras model looks like this; "
                "the file was not read."
            )


def _unpacks_to_more(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Whether a compressed member holds more than it declares, found a piece at a time."""
    if info.compress_type == zipfile.ZIP_STORED:
        return info.file_size > info.compress_size
    undeclared = copy(info)
    undeclared.file_size = info.file_size + 1
    undeclared.CRC = None  # type: ignore[assignment]  # it is of the declared bytes alone
    size = 0
    with archive.open(undeclared) as stream:
        while piece := stream.read(_SMALL):
            size += len(piece)
    return size > info.file_size


def _json(path: Path, archive: zipfile.ZipFile, member: str) -> dict[str, Any]:
    try:
        found = json.loads(archive.read(member))
    except (RecursionError, *_ZIP_FAILURES):
        found = None
    if not isinstance(found, dict):
        raise ModelError(
            f"{path} is a damaged .keras file: its {member} cannot be read. "
            "Copy or download it again."
        )
    return found


def check_hdf5(path: Path, file: Any = None) -> None:
    """Refuse an HDF5 file that points outside itself or declares more than it stores.

    file: an open file object to read in the place of the path's own file.
    """
    import h5py

    try:
        with h5py.File(path if file is None else file, "r") as archive:
            _check_group(path, archive, h5py)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{path} is a damaged or truncated HDF5 file ({reason}). Copy or download it again."
        ) from None


def _check_group(path: Path, group: Any, h5py: Any) -> None:
    waiting, visited = [group], set()
    while waiting:
        here = waiting.pop()
        if hash(here.id) in visited:
            continue
        visited.add(hash(here.id))
        for key in here:
            link = here.get(key, getlink=True)
            name = f"{here.name.rstrip('/')}/{key}"
            if isinstance(link, h5py.ExternalLink):
                raise UntrustedError(_outside(path, name, f"a link to {link.filename!r}"))
            if isinstance(link, h5py.SoftLink):
                raise UntrustedError(_outside(path, name, "a soft link"))
            item = here[key]
            if isinstance(item, h5py.Group):
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                _check_dataset(path, name, item)


def _check_dataset(path: Path, name: str, dataset: Any) -> None:
    if dataset.external:
        raise UntrustedError(_outside(path, name, "data kept in another file"))
    if dataset.is_virtual:
        raise UntrustedError(_outside(path, name, "a virtual data set"))
    if dataset.shape is None:
        return
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(_SMALL, _LARGEST_GROWTH * stored):
        raise ModelError(
            f"{path}: {name!r} declares {dataset.nbytes:,} bytes but stores {stored:,}. "
            "No Keras model looks like this; the file was not read."
        )


def _outside(path: Path, name: str, what: str) -> str:
    return (
        f"{path}: {name!r} is {what}. Weights must lie in the file itself; "
        "save the model again in one file."
    )


def check_archive_weights(path: Path) -> None:
    """``check_hdf5`` for the weights inside a .keras archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.endswith(".h5"):
                    with open_member(path, archive, member) as file:
                        check_hdf5(path, file)
    except _ZIP_FAILURES as error:
        raise _damaged_archive(path, error) from None
