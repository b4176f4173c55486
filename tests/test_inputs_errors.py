"""What is not a picture or an array is named for what it is, with a remedy."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerscope.axes import Axes
from layerscope.errors import InputError, LayerscopeError
from layerscope.graph import Node
from layerscope.inputs import prepare
from layerscope.operations import Input

NODE = Node("image", None, "image", "InputLayer", Input(), (), (None, 4, 4, 3), Axes.parse("NHWC"))


def message(inputs: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(prepare(inputs, [NODE]).batches(8))
    return str(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "zebra.png"
    assert message(path) == f"no such file or folder: {path}; check its name and folder"
    (tmp_path / "zebra.jpeg").write_bytes(b"")
    assert message(path) == (
        f"no such file or folder: {path}; did you mean {tmp_path / 'zebra.jpeg'}?"
    )


def test_names_that_no_file_can_have() -> None:
    assert message("") == "an input has an empty name: give a picture, an array or a folder"
    assert message("a\0b").startswith("no such file or folder: a\0b")
    assert message("x" * 5000).startswith("no such file or folder: xxx")


def test_an_address_is_no_file() -> None:
    assert message("https://example.org/cat.jpg") == (
        "https://example.org/cat.jpg is not a file: download it first and give the file"
    )


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.touch()
    assert message(path) == f"{path} is empty (0 bytes): expected a picture or an array"


def test_what_is_neither_file_nor_folder(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert message(path) == (
        f"{path} is neither a file nor a folder: save the input to a file first"
    )


@pytest.mark.parametrize("folder", ["empty", "texts"])
def test_a_folder_without_pictures(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder
    path.mkdir()
    count = 0
    if folder == "texts":
        (path / "a.txt").write_text("hello")
        (path / "below").mkdir()
        (path / "below" / "b.jpg").write_text("hello")
        count = 2
    assert message(path) == (
        f"{path} holds no picture or array that can be read (looked at {count} files): give a "
        "folder with JPEG, PNG, .npy or .csv files"
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "cat.jpg",
            b"\n<!DOCTYPE html>\n<html><body>404</body></html>",
            "an HTML page, not a picture or array: the download gave an error page, get it again",
        ),
        (
            "cat.png",
            b"\xef\xbb\xbf<HTML><title>Moved</title>",
            "an HTML page, not a picture or array: the download gave an error page, get it again",
        ),
        ("a.svg", b"<?xml version='1.0'?><svg></svg>", "an SVG drawing, not a picture or array: "
         "export it as PNG"),
        ("a.pdf", b"%PDF-1.7\n", "a PDF document, not a picture or array: export the picture as "
         "PNG"),
        ("a.eps", b"%!PS-Adobe-3.0", "a PostScript document, not a picture or array: export the "
         "picture as PNG"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture or a film, not a picture or "
         "array: export it as JPEG or PNG"),
        ("a.txt", b"1 2 3", "a text file, not a picture or array: numbers are read from .csv and "
         ".tsv"),
        ("a.jpg", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not a "
         "picture or array: fetch the file with git lfs pull"),
        ("a.npy.gz", b"\x1f\x8b\x08", "a gzip archive, not a picture or array: unpack it first"),
        ("v.mat", b"MATLAB 7.3 MAT-file, Platform", "a MATLAB 7.3 file, not a picture or array: "
         "save it again with -v7"),
        ("a.bin", b"\x00\x01\x02\xff", "of a format that is not known, not a picture or array: "
         "convert it to PNG, JPEG or .npy"),
    ],
)  # fmt: skip
def test_other_files(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert message(path) == f"{path} is {expected}"


def zipped(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("m.h5", "HDF5"),
        ("m.keras", "Keras"),
        ("m.pt", "PyTorch"),
        ("m.pb", "pb"),
        ("folder", "a TensorFlow model's folder"),
    ],
)
def test_a_model_given_as_input(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if name == "m.h5":
        h5py.File(path, "w").close()
    elif name == "m.keras":
        zipped(path, "metadata.json", "config.json", "model.weights.h5")
    elif name == "m.pt":
        zipped(path, "archive/data.pkl", "archive/version")
    elif name == "m.pb":
        path.write_bytes(b"\x0a\x1b\x0a\x05input\x12")
    else:
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert message(path) == (
        f"{path} looks like a model ({kind}), not a picture or an array: swap the two, the model "
        "comes first and the input after it"
    )


def test_real_models_given_as_input(material: Path) -> None:
    for name in (
        "keras/leyuzak_mnist_cnn.keras",
        "keras/phvu_carnd_model.h5",
        "tf/tensorspace_lenet_frozen_model.pb",
        "tf/tensorspace_savedmodel_tf1",
        "tf/picasso_mnist_ckpt",
    ):
        assert "looks like a model" in message(material / name), name


def test_another_zip(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    zipped(path, "readme.txt")
    assert message(path) == f"{path} is a ZIP archive, not a picture or array: unpack it first"


@pytest.fixture
def unprivileged(tmp_path: Path) -> Any:
    """Give up the right to read everything, which tests in containers often have."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked(tmp_path: Path) -> Any:
    path = tmp_path / "locked.npy"
    np.save(path, np.zeros((4, 4)))
    folder = tmp_path / "locked"
    folder.mkdir()
    path.chmod(0)
    folder.chmod(0)
    yield tmp_path
    path.chmod(0o600)
    folder.chmod(0o700)


def test_files_that_may_not_be_read(locked: Path, unprivileged: None) -> None:
    path = locked / "locked.npy"
    assert message(path) == (
        f"{path} cannot be read: permission denied. Give yourself the right to read it"
    )
    folder = locked / "locked"
    assert message(folder) == f"{folder} cannot be read: Permission denied"
    inside = folder / "a.png"
    assert message(inside) == (
        f"{inside} cannot be read: permission denied. Give yourself the right to read it"
    )


@given(
    magic=st.sampled_from(
        [
            *(b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0", b"BM"),
            *(b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x0cjP  \r\n\x87\n", b"P6\n", b"\x93NUMPY\x01\0"),
            *(b"PK\x03\x04", b"MATLAB 5.0 MAT-file", b"\0\0\0\x1cftypavif"),
        ]
    ),
    rest=st.binary(max_size=300),
    suffix=st.sampled_from(["", ".csv", ".mat", ".jpg"]),
)
@settings(max_examples=300, deadline=None)
def test_noise_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, magic: bytes, rest: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"noise{suffix}"
    path.write_bytes(magic + rest)
    said = str(path)
    try:
        list(prepare(path, [NODE]).batches(1))
    except LayerscopeError as error:
        said = str(error)
    assert str(path) in said
