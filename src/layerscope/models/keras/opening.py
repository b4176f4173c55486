"""Opening Keras models: archives and HDF5 files of Keras 3, architectures, code, live objects."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerscope.errors import LayerscopeError, ModelError
from layerscope.hints import Hints
from layerscope.models.code import custom_objects, model_from_code
from layerscope.models.formats import ARCHITECTURE, HDF5, KERAS, Format, read_architecture
from layerscope.models.keras.backends import load_keras
from layerscope.models.keras.containers import check_archive_weights, check_hdf5, read_archive
from layerscope.models.keras.declared import no_more_than_stored
from layerscope.models.keras.reasons import told_as
from layerscope.models.keras.safety import check_config
from layerscope.models.keras.uncompiled import uncompiled, without_compilation
from layerscope.models.keras.weights import check_weights, load_weights, under_suffix
from layerscope.models.keras_legacy import opening as legacy
from layerscope.models.protocol import Source

if TYPE_CHECKING:
    from layerscope.models.keras.adapter import KerasModel
    from layerscope.models.options import OpenOptions


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
            f"{path}:{name} gives an object of the type {type(model).__name__}. "
            "Expected a keras.Model, or a function without arguments that returns one."
        )
    notes: tuple[str, ...] = ()
    if options.weights is not None:
        notes = _load_given_weights(model, path, options.weights, options)
    source = Source(path.stem, f"{path}:{name}", "python", _framework(), _sha256(path), notes)
    return _adapter(model, source, None)


def _open_archive(path: Path, options: OpenOptions) -> KerasModel:
    config, metadata, own = read_archive(path)
    version = str(metadata.get("keras_version", "?"))
    check_archive_weights(path)
    hints = _stored_hints(path, own)
    if version.split(".")[0] in ("1", "2"):
        request = _request(path, version, options)
        with told_as(path, version):
            model = legacy.open_archive(request, config)
        return _adapter(model, _source(path, KERAS, request.notes), hints)
    return _adapter(_load(path, ".keras", config, options, version), _source(path, KERAS), hints)


def _open_hdf5(path: Path, options: OpenOptions) -> KerasModel:
    import h5py

    check_hdf5(path)
    with h5py.File(path, "r") as archive:
        config, version = archive.attrs.get("model_config"), archive.attrs.get("keras_version")
    if config is None:
        raise ModelError(
            f"{path} holds weights without an architecture. Give the architecture too: "
            f"FILE.py:name --weights {path}, or ARCHITECTURE.json --weights {path}."
        )
    try:
        found = json.loads(config)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ModelError(
            f"{path} is a damaged Keras file: its model_config cannot be read. "
            "Copy or download it again."
        )
    written = _text(version)
    if legacy.is_old(written):
        return _open_old(path, found, written, options, HDF5)
    return _adapter(_load(path, ".h5", found, options, written), _source(path, HDF5), None)


def _open_architecture(path: Path, options: OpenOptions) -> KerasModel:
    config = read_architecture(path)
    if options.weights is None:
        raise ModelError(
            f"{path} is an architecture without weights. Give them: --weights FILE.weights.h5."
        )
    stored = check_weights(options.weights)
    version = _text(config.get("keras_version")) or ("3" if "module" in config else "")
    if legacy.is_old(version):
        return _open_old(path, config, version, options, ARCHITECTURE)
    keras = load_keras(options.backend)
    own = _custom(options, path, config)
    with (
        told_as(path, version),
        no_more_than_stored(path, stored),
        keras.saving.custom_object_scope(own),
    ):
        model = keras.saving.deserialize_keras_object(
            without_compilation(config), safe_mode=not options.trust
        )
    if not isinstance(model, keras.Model):
        raise _no_model(path, model)
    load_weights(model, options.weights)
    return _adapter(model, _source(path, ARCHITECTURE), None)


def _open_old(
    path: Path, config: dict[str, Any], version: str, options: OpenOptions, found: Format
) -> KerasModel:
    request = _request(path, version, options)
    with told_as(path, version or "1 or 2"):
        model = legacy.open_hdf5(request, config)
    return _adapter(model, _source(path, found, request.notes), None)


def _request(path: Path, version: str, options: OpenOptions) -> legacy.Request:
    keras = load_keras(options.backend)
    own = dict(keras.saving.get_custom_objects())
    own |= {name.rpartition(">")[2]: value for name, value in own.items()}
    own |= {} if options.custom is None else custom_objects(options.custom)
    return legacy.Request(
        path, version, own, options.trust, options.theano_kernels, options.weights
    )


def _load(
    path: Path, suffix: str, config: dict[str, Any], options: OpenOptions, version: str
) -> Any:
    keras = load_keras(options.backend)
    own = _custom(options, path, config)
    with (
        told_as(path, version),
        no_more_than_stored(path, path.stat().st_size),
        under_suffix(path, suffix) as name,
        uncompiled(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        model = keras.saving.load_model(
            name, custom_objects=own, compile=False, safe_mode=not options.trust
        )
    if not isinstance(model, keras.Model):
        raise _no_model(path, model)
    return model


def _custom(options: OpenOptions, path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The user's own classes by name, once the config is known to ask for nothing else."""
    import keras

    own = {} if options.custom is None else custom_objects(options.custom)
    registered = (name.rpartition(">")[2] for name in keras.saving.get_custom_objects())
    # What models were compiled with is never made, so it may be of any class.
    network = without_compilation(config)
    check_config(path, network, trust=options.trust, known=frozenset((*own, *registered)))
    return own


def _load_given_weights(
    model: Any, code: Path, path: Path, options: OpenOptions
) -> tuple[str, ...]:
    check_weights(path)
    if not legacy.is_old_weights(path):
        load_weights(model, path)
        return ()
    request = _request(code, "", options)
    with told_as(path, "1 or 2"):
        legacy.fill(model, path, request)
    return tuple(dict.fromkeys(request.notes))


def _no_model(path: Path, found: Any) -> ModelError:
    return ModelError(
        f"{path} holds a {type(found).__name__} alone. Expected a whole model: "
        "save it with model.save('NAME.keras')."
    )


def _text(stored: Any) -> str:
    if isinstance(stored, bytes):
        return stored.decode(errors="replace")
    return stored if isinstance(stored, str) else ""


def _stored_hints(path: Path, own: dict[str, Any]) -> Hints | None:
    """What layerscope.json in the archive says of the input and the classes."""
    if not own:
        return None
    given, classes = own.get("input"), own.get("classes")
    given = given if isinstance(given, dict) else {}
    try:
        return Hints(
            range=given.get("range"),
            color=given.get("color"),
            size=_size(given.get("size")),
            classes=tuple(map(str, classes)) if isinstance(classes, list) else None,
            reason=f"{path.name} says so in its layerscope.json",
        )
    except (LayerscopeError, TypeError, ValueError, LookupError) as error:
        raise ModelError(
            f"{path}: its layerscope.json is not understood: {error}. "
            "Mend or remove that member of the archive."
        ) from None


def _size(stored: Any) -> tuple[int, int] | None:
    if stored is None:
        return None
    height, width = (int(stored[i]) for i in (0, 1))
    if min(height, width) < 1:
        raise ValueError(f"the size {height}×{width} is below 1×1")
    return height, width


def _adapter(model: Any, source: Source, hints: Hints | None) -> KerasModel:
    from layerscope.models.keras.adapter import KerasModel

    return KerasModel(model, source, hints)


def _source(path: Path, found: Format, notes: Sequence[str] = ()) -> Source:
    return Source(
        path.stem, str(path), found.name, _framework(), _sha256(path), tuple(dict.fromkeys(notes))
    )


def _framework() -> str:
    keras = load_keras()
    return f"Keras {keras.__version__} on {keras.backend.backend()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
