"""What a model file is, by its content; and which module opens it."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.architecture import read_yaml

_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_JSON = 16 * 2**20
_YAML = re.compile(rb"(?:\s|#[^\n]*\n|---)*(?:backend|class_name|config|keras_version):\s")
_KERAS_ARCHIVE = {"config.json", "metadata.json"}


@dataclass(frozen=True)
class Format:
    """A kind of model file. module: what opens it, by its function ``open_file``."""

    name: str
    words: str
    module: str


KERAS = Format("keras", "a Keras 3 archive", "layerscope.models.keras.opening")
HDF5 = Format("hdf5", "a Keras HDF5 file", "layerscope.models.keras.opening")
ARCHITECTURE = Format("json", "a Keras architecture", "layerscope.models.keras.opening")
GRAPH = Format("graph", "a frozen TensorFlow graph", "layerscope.models.tensorflow.opening")
CHECKPOINT = Format("checkpoint", "a TensorFlow checkpoint", "layerscope.models.tensorflow.opening")
SAVED = Format("saved_model", "a SavedModel", "layerscope.models.tensorflow.opening")
_PROTOBUF = {"graph": GRAPH, "metagraph": CHECKPOINT, "savedmodel": SAVED}
_CHECKPOINT_SUFFIX = re.compile(r".+\.(index|data-\d{5}-of-\d{5})")


def detect(path: Path) -> Format:
    """The format of a model file or folder.

    Raises ModelError, saying what the file is instead, where it is no model that opens.
    """
    if path.is_dir():
        if any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
            return SAVED
        if (path / "checkpoint").is_file() or any(path.glob("*.meta")):
            return CHECKPOINT
        raise ModelError(_not_a_model(path, "a folder", _EXPECTED))
    if _is_checkpoint(path):
        return CHECKPOINT
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"There is no file {path}. Expected a saved model (.keras, .h5), or code as "
            "FILE.py:name."
        ) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    if head.startswith(_HDF5):
        return HDF5
    if head.startswith(b"PK"):
        return _archive(path)
    if head.lstrip().startswith((b"{", b"[", b'"{')) or _YAML.match(head):
        read_architecture(path)
        return ARCHITECTURE
    found = _tensorflow(path, head)
    if found is not None:
        return found
    raise ModelError(_described(path, head))


def _is_checkpoint(path: Path) -> bool:
    """Whether a path is one of a checkpoint's files, or the prefix that they share."""
    if path.is_file() and _CHECKPOINT_SUFFIX.fullmatch(path.name):
        return True
    beside = [path.with_name(path.name + end) for end in (".meta", ".index")] if path.name else []
    return any(file.is_file() for file in beside)


def _tensorflow(path: Path, head: bytes) -> Format | None:
    """TensorFlow's files, by their fields; in text form by what the text begins with."""
    from layerscope.models.wire import tell

    text = re.match(
        rb"\s*(#[^\n]*\n\s*)*(node|meta_info_def|graph_def|saved_model_\w+)\s*[:{]", head
    )
    if text:
        word = text[2].decode()
        if word == "node":
            return GRAPH
        return SAVED if word.startswith("saved_model") else CHECKPOINT
    try:
        with path.open("rb") as file:
            kind = tell(file, path.stat().st_size)
    except OSError:
        return None
    if kind is None and path.suffix in (".pb", ".meta") and head:
        raise ModelError(
            f"{path} is no TensorFlow graph, or a damaged or truncated one. Copy or download "
            "it again."
        )
    return None if kind is None else _PROTOBUF[kind]


def _archive(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, RuntimeError):
        raise ModelError(
            f"{path} is a damaged or truncated .keras file: its archive cannot be read. "
            "Copy or download it again."
        ) from None
    if names >= _KERAS_ARCHIVE:
        return KERAS
    raise ModelError(_not_a_model(path, "a ZIP archive without Keras's config.json", _EXPECTED))


def read_architecture(path: Path) -> dict[str, Any]:
    """The config in a JSON or YAML file. Raises ModelError where it is no Keras architecture."""
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError
        text = path.read_bytes()
        found = read_yaml(path, text) if _YAML.match(text) else json.loads(text)
        # to_json() gives a text; many wrote it out as JSON once more.
        found = json.loads(found) if isinstance(found, str) else found
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and {"class_name", "config"} <= found.keys():
        return found
    raise ModelError(_not_a_model(path, "a text that is no Keras architecture", _EXPECTED))


def _described(path: Path, head: bytes) -> str:
    from layerscope.sniff import sniff_bytes

    found = sniff_bytes(head, path)
    if found.kind == "picture":
        return (
            f"{path} is a picture ({found.what}), not a model. "
            "The model comes first and the picture after it: layerscope view MODEL INPUT."
        )
    if found.kind == "model":
        return _other_framework(path, f"a model of another format ({found.what})")
    if found.kind == "empty":
        return _not_a_model(path, "empty (0 bytes)", "Copy or download it again.")
    if found.readable:
        return _not_a_model(path, found.what, "The model comes first and the input after it.")
    if path.suffix == ".py":
        return (
            f"{path} is code: say which model in it, as {path}:NAME "
            "(a model, or a function that returns one)."
        )
    return _not_a_model(path, found.what, _EXPECTED)


_EXPECTED = (
    "Expected a .keras or .h5 file, a TensorFlow graph (.pb, .meta or a SavedModel's folder), "
    "or code as FILE.py:name."
)


def _other_framework(path: Path, what: str) -> str:
    return f"{path} looks like {what}, which is not opened. {_EXPECTED}"


def _not_a_model(path: Path, what: str, remedy: str) -> str:
    return f"{path} is {what}, not a model. {remedy}"
