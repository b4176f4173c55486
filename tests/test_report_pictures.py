"""A page's pictures stay within its limit, and what is cut is cut between rows of tiles."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from layerscope.activation import Activation
from layerscope.axes import Axes
from layerscope.faces.report.pictures import Shot, choose, hover_data
from layerscope.faces.report.png import first_rows, size_of
from layerscope.graph import Node
from layerscope.operations import Opaque
from layerscope.render import Figure, draw

Run = tuple[list[dict[str, Any]], dict[str, bytes], dict[str, Figure]]


def activation(channels: int, side: int, samples: int = 1, seed: int = 0) -> Activation:
    """Noise, which compresses badly."""
    shape = (samples, side, side, channels)
    array = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    axes = Axes.parse("NHWC")
    node = Node(f"conv_{seed}", seed, "conv", "Conv2D", Opaque(), (), (None, *shape[1:]), axes)
    return Activation(array, axes, node)


def run(*sizes: tuple[int, int], samples: int = 1) -> Run:
    """Nodes with pictures of (channels, side), the files, and the figures they came from."""
    nodes, files, figures = [], {}, {}
    for i, (channels, side) in enumerate(sizes):
        source = activation(channels, side, samples, i)
        pictures = []
        for k in range(samples):
            name = f"maps/{i}_{k}.png"
            figures[name] = draw(source, sample=k, columns=4)
            files[name] = figures[name].png()
            pictures.append(figures[name].as_json(name, k))
        nodes.append({**source.node.as_json(), "pictures": pictures})
    return nodes, files, figures


def taken(rows: list[list[Shot]]) -> int:
    return sum(len(json.dumps(shot.payload())) for row in rows for shot in row if shot.content)


def pixels(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.mode == "P"
        return np.asarray(image)


def test_everything_is_taken_as_it_is_where_there_is_room() -> None:
    nodes, files, _ = run((8, 16), (6, 40), samples=2)
    rows = choose(nodes, files.__getitem__, 10_000_000)
    assert [[shot.file for shot in row] for row in rows] == [
        ["maps/0_0.png", "maps/0_1.png"],
        ["maps/1_0.png", "maps/1_1.png"],
    ]
    for shot in (shot for row in rows for shot in row):
        assert shot.whole
        assert shot.content == files[shot.file]
        assert (shot.width, shot.height) == Image.open(io.BytesIO(files[shot.file])).size
        assert shot.key == f"{shot.file[5]}-{shot.file[7]}"


@pytest.mark.parametrize("room", [60_000, 90_000, 150_000])
def test_large_pictures_are_cut_below_a_row_of_tiles(room: int) -> None:
    nodes, files, figures = run((4, 8), (64, 64))
    (small,), (large,) = choose(nodes, files.__getitem__, room)
    assert small.whole
    assert not large.whole
    assert large.content is not None
    whole, part = pixels(files[large.file]), pixels(large.content)
    np.testing.assert_array_equal(part, whole[: len(part)])
    assert large.channels == tuple(range(len(large.channels)))
    assert len(large.channels) % 4 == 0
    figure = figures[large.file]
    shown = [t for t in figure.tiles if t.top + t.height * figure.zoom <= len(part)]
    assert [tile.channel for tile in shown] == list(large.channels)
    assert not any(tile.top < len(part) for tile in figure.tiles[len(shown) :])
    assert taken([[small], [large]]) <= room


def test_every_layer_shows_a_first_row_before_any_shows_more() -> None:
    nodes, files, _ = run(*((64, 48) for _ in range(6)), (64, 96))
    rows = choose(nodes, files.__getitem__, 330_000)
    assert all(shot.content for (shot,) in rows)
    assert len(rows[-1][0].channels) == 4
    assert taken(rows) <= 330_000


@pytest.mark.parametrize("room", [-5, 0, 3_000, 20_000, 100_000, 400_000, 2_000_000])
def test_the_room_is_kept(room: int) -> None:
    nodes, files, _ = run((4, 8), (32, 24), (64, 64), (16, 128), samples=2)
    assert taken(choose(nodes, files.__getitem__, room)) <= max(room, 0)


def test_later_inputs_are_left_out_where_not_even_first_rows_fit() -> None:
    nodes, files, _ = run((64, 64), (64, 64), samples=3)
    rows = choose(nodes, files.__getitem__, 60_000)
    assert [[shot.content is not None for shot in row] for row in rows] == [
        [True, False, False]
    ] * 2


def test_hover_data_find_the_tile_and_range_of_every_value() -> None:
    _, _, figures = run((7, 20))
    figure = figures["maps/0_0.png"]
    found = hover_data(figure.as_json("maps/0_0.png", 0))
    assert found is not None
    places = [
        (top, left + i * step) for top, left, step, number in found["rows"] for i in range(number)
    ]
    assert places == [(tile.top, tile.left) for tile in figure.tiles]
    assert found["channel"] == list(range(7))
    assert found["size"] == [20 * figure.zoom, 20 * figure.zoom]
    np.testing.assert_allclose(found["low"], [t.vmin for t in figure.tiles], rtol=5e-4)
    np.testing.assert_allclose(found["high"], [t.vmax for t in figure.tiles], rtol=5e-4)


def test_hover_data_of_equal_ranges_are_one_number_and_of_many_tiles_none() -> None:
    def picture(count: int) -> dict[str, Any]:
        tile = {"top": 0, "left": 0, "height": 1, "width": 1, "vmin": 0.0, "vmax": None}
        return {"zoom": 1, "tiles": [{**tile, "channel": i, "left": i} for i in range(count)]}

    assert hover_data(picture(512)) == {
        "size": [1, 1],
        "rows": [[0, 0, 1, 512]],
        "channel": list(range(512)),
        "low": 0.0,
        "high": None,
    }
    assert hover_data(picture(513)) is None
    assert hover_data(picture(0)) is None


def encoded(format: str, mode: str = "P", **options: Any) -> bytes:
    held = io.BytesIO()
    noise = np.random.default_rng(3).integers(0, 256, (50, 37), np.uint8)
    Image.fromarray(noise).convert(mode).save(held, format, **options)
    return held.getvalue()


def test_the_first_rows_of_another_programs_png() -> None:
    # Pillow filters rows by those above them, which layerscope's own pictures do not use.
    source = encoded("PNG")
    found = first_rows(source, [10, 20, 40, 60], 10_000)
    assert found is not None
    assert found[1] == 50
    np.testing.assert_array_equal(pixels(found[0]), pixels(source))
    found = first_rows(source, [10, 20, 40], len(source) // 2 + 300)
    assert found is not None
    assert found[1] == 20
    assert len(found[0]) <= len(source) // 2 + 300
    np.testing.assert_array_equal(pixels(found[0]), pixels(source)[:20])


@pytest.mark.parametrize(
    "make",
    [
        lambda: encoded("PNG", "RGB"),
        lambda: encoded("PNG", "1"),
        lambda: encoded("WEBP", "RGB", lossless=True),
        lambda: encoded("JPEG", "RGB"),
        lambda: b"",
    ],
)
def test_other_pictures_are_not_cut(make: Callable[[], bytes]) -> None:
    assert first_rows(make(), [10], 100_000) is None


def test_nothing_comes_back_where_no_row_fits() -> None:
    assert first_rows(encoded("PNG"), [10, 20], 300) is None


@pytest.mark.parametrize(("format", "mode"), [("PNG", "P"), ("WEBP", "RGB"), ("JPEG", "RGB")])
def test_the_size_of_any_picture(format: str, mode: str) -> None:
    assert size_of(encoded(format, mode)) == (37, 50)
