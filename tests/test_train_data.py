"""Which pictures a training sees, in which order, and what is said of a folder that is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerscope.axes import Axes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.hints import Hints
from layerscope.inputs import Preprocessing, prepare
from layerscope.operations import Input
from layerscope.training.augment import vary
from layerscope.training.folders import Collection, Photo, find_folders, settle_collection
from layerscope.training.order import batch_places, validation_places, variation
from layerscope.training.reading import Reader
from photos import write_cats_and_dogs, write_photos


def node(*shape: int | None, axes: str = "NHWC", dtype: str = "float32") -> Node:
    return Node("in", None, "in", "InputLayer", Input(), (), shape, Axes.parse(axes), 0, dtype)


def collected(folder: Path, share: float | None = None, strict: bool = False) -> Collection:
    found = find_folders(folder, share)
    reader = Reader(node(None, 12, 16, 3), Preprocessing(), Hints())
    photos = [photo for part in found.parts.values() for photo in part]
    failed = reader.read_all(photos)
    return settle_collection(found, failed, share=share, seed=0, strict=strict)


def expected_order(seed: int, count: int, length: int) -> list[int]:
    """Shuffled passes one after another, written out one picture at a time."""
    found: list[int] = []
    number = 0
    while len(found) < length:
        found += np.random.default_rng((seed, 0, number)).permutation(count).tolist()
        number += 1
    return found[:length]


@pytest.mark.parametrize(
    ("count", "steps", "batch", "epochs"), [(7, 3, 4, 5), (20, 2, 5, 4), (3, 2, 8, 3), (5, 5, 1, 3)]
)
def test_the_order_is_one_shuffled_pass_after_another(
    count: int, steps: int, batch: int, epochs: int
) -> None:
    seen = [
        place
        for epoch in range(epochs)
        for step in range(steps)
        for place in batch_places(9, epoch, step, steps=steps, batch=batch, count=count)
    ]
    assert seen == expected_order(9, count, steps * batch * epochs)
    for start in range(0, len(seen) - count + 1, count):
        assert sorted(seen[start : start + count]) == list(range(count))


def test_the_order_depends_on_the_seed_and_not_on_what_was_asked_before() -> None:
    options = {"steps": 10, "batch": 4, "count": 40}
    whole = [batch_places(0, 3, step, **options).tolist() for step in range(10)]
    assert [batch_places(0, 3, step, **options).tolist() for step in reversed(range(10))] == (
        whole[::-1]
    )
    assert [batch_places(1, 3, step, **options).tolist() for step in range(10)] != whole


def test_validation_takes_the_same_pictures_each_time() -> None:
    chosen = validation_places(4, 50, 20)
    assert len(set(chosen.tolist())) == 20
    assert chosen.tolist() == sorted(chosen.tolist()) == validation_places(4, 50, 20).tolist()
    assert validation_places(4, 5, 100).tolist() == [0, 1, 2, 3, 4]
    # Not the first class alone, which the first half of the list would be.
    assert 3 < sum(chosen < 25) < 17


@pytest.mark.parametrize(
    ("shape", "axes", "settings"),
    [
        ((None, 12, 16, 3), "NHWC", Preprocessing()),
        ((None, 3, 12, 16), "NCHW", Preprocessing(range="-1..1")),
        ((None, 12, 16, 1), "NHWC", Preprocessing()),
        ((None, 12, 16, 3), "NHWC", Preprocessing(range="caffe")),
        ((None, 12, 16, 3), "NHWC", Preprocessing(range="imagenet", color="bgr")),
        ((None, 12, 16, 3), "NHWC", Preprocessing(color="gray")),
        ((None, None, None, 3), "NHWC", Preprocessing(size=(9, 5))),
    ],
)
def test_pictures_are_what_the_other_commands_feed(
    tmp_path: Path, shape: tuple[int | None, ...], axes: str, settings: Preprocessing
) -> None:
    write_cats_and_dogs(tmp_path / "data", 2, 1)
    random = np.random.default_rng(1)
    grey = Image.fromarray(random.integers(0, 256, (30, 20), dtype=np.uint8))
    grey.save(tmp_path / "data/train/cats/grey.jpg")
    clear = Image.fromarray(random.integers(0, 256, (30, 20, 4), dtype=np.uint8))
    clear.save(tmp_path / "data/train/cats/clear.png")
    photos = find_folders(tmp_path / "data", None).parts["train"]
    reader = Reader(node(*shape, axes=axes), settings, Hints())

    made = reader.batch([reader.plain(photo) for photo in photos])

    (batch,) = prepare(
        [photo.path for photo in photos], [node(*shape, axes=axes)], settings
    ).batches(32)
    np.testing.assert_array_equal(made, batch.feeds["in"])
    assert made.dtype == np.float32


def test_a_size_that_is_left_open_is_the_usual_one() -> None:
    assert Reader(node(None, None, None, 3), Preprocessing(), Hints()).size == (150, 150)
    hints = Hints(range="0..255", size=(40, 50), color="bgr")
    reader = Reader(node(None, None, None, 3), Preprocessing(), hints)
    assert (reader.size, reader.range, reader.color) == ((40, 50), "0..255", "bgr")


def test_variations_depend_on_their_place_alone_and_fill_the_picture() -> None:
    pictures = np.full((6, 30, 40, 3), 200, np.uint8)
    pictures[:, 10:20] = (90, 120, 150)
    first = vary(pictures, variation(3, 2, 1))
    assert first.shape == pictures.shape
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, vary(pictures, variation(3, 2, 1)))
    assert (first != vary(pictures, variation(3, 2, 2))).any()
    assert (first != vary(pictures, variation(3, 3, 1))).any()
    # No black corners: the darkest colour, darkened by as much as there is, stays above 0.
    whole = np.full((40, 30, 40, 3), 128, np.uint8)
    moved = vary(whole, variation(0, 0, 0))
    spread = moved.reshape(40, -1, 3).max(1).astype(int) - moved.reshape(40, -1, 3).min(1)
    assert spread.max() == 0


def test_one_folder_is_split_by_class_and_reproducibly(tmp_path: Path) -> None:
    write_photos(tmp_path / "data", {"a": 10, "b": 5, "c": 2})
    found = collected(tmp_path / "data", 0.2)
    assert found.classes == ("a", "b", "c")
    counts = [[sum(p.label == i for p in part) for i in range(3)] for part in found_parts(found)]
    assert counts == [[8, 4, 1], [2, 1, 1]]
    names = {photo.name for part in found_parts(found) for photo in part}
    assert names == {f"{c}/{i}.png" for c, n in (("a", 10), ("b", 5), ("c", 2)) for i in range(n)}
    assert collected(tmp_path / "data", 0.2) == found


def found_parts(found: Collection) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    return found.train, found.validation


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    data = write_cats_and_dogs(tmp_path / "data", 3, 2)
    whole = (data / "train/cats/0.png").read_bytes()
    (data / "train/cats/cut.png").write_bytes(whole[: len(whole) // 2])
    (data / "train/cats/empty.jpg").touch()
    (data / "validation/dogs/notes.txt").write_text("no picture")
    (data / "train/dogs/.hidden").write_text("not looked at")
    (data / "train/dogs/more").mkdir()
    (data / "train/dogs/more/3.png").write_bytes(whole)
    found = collected(data)
    assert [item.name for item in found.skipped] == [
        "train/cats/cut.png",
        "train/cats/empty.jpg",
        "validation/dogs/notes.txt",
    ]
    assert found.skipped[0].reason.startswith(f"{data / 'train/cats/cut.png'} is a damaged or cut")
    assert [item.reason for item in found.skipped[1:]] == [
        "it is empty, and no picture",
        "it is a text file, and no picture",
    ]
    assert [photo.name for photo in found.train if photo.label == 1][-1] == "train/dogs/more/3.png"
    with pytest.raises(InputError) as caught:
        collected(data, strict=True)
    assert str(caught.value) == (
        f"{data}: 3 files cannot be read as a picture: train/cats/cut.png, train/cats/empty.jpg, "
        "validation/dogs/notes.txt. Remove or mend them, or leave --strict out to skip them"
    )


def broken(folder: Path, name: str) -> Path:
    """A folder of pictures with one thing wrong."""
    data = folder / "data"
    if name == "file":
        data.write_text("x")
    elif name == "flat":
        write_photos(data, {"train": 2, "validation": 2})
    elif name == "one part":
        write_photos(data, {"train/a": 2, "train/b": 2})
    elif name == "one class":
        write_photos(data, {"train/a": 2, "validation/a": 2})
    elif name == "differ":
        write_photos(data, {"train/a": 2, "train/b": 2, "validation/b": 2, "validation/c": 2})
    elif name == "empty class":
        write_photos(data, {"train/a": 2, "train/b": 2, "validation/a": 2, "validation/b": 0})
    elif name == "unreadable class":
        write_photos(data, {"train/a": 2, "train/b": 0, "validation/a": 2, "validation/b": 1})
        (data / "train/b/x.jpg").write_bytes(b"\xff\xd8\xff")
    elif name == "classes":
        write_photos(data, {"a": 3, "b": 1})
    return data


@pytest.mark.parametrize(
    ("name", "share", "message"),
    [
        ("missing", None, "there is no folder {data}: expected one with pictures"),
        ("file", None, "{data} is no folder: expected one with pictures"),
        (
            "flat",
            None,
            "{data}/train has no subfolders: expected one for each class, with its pictures inside",
        ),
        (
            "one part",
            None,
            "{data} has train/ but no validation/: add it, or give one folder of classes and let "
            "it be split, as in {data}/train --validation 0.2",
        ),
        (
            "one class",
            None,
            "{data}/train has only one class, a: a network learns to tell at least two apart. "
            "Give each class a subfolder",
        ),
        (
            "differ",
            None,
            "{data}: the classes of train/ and validation/ differ: a only in train/ and c only in "
            "validation/. Give both the same subfolders",
        ),
        (
            "empty class",
            None,
            "{data}: validation/b/ holds no picture. Add some, or remove the class",
        ),
        (
            "unreadable class",
            None,
            "{data}: train/b/ holds no picture (1 file cannot be read: train/b/x.jpg). Add some, "
            "or remove the class",
        ),
        (
            "classes",
            None,
            "{data} has no train/ and validation/: add them, or let the pictures of its classes be "
            "split with --validation 0.2",
        ),
        (
            "classes",
            0.2,
            "{data}: class b has 1 picture, and a split needs 2: one to train on and one to "
            "measure on. Add pictures to it",
        ),
        (
            "empty class",
            0.2,
            "{data} has train/ and validation/ already, so that --validation has nothing to split: "
            "leave it out",
        ),
    ],
)
def test_a_folder_that_is_wrong(
    tmp_path: Path, name: str, share: float | None, message: str
) -> None:
    data = broken(tmp_path, name)
    with pytest.raises(InputError) as caught:
        collected(data, share)
    assert str(caught.value) == message.format(data=data)


def test_a_name_that_is_no_text_can_still_be_written(tmp_path: Path) -> None:
    write_photos(tmp_path / "data", {"a": 2, "b": 2})
    name = b"b\xff".decode("utf-8", "surrogateescape")
    (tmp_path / "data/b").rename(tmp_path / "data" / name)
    found = collected(tmp_path / "data", 0.5)
    assert found.classes == ("a", "b\ufffd")
    with (tmp_path / "x.csv").open("w", encoding="utf-8") as file:
        csv.writer(file).writerow([*found.classes, *(photo.name for photo in found.train)])


@pytest.mark.parametrize("shape", [(None, 8), (None, 8, 8, 5), (None, 4, 8, 8, 3)])
def test_a_network_that_takes_no_pictures(shape: tuple[int | None, ...]) -> None:
    axes = {2: "NC", 4: "NHWC", 5: "NDHWC"}[len(shape)]
    with pytest.raises(InputError, match="expected a network for pictures, which takes height"):
        Reader(node(*shape, axes=axes), Preprocessing(), Hints())
