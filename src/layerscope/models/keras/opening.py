"""Opening Keras models: archives and HDF5 files of Keras 3, architectures, code, live objects."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerscope.errors import LayerscopeError, ModelError
from layerscope.hints import Hints
from layerscope.models.code import custom_objects, model_from_code
from layerscope.models.formats import HDF5, KERAS, Format
from layerscope.models.keras.backends import load_keras
from layerscope.models.keras.safety import (
    check_archive_weights,
    check_config,
    check_hdf5,
    read_archive,
)
from layerscope.models.protocol import Source

if TYPE_CHECKING:
    from layerscope.models.keras.adapter import KerasModel
    from layerscope.models.opening import OpenOptions


def open_file(path: Path, found: Format, options: OpenOptions) -> KerasModel:
    """Open a .keras archive, an .h5 file or an architecture with its weights."""
    if found == KERAS:
        return _open_archive(path, options)
    if found == HDF5:
        return _open_hdf5(path, options)
    return _open_architecture(path, options)


def wrap(model: Any, options: OpenOptions | None = None) -> KerasModel:
    """A live keras.Model as a Model."""
    load_keras(options.backend if options else None)
    return _adapter(model, Source(str(model.name), None, "live", _framework()), None)


def open_code(path: Path, name: str, options: OpenOptions) -> KerasModel:
    """Open what the user's own code makes, with weights where given."""
    keras = load_keras(options.backend)
    model = model_from_code(path, name)
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"{name} in {path} is of the type {type(model).__name__}. "
            "Expected a keras.Model, or a function without arguments that returns one."
        )
    if options.weights is not None:
        _load_weights(model, options.weights)
    source = Source(path.stem, f"{path}:{name}", "python", _framework(), _sha256(path))
    return _adapter(model, source, None)


def _open_archive(path: Path, options: OpenOptions) -> KerasModel:
    config, metadata, own = read_archive(path)
    version = str(metadata.get("keras_version", "?"))
    if version.split(".")[0] in ("1", "2"):
        raise _too_old(path, version)
    check_archive_weights(path)
    hints = _stored_hints(path, own)
    model = _load(path, ".keras", config, options, version)
    return _adapter(model, _source(path, KERAS), hints)


def _open_hdf5(path: Path, options: OpenOptions) -> KerasModel:
    import h5py

    check_hdf5(path)
    with h5py.File(path, "r") as archive:
        config, version = archive.attrs.get("model_config"), archive.attrs.get("keras_version")
        weights_only = config is None
    version = version.decode() if isinstance(version, bytes) else str(version or "?")
    if weights_only:
        raise ModelError(
            f"{path} holds weights without an architecture. Give the architecture too: "
            f"layerscope ... FILE.py:name --weights {path} (or ARCHITECTURE.json --weights {path})."
        )
    try:
        config = json.loads(config)
    except ValueError:
        raise ModelError(f"{path}: its model_config is no JSON. Save the model again.") from None
    if version.split(".")[0] in ("1", "2", "?"):
        raise _too_old(path, version)
    return _adapter(_load(path, ".h5", config, options, version), _source(path, HDF5), None)


def _open_architecture(path: Path, options: OpenOptions) -> KerasModel:
    config = json.loads(path.read_bytes())
    if options.weights is None:
        raise ModelError(
            f"{path} is an architecture without weights. Give them: --weights FILE.weights.h5."
        )
    version = str(config.get("keras_version") or ("3" if "module" in config else "2"))
    if version.split(".")[0] in ("1", "2"):
        raise _too_old(path, version)
    keras = load_keras(options.backend)
    own = _custom(options)
    check_config(path, config, trust=options.trust, known=frozenset(own))
    with _told_as(path, version), keras.saving.custom_object_scope(own):
        model = keras.saving.deserialize_keras_object(config, safe_mode=not options.trust)
    _load_weights(model, options.weights)
    return _adapter(model, _source(path, HDF5, "json"), None)


def _load(
    path: Path, suffix: str, config: dict[str, Any], options: OpenOptions, version: str
) -> Any:
    keras = load_keras(options.backend)
    own = _custom(options)
    check_config(path, config, trust=options.trust, known=frozenset(own))
    with _told_as(path, version), _under_suffix(path, suffix) as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return keras.saving.load_model(
            name, custom_objects=own, compile=False, safe_mode=not options.trust
        )


def _load_weights(model: Any, path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"There is no weights file {path}.")
    with path.open("rb") as file:
        hdf5 = file.read(8) == b"\x89HDF\r\n\x1a\n"
    if not hdf5:
        raise ModelError(f"{path} is no HDF5 file. Expected weights saved by Keras (.weights.h5).")
    check_hdf5(path)
    with _told_as(path, "3"), _under_suffix(path, ".weights.h5") as name:
        model.load_weights(name)


@contextmanager
def _under_suffix(path: Path, suffix: str) -> Iterator[str]:
    """The file under a name with the suffix that Keras goes by."""
    if path.name.endswith(suffix):
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="layerscope-") as folder:
        name = os.path.join(folder, "model" + suffix)
        os.symlink(path.resolve(), name)
        yield name


@contextmanager
def _told_as(path: Path, version: str) -> Iterator[None]:
    """Keras's own failures as one message."""
    try:
        yield
    except LayerscopeError:
        raise
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        first = lines[0][:300] if lines else type(error).__name__
        raise ModelError(
            f"{path} cannot be opened by Keras (it was written by Keras {version}): {first}"
        ) from error


def _too_old(path: Path, version: str) -> ModelError:
    return ModelError(
        f"{path} was written by Keras {version}. This version of layerscope opens files of "
        "Keras 3: load the model in its own Keras version's successor and save it as .keras."
    )


def _custom(options: OpenOptions) -> dict[str, Any]:
    return {} if options.custom is None else custom_objects(options.custom)


def _stored_hints(path: Path, own: dict[str, Any]) -> Hints | None:
    """What layerscope.json in the archive says of the input and the classes."""
    if not own:
        return None
    given = own.get("input") if isinstance(own.get("input"), dict) else {}
    classes, size = own.get("classes"), (given or {}).get("size")
    try:
        return Hints(
            range=(given or {}).get("range"),
            color=(given or {}).get("color"),
            size=(int(size[0]), int(size[1])) if size else None,
            classes=tuple(map(str, classes)) if isinstance(classes, list) else None,
            reason=f"{path.name} says so in its layerscope.json",
        )
    except (LayerscopeError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"{path}: its layerscope.json is not understood: {error}") from None


def _adapter(model: Any, source: Source, hints: Hints | None) -> KerasModel:
    from layerscope.models.keras.adapter import KerasModel

    return KerasModel(model, source, hints)


def _source(path: Path, found: Format, name: str | None = None) -> Source:
    return Source(path.stem, str(path), name or found.name, _framework(), _sha256(path))


def _framework() -> str:
    keras = load_keras()
    return f"Keras {keras.__version__} on {keras.backend.backend()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
