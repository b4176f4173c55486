"""Class names from files, and what a classifier's last layer says with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from layerscope.activation import Activation
from layerscope.axes import Axes
from layerscope.classes import imagenet_classes, predictions, read_classes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.operations import Opaque


def vector(*rows: list[float], axes: str = "NC") -> Activation:
    array = np.array(rows, np.float32)
    node = Node("out", 0, "out", "Dense", Opaque(), (), (None, *array.shape[1:]), Axes.parse(axes))
    return Activation(array, Axes.parse(axes), node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("\ufeffcat\r\n\r\n  big dog \r\n", ("cat", "big dog")),
        ("Katze\nHündin", ("Katze", "Hündin")),
        ('["cat", "dog"]', ("cat", "dog")),
        ("[1, 2]", ("1", "2")),
        ('{"1": ["n02", "dog"], "0": ["n01", "cat"]}', ("cat", "dog")),
        ('{"0": "cat", "1": "dog"}', ("cat", "dog")),
    ],
)
def test_read(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    path = tmp_path / "classes"
    path.write_text(text, encoding="utf-8")
    assert read_classes(path) == expected


@pytest.mark.parametrize(
    "text", ["{", '{"a": 1}', '{"0": []}', "[[]]", "[" * 100_000, '{"0": "a", "2": "b"}']
)
def test_other_json(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_classes(path)
    assert str(caught.value) == (
        f"{path} is no list of class names. Expected one name a line, a JSON list, or Keras's "
        '{"0": [id, name], …}.'
    )


@pytest.mark.parametrize("text", ["", "\n \n", "[]", "{}"])
def test_no_names(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes"
    path.write_text(text)
    with pytest.raises(InputError, match=r"holds no class names\. Expected one a line\."):
        read_classes(path)


def test_imagenet_only_where_keras_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert imagenet_classes() is None
    (tmp_path / "models").mkdir()
    index = {"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}
    (tmp_path / "models" / "imagenet_class_index.json").write_text(json.dumps(index))
    assert imagenet_classes() == ("tench", "goldfish")


def test_the_largest_come_first() -> None:
    found = predictions(vector([0.25, 0.5, 0.125], [0.0, 0.0, 1.0]), ("a", "b", "c"), top=2)
    assert found == [[("b", 0.5), ("a", 0.25)], [("c", 1.0), ("a", 0.0)]]


def test_equal_values_stay_in_order() -> None:
    assert [name for name, _ in predictions(vector([1.0] * 7), None)[0]] == list("01234")


def test_names_that_do_not_fit_are_not_used() -> None:
    assert predictions(vector([0.25, 0.75]), ("a", "b", "c")) == [[("1", 0.75), ("0", 0.25)]]


def test_one_output_is_the_probability_of_the_second_class() -> None:
    assert predictions(vector([0.75], [0.25]), ("cat", "dog")) == [
        [("dog", 0.75), ("cat", 0.25)],
        [("cat", 0.75), ("dog", 0.25)],
    ]


def test_maps_are_no_prediction() -> None:
    assert predictions(vector([[[1.0]]], axes="NHWC"), ("a",)) == []  # type: ignore[list-item]


def test_channels_come_first_or_last() -> None:
    found = predictions(vector([0.25, 0.5], [0.75, 0.0], axes="CN"), ("a", "b"))
    assert found == [[("b", 0.75), ("a", 0.25)], [("a", 0.5), ("b", 0.0)]]
