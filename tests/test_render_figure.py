"""Files, HTML and manifest entries of a figure."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import png as pypng
import pytest
from PIL import Image

from layerscope.errors import InputError, OutputError
from layerscope.render import draw, read_figure
from pictures import content
from test_render_draw import activation

ARRAY = np.random.default_rng(5).normal(size=(1, 12, 9, 7)).astype(np.float32)
HOSTILE = "a\x1b[31m<script>alert(1)</script>\n\u202e\"'&[red]\ud800"


def figure(name="conv", **options):
    return draw(activation(ARRAY, "NHWC", name), **options)


def test_pillow_and_pypng_read_the_same_paletted_picture():
    drawn = figure()
    with Image.open(io.BytesIO(drawn.png())) as image:
        image.load()
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), drawn.pixels)
        assert np.array_equal(np.array(image.getpalette()).reshape(-1, 3), drawn.palette)
        assert json.loads(image.text["layerscope"])["node"] == "conv"
        rgb = np.asarray(image.convert("RGB"))
    assert np.array_equal(rgb, drawn.rgb())
    width, height, rows, info = pypng.Reader(bytes=drawn.png()).read()
    assert (height, width) == drawn.pixels.shape
    assert np.array_equal(np.vstack([np.frombuffer(row, np.uint8) for row in rows]), drawn.pixels)
    assert np.array_equal(np.array(info["palette"]), drawn.palette)


def test_a_long_text_is_split_so_that_readers_accept_it():
    array = np.random.default_rng(0).normal(size=(1, 2, 30_000)).astype(np.float32)
    drawn = draw(activation(array, "NTC"), zoom=1, labels=False)
    again = read_figure(drawn.png())
    assert len(json.dumps(drawn.facts())) > 1_048_576
    assert again.tiles == drawn.tiles
    with Image.open(io.BytesIO(drawn.png())) as image:
        image.load()


@pytest.mark.parametrize("scale", ["channel", "layer"])
def test_a_read_figure_is_the_one_that_was_written(tmp_path, scale):
    drawn = figure(scale=scale)
    again = read_figure(drawn.save(tmp_path / "conv.png"))
    assert np.array_equal(again.pixels, drawn.pixels)
    assert np.array_equal(again.palette, drawn.palette)
    assert again.tiles == drawn.tiles
    same = ("levels", "colormap", "scale", "zoom", "name", "axes", "sizes", "sample", "notes")
    assert all(getattr(again, field) == getattr(drawn, field) for field in same)


def test_files_of_each_format(tmp_path):
    drawn = figure()
    with Image.open(drawn.save(tmp_path / "a.webp")) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), drawn.rgb())
    for name in ("a.jpg", "a.JPEG"):
        with Image.open(drawn.save(tmp_path / name)) as image:
            assert image.format == "JPEG"
            error = np.abs(np.asarray(image, int) - drawn.rgb())
            assert error.mean() < 6
    named = drawn.save(tmp_path / "b", format="png").read_bytes()
    assert content(named) == content(drawn.png())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.JPEG", "a.jpg", "a.webp", "b"]
    with pytest.raises(OutputError, match=r"got 'gif'\. Known are \.png, \.webp and \.jpg\."):
        drawn.save(tmp_path / "a.gif")
    with pytest.raises(OutputError, match="a name without a suffix"):
        drawn.save(tmp_path / "a")
    with pytest.raises(OutputError, match="Choose a folder that exists"):
        drawn.save(tmp_path / "none" / "a.png")


def test_a_failed_write_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="expected to write a picture"):
        figure().save(tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_picture_too_large_for_its_format_says_so():
    large = replace(figure(), pixels=np.zeros((20_000, 2), np.uint8))
    with pytest.raises(OutputError, match="at most 16383 pixels a side for webp"):
        large.encode("webp")


def test_the_manifest_entry_has_the_agreed_keys():
    entry = figure(channels=[2, 4]).as_json("maps/conv.png", "cat.jpg")
    assert list(entry) == ["file", "input", "zoom", "colormap", "scale", "levels", "tiles"]
    keys = ["channel", "top", "left", "height", "width", "vmin", "vmax", "from"]
    assert [list(tile) for tile in entry["tiles"]] == [keys, keys]
    assert [tile["channel"] for tile in entry["tiles"]] == [2, 4]
    json.dumps(entry, allow_nan=False)


def test_hostile_names_are_harmless():
    drawn = figure(HOSTILE)
    shown = drawn._repr_html_()
    assert "<script" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "image-rendering:pixelated" in shown
    assert re.fullmatch(
        r"<figure [^<>]*><img [^<>]*><figcaption>[^<>]*</figcaption></figure>", shown
    )
    assert read_figure(drawn.png()).name == HOSTILE
    assert content(drawn._repr_png_()) == content(drawn.png())


def test_a_picture_that_layerscope_did_not_write_is_refused(tmp_path):
    held = io.BytesIO()
    Image.new("P", (4, 4)).save(held, "PNG")
    for data in (held.getvalue(), b"", b"GIF89a", figure().png()[:60]):
        with pytest.raises(InputError, match="Give a picture as layerscope wrote it"):
            read_figure(data)
    with pytest.raises(InputError, match="Check the path"):
        read_figure(tmp_path / "none.png")
    with pytest.raises(InputError, match="damaged"):
        read_figure(figure().png()[:-400])


def test_geometry_that_leaves_the_picture_is_refused():
    drawn = figure()
    for change in ({"zoom": 999}, {"zoom": 0}, {"levels": (5, 5)}):
        with pytest.raises(InputError, match="damaged"):
            read_figure(replace(drawn, **change).png())


def test_its_repr_is_short():
    assert re.fullmatch(r"<Figure of conv: 7 tiles, \d+ × \d+ pixels>", repr(figure()))
