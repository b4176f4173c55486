"""Size, channels and range are made to fit, as computed here by hand, and each step is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from layerscope.axes import Axes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.inputs import Batch, Hints, Preprocessing, prepare
from layerscope.operations import Input

Array = np.ndarray[Any, Any]
SQUEEZED = "squeezed 8×6 → 4×4 (aspect ratio not kept)"
AUTO = "(auto: a picture, and the model has no rescaling layer)"


def node(*shape: int | None, axes: str = "NHWC", dtype: str = "float32") -> Node:
    return Node(
        "image", None, "image", "InputLayer", Input(), (), shape, Axes.parse(axes), dtype=dtype
    )


def feed(inputs: Any, to: Node, hints: Hints | None = None, **asked: Any) -> Batch:
    return next(prepare(inputs, [to], Preprocessing(**asked), hints or Hints()).batches(1))


def fed(inputs: Any, to: Node, hints: Hints | None = None, **asked: Any) -> Array:
    """One sample, as fed."""
    return np.asarray(feed(inputs, to, hints, **asked).feeds["image"][0])


def steps(inputs: Any, to: Node, hints: Hints | None = None, **asked: Any) -> tuple[str, ...]:
    return feed(inputs, to, hints, **asked).records[0][0].steps


@pytest.fixture
def rgb() -> Array:
    return np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.fixture
def picture(tmp_path: Path, rgb: Array) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(rgb).save(path)
    return path


RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
}


@pytest.mark.parametrize("method", [None, *RESAMPLING])
def test_pictures_are_resized_as_in_pillow(picture: Path, rgb: Array, method: Any) -> None:
    to = node(None, 4, 5, 3)
    resampling = RESAMPLING[method or "bilinear"]
    expected = np.asarray(Image.fromarray(rgb).resize((5, 4), resampling))
    assert np.array_equal(fed(picture, to, resize=method, range="as-is"), expected)
    words = f"resized {method or 'bilinear'} to 5×4 (width×height)"
    assert words in steps(picture, to, resize=method)


def test_every_step_of_a_usual_picture_is_told(picture: Path) -> None:
    assert steps(picture, node(None, 4, 4, 3)) == (
        "decoded PNG 8×6 RGB",
        "resized bilinear to 4×4",
        SQUEEZED,
        f"divided by 255 {AUTO}",
    )


def test_a_kept_aspect_ratio_is_not_called_squeezed(picture: Path) -> None:
    assert not any("squeezed" in step for step in steps(picture, node(None, 3, 4, 3)))


def test_area_is_the_mean_of_blocks(picture: Path) -> None:
    values = np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32)
    seen = fed(values, node(None, 3, 4, 1), resize="area")[..., 0]
    assert np.allclose(seen, values.reshape(3, 2, 4, 2).mean(axis=(1, 3)), rtol=0, atol=1e-6)


def bilinear(values: Array, height: int, width: int) -> Array:
    """Enlarging by hand: half-pixel centres, edges held."""
    for axis, size in enumerate((height, width)):
        old = values.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        share = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        values = values.take(low, axis) * (1 - share) + values.take(high, axis) * share
    return values


def test_a_matrix_is_interpolated_and_repeated() -> None:
    matrix = np.random.default_rng(3).normal(0, 50, (70, 70))
    to = node(None, 299, 299, 3)
    seen = fed(matrix, to)
    assert seen.dtype == np.float32
    for channel in range(3):
        assert np.allclose(seen[..., channel], bilinear(matrix, 299, 299), rtol=0, atol=1e-4)
    assert steps(matrix, to) == (
        "given as an array float64, shape (70, 70)",
        "a channel axis added",
        "interpolated bilinear from 70×70 to 299×299",
        "grey repeated to 3 channels",
        "values kept as they are (auto: an array)",
    )


def test_small_numbers_are_not_quantised() -> None:
    matrix = np.full((2, 2), 1e-4) + np.array([[0, 1e-7], [2e-7, 3e-7]])
    seen = fed(matrix, node(None, 4, 4, 1))[..., 0]
    assert np.allclose(seen, bilinear(matrix, 4, 4), rtol=0, atol=1e-11)


@given(
    value=st.integers(0, 255),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    to=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    method=st.sampled_from(sorted(RESAMPLING)),
)
@settings(max_examples=60, deadline=None)
def test_a_constant_picture_stays_constant(
    value: int, size: tuple[int, int], to: tuple[int, int], method: Any
) -> None:
    image = Image.new("RGB", size, (value, value, value))
    assert (fed(image, node(None, *to, 3), resize=method, range="as-is") == value).all()
    numbers = np.full(size, value / 7)
    seen = fed(numbers, node(None, *to, 1), resize=method)
    assert np.allclose(seen, value / 7, rtol=1e-6, atol=0)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_ranges_hold_what_they_say(data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 1000))
    size = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    name, low, high = data.draw(
        st.sampled_from([("0..1", 0, 1), ("-1..1", -1, 1), ("0..255", 0, 255)])
    )
    method = data.draw(st.sampled_from(["bilinear", "nearest", "bicubic", "lanczos", "area"]))
    pixels = np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (*size, 3))
    image = Image.fromarray(pixels)
    seen = fed(image, node(None, 9, 9, 3), range=name, resize=method)
    assert seen.min() >= low
    assert seen.max() <= high


BY_HAND = {
    "0..1": lambda x: x / 255,
    "-1..1": lambda x: x / 127.5 - 1,
    "0..255": lambda x: x,
    "as-is": lambda x: x,
    "imagenet": lambda x: (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    "caffe": lambda x: x[..., [2, 1, 0]] - [103.939, 116.779, 123.68],
}
WORDS = {
    "0..1": "divided by 255",
    "-1..1": "divided by 127.5, minus 1",
    "0..255": "kept as 0..255",
    "as-is": "values kept as they are",
    "imagenet": "divided by 255, minus the mean (0.485, 0.456, 0.406), divided by the deviation "
    "(0.229, 0.224, 0.225)",
    "caffe": "reversed from RGB to BGR, minus the mean (103.939, 116.779, 123.68)",
}


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_ranges_of_pictures(picture: Path, rgb: Array, name: Any) -> None:
    to = node(None, 6, 8, 3)
    expected = BY_HAND[name](rgb.astype(np.float64))
    assert np.allclose(fed(picture, to, range=name), expected, rtol=1e-6, atol=1e-7)
    assert steps(picture, to, range=name)[-1] == f"{WORDS[name]} (asked for)"
    hints = Hints(range=name, reason="the model rescales by itself in layer 'rescaling'")
    assert np.allclose(fed(picture, to, hints), expected, rtol=1e-6, atol=1e-7)
    assert steps(picture, to, hints)[-1] == (
        f"{WORDS[name]} (auto: the model rescales by itself in layer 'rescaling')"
    )


@pytest.mark.parametrize("name", sorted(set(BY_HAND) - {"as-is"}))
@pytest.mark.parametrize("kind", ["bytes", "floats to 255", "floats to 1"])
def test_ranges_of_arrays(rgb: Array, name: Any, kind: str) -> None:
    given_as: Array = rgb
    scale = "values taken as 0..255"
    if kind == "floats to 255":
        given_as = rgb.astype(np.float32)
    elif kind == "floats to 1":
        given_as, scale = rgb / 255, "values taken as 0..1"
    expected = BY_HAND[name](rgb.astype(np.float64))
    to = node(None, 6, 8, 3)
    assert np.allclose(fed(given_as, to, range=name), expected, rtol=1e-5, atol=1e-6)
    assert scale in steps(given_as, to, range=name)


def test_a_mask_of_whole_numbers_is_black_and_white() -> None:
    mask = np.array([[0, 1], [1, 0]])
    assert np.array_equal(fed(mask, node(None, 2, 2, 1), range="0..1")[..., 0], mask)
    assert np.array_equal(fed(mask > 0, node(None, 2, 2, 1), range="0..255")[..., 0], mask * 255)


def test_the_scale_is_judged_by_the_whole_array() -> None:
    batch = np.stack([np.full((2, 2, 1), 1.0), np.full((2, 2, 1), 200.0)])
    both = list(prepare(batch, [node(None, 2, 2, 1)], Preprocessing(range="0..1")).batches(2))
    assert np.allclose(both[0].feeds["image"][:, 0, 0, 0], [1 / 255, 200 / 255], rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(-3.5, 1.0), (0.0, 900.0)])
def test_a_range_without_meaning(low: float, high: float) -> None:
    values = np.array([[low, high], [0.5, 0.5]])
    with pytest.raises(InputError) as caught:
        fed(values, node(None, 2, 2, 1), range="0..1")
    assert str(caught.value) == (
        f"the array has values from {low:g} to {high:g}, neither 0..255 nor 0..1, so that range "
        "0..1 has no meaning for it: scale it yourself and leave the range out"
    )
    assert np.array_equal(fed(values, node(None, 2, 2, 1), range="as-is")[..., 0], values)


def test_hints_do_not_touch_arrays(rgb: Array) -> None:
    hints = Hints(range="-1..1", color="bgr")
    assert np.array_equal(fed(rgb, node(None, 6, 8, 3), hints), rgb)


def test_luma(picture: Path, rgb: Array) -> None:
    expected = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    to = node(None, 6, 8, 1)
    assert np.allclose(fed(picture, to, range="as-is")[..., 0], expected, rtol=1e-6)
    assert np.allclose(fed(rgb, to)[..., 0], expected, rtol=1e-6)
    assert "RGB to grey by luma (0.299, 0.587, 0.114)" in steps(picture, to)


def test_luma_of_grey_is_itself() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    image = Image.fromarray(ramp)
    assert np.array_equal(fed(image, node(None, 16, 16, 1), range="as-is"), ramp[..., :1])


def test_color_gray_for_three_channels(picture: Path, rgb: Array) -> None:
    grey = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    seen = fed(picture, node(None, 6, 8, 3), color="gray", range="as-is")
    assert np.allclose(seen, np.stack([grey] * 3, -1), rtol=1e-6)


@pytest.mark.parametrize("source", ["picture", "array"])
def test_bgr(picture: Path, rgb: Array, source: str) -> None:
    given_as: Any = picture if source == "picture" else rgb
    to = node(None, 6, 8, 3)
    assert np.array_equal(fed(given_as, to, color="bgr", range="as-is"), rgb[..., ::-1])
    assert "reversed from RGB to BGR (asked for)" in steps(given_as, to, color="bgr")


def test_bgr_of_a_network_with_alpha(rgb: Array) -> None:
    image = Image.fromarray(rgb).convert("RGBA")
    seen = fed(image, node(None, 6, 8, 4), color="bgr", range="as-is")
    assert np.array_equal(seen[..., :3], rgb[..., ::-1])
    assert (seen[..., 3] == 255).all()


def test_bgr_from_the_model(picture: Path, rgb: Array) -> None:
    hints = Hints(range="as-is", color="bgr", reason="the file says BGR")
    to = node(None, 6, 8, 3)
    assert np.array_equal(fed(picture, to, hints), rgb[..., ::-1])
    assert "reversed from RGB to BGR (auto: the file says BGR)" in steps(picture, to, hints)


def test_caffe_reverses_once(picture: Path, rgb: Array) -> None:
    expected = rgb[..., ::-1] - [103.939, 116.779, 123.68]
    to = node(None, 6, 8, 3)
    assert np.allclose(fed(picture, to, range="caffe", color="bgr"), expected, rtol=1e-6)
    with pytest.raises(InputError, match="range caffe puts the channels in BGR order"):
        fed(picture, to, range="caffe", color="rgb")


def test_channels_first_is_transposed(picture: Path, rgb: Array) -> None:
    to = node(None, 3, 6, 8, axes="NCHW")
    assert np.array_equal(fed(picture, to, range="as-is"), rgb.transpose(2, 0, 1))
    assert steps(picture, to)[-1] == "transposed to channels first (channel, height, width)"


def test_an_array_is_in_the_models_own_layout(rgb: Array) -> None:
    own = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    to = node(None, 3, 6, 8, axes="NCHW")
    assert np.array_equal(fed(own, to), own)
    assert np.array_equal(fed(own[None], to), own)
    small = fed(own, node(None, 3, 3, 4, axes="NCHW"), resize="area")
    assert np.allclose(small, own.reshape(3, 3, 2, 4, 2).mean(axis=(2, 4)), rtol=1e-6)


def test_an_input_without_a_channel_axis(picture: Path, rgb: Array) -> None:
    to = node(None, 6, 8, axes="NHW")
    grey = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    assert np.allclose(fed(picture, to, range="as-is"), grey, rtol=1e-6)


def test_free_sizes(picture: Path) -> None:
    to = node(None, None, None, 3)
    assert fed(picture, to).shape == (6, 8, 3)
    assert "kept its own size 8×6 (the network takes any)" in steps(picture, to)
    assert fed(picture, to, size=(5, 7)).shape == (5, 7, 3)
    assert fed(picture, to, Hints(size=(9, 9))).shape == (9, 9, 3)
    assert fed(picture, node(None, 4, None, 3)).shape == (4, 8, 3)


def test_free_channels_keep_the_pictures_own(picture: Path) -> None:
    to = node(None, None, None, None)
    assert fed(picture, to).shape == (6, 8, 3)
    assert fed(picture, to, color="gray").shape == (6, 8, 1)
    assert fed(Image.new("L", (8, 6)), to).shape == (6, 8, 1)
    assert fed(Image.new("L", (8, 6)), to, color="rgb").shape == (6, 8, 3)


def test_an_input_of_bytes(picture: Path, rgb: Array) -> None:
    to = node(None, 6, 8, 3, dtype="uint8")
    seen = fed(picture, to)
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, rgb)
    assert steps(picture, to)[-1] == "kept as 0..255 (auto: the input takes uint8)"
    grey = fed(picture, node(None, 6, 8, 1, dtype="uint8"))[..., 0]
    assert np.array_equal(grey, np.rint(rgb.astype(np.float64) @ [0.299, 0.587, 0.114]))
    with pytest.raises(InputError) as caught:
        fed(picture, to, range="0..1")
    assert str(caught.value) == (
        "range 0..1 needs fractions, and input 'image' takes whole numbers (uint8): choose "
        "0..255 or as-is"
    )


def test_types_that_numpy_lacks_are_fed_as_float32(picture: Path) -> None:
    assert fed(picture, node(None, 6, 8, 3, dtype="bfloat16")).dtype == np.float32
    assert fed(picture, node(None, 6, 8, 3, dtype="float16")).dtype == np.float16


def test_a_picture_for_a_vector_is_laid_out_row_by_row(picture: Path, rgb: Array) -> None:
    to = node(None, 6 * 8 * 3, axes="NC")
    assert np.array_equal(fed(picture, to, range="as-is"), rgb.reshape(-1))
    assert steps(picture, to)[-1] == "flattened row by row to 144 values"
    assert fed(picture, node(None, 12, axes="NC"), size=(3, 4)).shape == (12,)


def test_a_picture_for_steps(picture: Path) -> None:
    to = node(None, 6, 8, axes="NTC")
    assert fed(picture, to).shape == (6, 8)
    assert steps(picture, to)[-1] == "its rows and columns given as step and channel"
    with pytest.raises(InputError) as caught:
        fed(picture, node(None, 5, 8, axes="NTC"))
    assert str(caught.value) == (
        f"{picture} is a picture, height 6, width 8; input 'image' takes step 5, channel 8, "
        "which is no picture. Give an array of that shape, or a size that makes as many values"
    )
    assert fed(picture, node(None, 5, 8, axes="NTC"), size=(5, 8)).shape == (5, 8)


def test_channels_that_no_picture_has(picture: Path) -> None:
    with pytest.raises(InputError) as caught:
        fed(picture, node(None, 6, 8, 10))
    assert str(caught.value) == (
        f"{picture} is a picture, height 6, width 8, channel 3; input 'image' takes height 6, "
        "width 8, channel 10. A picture has 1, 3 or 4 channels and cannot become 10: give an array"
    )


def test_a_size_that_the_network_does_not_take(picture: Path) -> None:
    with pytest.raises(InputError) as caught:
        fed(picture, node(None, 6, 8, 3), size=(5, 5))
    assert str(caught.value) == (
        "size 5×5 does not fit: input 'image' takes height 6, width 8, channel 3. Leave it out"
    )


@pytest.mark.parametrize("name", ["imagenet", "caffe"])
def test_ranges_for_rgb_only(picture: Path, name: Any) -> None:
    with pytest.raises(InputError, match=f"range {name} needs the 3 channels of RGB"):
        fed(picture, node(None, 6, 8, 1), range=name)


def test_previews_are_what_the_network_sees_in_rgb(picture: Path, rgb: Array) -> None:
    to = node(None, 3, 4, 3)
    expected = np.asarray(Image.fromarray(rgb).resize((4, 3), Image.Resampling.BILINEAR))
    seen = feed(picture, to, range="caffe").previews[0]
    assert seen is not None
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, expected)
    grey = feed(picture, node(None, 3, 4, 1)).previews[0]
    assert grey is not None
    assert grey.shape == (3, 4)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 1.0], [0.5, 0.2]], [[0, 255], [128, 51]]),
        ([[0, 200], [17, 3]], [[0, 200], [17, 3]]),
        ([[-1.0, 1.0], [0.0, -0.5]], [[0, 255], [128, 64]]),
        ([[7000.0, 7000.0], [7000.0, 7000.0]], [[0, 0], [0, 0]]),
    ],
)
def test_previews_of_arrays(values: list[Any], expected: list[Any]) -> None:
    seen = feed(np.array(values), node(None, 2, 2, 1)).previews[0]
    assert seen is not None
    assert np.array_equal(seen, expected)


def test_no_preview_of_what_is_no_picture() -> None:
    assert feed(np.zeros((2, 2, 10)), node(None, 2, 2, 10)).previews == (None,)
    assert feed(np.zeros(7), node(None, 7, axes="NC")).previews == (None,)


@pytest.mark.parametrize(
    ("text", "size"), [("150x200", (150, 200)), ("150×200", (150, 200)), ("64", (64, 64))]
)
def test_sizes_in_words(text: str, size: tuple[int, int]) -> None:
    assert Preprocessing.parse(size=text).size == size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"size": "big"},
            "size 'big' is not understood: give height and width in pixels, such as 150x200, or "
            "one number for a square",
        ),
        ({"size": "0x5"}, "size must be at least 1×1, and is 0×5"),
        (
            {"range": "0-1"},
            "range '0-1' is not known: choose one of 0..1, -1..1, 0..255, imagenet, caffe, as-is",
        ),
        (
            {"resize": "fast"},
            "resize 'fast' is not known: choose one of bilinear, nearest, bicubic, lanczos, area",
        ),
        ({"color": "red"}, "color 'red' is not known: choose one of rgb, bgr, gray"),
    ],
)
def test_settings_that_are_not_known(words: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Preprocessing.parse(**words)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_grey_is_gray() -> None:
    assert Preprocessing.parse(color="grey").color == "gray"
