"""Where fed pixels come from: against the weights that Pillow's own resizing gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from layerscope.axes import Axes
from layerscope.graph import Node
from layerscope.inputs import Preprocessing, prepare
from layerscope.inputs.fit import resize_values
from layerscope.inputs.geometry import Geometry
from layerscope.operations import Input

METHODS = ("bilinear", "nearest", "bicubic", "lanczos", "area")


def taken_by_pillow(before: int, after: int, method: str, start: int, stop: int) -> tuple[int, int]:
    """The first and last pixel that has a weight: pixel i alone is 1 in channel i."""
    alone = np.eye(before, dtype=np.float32)[None]
    weights = resize_values(alone, 1, after, method)[0, start:stop]
    held = np.flatnonzero(np.abs(weights).max(axis=0) > 1e-7)
    return int(held[0]), int(held[-1]) + 1


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(METHODS), st.data())
@example(70, 299, "nearest", None)
@settings(max_examples=300, deadline=None)
def test_the_pixels_are_those_that_pillow_weighs(
    before: int, after: int, method: str, data: Any
) -> None:
    start = 0 if data is None else data.draw(st.integers(0, after - 1))
    stop = after if data is None else data.draw(st.integers(start + 1, after))
    geometry = Geometry((5, before), (5, after), method)
    wanted = taken_by_pillow(before, after, method, start, stop)
    assert geometry.reached("W", start, stop) == wanted
    assert geometry.reached("H", 2, 4) == (2, 4)


def test_each_fed_pixel_of_the_nearest_method() -> None:
    for before, after in ((300, 7), (7, 300), (451, 150), (1000, 999)):
        geometry = Geometry((before, 3), (after, 3), "nearest")
        rows = resize_values(np.arange(before).reshape(-1, 1, 1), after, 1, "nearest")[:, 0, 0]
        found = [geometry.reached("H", i, i + 1) for i in range(after)]
        assert found == [(int(row), int(row) + 1) for row in rows]


def test_nothing_reaches_nothing() -> None:
    assert Geometry((9, 9), (3, 3), "bilinear").reached("H", 0, 0) == (0, 0)


def fed(source: Any, **asked: Any) -> Any:
    """The batch for an input that takes 6×8 pixels of 3 channels."""
    shape = (None, 6, 8, 3)
    node = Node("image", None, "image", "InputLayer", Input(), (), shape, Axes.parse("NHWC"))
    return next(prepare(source, [node], Preprocessing(**asked)).batches(1))


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_that_is_resized(tmp_path: Path, method: Any) -> None:
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (61, 47, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    batch = fed(tmp_path / "a.png", resize=method)
    record = batch.records[0][0]
    assert record.original == (61, 47)
    assert record.as_json()["original"] == [61, 47]
    rows, columns = record.in_original("H", 0, 2), record.in_original("W", 7, 8)
    outside = random.integers(0, 256, pixels.shape, dtype=np.uint8)
    place = slice(*rows), slice(*columns)
    outside[place] = pixels[place]
    Image.fromarray(outside).save(tmp_path / "b.png")
    seen = [fed(tmp_path / name, resize=method).feeds["image"] for name in ("a.png", "b.png")]
    assert np.array_equal(seen[0][:, 0:2, 7], seen[1][:, 0:2, 7])
    assert not np.array_equal(seen[0], seen[1])


def test_a_picture_on_its_side_is_measured_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((10, 20, 3), np.uint8))
    exif = image.getexif()
    exif[274] = 6
    image.save(tmp_path / "side.jpg", exif=exif)
    assert fed(tmp_path / "side.jpg").records[0][0].original == (20, 10)


def test_a_matrix_and_an_array_of_the_right_size() -> None:
    assert fed(np.zeros((12, 12))).records[0][0].original == (12, 12)
    record = fed(np.zeros((1, 6, 8, 3))).records[0][0]
    assert record.original == (6, 8)
    assert record.in_original("H", 1, 3) == (1, 3)
    assert record.in_original("T", 1, 3) is None


def test_what_is_no_picture_has_no_original() -> None:
    node = Node("x", None, "x", "InputLayer", Input(), (), (None, 9), Axes.parse("NC"))
    record = next(prepare(np.zeros((1, 9)), [node]).batches(1)).records[0][0]
    assert record.original is None
    assert record.as_json()["original"] is None
    assert record.in_original("H", 0, 1) is None
