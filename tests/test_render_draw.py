"""Drawing every kind of activation, and reading the values back from the PNG alone."""

from __future__ import annotations

import numpy as np
import pytest
from ml_dtypes import bfloat16

from layerscope.activation import Activation
from layerscope.axes import Axes
from layerscope.errors import OutputError, SelectionError
from layerscope.graph import Node
from layerscope.operations import Opaque
from layerscope.render import Group, Limits, draw, read_figure
from layerscope.render.palette import HATCH, NAN

RANDOM = np.random.default_rng(7)


def activation(array, axes, name="layer"):
    array = np.asarray(array)
    parsed = Axes.parse(axes)
    return Activation(array, parsed, Node(name, 0, name, "T", Opaque(), (), array.shape, parsed))


def plane(array, axes, tile):
    """The values that a tile should show, found by naming axes one at a time."""
    index = {"N": 0, "C": tile.channel, "A": tile.channel}
    if tile.slice is not None:
        index["D"] = tile.slice
    kept = ""
    for letter in axes:
        at = len(kept)
        if letter in index:
            array = np.take(array, index[letter], axis=at)
        else:
            kept += letter
    array = array.T if kept == "WH" else array
    return array.reshape(tile.height, tile.width)


def assert_reads_back(figure, array, axes):
    """Every tile of the PNG, decoded by the rule of the manifest, is within 1/255 of its range."""
    again = read_figure(figure.png())
    first, last = again.levels
    assert len(again.tiles) == len(figure.tiles)
    for tile in again.tiles:
        expected = plane(np.asarray(array, np.float64), axes, tile)
        block = again.pixels[tile.top :, tile.left :]
        block = block[: tile.height * again.zoom, : tile.width * again.zoom]
        for row in range(tile.height):
            for column in range(tile.width):
                square = block[
                    row * again.zoom : (row + 1) * again.zoom,
                    column * again.zoom : (column + 1) * again.zoom,
                ]
                assert (square == square[0, 0]).all()
        entries = block[:: again.zoom, :: again.zoom].astype(np.float64)
        if tile.vmin == tile.vmax:
            assert (expected == tile.vmin).all()
            assert np.isin(entries, HATCH).all()
        else:
            assert ((entries >= first) & (entries <= last)).all()
            read = tile.vmin + (entries - first) / (last - first) * (tile.vmax - tile.vmin)
            assert np.abs(read - expected).max() <= (tile.vmax - tile.vmin) / 255
        assert np.allclose(again.values(tile), expected, rtol=0, atol=(tile.vmax - tile.vmin) / 255)


KINDS = {
    "maps": ((1, 6, 5, 7), "NHWC"),
    "maps channels first": ((1, 7, 6, 5), "NCHW"),
    "maps without batch": ((6, 5, 3), "HWC"),
    "maps, batch in the middle": ((6, 1, 5, 3), "HNWC"),
    "maps, width first": ((1, 4, 5, 6), "NWHC"),
    "one map": ((1, 9, 4), "NHW"),
    "maps of one value": ((1, 1, 1, 9), "NHWC"),
    "vector": ((1, 300), "NC"),
    "short vector": ((1, 10), "NC"),
    "one value": ((1, 1), "NC"),
    "scalar": ((1,), "N"),
    "sequence": ((1, 11, 6), "NTC"),
    "sequence channels first": ((1, 6, 11), "NCT"),
    "long sequence": ((1, 3, 400), "NTC"),
    "sequence of one step": ((1, 1, 5), "NTC"),
    "volume": ((1, 3, 5, 4, 2), "NDHWC"),
    "volume channels first": ((1, 2, 3, 5, 4), "NCDHW"),
    "attention": ((1, 4, 6, 5), "NAQK"),
    "attention without heads": ((1, 6, 5), "NQK"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", ["channel", "layer", "symmetric"])
@pytest.mark.parametrize("signed", [False, True])
def test_every_kind_reads_back(kind, scale, signed):
    shape, axes = KINDS[kind]
    array = RANDOM.normal(size=shape).astype(np.float32)
    array = array if signed else np.abs(array)
    figure = draw(activation(array, axes), scale=scale)
    count = np.prod(shape) // (figure.table.height * figure.table.width)
    assert len(figure.tiles) == count
    assert_reads_back(figure, array, axes)


@pytest.mark.parametrize(
    ("axes", "shape"), [("N?", (1, 7)), ("N??", (1, 3, 4)), ("N????", (1, 2, 3, 4, 5))]
)
def test_axes_of_no_known_meaning_become_tiles_of_the_last_two(axes, shape):
    array = RANDOM.random(shape).astype(np.float32)
    figure = draw(activation(array, axes), scale="layer")
    flat = array.reshape(-1, figure.table.height, figure.table.width)
    assert len(figure.tiles) == len(flat)
    for tile in figure.tiles:
        assert np.abs(figure.values(tile) - flat[tile.channel]).max() <= tile.vmax / 255


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float64, bfloat16, np.uint8, np.int8, np.int32, np.int64, bool]
)
def test_every_real_type_reads_back(dtype):
    array = (RANDOM.normal(size=(1, 5, 5, 3)) * 40).astype(dtype)
    assert_reads_back(draw(activation(array, "NHWC")), array.astype(np.float64), "NHWC")


@pytest.mark.parametrize("magnitude", [1e-320, 1e-42, 1e-30, 1e30, 3e38, 1.7e308])
@pytest.mark.parametrize("scale", ["channel", "layer"])
def test_tiny_and_huge_values_read_back(magnitude, scale):
    dtype = np.float32 if 1e-45 < magnitude < 3.4e38 else np.float64
    array = (RANDOM.uniform(-1, 1, (1, 4, 4, 2)) * magnitude).astype(dtype)
    figure = draw(activation(array, "NHWC"), scale=scale)
    for tile in figure.tiles:
        error = np.abs(figure.values(tile) / 2 - array[0, ..., tile.channel].astype(float) / 2)
        assert error.max() <= (tile.vmax / 2 - tile.vmin / 2) / 255 + 5e-324


def test_a_narrow_range_far_from_zero_reads_back():
    array = (1e6 + RANDOM.random((1, 8, 8, 4))).astype(np.float32)
    array[0, 0, 0] = -1
    figure = draw(activation(array, "NHWC"), colormap="viridis")
    assert_reads_back(figure, array, "NHWC")
    array = array[:, 1:]
    figure = draw(activation(-array, "NHWC"), colormap="viridis")
    assert all(tile.vmax - tile.vmin < 2 for tile in figure.tiles)
    assert_reads_back(figure, -array, "NHWC")


def test_a_constant_channel_is_hatched_and_reads_back():
    array = RANDOM.random((1, 8, 8, 4)).astype(np.float32)
    array[..., 1], array[..., 2] = 0, 0.625
    for scale in ("channel", "layer", (0, 1)):
        figure = draw(activation(array, "NHWC"), scale=scale)
        assert (figure.tiles[1].vmin, figure.tiles[1].vmax) == (0, 0)
        assert (figure.tiles[2].vmin, figure.tiles[2].vmax) == (0.625, 0.625)
        assert figure.tiles[0].vmin == 0 < figure.tiles[0].vmax
        for tile, value in ((figure.tiles[1], 0), (figure.tiles[2], 0.625)):
            area = figure.pixels[tile.top : tile.top + 8 * figure.zoom, tile.left :]
            assert set(np.unique(area[:, : 8 * figure.zoom])) == set(HATCH)
            assert (figure.values(tile) == value).all()
        assert figure.notes == ("2 of 4 channels are constant: 1, 2",)


def test_what_is_not_finite_has_marks_of_its_own_and_reads_back():
    array = RANDOM.normal(size=(1, 9, 9, 5)).astype(np.float32)
    array[0, 1:4, :, 0] = np.nan
    array[0, 2:5, :, 1] = np.inf
    array[0, 3:6, :, 2] = -np.inf
    array[..., 3] = np.nan
    array[..., 4] = 2
    array[0, 0, 0, 4] = np.nan
    figure = draw(activation(array, "NHWC"))
    again = read_figure(figure.png())
    for tile in again.tiles[:3]:
        read, expected = again.values(tile), array[0, ..., tile.channel].astype(np.float64)
        finite = np.isfinite(expected)
        assert np.array_equal(read[~finite], expected[~finite], equal_nan=True)
        assert np.abs(read[finite] - expected[finite]).max() <= (tile.vmax - tile.vmin) / 255
        held = expected[finite]
        assert tile.vmax == np.abs(held).max() == -tile.vmin
    assert np.isnan(again.tiles[3].vmin)
    assert np.isnan(again.values(again.tiles[3])).all()
    assert again.tiles[4].vmin == again.tiles[4].vmax == 2
    assert np.array_equal(
        again.values(again.tiles[4]), array[0, ..., 4].astype(float), equal_nan=True
    )
    drawn = set(np.unique(figure.pixels[again.tiles[3].top :, again.tiles[3].left :][:9, :9]))
    assert drawn <= set(NAN)
    assert figure.as_json("f.png", "in")["tiles"][3]["vmin"] is None
    assert f"{27 + 81 + 1} of 405 values are NaN" in figure.notes


def test_a_layer_with_nothing_finite_can_be_drawn():
    figure = draw(activation(np.full((1, 4, 4, 2), np.nan, np.float32), "NHWC"), scale="layer")
    assert all(np.isnan(figure.values(tile)).all() for tile in read_figure(figure.png()).tiles)
    figure = draw(activation(np.full((1, 6), -np.inf, np.float32), "NC"))
    assert [figure.values(tile)[0, 0] for tile in figure.tiles] == [-np.inf] * 6


@pytest.mark.parametrize(
    ("shape", "axes"), [((1, 4, 4, 0), "NHWC"), ((1, 0, 4, 3), "NHWC"), ((1, 0), "NC")]
)
def test_nothing_to_draw_is_still_a_picture(shape, axes):
    figure = draw(activation(np.zeros(shape, np.float32), axes))
    assert read_figure(figure.png()).pixels.shape == figure.pixels.shape


def test_channels_are_chosen_by_number_and_range():
    array = RANDOM.random((1, 4, 4, 30)).astype(np.float32)
    figure = draw(activation(array, "NHWC"), channels=[6, -1, slice(20, 24), 6])
    assert [tile.channel for tile in figure.tiles] == [6, 29, 20, 21, 22, 23]
    assert_reads_back(figure, array, "NHWC")
    with pytest.raises(SelectionError, match="'layer' has channels 0 to 29, but channel 30"):
        draw(activation(array, "NHWC"), channels=[30])
    with pytest.raises(SelectionError, match="none of them"):
        draw(activation(array, "NHWC"), channels=[slice(40, 50)])


def test_groups_are_sections_in_their_order_with_sources():
    array = RANDOM.random((1, 6, 6, 10)).astype(np.float32)
    groups = [
        Group("pool", range(4, 10), tuple(f"pool:{i}" for i in range(6))),
        Group("conv", (0, 1, 2)),
    ]
    figure = draw(activation(array, "NHWC"), groups=groups, columns=4)
    assert [tile.channel for tile in figure.tiles] == [4, 5, 6, 7, 8, 9, 0, 1, 2, 3]
    assert [tile.source for tile in figure.tiles][4:8] == ["pool:4", "pool:5", None, None]
    tops = [tile.top for tile in figure.tiles]
    row = tops[4] - tops[0]
    assert tops[:4] == [tops[0]] * 4
    assert tops[6] - tops[4] > row, "a heading stands between the sections"
    assert tops[6] == tops[7] == tops[8]
    assert tops[9] > tops[8]
    assert_reads_back(figure, array, "NHWC")
    chosen = draw(activation(array, "NHWC"), groups=groups, channels=[2, 5])
    assert [tile.channel for tile in chosen.tiles] == [5, 2]
    with pytest.raises(SelectionError, match="6 channels but 1 sources"):
        draw(activation(array, "NHWC"), groups=[Group("a", range(6), ("b:0",))])


def test_samples_share_the_colour_map_and_the_layers_range():
    array = np.abs(RANDOM.normal(size=(3, 5, 5, 4))).astype(np.float32)
    array[2, 0, 0, 0], array[1, 1, 1, 1] = -9, 20
    held = activation(array, "NHWC")
    figure = draw(held, sample=0, scale="layer")
    assert figure.colormap == "blue-white-red"
    assert {(tile.vmin, tile.vmax) for tile in figure.tiles} == {(-20, 20)}
    assert np.array_equal(
        figure.pixels, draw(held, sample=0, scale="layer", limits=Limits.of(held)).pixels
    )
    last = draw(held, sample=-1)
    assert np.abs(last.values(last.tiles[0]) - array[2, ..., 0]).max() <= 18 / 255
    with pytest.raises(SelectionError, match="holds 3 samples"):
        draw(held, sample=3)


def test_a_vector_lists_its_largest_entries_by_class():
    array = np.zeros((1, 40), np.float32)
    array[0, [3, 17, 30]] = 0.5, 0.875, 0.125
    names = [f"class {i}" for i in range(40)]
    figure = draw(activation(array, "NC"), classes=names)
    assert [(entry.channel, entry.name) for entry in figure.top[:3]] == [
        (17, "class 17"),
        (3, "class 3"),
        (30, "class 30"),
    ]
    assert str(figure.top[0]) == "class 17 (17): 0.875"
    assert read_figure(figure.png()).top == figure.top
    misfit = draw(activation(array, "NC"), classes=["a", "b"])
    assert misfit.top[0].name is None
    assert misfit.notes == ("2 class names do not fit entry 39: not used",)
    binary = draw(activation(np.float32([[0.75]]), "NC"), classes=["cats", "dogs"])
    assert binary.top[0].name == "0 = cats, 1 = dogs"


def test_a_deep_volume_says_which_slices_it_shows():
    array = RANDOM.random((1, 100, 3, 3, 2)).astype(np.float32)
    figure = draw(activation(array, "NDHWC"))
    assert len(figure.tiles) == 64
    assert figure.notes[0].startswith("32 of 100 slices are drawn: 0, 3, ")
    assert_reads_back(figure, array, "NDHWC")


def test_only_real_numbers_are_drawn():
    with pytest.raises(OutputError, match="expected real numbers in 'layer'"):
        draw(activation(np.array([["a", "b"]]), "NC"))
    with pytest.raises(OutputError, match="complex64"):
        draw(activation(np.zeros((1, 2), np.complex64), "NC"))


def test_the_activation_is_left_as_it_was():
    array = RANDOM.normal(size=(1, 8, 8, 20)).astype(np.float32)
    array[0, 0, 0, 0] = np.nan
    before = array.copy()
    array.flags.writeable = False
    for scale in ("channel", "layer", (-0.5, 0.5)):
        draw(activation(array, "NHWC"), scale=scale)
    assert np.array_equal(array, before, equal_nan=True)


def test_an_activation_draws_itself():
    array = RANDOM.random((1, 6, 6, 3)).astype(np.float32)
    assert activation(array, "NHWC").figure(zoom=2, columns=3).zoom == 2
