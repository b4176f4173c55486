"""Which range and which colour map a picture uses."""

from __future__ import annotations

import numpy as np
import pytest

from layerscope.errors import OutputError
from layerscope.render import draw, read_figure
from layerscope.render.palette import CLIPPED_HIGH, CLIPPED_LOW
from test_render_draw import activation

RANDOM = np.random.default_rng(3)
POSITIVE = RANDOM.uniform(1, 5, (1, 8, 8, 3)).astype(np.float32)
SIGNED = RANDOM.uniform(-3, 5, (1, 8, 8, 3)).astype(np.float32)


def ranges(array, **options):
    return [(tile.vmin, tile.vmax) for tile in draw(activation(array, "NHWC"), **options).tiles]


def test_data_from_zero_up_are_sequential_and_start_at_zero():
    figure = draw(activation(POSITIVE, "NHWC"))
    assert figure.colormap == "viridis"
    peaks = POSITIVE[0].max(axis=(0, 1)).astype(float)
    assert ranges(POSITIVE) == [(0, peak) for peak in peaks]
    assert ranges(POSITIVE, scale="layer") == [(0, float(POSITIVE.max()))] * 3


def test_signed_data_are_diverging_and_zero_is_white():
    array = SIGNED.copy()
    array[0, 0, 0] = 0
    figure = draw(activation(array, "NHWC"))
    assert figure.colormap == "blue-white-red"
    reach = np.abs(array[0]).max(axis=(0, 1)).astype(float)
    assert ranges(array) == [(-most, most) for most in reach]
    for tile in figure.tiles:
        assert figure.rgb()[tile.top, tile.left].tolist() == [255, 255, 255]
    warm = figure.palette[figure.levels[1]].astype(int)
    cold = figure.palette[figure.levels[0]].astype(int)
    assert warm[0] > warm[2]
    assert cold[2] > cold[0]


def test_one_negative_value_anywhere_in_the_batch_makes_a_layer_signed():
    array = np.concatenate([POSITIVE, POSITIVE])
    array[1, 4, 4, 2] = -0.001
    assert draw(activation(array, "NHWC"), sample=0, channels=[0]).colormap == "blue-white-red"


def test_a_sequential_map_on_signed_data_spans_them():
    low = SIGNED[0].min(axis=(0, 1)).astype(float)
    high = SIGNED[0].max(axis=(0, 1)).astype(float)
    assert ranges(SIGNED, colormap="magma") == list(zip(low, high, strict=True))
    whole = (float(SIGNED.min()), float(SIGNED.max()))
    assert ranges(SIGNED, colormap="gray", scale="layer") == [whole] * 3


def test_a_diverging_map_is_always_centred():
    peaks = POSITIVE[0].max(axis=(0, 1)).astype(float)
    assert ranges(POSITIVE, colormap="RdBu_r") == [(-peak, peak) for peak in peaks]


def test_symmetric_is_one_range_about_zero():
    most = float(np.abs(SIGNED).max())
    assert ranges(SIGNED, scale="symmetric") == [(-most, most)] * 3
    assert (
        ranges(POSITIVE, scale="symmetric") == [(-float(POSITIVE.max()), float(POSITIVE.max()))] * 3
    )


def test_numbers_are_the_range_and_what_lies_outside_is_marked():
    figure = draw(activation(SIGNED, "NHWC"), scale=(-1, 2), zoom=3)
    assert figure.scale == "-1,2"
    assert ranges(SIGNED, scale=(-1, 2)) == [(-1, 2)] * 3
    for tile in read_figure(figure.png()).tiles:
        values = SIGNED[0, ..., tile.channel]
        entries = figure.pixels[tile.top :: 3, tile.left :: 3][:8, :8]
        assert np.array_equal(entries == CLIPPED_LOW, values < -1)
        assert np.array_equal(entries == CLIPPED_HIGH, values > 2)
        assert np.abs(figure.values(tile) - values.clip(-1, 2)).max() <= 3 / 255
    outside = int((SIGNED < -1).sum())
    assert f"{outside} of {SIGNED.size} values are below the range" in figure.notes


@pytest.mark.parametrize("scale", ["channel", "layer"])
def test_clipping_ends_the_range_at_a_percentile(scale):
    figure = draw(activation(SIGNED, "NHWC"), clip=90, scale=scale, zoom=1)
    for tile in figure.tiles:
        values = SIGNED[0, ..., tile.channel].astype(float)
        whole = values if scale == "channel" else SIGNED.astype(float)
        edge = np.sort(np.abs(whole).ravel())
        at = 0.9 * (len(edge) - 1)
        expected = edge[int(at)] + (at - int(at)) * (edge[int(at) + 1] - edge[int(at)])
        assert tile.vmax == pytest.approx(expected, rel=1e-12)
        assert tile.vmin == -tile.vmax
        entries = figure.pixels[tile.top : tile.top + 8, tile.left : tile.left + 8]
        assert np.array_equal(entries == CLIPPED_HIGH, values > tile.vmax)
        assert np.array_equal(entries == CLIPPED_LOW, values < tile.vmin)


def test_clipping_never_leaves_a_sparse_channel_without_a_range():
    array = np.zeros((1, 10, 10, 2), np.float32)
    array[0, 0, 0], array[0, 1, 1, 1] = 1, np.nan
    figure = draw(activation(array, "NHWC"), clip=90)
    assert [(tile.vmin, tile.vmax) for tile in figure.tiles] == [(0, 1), (0, 1)]
    assert ranges(SIGNED, clip=100) == ranges(SIGNED)


@pytest.mark.parametrize("scale", ["Layer", "1", "2,1", "1,1", "0,nan", "a,b", (1, 2, 3), None])
def test_an_unknown_scale_is_refused(scale):
    with pytest.raises(OutputError, match="Use channel, layer, symmetric, or two numbers"):
        draw(activation(SIGNED, "NHWC"), scale=scale)


@pytest.mark.parametrize("clip", [0, 50, 101, float("nan")])
def test_an_impossible_percentile_is_refused(clip):
    with pytest.raises(OutputError, match="expected a percentile above 50"):
        draw(activation(SIGNED, "NHWC"), clip=clip)


def test_a_percentile_and_numbers_exclude_each_other():
    with pytest.raises(OutputError, match="Give one of them"):
        draw(activation(SIGNED, "NHWC"), clip=99, scale=(0, 1))
