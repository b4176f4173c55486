"""Sniffing: what a file is, by its first bytes and not by its suffix."""

from __future__ import annotations

import codecs
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from layerscope.errors import InputError

Kind = Literal["picture", "npy", "npz", "mat", "table", "model", "empty", "other"]

_HEAD = 4096
_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)
_OTHERS: tuple[tuple[bytes, Kind, str, str], ...] = (
    (b"\x93NUMPY", "npy", "a NumPy array", ""),
    (b"MATLAB 7.3", "other", "a MATLAB 7.3 file", "save it again with -v7"),
    (b"MATLAB 5.0 MAT-file", "mat", "a MATLAB file", ""),
    (b"\x89HDF\r\n\x1a\n", "model", "HDF5", ""),
    (b"%PDF-", "other", "a PDF document", "export the picture as PNG"),
    (b"%!PS", "other", "a PostScript document", "export the picture as PNG"),
    (b"8BPS", "other", "a Photoshop document", "export the picture as PNG"),
    (b"\x1f\x8b", "other", "a gzip archive", "unpack it first"),
    (b"version https://git-lfs", "other", "a Git LFS pointer", "fetch the file with git lfs pull"),
)
_MODEL_SUFFIXES = frozenset({".pb", ".meta", ".onnx", ".tflite", ".pt", ".pth", ".pbtxt"})


@dataclass(frozen=True)
class Sniffed:
    """What a file is. what: a picture's format by Pillow's name, or a description."""

    kind: Kind
    what: str
    remedy: str = ""

    @property
    def readable(self) -> bool:
        """Whether it is a picture or an array."""
        return self.kind in ("picture", "npy", "npz", "mat", "table")


def sniff(path: Path) -> Sniffed:
    """What the file at ``path`` is; raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except PermissionError:
        raise InputError(
            f"{path} cannot be read: permission denied. Give yourself the right to read it"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    return sniff_bytes(head, path)


def sniff_bytes(head: bytes, path: Path) -> Sniffed:
    """What a file is that begins with ``head``; its suffix decides only where bytes cannot."""
    if not head:
        return Sniffed("empty", "empty")
    picture = _picture_format(head)
    if picture:
        return Sniffed("picture", picture)
    for magic, kind, what, remedy in _OTHERS:
        if head.startswith(magic):
            return Sniffed(kind, what, remedy)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(path)
    if head[4:8] == b"ftyp":
        return Sniffed("other", "a HEIC picture or a film", "export it as JPEG or PNG")
    suffix = path.suffix.lower()
    if suffix in _MODEL_SUFFIXES or head[4:8] == b"TFL3":
        return Sniffed("model", suffix.lstrip(".") or "TFLite")
    if suffix == ".mat":
        return Sniffed("mat", "a MATLAB file")
    return _text(head, suffix)


def refuse(path: Path, sniffed: Sniffed) -> InputError:
    """The error for a file that is neither a picture nor an array."""
    if sniffed.kind == "empty":
        return InputError(f"{path} is empty (0 bytes): expected a picture or an array")
    if sniffed.kind == "model":
        return InputError(
            f"{path} looks like a model ({sniffed.what}), not a picture or an array: "
            "swap the two, the model comes first and the input after it"
        )
    return InputError(f"{path} is {sniffed.what}, not a picture or array: {sniffed.remedy}")


def _picture_format(head: bytes) -> str | None:
    for magic, name in _PICTURES:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "AVIF"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "PPM"
    return None


def _zip(path: Path) -> Sniffed:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Sniffed("other", "a damaged ZIP or NPZ archive", "copy or download it again")
    if names and all(name.endswith(".npy") for name in names):
        return Sniffed("npz", "NumPy arrays")
    if "config.json" in names:
        return Sniffed("model", "Keras")
    if any(name.endswith("data.pkl") for name in names):
        return Sniffed("model", "PyTorch")
    return Sniffed("other", "a ZIP archive", "unpack it first")


def _text(head: bytes, suffix: str) -> Sniffed:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1024].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in start:
        return Sniffed("other", "an HTML page", "the download gave an error page, get it again")
    if b"<svg" in start:
        return Sniffed("other", "an SVG drawing", "export it as PNG")
    if suffix in (".csv", ".tsv"):
        return Sniffed("table", suffix[1:].upper())
    if b"\0" not in head and _is_utf8(head):
        return Sniffed("other", "a text file", "numbers are read from .csv and .tsv")
    return Sniffed("other", "of a format that is not known", "convert it to PNG, JPEG or .npy")


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
