"""Writing results whole or not at all, and never over what layerscope did not write."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layerscope.errors import OutputError

_MANIFEST = "manifest.json"


@contextmanager
def new_folder(target: Path, *, force: bool = False) -> Iterator[Path]:
    """A folder to write into, which takes the name ``target`` once everything is there.

    A folder of that name is replaced where layerscope wrote it or ``force`` is given.
    Raises OutputError where it cannot be written, or belongs to somebody else.
    """
    if _exists(target) and not force and not _is_own_folder(target):
        raise OutputError(_not_ours(target))
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            _replace_folder(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(target: Path, *, force: bool = False, own: bool = False) -> Iterator[Path]:
    """A file to write, which takes the name ``target`` once everything is there.

    own: whether an existing file of that name is known to be layerscope's.
    """
    if _exists(target) and not force and not own:
        raise OutputError(_not_ours(target))
    if target.is_dir():
        raise OutputError(
            f"{target} is a folder, but a file is to be written. Choose a name in it."
        )
    with _explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def is_own_manifest(path: Path) -> bool:
    """Whether a JSON file is a manifest of layerscope's."""
    try:
        with path.open("rb") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "layerscope" in found


def safe_name(name: str) -> str:
    """A node's name as a file name on every system: ``vgg16/conv:pre`` as ``vgg16-conv-pre``.

    >>> safe_name("a/../b c")
    'a-..-b_c'
    """
    cleaned = re.sub(r"[/\\:]+", "-", name)
    cleaned = re.sub(r"[^\w.@\[\]+=-]", "_", cleaned, flags=re.ASCII).lstrip(".-")
    return cleaned[:120] or "_"


def unique_names(names: list[str]) -> dict[str, str]:
    """A safe file name for every name, no two the same even where letter case is ignored."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in names:
        base = candidate = safe_name(name)
        number = 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{base}~{number}"
        taken.add(candidate.lower())
        found[name] = candidate
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None


def _is_own_folder(path: Path) -> bool:
    if not path.is_dir() or path.is_symlink():
        return False
    return is_own_manifest(path / _MANIFEST) or not any(path.iterdir())


def _replace_folder(new: Path, target: Path) -> None:
    if not _exists(target):
        os.rename(new, target)
        return
    if not target.is_dir() or target.is_symlink():
        target.unlink()
        os.rename(new, target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    os.rename(target, aside / "old")
    try:
        os.rename(new, target)
    except BaseException:
        os.rename(aside / "old", target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}. Nothing was left "
            "half-written; choose another place with -o, or make room."
        ) from error


def _not_ours(target: Path) -> str:
    return (
        f"{target} exists and layerscope did not write it. "
        "Choose another place with -o, or pass --force to replace it."
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
