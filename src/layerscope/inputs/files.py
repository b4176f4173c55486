"""Finding the files that words and folders stand for."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from layerscope.errors import InputError
from layerscope.sniff import Sniffed, refuse, sniff

_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "checkpoint", "keras_metadata.pb")


@dataclass(frozen=True)
class Found:
    """A file to read. key: the variable asked for in ``file.mat:name``. label: a short name."""

    path: Path
    sniffed: Sniffed
    label: str
    key: str | None = None


def exists(path: Path) -> bool:
    """Whether there is anything of this name."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def find(word: str | Path) -> tuple[list[Found], list[str]]:
    """The files that a path stands for, and the names in a folder that were passed over.

    word: a file, a folder, or ``file:name`` for one variable of an .npz or .mat file. Raises
    InputError where nothing readable is there.
    """
    if not os.fspath(word):
        raise InputError("an input has an empty name: give a picture, an array or a folder")
    path, key = _split(word)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _not_found(word, error) from None
    if stat.S_ISDIR(mode):
        return _folder(path)
    if not stat.S_ISREG(mode):
        raise InputError(f"{path} is neither a file nor a folder: save the input to a file first")
    sniffed = sniff(path)
    if not sniffed.readable:
        raise refuse(path, sniffed)
    if key is not None and sniffed.kind not in ("npz", "mat"):
        raise InputError(
            f"{path} holds no named arrays, as .npz and .mat files do: leave out :{key}"
        )
    label = path.name if key is None else f"{path.name}:{key}"
    return [Found(path, sniffed, label, key)], []


def _split(word: str | Path) -> tuple[Path, str | None]:
    path = Path(word)
    if exists(path):
        return path, None
    file, colon, key = os.fspath(word).rpartition(":")
    if colon and key and file and exists(Path(file)):
        return Path(file), key
    return path, None


def _not_found(word: str | Path, error: OSError | ValueError) -> InputError:
    path = Path(word)
    if isinstance(error, PermissionError):
        return InputError(
            f"{path} cannot be read: permission denied. Give yourself the right to read it"
        )
    if "://" in os.fspath(word):
        return InputError(f"{word} is not a file: download it first and give the file")
    near: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), 1, 0.7)
    remedy = f"did you mean {path.parent / near[0]}?" if near else "check its name and folder"
    return InputError(f"no such file or folder: {path}; {remedy}")


def _folder(folder: Path) -> tuple[list[Found], list[str]]:
    names = _names(folder)
    if any(name in _MODEL_FILES for name in names):
        raise refuse(folder, Sniffed("model", "a TensorFlow model's folder"))
    found, passed, subfolders = _sort_out(folder, names, "")
    if not found:
        for name in subfolders:
            more, over, _ = _sort_out(folder / name, _names(folder / name), f"{name}/")
            found += more
            passed += over
    pictures = any(item.sniffed.kind == "picture" for item in found)
    if pictures:  # a table beside pictures holds labels, most often
        passed += [item.label for item in found if item.sniffed.kind == "table"]
        found = [item for item in found if item.sniffed.kind != "table"]
    if not found:
        raise InputError(
            f"{folder} holds no picture or array that can be read (looked at "
            f"{len(passed)} files): give a folder with JPEG, PNG, .npy or .csv files"
        )
    return found, passed


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from error


def _sort_out(
    folder: Path, names: list[str], prefix: str
) -> tuple[list[Found], list[str], list[str]]:
    found: list[Found] = []
    passed: list[str] = []
    subfolders: list[str] = []
    for name in names:
        path = folder / name
        if os.path.isdir(path):
            subfolders.append(name)
        elif os.path.isfile(path):
            sniffed = sniff(path)
            if sniffed.readable:
                found.append(Found(path, sniffed, prefix + name))
            else:
                passed.append(prefix + name)
    return found, passed, subfolders
