"""Drawing options as a command line gives them."""

from __future__ import annotations

import numpy as np
import pytest

from layerscope.errors import OutputError, SelectionError
from layerscope.render import Drawing, draw
from test_render_draw import activation


def test_words_become_options_that_draw_takes():
    drawing = Drawing.parse(
        channels="6,15,20:24,:2,-1",
        colormap="RDBU_r",
        scale="-1,2.5",
        zoom=3,
        columns=4,
        format=".JPEG",
    )
    assert drawing.format == "jpg"
    assert drawing.scale == (-1.0, 2.5)
    array = np.random.default_rng(0).random((1, 3, 3, 30)).astype(np.float32)
    figure = draw(activation(array, "NHWC"), **drawing.options())
    assert [t.channel for t in figure.tiles] == [6, 15, 20, 21, 22, 23, 0, 1, 29]
    assert (figure.colormap, figure.zoom, figure.scale) == ("RdBu_r", 3, "-1,2.5")


def test_nothing_given_is_the_default():
    assert Drawing.parse() == Drawing()
    assert Drawing.parse(clip="99").clip == 99


@pytest.mark.parametrize("text", ["", "a", "1,,2", "1:2:3", "1-4"])
def test_channels_that_cannot_be_read(text):
    with pytest.raises(SelectionError, match=r"Write numbers and half-open ranges"):
        Drawing.parse(channels=text)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"colormap": "nope"}, "Known are viridis"),
        ({"scale": "nope"}, "Use channel, layer, symmetric"),
        ({"clip": "high"}, "expected a percentile to clip at but got 'high'"),
        ({"clip": 20}, "expected a percentile above 50"),
        ({"clip": 99, "scale": "0,1"}, "Give one of them"),
        ({"zoom": 0}, "expected a whole number from 1 for zoom"),
        ({"columns": -2}, "expected a whole number from 1 for columns"),
        ({"format": "gif"}, r"Known are \.png, \.webp and \.jpg"),
    ],
)
def test_what_is_not_allowed_says_what_is(option, message):
    with pytest.raises(OutputError, match=message):
        Drawing.parse(**option)
