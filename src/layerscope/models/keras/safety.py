"""Looking through a Keras file before Keras reads it: nothing in it may run code."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
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
_RUNS_CODE = {
    "Lambda": "a Lambda layer, whose Python code is stored in the file",
    "__lambda__": "Python code stored in the file",
    "TorchModuleWrapper": "a pickled PyTorch module",
    "TFSMLayer": "a TensorFlow SavedModel, which may run operations when it is loaded",
    "JaxLayer": "JAX code stored in the file",
    "FlaxLayer": "Flax code stored in the file",
}
_NAMES_FILES = {"vocabulary", "vocabulary_file", "filepath", "file_path"}
_OF_A_NETWORK = frozenset(
    "keras layers models initializers regularizers constraints activations losses metrics "
    "optimizers ops random dtype_policies quantizers legacy _legacy".split()
)

_LAYERS_OF_APPLICATIONS = ("CustomScaleLayer", "LayerScale", "StochasticDepth")


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


def check_config(path: Path, config: Any, *, trust: bool, known: frozenset[str]) -> None:
    """Hold every object that a model config would make against what Keras itself offers.

    known: names of classes that the user supplies. Raises UntrustedError for what would run
    code or read other files, and ModelError for classes that nobody supplied.
    """
    for layer, found in _objects(config):
        name = found["class_name"]
        where = f"layer {layer!r}" if layer else "its config"
        if name in _RUNS_CODE and name not in known:
            if not trust:
                raise UntrustedError(
                    f"{path}: {where} is {_RUNS_CODE[name]}. It runs only if you trust the "
                    "file: pass --trust (in Python, trust=True)."
                )
        elif _is_no_layer(found):
            raise UntrustedError(
                f"{path}: {where} names {found['module']}.{name}, which is no part of a network. "
                "The file was not opened."
            )
        elif _is_foreign(found) and not _supplied(found, known):
            raise ModelError(
                f"{path}: {where} is of the class {name!r}, which is not part of Keras. Supply "
                "the Python file that defines it: --custom FILE.py (in Python, custom=...)."
            )
        files = _named_files(found.get("config"))
        if files and not trust:
            raise UntrustedError(
                f"{path}: {where} reads another file, {files!r}. It does so only if you trust "
                "the file: pass --trust (in Python, trust=True)."
            )


def _objects(config: Any, layer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every serialised object in a config, with the name of the layer it belongs to."""
    waiting: list[tuple[str, Any]] = [(layer, config)]
    while waiting:
        owner, value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            inner = value.get("config")
            if isinstance(name, str):
                own = inner.get("name") if isinstance(inner, dict) else None
                owner = str(own or value.get("name") or owner)
                yield owner, value
            waiting.extend((owner, item) for item in reversed(list(value.values())))
        elif isinstance(value, list):
            waiting.extend((owner, item) for item in reversed(value))


def _is_foreign(found: dict[str, Any]) -> bool:
    """Whether Keras would look for a class outside itself."""
    name, module = str(found["class_name"]), found.get("module")
    if module == "builtins":
        return name == "function"
    if module is None:
        # Keras writes no module for classes of the user's own; Keras 2 wrote none at all.
        return found.get("registered_name") is not None or ">" in name
    return str(module).split(".")[0] != "keras"


def _is_no_layer(found: dict[str, Any]) -> bool:
    """Whether an object is of a part of Keras that networks are not made of."""
    module = str(found.get("module") or "keras")
    part = module.removeprefix("keras.").removeprefix("src.").split(".")[0]
    if part == "applications":
        return found["class_name"] not in _LAYERS_OF_APPLICATIONS
    return module.split(".")[0] == "keras" and part not in _OF_A_NETWORK


def _supplied(found: dict[str, Any], known: frozenset[str]) -> bool:
    names = {found["class_name"], str(found.get("registered_name"))}
    if found["class_name"] == "function":
        names = {str(found.get("config"))}
    return bool({name.rpartition(">")[2] for name in names} & known)


def _named_files(config: Any) -> str | None:
    if not isinstance(config, dict):
        return None
    for key in _NAMES_FILES & config.keys():
        if isinstance(config[key], str) and config[key]:
            return str(config[key])
    return None
