"""Words, folders and several inputs become batches, in order and as they are needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layerscope.axes import Axes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.inputs import Hints, Preprocessing, prepare
from layerscope.operations import Input

AS_IS = Preprocessing(range="as-is")


def node(
    *shape: int | None, axes: str = "NHWC", name: str = "image", dtype: str = "float32"
) -> Node:
    return Node(name, None, name, "InputLayer", Input(), (), shape, Axes.parse(axes), dtype=dtype)


IMAGE = node(None, 2, 2, 3)
LEFT, RIGHT = node(None, 2, 2, 3, name="left"), node(None, 2, 2, 3, name="right")
KEEP = node(axes="", name="keep_prob")
TRAINING = node(axes="", name="is_training", dtype="bool")


def message(inputs: Any, nodes: list[Node], **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(prepare(inputs, nodes, AS_IS, **options).batches(8))
    return str(caught.value)


def draw(path: Path, value: int, size: tuple[int, int] = (2, 2)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(["a.png", "b.png", "c.png"], start=1):
        draw(tmp_path / name, number)
    return tmp_path


def firsts(inputs: Any, nodes: list[Node], name: str = "image") -> list[float]:
    """The first value of every sample, which says which picture it is."""
    feed = prepare(inputs, nodes, AS_IS)
    return [float(x.flat[0]) for batch in feed.batches(2) for x in batch.feeds[name]]


def test_one_and_several_words(here: Path) -> None:
    assert firsts("a.png", [IMAGE]) == [1]
    assert firsts(["c.png", "a.png"], [IMAGE]) == [3, 1]
    assert firsts([Path("b.png"), np.full((2, 2, 3), 9.0)], [IMAGE]) == [2, 9]
    assert firsts({"image": ["b.png", "c.png"]}, [IMAGE]) == [2, 3]
    assert firsts(["image=b.png", "image=a.png"], [IMAGE]) == [2, 1]


def test_a_folder_is_read_in_the_order_of_names(here: Path) -> None:
    (here / "notes.txt").write_text("not a picture")
    (here / ".hidden.png").write_text("nor this")
    (here / "labels.csv").write_text("1,2,3")
    feed = prepare(here, [IMAGE], AS_IS)
    assert feed.labels == ("a.png", "b.png", "c.png")
    assert sorted(feed.passed) == ["labels.csv", "notes.txt"]
    assert firsts(here, [IMAGE]) == [1, 2, 3]


def test_a_folder_of_folders_goes_one_level_down(tmp_path: Path) -> None:
    for number, name in enumerate(["cats/1.png", "cats/2.png", "dogs/1.png", "deep/er/1.png"]):
        draw(tmp_path / name, number)
    (tmp_path / "README.md").write_text("Cats and dogs")
    feed = prepare(tmp_path, [IMAGE])
    assert feed.labels == ("cats/1.png", "cats/2.png", "dogs/1.png")
    assert feed.passed == ("README.md",)


def test_a_folder_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", np.full((2, 2, 3), 5))
    np.save(tmp_path / "a.npy", np.full((2, 2, 2, 3), 4))
    np.savetxt(tmp_path / "c.csv", np.full((2, 2), 6), delimiter=",")
    feed = prepare(tmp_path, [IMAGE])
    assert feed.labels == ("a.npy[0]", "a.npy[1]", "b.npy", "c.csv")
    assert firsts(tmp_path, [IMAGE]) == [4, 4, 5, 6]


def test_batches(here: Path) -> None:
    feed = prepare(here, [IMAGE], AS_IS)
    assert len(feed) == 3
    batches = list(feed.batches(2))
    assert [len(batch) for batch in batches] == [2, 1]
    assert [batch.labels for batch in batches] == [("a.png", "b.png"), ("c.png",)]
    assert batches[0].feeds["image"].shape == (2, 2, 2, 3)
    assert batches[1].records[0][0].file == str(here / "c.png")
    assert [len(batch.previews) for batch in batches] == [2, 1]
    assert len(list(feed.batches(2))) == 2  # a feed can be read again
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        next(feed.batches(0))


def test_pictures_are_decoded_only_when_their_batch_is_asked_for(here: Path) -> None:
    whole = (here / "c.png").read_bytes()
    (here / "c.png").write_bytes(whole[:-30])
    batches = prepare(here, [IMAGE], AS_IS).batches(2)
    assert next(batches).labels == ("a.png", "b.png")
    with pytest.raises(InputError, match=r"c\.png is a damaged or cut-off PNG picture"):
        next(batches)


def test_a_batch_ends_where_the_size_changes(here: Path) -> None:
    draw(here / "b.png", 2, size=(5, 4))
    feed = prepare(here, [node(None, None, None, 3)], AS_IS)
    shapes = [batch.feeds["image"].shape for batch in feed.batches(8)]
    assert shapes == [(1, 2, 2, 3), (1, 4, 5, 3), (1, 2, 2, 3)]


def test_a_fixed_batch_is_kept(here: Path) -> None:
    assert [len(b) for b in prepare(here, [node(1, 2, 2, 3)]).batches(8)] == [1, 1, 1]
    assert message(here, [node(2, 2, 2, 3)]) == (
        "input 'image' takes 2 samples at a time, and 3 were given: give a multiple of 2"
    )


def test_an_input_without_a_batch_axis(here: Path) -> None:
    batches = list(prepare(here, [node(2, 2, 3, axes="HWC")], AS_IS).batches(8))
    assert [batch.feeds["image"].shape for batch in batches] == [(2, 2, 3)] * 3
    assert batches[0].records[0][0].shape == (2, 2, 3)


def test_labels_of_arrays() -> None:
    one = np.zeros((2, 2, 3))
    assert prepare(one, [IMAGE]).labels == ("array",)
    assert prepare(one[None], [IMAGE]).labels == ("array[0]",)
    assert prepare([one, one], [IMAGE]).labels == ("array[0]", "array[1]")
    assert prepare([np.stack([one, one]), one], [IMAGE]).labels == (
        *("array[0]", "array[1]", "array[2]"),
    )


def test_several_inputs_are_paired_by_position(here: Path) -> None:
    words = ["left=a.png", "right=b.png", "right=c.png", "left=b.png"]
    batch = next(prepare(words, [LEFT, RIGHT], AS_IS).batches(8))
    assert batch.feeds["left"][:, 0, 0, 0].tolist() == [1, 2]
    assert batch.feeds["right"][:, 0, 0, 0].tolist() == [2, 3]
    assert [[record.name for record in records] for records in batch.records] == [
        ["left", "right"],
        ["left", "right"],
    ]
    assert batch.labels == ("a.png", "b.png")
    assert message(["left=a.png", "right=b.png", "right=c.png"], [LEFT, RIGHT]) == (
        "the inputs are paired by position and need as many samples each: 'left' has 1, "
        "'right' has 2"
    )


def test_names_that_are_needed_or_not_known(here: Path) -> None:
    assert message("a.png", [LEFT, RIGHT]) == (
        "the model has several inputs, 'left', 'right': say which one is meant, as in left=a.png"
    )
    assert message("left=a.png", [LEFT, RIGHT]) == (
        "nothing was given for input 'right': add right=FILE"
    )
    assert message({"middle": "a.png"}, [LEFT, RIGHT]) == (
        "the model has no input 'middle'; it has 'left', 'right'"
    )
    assert message("middle=a.png", [LEFT, RIGHT]) == (
        "no such file: middle=a.png; and no input is named 'middle': the model has 'left', 'right'"
    )
    assert message([], [LEFT, RIGHT]) == "no input was given: the model takes 'left', 'right'"
    assert message({"left": []}, [LEFT]) == "no input was given: the model takes 'left'"
    assert message({"left": None}, [LEFT]) == (
        "input 'left' is given NoneType: expected a path, an array, or a list of them"
    )


def test_the_main_input_takes_what_is_not_named(here: Path) -> None:
    feed = prepare(["c.png", "left=a.png"], [LEFT, RIGHT], AS_IS, main="right")
    batch = next(feed.batches(1))
    assert batch.feeds["right"].max() == 3
    assert batch.feeds["left"].max() == 1


def test_a_file_whose_name_looks_like_a_word(here: Path) -> None:
    draw(here / "image=a.png", 77)
    assert firsts("image=a.png", [IMAGE]) == [77]
    draw(here / "a:b.png", 78)
    assert firsts("a:b.png", [IMAGE]) == [78]


def test_an_npz_file_feeds_inputs_by_name(here: Path) -> None:
    left, right = np.full((2, 2, 2, 3), 1.0), np.full((2, 2, 2, 3), 2.0)
    np.savez("both.npz", left=left, right=right, other=np.zeros(3))
    batch = next(prepare("both.npz", [LEFT, RIGHT]).batches(8))
    assert np.array_equal(batch.feeds["left"], left)
    assert np.array_equal(batch.feeds["right"], right)


def test_settings_of_one_number(here: Path) -> None:
    words = ["a.png", "b.png", "keep_prob=0.5", "is_training=false"]
    batch = next(prepare(words, [IMAGE, KEEP, TRAINING], AS_IS).batches(8))
    assert batch.feeds["keep_prob"].shape == ()
    assert batch.feeds["keep_prob"].dtype == np.float32
    assert batch.feeds["keep_prob"] == 0.5
    assert batch.feeds["is_training"].dtype == np.bool_
    assert not batch.feeds["is_training"]
    record = batch.records[1][1]
    assert (record.name, record.file, record.shape, record.steps) == (
        "keep_prob",
        None,
        (),
        ("given as 0.5",),
    )
    values = {"image": "a.png", "keep_prob": np.array(1), "is_training": True}
    batch = next(prepare(values, [IMAGE, KEEP, TRAINING], AS_IS).batches(8))
    assert batch.feeds["keep_prob"] == 1
    assert batch.feeds["is_training"]


def test_settings_are_left_to_the_model_where_not_given(here: Path) -> None:
    batch = next(prepare("a.png", [IMAGE, KEEP]).batches(8))
    assert list(batch.feeds) == ["image"]


def test_one_number_for_every_sample(here: Path) -> None:
    age = node(None, 1, axes="NC", name="age")
    batch = next(prepare(["image=a.png", "image=b.png", "age=30"], [IMAGE, age]).batches(8))
    assert batch.feeds["age"].tolist() == [[30], [30]]


def test_a_number_of_the_wrong_type(here: Path) -> None:
    assert message(["a.png", "is_training=0.5"], [IMAGE, TRAINING]) == (
        "input 'is_training' takes bool, and 0.5 is none"
    )


def test_settings_for_pictures_leave_other_inputs_alone(here: Path) -> None:
    vector = node(None, 2, axes="NC", name="vector")
    given = {"image": "a.png", "vector": np.array([10.0, -20.0])}
    asked = Preprocessing(range="0..1", size=(2, 2), color="bgr")
    batch = next(prepare(given, [IMAGE, vector], asked, Hints()).batches(1))
    assert batch.feeds["vector"].tolist() == [[10, -20]]
    assert np.allclose(batch.feeds["image"], 1 / 255, rtol=1e-6)


def test_real_folders(material: Path) -> None:
    feed = prepare(material / "images" / "mnist", [node(None, 28, 28, 1)], AS_IS)
    batch = next(feed.batches(10))
    for label, values in zip(batch.labels, batch.feeds["image"], strict=True):
        with Image.open(material / "images" / "mnist" / label) as image:
            assert np.array_equal(values[..., 0], np.asarray(image))
    pets = prepare(material / "pets" / "validation", [node(None, 150, 150, 3)])
    assert len(pets) == 600
    assert pets.labels[0].startswith("cats/")
    assert next(pets.batches(20)).feeds["image"].shape == (20, 150, 150, 3)


def test_real_arrays(material: Path) -> None:
    path = material / "images" / "cifar10" / "alphabetacrown_sample100_X.npy"
    feed = prepare(path, [node(None, 32, 32, 3)])
    seen = np.concatenate([batch.feeds["image"] for batch in feed.batches(32)])
    assert np.array_equal(seen, np.load(path).astype(np.float32))
