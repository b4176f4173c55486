"""Every kind of activation as the page gets it: the pixels of render's PNG, the exact numbers."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from ml_dtypes import bfloat16
from PIL import Image

from layerscope.activation import Activation
from layerscope.axes import Axes
from layerscope.errors import SelectionError
from layerscope.faces.explorer.answers import blobs
from layerscope.faces.explorer.answers.container import unpack
from layerscope.faces.explorer.answers.summary import Summary, summarise
from layerscope.faces.grouping import Grouping
from layerscope.graph import Graph, Node
from layerscope.operations import Concatenation, Opaque
from layerscope.render import Group, draw
from layerscope.render.stack import stack_of

RANDOM = np.random.default_rng(3)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def with_odd_values():
    values = normal(1, 9, 11, 6)
    values[0, 2, 3, 1], values[0, 0, 0, 1], values[0, 8, 10, 2] = np.nan, np.inf, -np.inf
    values[..., 3], values[..., 4], values[..., 5] = 0, np.nan, 2.5
    return values


KINDS = {
    "maps": (normal(2, 12, 10, 5), "NHWC"),
    "channels first": (normal(1, 7, 9, 13), "NCHW"),
    "from zero": (np.maximum(normal(1, 20, 20, 9), 0), "NHWC"),
    "with NaN and infinities": (with_odd_values(), "NHWC"),
    "1×1": (normal(1, 1, 1, 40), "NHWC"),
    "one wide": (normal(1, 1, 30, 4), "NHWC"),
    "2,048 channels": (normal(1, 7, 7, 2048), "NHWC"),
    "1,000×1,000": (normal(1, 1000, 1000, 1), "NHWC"),
    "vector": (normal(1, 512), "NC"),
    "one number": (normal(1, 1), "NC"),
    "sequence": (normal(1, 25, 6), "NTC"),
    "volume": (normal(1, 5, 6, 7, 3), "NDHWC"),
    "tall volume": (normal(1, 50, 4, 5, 2), "NDHWC"),
    "frames": (normal(1, 4, 6, 7, 3), "NTHWC"),
    "attention": (normal(1, 4, 11, 11), "NAQK"),
    "unknown": (normal(1, 3, 4, 5), "N???"),
    "no batch": (normal(6, 7, 2), "HWC"),
    "steps": (normal(1, 19), "NT"),
    "whole numbers": (RANDOM.integers(-9, 300, (1, 8, 8, 3)), "NHWC"),
    "truth": (normal(1, 6, 6, 2) > 0, "NHWC"),
    "double": (RANDOM.normal(size=(1, 6, 6, 2)) * 1e-200, "NHWC"),
    "half": (normal(1, 6, 6, 2).astype(np.float16), "NHWC"),
    "bfloat16": (normal(1, 6, 6, 2).astype(bfloat16), "NHWC"),
    "constant": (np.full((1, 16, 16, 3), -4.0, np.float32), "NHWC"),
    "nothing": (normal(1, 0, 4, 3), "NHWC"),
}


def activation(array, axes, operation=None, name="layer", inputs=()):
    parsed = Axes.parse(axes)
    node = Node(name, 0, name, "T", operation or Opaque(), inputs, array.shape, parsed)
    return Activation(array, parsed, node)


def layer_of(one, sample=0):
    return unpack(blobs.layer_blob(one, sample))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_travels_as_the_pixels_of_its_picture(kind):
    array, axes = KINDS[kind]
    one = activation(array, axes)
    header, sections = layer_of(one)
    # Read by Pillow and the facts in the file, with nothing of layerscope's.
    with Image.open(io.BytesIO(draw(one, zoom=1).png())) as image:
        pixels = np.asarray(image)
        tiles = json.loads(image.text["layerscope"])["tiles"]
    count = tiles["count"]

    def column(name, kind=float):
        held = tiles[name]
        return np.array(held if isinstance(held, list) else [held] * count, kind)

    entries = sections["entries"]
    height, width = entries.shape[2:]
    assert (tiles["height"], tiles["width"]) == (height, width)
    assert entries.shape[0] * entries.shape[1] == count
    flat = entries.reshape(count, height, width)
    for i, (top, left) in enumerate(zip(column("top", int), column("left", int), strict=True)):
        assert np.array_equal(pixels[top : top + height, left : left + width], flat[i])
    slices = entries.shape[1]
    lo, hi = (np.repeat(sections[name], slices) for name in ("lo", "hi"))
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_array_equal(lo, column("vmin").astype(np.float32))
        np.testing.assert_array_equal(hi, column("vmax").astype(np.float32))
    assert header["signed"] == bool((np.nan_to_num(array.astype(float), neginf=0) < 0).any())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "nothing"])
def test_exact_channels_are_the_activations_own_numbers(kind):
    array, axes = KINDS[kind]
    one = activation(array, axes)
    header, sections = layer_of(one)
    count = len(sections["entries"])
    for channel in {0, count // 2, count - 1}:
        found = unpack(blobs.exact_blob(one, 0, channel))[1]["values"]
        expected = channel_by_hand(array, axes, channel, header["slices"])
        assert found.dtype == (np.float64 if array.dtype.itemsize == 8 else np.float32)
        np.testing.assert_array_equal(found, expected.astype(found.dtype).reshape(found.shape))
        part, row, column = (size // 2 for size in found.shape)
        said = blobs.value_at(blobs.channel_of(one, 0, channel), part, row, column)
        own = expected.reshape(found.shape)[part, row, column]
        reread = (
            array.dtype.type(float(said))
            if array.dtype.kind == "f"
            else float({"True": 1, "False": 0}.get(said, said))
        )
        np.testing.assert_equal(reread, own)


def channel_by_hand(array, axes, channel, slices):
    """The values of one tile, by the meaning of the letters."""
    sample = array if "N" not in axes else array[0]
    letters = axes.replace("N", "")
    if "C" in letters:
        sample = np.take(sample, channel, axis=letters.index("C"))
        letters = letters.replace("C", "")
    elif "A" in letters or letters == "???":
        sample, letters = sample[channel], letters[1:]
    if letters == "THW":
        sample, letters = sample.transpose(1, 2, 0), "HWT"
    if letters in ("DHW", "HWT"):
        sample = sample[slices]
    return sample


def test_a_tall_volume_says_which_slices_it_shows():
    array, axes = KINDS["tall volume"]
    header, sections = layer_of(activation(array, axes))
    assert sections["entries"].shape == (2, 32, 4, 5)
    assert header["slices"][0] == 0
    assert header["slices"][-1] == 49
    assert header["left_out"].startswith("32 of 50 slices are drawn: 0, 2, 3")
    assert header["letters"] == {
        "channels": "channels", "slices": "depth", "rows": "height", "columns": "width",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arrangement", "words"),
    [
        ("maps", "mosaic", ("channels", None, "height", "width")),
        ("sequence", "rows", ("channels", None, None, "step")),
        ("vector", "strip", ("channels", None, None, None)),
        ("attention", "mosaic", ("heads", None, "query", "key")),
        ("unknown", "mosaic", ("planes", None, "axis", "axis")),
        ("frames", "mosaic", ("channels", "height", "width", "step")),
    ],
)
def test_the_page_is_told_what_the_dimensions_are(kind, arrangement, words):
    header, _ = layer_of(activation(*KINDS[kind]))
    assert header["arrangement"] == arrangement
    assert tuple(header["letters"].values()) == words


def test_branches_are_groups():
    left = activation(normal(1, 4, 4, 2), "NHWC", name="left")
    right = activation(normal(1, 4, 4, 3), "NHWC", name="right")
    joined = activation(
        normal(1, 4, 4, 5), "NHWC", Concatenation(axis=3), "joined", ("left", "right")
    )
    every = {one.name: one for one in (left, right, joined)}
    graph = Graph((), tuple(one.node for one in every.values()), ("joined",))
    groups = Grouping(graph, every).of(joined)
    header, _ = unpack(blobs.layer_blob(joined, 0, None, groups))
    found = [
        [group[key] for key in ("label", "start", "stop", "from", "first")]
        for group in header["groups"]
    ]
    assert found == [["left", 0, 2, "left", 0], ["right", 2, 5, "right", 0]]
    assert header["groups"][1]["heading"] == groups[1].label
    scattered = (Group("a", (0, 2), ("x:0", "x:1")), Group("b", (1,), ("y:0",)))
    assert unpack(blobs.layer_blob(joined, 0, None, scattered))[0]["groups"] == []


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("NHWC", (1, 5, 6, 2)), ("NTC", (1, 9, 2)), ("NDHWC", (1, 40, 3, 4, 2)), ("NC", (1, 8)),
     ("NTHWC", (1, 3, 4, 5, 2))],
)  # fmt: skip
def test_a_place_on_a_tile_is_the_place_in_the_layer(axes, shape):
    one = activation(normal(*shape), axes)
    stack = stack_of(one, 0)
    channel = one.planes()[0, 1]
    for place in np.ndindex(stack.values.shape[1:]):
        at = blobs.place_of(one, stack, place)
        assert channel[at] == stack.values[1][place]


def test_places_and_channels_that_are_not_there():
    one = activation(*KINDS["maps"])
    with pytest.raises(SelectionError) as error:
        blobs.exact_blob(one, 0, 5)
    assert str(error.value) == (
        "'layer' has channels 0 to 4, but channel 5 was asked for. Choose others."
    )
    with pytest.raises(SelectionError) as error:
        blobs.value_at(blobs.channel_of(one, 0, 0), 0, 12, 0)
    assert str(error.value) == (
        "There are 1 × 12 × 10 places, but 0, 12, 0 was asked for. Count from 0."
    )


@pytest.mark.parametrize(
    ("number", "said"),
    [(np.float32(0.1), "0.1"), (np.float32(1.2345678), "1.2345678"), (np.float32(np.nan), "NaN"),
     (np.float32(-np.inf), "-inf"), (np.float64(0.1) + 0.2, "0.30000000000000004"),
     (np.int64(2**62 + 1), "4611686018427387905")],
)  # fmt: skip
def test_a_value_is_said_exactly(number, said):
    assert blobs.value_at(np.array(number).reshape(1, 1, 1), 0, 0, 0) == said


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_summary(kind):
    array, axes = KINDS[kind]
    one = activation(array, axes)
    summary = Summary([summarise(one, 0)])
    header, sections = unpack(summary.statistics())
    sample = one.array if one.axes.batch is None else np.take(one.array, [0], one.axes.batch)
    wanted = Activation(sample, one.axes, one.node).stats()
    keys = ("min", "max", "mean", "std", "zeros")
    with np.errstate(under="ignore"):
        expected = np.array([getattr(wanted, key) for key in keys]).astype(np.float32)
    np.testing.assert_array_equal(sections["layers"][0], expected)
    assert header["dead"] == [len(wanted.dead)]
    tiles, pixels = unpack(summary.thumbnails())
    tile = tiles["tiles"][0]
    assert max(tile["height"], tile["width"]) <= 64
    assert pixels["entries"].size == tile["height"] * tile["width"]


def test_a_small_thumbnail_is_the_most_energetic_map_itself():
    array = normal(1, 20, 30, 6)
    array[..., 4] *= 3
    one = activation(array, "NHWC")
    _, sections = layer_of(one)
    tiles, pixels = unpack(Summary([summarise(one, 0)]).thumbnails())
    tile = tiles["tiles"][0]
    assert (tile["channel"], tile["shrunk"]) == (4, False)
    assert np.array_equal(pixels["entries"].reshape(20, 30), sections["entries"][4, 0])
    assert (tile["lo"], tile["hi"]) == (sections["lo"][4], sections["hi"][4])


def test_a_vectors_thumbnail_holds_all_of_its_values():
    array = np.arange(10, dtype=np.float32)[None]
    tiles, pixels = unpack(Summary([summarise(activation(array, "NC"), 0)]).thumbnails())
    tile = tiles["tiles"][0]
    found = pixels["entries"].reshape(tile["height"], tile["width"])
    assert found.shape == (3, 4)
    assert (found.ravel()[:10] == np.rint(array[0] / 9 * 240)).all()
    assert (found.ravel()[10:] == 241).all()  # the gutter


def test_the_preview_is_the_picture_and_what_became_of_it():
    seen, original = (RANDOM.integers(0, 256, size, np.uint8) for size in ((5, 6), (50, 60, 3)))
    header, sections = unpack(blobs.preview_blob(seen, original, (100, 120)))
    assert header["scale"] == 0.5
    assert np.array_equal(sections["rgb"], np.stack([seen] * 3, axis=-1))
    assert np.array_equal(sections["original"], original)
    assert unpack(blobs.preview_blob(None, None, None))[1] == {}
