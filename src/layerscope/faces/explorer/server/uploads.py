"""Uploads: bytes that a page sends, looked at before anything decodes them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from layerscope.errors import InputError, LayerscopeError, SelectionError
from layerscope.faces.explorer.answers.documents import UPLOAD_PIXELS
from layerscope.faces.explorer.session import Explorer
from layerscope.inputs.decode import decode
from layerscope.render.text import clean
from layerscope.sniff import sniff

_LONGEST_NAME = 200


def shown_name(name: str) -> str:
    """What a browser calls a file, without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return clean(last, _LONGEST_NAME).strip() or "picture"


def check_upload(path: Path, max_pixels: int = UPLOAD_PIXELS) -> None:
    """Raise InputError unless the file is a picture or a .npy array of bearable size.

    A picture is refused by what its header says, before it is decoded.
    """
    sniffed = sniff(path)
    if sniffed.kind == "picture":
        try:
            decode(path, sniffed.what, max_pixels)
        except InputError as error:
            # The rest of that message is for those who call it from Python.
            raise InputError(str(error).partition(", or raise max_pixels")[0]) from None
    elif sniffed.kind == "npy":
        _check_array(path, max_pixels)
    else:
        remedy = f"; {sniffed.remedy}" if sniffed.remedy else ""
        raise InputError(
            f"{path} is {sniffed.what}, not a picture or a .npy array{remedy}. Drop a PNG, a "
            "JPEG, another picture, or a .npy file"
        )


def _check_array(path: Path, most: int) -> None:
    """Hold what the header promises against what is there."""
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, _, dtype = read(file)
    except (ValueError, KeyError, EOFError, OSError) as error:
        raise InputError(f"{path} is a damaged .npy file ({error}): save it again") from None
    values = 1
    for size in shape:
        values *= size
    if dtype.hasobject or values * dtype.itemsize > path.stat().st_size:
        raise InputError(f"{path} is a cut-off .npy file or holds objects: save it again")
    if values > most:
        raise InputError(f"{path} holds {values:,} values, above the limit of {most:,}")


@contextmanager
def received(data: Any) -> Iterator[Path]:
    """The bytes of an upload as a file of our own naming, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="layerscope-") as folder:
        path = Path(folder, "upload")
        path.write_bytes(data)
        yield path


def renamed(error: LayerscopeError, path: Path, name: str) -> InputError:
    """The error with the name that the person knows instead of our own."""
    return InputError(str(error).replace(str(path), name))


def upload_target(explorer: Explorer, base: str | None, number: int) -> Callable[[Any], Any]:
    """How an uploaded file becomes the inputs of a run.

    base: a run whose other inputs are kept. number: the input that is replaced. Raises
    SelectionError or NoSuchRunError where there is none of these.
    """
    graph = explorer.graph()
    if base is None:
        return lambda path: path
    kept = explorer.run(base)
    if not 0 <= number < len(graph.inputs):
        raise SelectionError(
            f"There are inputs 0 to {len(graph.inputs) - 1}, but input {number} was asked for."
        )
    name = graph.inputs[number].name
    axes = {node.name: node.axes.batch for node in graph.inputs}
    others = {
        other: array if axes[other] is None else array.take([kept.sample], axes[other])
        for other, array in kept.made_by.feeds.items()
        if other != name
    }
    return lambda path: {name: path, **others}
