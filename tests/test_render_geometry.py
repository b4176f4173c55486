"""Where tiles lie, checked pixel by pixel against a slow implementation of the same rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerscope.errors import OutputError
from layerscope.render import Group, draw
from layerscope.render.palette import BAR, GUTTER, SHADE
from test_render_draw import activation

LAYOUTS = {"NHWC": (0, 2, 3, 1), "NCHW": (0, 1, 2, 3)}


def covered(figure):
    """How many tiles cover each pixel, and the entry that the tiles' values call for."""
    count = np.zeros(figure.pixels.shape, int)
    for tile in figure.tiles:
        for row in range(tile.height * figure.zoom):
            for column in range(tile.width * figure.zoom):
                count[tile.top + row, tile.left + column] += 1
    return count


@settings(max_examples=60, deadline=None)
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    channels=st.integers(1, 40),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    zoom=st.none() | st.integers(1, 4),
    columns=st.none() | st.integers(1, 50),
    scale=st.sampled_from(["channel", "layer", "symmetric", (-0.5, 2.0)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_pixel_is_where_it_belongs(
    layout, channels, height, width, zoom, columns, scale, seed
):
    values = np.random.default_rng(seed).normal(size=(1, channels, height, width))
    values = np.abs(values).astype(np.float32)
    array = values.transpose(LAYOUTS[layout])
    figure = draw(
        activation(np.ascontiguousarray(array), layout),
        zoom=zoom,
        columns=columns,
        scale=scale,
        labels=False,
    )
    first, last = figure.levels
    count = covered(figure)
    assert count.max() == 1, "no two tiles overlap"
    assert np.isin(figure.pixels[count == 0], [GUTTER, SHADE, BAR]).all()
    for tile in figure.tiles:
        if tile.vmin == tile.vmax:
            continue
        for row in range(height):
            for column in range(width):
                value = float(values[0, tile.channel, row, column])
                share = (value - tile.vmin) / (tile.vmax - tile.vmin)
                top = tile.top + row * figure.zoom
                left = tile.left + column * figure.zoom
                square = figure.pixels[top : top + figure.zoom, left : left + figure.zoom]
                assert (square == square[0, 0]).all()
                if 0 <= share <= 1:
                    assert abs(float(square[0, 0]) - first - share * (last - first)) <= 0.501
    if columns and height * width > 1:
        lefts = {tile.left for tile in figure.tiles}
        assert len(lefts) == min(columns, channels)


@settings(max_examples=25, deadline=None)
@given(channels=st.integers(1, 30), size=st.integers(2, 8), labels=st.booleans(), data=st.data())
def test_groups_never_overlap_and_keep_every_channel(channels, size, labels, data):
    cut = data.draw(st.integers(0, channels))
    array = np.random.default_rng(channels).random((1, size, size, channels)).astype(np.float32)
    groups = [Group("left", range(cut)), Group("right", range(cut, channels))]
    figure = draw(activation(array, "NHWC"), groups=groups, labels=labels, zoom=2)
    assert covered(figure).max() == 1
    assert [tile.channel for tile in figure.tiles] == list(range(channels))
    for tile in figure.tiles:
        difference = np.abs(figure.values(tile) - array[0, ..., tile.channel]).max()
        assert difference <= tile.vmax / 255


@pytest.mark.parametrize("axes", ["NHWC", "NTC", "NC", "NDHWC"])
def test_labels_leave_the_data_alone(axes):
    shape = {"NHWC": (1, 5, 5, 12), "NTC": (1, 9, 12), "NC": (1, 50), "NDHWC": (1, 2, 4, 4, 3)}
    array = np.random.default_rng(0).normal(size=shape[axes]).astype(np.float32)
    for zoom in (1, 2, 9):
        with_labels = draw(activation(array, axes), zoom=zoom)
        without = draw(activation(array, axes), zoom=zoom, labels=False)
        for one, other in zip(with_labels.tiles, without.tiles, strict=True):
            assert np.array_equal(with_labels.values(one), without.values(other))
        assert with_labels.pixels.size > without.pixels.size


def test_layouts_of_the_same_values_give_the_same_picture():
    values = np.random.default_rng(1).normal(size=(2, 20, 6, 7)).astype(np.float32)
    last = np.ascontiguousarray(values.transpose(0, 2, 3, 1))
    for sample in (0, 1):
        one = draw(activation(values, "NCHW"), sample=sample)
        other = draw(activation(last, "NHWC"), sample=sample)
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(("count", "size"), [(64, 56), (512, 28), (2048, 7), (32, 149), (160, 73)])
def test_a_mosaic_is_near_square_and_tiles_can_be_seen(count, size):
    array = np.zeros((1, size, size, count), np.float32)
    figure = draw(activation(array, "NHWC"))
    height, width = figure.pixels.shape
    assert 0.7 < height / width < 1.45
    assert max(height, width) <= 4000
    assert size * figure.zoom >= 40


def test_large_maps_are_not_enlarged():
    figure = draw(activation(np.random.default_rng(0).random((1, 1000, 1000, 1)), "NHWC"))
    assert figure.zoom == 1
    assert max(figure.pixels.shape) < 1100


def test_rows_of_a_sequence_touch():
    array = np.random.default_rng(0).random((1, 10, 4)).astype(np.float32)
    figure = draw(activation(array, "NTC"), zoom=5, columns=1)
    assert {tile.left for tile in figure.tiles} == {figure.tiles[0].left}
    assert np.array_equal(np.diff([tile.top for tile in figure.tiles]), [5, 5, 5])
    assert (figure.tiles[0].height, figure.tiles[0].width) == (1, 10)


def bar_below(figure, tile):
    """How many pixels of bar there are in the gutter right under a tile."""
    bottom = tile.top + tile.height * figure.zoom
    under = figure.pixels[bottom : bottom + 3, tile.left : tile.left + tile.width * figure.zoom]
    rows = [row for row in under if np.isin(row, [BAR, SHADE]).all()]
    assert len(rows) == 2
    assert np.array_equal(rows[0], rows[1])
    length = int((rows[0] == BAR).sum())
    assert (rows[0][:length] == BAR).all()
    return length


@pytest.mark.parametrize("labels", [True, False])
def test_a_bar_shows_each_channels_share_of_the_largest_magnitude(labels):
    array = np.random.default_rng(0).uniform(-1, 1, (1, 10, 10, 5)).astype(np.float32)
    for channel, peak in enumerate((-8, 4, 2, 0.01, 0)):
        array[..., channel] *= abs(peak) / 2
        array[0, 3, 3, channel] = peak
    figure = draw(activation(array, "NHWC"), zoom=8, labels=labels)
    assert [bar_below(figure, tile) for tile in figure.tiles] == [80, 40, 20, 1, 0]
    for scale in ("layer", "symmetric", (0, 1)):
        plain = draw(activation(array, "NHWC"), zoom=8, scale=scale, labels=False)
        assert not (plain.pixels == BAR).any()


@pytest.mark.parametrize("what", ["zoom", "columns"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_zoom_and_columns_are_whole_and_positive(what, value):
    array = np.zeros((1, 2, 2, 1), np.float32)
    with pytest.raises(OutputError, match=f"expected a whole number from 1 for {what}"):
        draw(activation(array, "NHWC"), **{what: value})
