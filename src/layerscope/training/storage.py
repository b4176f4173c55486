"""How a record lies on the disk: a description, and one file for each recorded epoch.

A file is written under another name and then renamed, and never changed again, so that a
record can be read while it grows and after a crash.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axes
from layerscope.errors import InputError, LayerscopeError
from layerscope.graph import Node
from layerscope.operations import Opaque, Operation
from layerscope.outputs import new_file

ABOUT, HISTORY, EPOCHS, PICTURES = "record.json", "history.csv", "epochs", "pictures.npz"
VERSION = 1

_EPOCH = re.compile(r"(\d{5,9})\.npz")
_OPERATIONS = {kind.kind: kind for kind in Operation.__subclasses__()}


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


def record_in(path: Path) -> Path | None:
    """The folder of a record: the one given, or ``record`` in it. None where neither is one."""
    for folder in (path, path / "record"):
        if (folder / ABOUT).is_file():
            return folder
    return None


def holds_record(path: Path) -> bool:
    """Whether a record is there, or the results of a training that hold one."""
    return record_in(path) is not None


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


def read_arrays(path: Path, names: list[str]) -> list[NDArray[Any]]:
    """Arrays of an .npz file by name. Raises InputError where it is damaged or not there."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return [archive[name] for name in names]
    except FileNotFoundError:
        raise InputError(f"{path} is not there: the epoch was not recorded, or left out") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is a damaged part of a record: {error}") from error


def read_about(folder: Path) -> dict[str, Any]:
    """A record's description. Raises InputError where there is none that is understood."""
    path = folder / ABOUT
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found["nodes"], list):
            raise ValueError("it has no list of nodes")
        version = found["record"]
    except FileNotFoundError:
        raise InputError(
            f"{folder} is no record of feature maps: it has no {ABOUT}. Expected a folder that "
            "FeatureMapRecorder or train --watch wrote"
        ) from None
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if version != VERSION:
        raise InputError(
            f"{path} is of version {version} of the format, and this layerscope reads {VERSION}: "
            "upgrade layerscope"
        )
    return found


def node_as_json(node: Node) -> dict[str, Any]:
    """All of a node, to be read back."""
    return {**node.as_json(), "dtype": node.dtype, "shared": node.shared}


def node_from_json(found: Mapping[str, Any]) -> Node:
    """A node as ``node_as_json`` wrote it. Raises InputError where it is not understood."""
    try:
        return Node(
            str(found["name"]),
            None if found["index"] is None else int(found["index"]),
            str(found["layer"]),
            str(found["type"]),
            _operation(found["operation"]),
            tuple(map(str, found["inputs"])),
            tuple(None if size is None else int(size) for size in found["shape"]),
            Axes.parse(found["axes"]),
            int(found["parameters"]),
            str(found["dtype"]),
            bool(found["shared"]),
        )
    except (KeyError, TypeError, ValueError, LayerscopeError) as error:
        raise InputError(f"a node in {ABOUT} is not understood: {error!r}") from error


def _operation(found: Mapping[str, Any]) -> Operation:
    """An operation from its fields; one of a later version is opaque."""
    fields = {name: _frozen(value) for name, value in found.items() if name != "kind"}
    try:
        return _OPERATIONS.get(str(found["kind"]), Opaque)(**fields)
    except TypeError:
        return Opaque()


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
