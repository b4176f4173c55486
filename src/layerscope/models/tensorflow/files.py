"""Reading TensorFlow's files as data: graphs, MetaGraphs, SavedModels and their checkpoints."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError

_LARGEST = 2**31 - 1
_LARGEST_TEXT = 64 * 2**20
_CHECKPOINT_PATH = re.compile(r'^\s*model_checkpoint_path\s*:\s*"((?:[^"\\]|\\.)*)"', re.MULTILINE)


def read_proto(path: Path, kind: Any, what: str) -> tuple[Any, int]:
    """A file as a protobuf message of a kind, binary or text, and its size in bytes."""
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise ModelError(f"{path} has {size / 2**30:.1f} GB; {what} has at most 2 GB.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    message = kind()
    if is_text(data[:4096]) and size <= _LARGEST_TEXT:
        try:
            text_format.Parse(data.decode(), message)
        except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError(f"{path} is no {what} in text form: {str(error)[:200]}.") from None
        return message, size
    try:
        message.ParseFromString(data)
    except (DecodeError, RecursionError):
        raise ModelError(
            f"{path} is a damaged or truncated {what}. Copy or download it again."
        ) from None
    return message, size


def is_text(head: bytes) -> bool:
    """Whether a protobuf file is in its text form."""
    return b"\0" not in head and re.match(rb"\s*(#[^\n]*\n\s*)*[a-z_]+\s*[:{]", head) is not None


def checkpoint_in(folder: Path) -> Path:
    """The prefix of the checkpoint in a folder: what its ``checkpoint`` file names, beside it."""
    pointer = folder / "checkpoint"
    metas = sorted(path for path in folder.glob("*.meta") if path.is_file())
    if pointer.is_file():
        found = _CHECKPOINT_PATH.search(
            pointer.read_text(encoding="utf-8", errors="replace")[:65536]
        )
        if found:
            name = re.split(r"[/\\]", found[1])[-1]
            if name and (folder / f"{name}.meta").is_file():
                return folder / name
    if len(metas) == 1:
        return metas[0].with_suffix("")
    if not metas:
        raise no_graph(folder)
    names = ", ".join(path.name for path in metas[:8])
    raise ModelError(
        f"{folder} holds several checkpoints, and no file 'checkpoint' says which: give one of "
        f"{names}."
    )


def no_graph(path: Path) -> ModelError:
    """The refusal of a checkpoint without a .meta file."""
    return ModelError(
        f"{path} is a TensorFlow checkpoint without a .meta file: it holds weights, but no "
        "network. Give the .meta file that was saved with it, or a frozen graph, a SavedModel, "
        "or code as FILE.py:name."
    )


def prefix_of(path: Path) -> Path:
    """A checkpoint's prefix from any of its files."""
    name = re.sub(r"\.(meta|index|data-\d{5}-of-\d{5})$", "", path.name)
    return path.with_name(name)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
