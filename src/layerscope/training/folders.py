"""Finding the pictures and classes of a folder, and saying early what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerscope.errors import InputError
from layerscope.sniff import sniff
from layerscope.training.order import split_places

_TRAIN, _VALIDATION = "train", "validation"
_LISTED = 5


@dataclass(frozen=True)
class Photo:
    """A picture of a class. name: its path within the data. label: its class's number."""

    path: Path
    name: str
    label: int
    format: str


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Folders:
    """What a folder holds: its classes, and the pictures of its parts.

    parts: by ``"train"`` and ``"validation"``, or all under ``""`` where the folder is yet to
    be split.
    """

    data: Path
    classes: tuple[str, ...]
    parts: Mapping[str, tuple[Photo, ...]]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Collection:
    """The pictures to train on and to measure on, all of which can be read."""

    classes: tuple[str, ...]
    train: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    skipped: tuple[Skipped, ...]


def find_folders(data: Path, share: float | None) -> Folders:
    """The classes and pictures in a folder, without decoding any.

    data: holds ``train`` and ``validation`` with a subfolder for each class, or the classes'
    subfolders themselves. share: the share to set aside for validation in the second case.
    Raises InputError where the folder is not of either kind.
    """
    names = _subfolders(data)
    parts = [part for part in (_TRAIN, _VALIDATION) if part in names]
    if len(parts) == 1:
        other = _VALIDATION if parts == [_TRAIN] else _TRAIN
        raise InputError(
            f"{data} has {parts[0]}/ but no {other}/: add it, or give one folder of classes "
            f"and let it be split, as in {data / parts[0]} --validation 0.2"
        )
    if parts and share is not None:
        raise InputError(
            f"{data} has train/ and validation/ already, so that --validation has nothing to "
            "split: leave it out"
        )
    if not parts and share is None:
        raise InputError(
            f"{data} has no train/ and validation/: add them, or let the pictures of its classes "
            "be split with --validation 0.2"
        )
    classes = _classes(data, parts)
    if len(classes) < 2:
        raise InputError(
            f"{data / parts[0] if parts else data} has only one class, {_word(classes[0])}: a "
            "network learns to tell at least two apart. Give each class a subfolder"
        )
    skipped: list[Skipped] = []
    found = {
        part: tuple(
            photo
            for label, name in enumerate(classes)
            for photo in _photos(data, Path(part, name), label, skipped)
        )
        for part in parts or [""]
    }
    return Folders(data, tuple(map(_word, classes)), found, tuple(skipped))


def settle_collection(
    folders: Folders,
    unreadable: Sequence[Skipped],
    *,
    share: float | None,
    seed: int,
    strict: bool,
) -> Collection:
    """The pictures to train and to measure on, without those that cannot be read.

    unreadable: what decoding found. strict: whether leaving a file out is an error. Raises
    InputError then, and where a class has too few pictures.
    """
    skipped = tuple(sorted((*folders.skipped, *unreadable), key=lambda item: item.name))
    if strict and skipped:
        raise InputError(
            f"{folders.data}: {_counted(len(skipped), 'file')} cannot be read as a picture: "
            f"{_few(skipped)}. Remove or mend them, or leave --strict out to skip them"
        )
    gone = {item.name for item in unreadable}
    parts = {
        part: tuple(photo for photo in photos if photo.name not in gone)
        for part, photos in folders.parts.items()
    }
    least = 2 if "" in parts else 1
    for part, photos in parts.items():
        for label, name in enumerate(folders.classes):
            mine = sum(photo.label == label for photo in photos)
            if mine < least:
                raise InputError(_too_few(folders, part, name, mine, skipped))
    if "" not in parts:
        return Collection(folders.classes, parts[_TRAIN], parts[_VALIDATION], skipped)
    assert share is not None
    train, validation = _split(parts[""], len(folders.classes), share, seed)
    return Collection(folders.classes, train, validation, skipped)


def _split(
    photos: tuple[Photo, ...], classes: int, share: float, seed: int
) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    train: list[Photo] = []
    validation: list[Photo] = []
    for label in range(classes):
        mine = [photo for photo in photos if photo.label == label]
        kept, held = split_places(seed, label, len(mine), share)
        train += [mine[i] for i in kept]
        validation += [mine[i] for i in held]
    return tuple(train), tuple(validation)


def _classes(data: Path, parts: list[str]) -> list[str]:
    """The names of the classes' folders; those of both parts must be the same."""
    held = [_subfolders(data / part) for part in parts or [""]]
    for part, names in zip(parts or [""], held, strict=True):
        if not names:
            raise InputError(
                f"{data / part} has no subfolders: expected one for each class, with its pictures "
                "inside"
            )
    if len(held) == 2 and held[0] != held[1]:
        only = [sorted(set(held[i]) - set(held[1 - i])) for i in (0, 1)]
        told = " and ".join(
            f"{', '.join(map(_word, names))} only in {part}/"
            for part, names in zip(parts, only, strict=True)
            if names
        )
        raise InputError(
            f"{data}: the classes of train/ and validation/ differ: {told}. Give both the same "
            "subfolders"
        )
    return held[0]


def _subfolders(folder: Path) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        raise InputError(f"there is no folder {folder}: expected one with pictures") from None
    except NotADirectoryError:
        raise InputError(f"{folder} is no folder: expected one with pictures") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from None
    return [name for name in names if (folder / name).is_dir()]


def _photos(data: Path, within: Path, label: int, skipped: list[Skipped]) -> list[Photo]:
    """The pictures of one class, those in folders further down too, by name."""
    found: list[Photo] = []
    for folder, inner, names in os.walk(data / within):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for file in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder, file)
            name = _word(path.relative_to(data).as_posix())
            try:
                sniffed = sniff(path)
            except InputError as error:
                skipped.append(Skipped(name, str(error)))
                continue
            if sniffed.kind == "picture":
                found.append(Photo(path, name, label, sniffed.what))
            else:
                skipped.append(Skipped(name, f"it is {sniffed.what}, and no picture"))
    return found


def _too_few(folders: Folders, part: str, name: str, count: int, skipped: Sequence[Skipped]) -> str:
    folder = Path(part, name).as_posix()
    mine = [item for item in skipped if item.name.startswith(f"{folder}/")]
    left = f" ({_counted(len(mine), 'file')} cannot be read: {_few(mine)})" if mine else ""
    if count:
        return (
            f"{folders.data}: class {name} has 1 picture{left}, and a split needs 2: one to train "
            "on and one to measure on. Add pictures to it"
        )
    return f"{folders.data}: {folder}/ holds no picture{left}. Add some, or remove the class"


def _few(skipped: Sequence[Skipped]) -> str:
    names = ", ".join(item.name for item in skipped[:_LISTED])
    return names + (" …" if len(skipped) > _LISTED else "")


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _word(name: str) -> str:
    """A file's name as text that can be written, whatever bytes it was made of."""
    return os.fsencode(name).decode("utf-8", "replace")
