"""``train``: from a folder of pictures to a trained network, its curves and its confusions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerscope.errors import InputError, OutputError
from layerscope.manifest import layerscope_version, write_json
from layerscope.models.keras.backends import load_keras
from layerscope.models.quiet import quiet_import
from layerscope.outputs import is_own_manifest, new_file
from layerscope.training.folders import Collection, Skipped, find_folders, settle_collection
from layerscope.training.listening import Listener, Outcome
from layerscope.training.settings import Settings

_ABOUT, _STATE = "training.json", "state.npz"


def results_folder(output: Path) -> Path:
    """The folder beside a model's file: ``cats_dogs.training``."""
    return output.with_name(f"{output.stem}.training")


def train(
    data: Path,
    output: Path,
    given: Mapping[str, Any],
    *,
    resume: bool = False,
    strict: bool = False,
    force: bool = False,
    custom: Path | None = None,
    trust: bool = False,
    backend: str | None = None,
    listener: Listener | None = None,
) -> Outcome:
    """Train a network on a folder of pictures and write it, with a folder of results beside it.

    data: as ``find_folders`` has it. output: ends in ``.keras``. given: settings, None where
    they are left open. resume: go on from the last finished epoch. strict: refuse pictures
    that cannot be read. force: replace what is there. custom, trust, backend: as
    ``open_model`` has them.

    Raises a LayerscopeError, before anything is written, where something has to be mended.
    """
    listener = listener or Listener()
    folder = results_folder(output)
    stored = _check_output(output, folder, resume=resume, force=force)
    settings = Settings.settle(given, stored and stored["settings"])
    folders = find_folders(data, settings.validation)
    keras = load_keras(backend)
    with quiet_import():
        # It imports TensorFlow, where that is installed, on every backend.
        keras.utils.set_random_seed(settings.seed)

    from layerscope.training.fitting import Places, fit, prepare_watching, progress_of
    from layerscope.training.learner import make_learner

    learner = make_learner(settings, folders.classes, custom=custom, trust=trust)
    photos = [photo for part in folders.parts.values() for photo in part]
    unreadable = learner.reader.read_all(photos, listener.reading)
    collection = settle_collection(
        folders, unreadable, share=settings.validation, seed=settings.seed, strict=strict
    )
    about = _describe(settings, collection)
    if stored is not None and stored.get("data") != about["data"]:
        raise InputError(
            f"{data} is not what the training in {folder} was started on: some pictures were "
            "added, removed or changed. Bring them back, or start anew with --force"
        )
    watching = prepare_watching(learner, settings, folder / "record")
    places = Places(output, folder)
    if stored is None:
        _new_folder(folder)
    progress = progress_of(learner, places)
    _remove_leftovers(output, folder)
    write_json_whole(folder / _ABOUT, about)
    return fit(
        learner, collection, settings, places, listener, progress=progress, watching=watching,
    )  # fmt: skip


def _check_output(
    output: Path, folder: Path, *, resume: bool, force: bool
) -> dict[str, Any] | None:
    """The description of the run that is to go on, None where a new one begins."""
    if output.suffix != ".keras":
        raise OutputError(f"{output} does not end in .keras: choose a name that does, with -o")
    if output.is_dir():
        raise OutputError(f"{output} is a folder: choose the name of a file, with -o")
    about = folder / _ABOUT
    if folder.exists() and not is_own_manifest(about) and _is_occupied(folder) and not force:
        raise OutputError(
            f"{folder} exists and layerscope did not write it: choose another name with -o, or "
            "pass --force to replace it"
        )
    if resume and is_own_manifest(about):
        found = json.loads(about.read_text(encoding="utf-8"))
        if (folder / _STATE).exists() and not output.exists():
            raise OutputError(
                f"{output} is gone, and with it the best network of the training in {folder}: "
                "bring it back, or train anew with --force"
            )
        if isinstance(found.get("settings"), dict):
            return dict(found)
    if output.exists() and not force:
        raise OutputError(
            f"{output} exists: pass --resume to go on with its training, --force to train anew "
            "and replace it, or choose another name with -o"
            if not resume
            else f"{output} exists, but {folder} holds no training to go on with: pass --force to "
            "train anew and replace it, or choose another name with -o"
        )
    return None


def _is_occupied(folder: Path) -> bool:
    """Whether there is anything but what a run left that was killed as it began."""
    if not folder.is_dir():
        return True
    return any(not path.name.startswith(f".{_ABOUT}-") for path in folder.iterdir())


def _new_folder(folder: Path) -> None:
    """An empty folder for results; a model of before goes when the first new one is there."""
    try:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        elif folder.exists() or folder.is_symlink():
            folder.unlink()
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}. Choose another place with -o"
        ) from error


def _remove_leftovers(output: Path, folder: Path) -> None:
    """Remove what a run that was killed was about to write."""
    beside = (path for path in output.parent.iterdir() if path.name.startswith(f".{output.name}-"))
    for path in (*beside, *folder.rglob(".*-*")):
        if path.is_file():
            path.unlink(missing_ok=True)


def _describe(settings: Settings, collection: Collection) -> dict[str, Any]:
    """What ``training.json`` holds."""
    named = [
        f"{part}\0{photo.name}\0{photo.label}\0{photo.path.stat().st_size}"
        for part, photos in (("train", collection.train), ("validation", collection.validation))
        for photo in photos
    ]
    digest = hashlib.sha256("\n".join(named).encode()).hexdigest()
    return {
        "layerscope": layerscope_version(),
        "settings": settings.as_json(),
        "classes": list(collection.classes),
        "data": {
            "train": len(collection.train),
            "validation": len(collection.validation),
            "digest": digest,
        },
        "skipped": [_told(item) for item in collection.skipped],
    }


def _told(item: Skipped) -> dict[str, str]:
    return {"name": item.name, "reason": item.reason.encode("utf-8", "replace").decode()}


def write_json_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    with new_file(path, own=True) as temporary:
        write_json(temporary, document)
