"""The colour tables against matplotlib's, and our own map's evenness."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from layerscope.errors import OutputError
from layerscope.render.colormap import colors, is_diverging, names, parse_colormap
from layerscope.render.palette import FIRST, LAST, palette

MATPLOTLIBS = [name for name in names() if name != "blue-white-red"]


@pytest.mark.parametrize("name", MATPLOTLIBS)
def test_tables_are_matplotlibs(name):
    expected = mpl.colormaps[name](np.linspace(0, 1, 256), bytes=True)[:, :3]
    assert np.array_equal(colors(name, 256), expected)
    assert np.array_equal(colors(name + "_r", 256), expected[::-1])


@pytest.mark.parametrize("name", MATPLOTLIBS)
def test_a_palette_follows_the_map(name):
    levels = palette(name)[FIRST : LAST + 1].astype(int)
    shown = mpl.colormaps[name](np.linspace(0, 1, len(levels)))[:, :3] * 255
    assert np.abs(levels - shown).max() < 6


def lab(rgb):
    """sRGB to CIE L*a*b* (D65), by the definitions of IEC 61966-2-1 and CIE 15."""
    coded = rgb / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(to_xyz).T / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def test_blue_white_red_is_white_in_the_middle_and_darkens_evenly_both_ways():
    table = colors("blue-white-red", LAST - FIRST + 1)
    middle = len(table) // 2
    assert table[middle].tolist() == [255, 255, 255]
    lightness = lab(table.astype(float))[:, 0]
    assert (np.diff(lightness[: middle + 1]) > 0).all()
    assert (np.diff(lightness[middle:]) < 0).all()
    assert np.abs(lightness[:middle] - lightness[:middle:-1]).max() < 8


def test_neighbouring_levels_of_blue_white_red_can_be_told_apart():
    table = colors("blue-white-red", LAST - FIRST + 1).astype(int)
    assert (np.abs(np.diff(table, axis=0)).sum(axis=1) > 0).all()


def test_names_are_found_in_any_case_and_reversed():
    assert parse_colormap("Grey") == "gray"
    assert parse_colormap("VIRIDIS_R") == "viridis_r"
    assert is_diverging("RdBu_r")
    assert not is_diverging("twilight")
    with pytest.raises(OutputError, match=r"got 'virids'\. Known are viridis, magma"):
        parse_colormap("virids")
