"""``layerscope explain`` as a person types it, and its pictures read back."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

import layerscope as ls
from kerasmodels import opened, small_weights, whole_numbers
from layerscope.explain.contributions import Summation
from layerscope.explain.neuron import neuron
from layerscope.explain.provenance import origin
from layerscope.faces.explained.dispatch import draw_all
from layerscope.faces.explained.drawing import draw_explanation, draw_table
from layerscope.faces.explaining import prepare_explaining
from layerscope.render.png import facts_of
from networks import Command, saved

pytestmark = pytest.mark.backend
layers = keras.layers


def smiley() -> Any:
    """Use case 1's network."""
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((25, 25, 1)),
            layers.Conv2D(4, 5, padding="same", activation="relu", name="conv2d"),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="conv2d_1"),
        ],
        name="smiley",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    saved(smiley(), folder / "smiley.keras")
    picture = np.zeros((25, 25), np.float32)
    picture[5:20, 5:20] = 1
    np.save(folder / "face.npy", picture)
    return folder


def test_one_channel(folder: Path, command: Command, tmp_path: Path) -> None:
    words = (folder / "smiley.keras", folder / "face.npy", "-l", "conv2d_1", "-c", "3")
    done = command("explain", *words, "-o", tmp_path / "out")
    assert done.status == 0, done.err
    assert "conv2d_1, channel 3: the sum of 4 partial maps of conv2d\n" in done.out
    path = tmp_path / "out" / "conv2d_1-3.png"
    facts = facts_of(path.read_bytes(), path.name)
    roles = [tile["role"] for tile in facts["tiles"]]
    assert roles == [*["input", "kernel", "partial"] * 4, "sum", "pre-activation", "output"]
    with Image.open(path) as image:
        assert image.mode == "P"
    assert command("explain", *words, "-o", tmp_path / "out").status == 0


def test_all_channels_as_json(folder: Path, command: Command, tmp_path: Path) -> None:
    done = command(
        "explain", folder / "smiley.keras", folder / "face.npy", "-l", "1", "-c", "all",
        "-o", tmp_path, "--json",
    )  # fmt: skip
    told = json.loads(done.out)
    assert [len(channel["contributions"]) for channel in told["channels"]] == [4] * 6
    tiles = told["picture"]["tiles"]
    assert sum(tile["role"].startswith("partial of") for tile in tiles) == 24
    assert max(channel["residual"] for channel in told["channels"]) <= 1e-5
    assert (tmp_path / "conv2d_1-all.png").is_file()


def test_one_value(folder: Path, command: Command) -> None:
    words = (folder / "smiley.keras", folder / "face.npy", "-l", "conv2d_1", "-c", "3")
    done = command("explain", *words, "--at", "0,4")
    assert "reads conv2d: rows 0:2, columns 3:6\n" in done.out
    assert "rows 0:4, columns 1:8 (exact)\n" in done.out
    told = json.loads(command("explain", *words, "--at", "0,4", "--json").out)
    sums = [
        (np.array(part["patch"]) * np.array(part["kernel"])).sum() for part in told["contributions"]
    ]
    assert_allclose([part["sum"] for part in told["contributions"]], sums)
    assert_allclose(sum(sums) + told["bias"], told["pre_activation"], rtol=1e-5, atol=1e-6)
    assert told["value"] == max(told["pre_activation"], 0)


def test_what_one_value_sees_of_a_picture_that_was_resized(
    folder: Path, command: Command, tmp_path: Path
) -> None:
    pixels = np.arange(75 * 50, dtype=np.uint32).astype(np.uint8).reshape(75, 50)
    Image.fromarray(pixels).save(tmp_path / "face.png")
    words = (folder / "smiley.keras", tmp_path / "face.png", "-l", "conv2d_1", "-c", "3")
    done = command("explain", *words, "--at", "12,4", "--resize", "area")
    assert "rows 9:16, columns 1:8 (exact)\n" in done.out
    # Area averages 3 rows and 2 columns into one.
    assert "sees of face.png (height 75, width 50): rows 27:48, columns 2:16\n" in done.out
    told = json.loads(command("explain", *words, "--at", "12,4", "--json", "--resize", "area").out)
    assert told["inputs"][0]["original"] == [75, 50]
    assert told["receptive_field"][0]["picture"] == [[27, 48], [2, 16]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-c", "x"), "expected a channel's number or all but got -c x."),
        (("-c", "9"), "conv2d_1 has channels 0 to 5, but channel 9 was asked for. Choose one in "
         "that range."),
        (("-c", "1", "--at", "1;2"), "expected a place as ROW,COL, two numbers from 0, but got "
         "--at 1;2."),
        (("-c", "all", "--at", "1,2"), "--at takes one value apart, so it needs one channel: "
         "-c CHANNEL."),
        (("-c", "1", "--at", "1,25"), "expected a place in conv2d_1 from 0,0 to 24,24 but got "
         "1,25."),
    ],
)  # fmt: skip
def test_messages(
    folder: Path, command: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = command(
        "explain", folder / "smiley.keras", folder / "face.npy", "-l", "conv2d_1", *words,
        "-o", tmp_path,
    )  # fmt: skip
    assert (done.status, done.message) == (1, message)


def test_a_file_of_somebody_else_stays(folder: Path, command: Command, tmp_path: Path) -> None:
    (tmp_path / "conv2d_1-0.png").write_bytes(b"mine")
    done = command(
        "explain", folder / "smiley.keras", folder / "face.npy", "-l", "conv2d_1", "-c", "0",
        "-o", tmp_path,
    )  # fmt: skip
    assert done.status == 1
    assert (tmp_path / "conv2d_1-0.png").read_bytes() == b"mine"


def test_pictures_hold_the_values() -> None:
    ready = prepare_explaining(opened(smiley()), whole_numbers(1, 25, 25, 1), "conv2d_1", None)
    e = ready.one(2)
    picture = draw_explanation(e)
    known = {"input": e.maps, "kernel": e.kernel, "partial": e.contributions}
    found = 0
    for tile in picture.maps:
        if tile.role in known:
            values = known[tile.role][list(e.inputs).index(tile.channel)]
        else:
            values = {
                "sum": e.sum, "pre-activation": e.pre_activation, "output": e.output
            }[tile.role]  # fmt: skip
        half = (tile.vmax - tile.vmin) / (tile.levels[1] - tile.levels[0]) / 2
        assert_allclose(picture.values(tile), values, atol=half * 1.0001)
        found += 1
    assert found == 15
    # Shares fall from row to row, and all partial maps have one scale.
    rows = [tile.channel for tile in picture.maps if tile.role == "partial"]
    assert rows == sorted(rows, key=lambda channel: -e.shares[channel])
    assert len({tile.vmax for tile in picture.maps if tile.role in ("partial", "sum")}) == 1

    reach = max(ready.explainer.largest(channel) for channel in range(6))
    table = draw_table("conv2d_1", ready, lambda: reach, 6)
    for tile in table.maps:
        if tile.role == "partial of 5":
            values = ready.one(5).contributions[tile.channel]
            assert_allclose(table.values(tile), values, atol=reach / 120 * 1.0001)


def too_large(command: Command, folder: Path, *words: str) -> str:
    np.save(folder / "x.npy", np.ones((64, 64, 2), np.float32))
    told = command("explain", folder / "net.keras", folder / "x.npy", *words, "-o", folder / "out")
    assert told.status == 1
    assert not (folder / "out").exists()
    return told.message


def test_a_picture_that_would_be_too_large(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = [
        keras.Input((64, 64, 2)),
        layers.Conv2D(200, 1, data_format="channels_last", name="wide"),
        layers.Conv2D(200, 1, data_format="channels_last", name="every"),
        layers.MaxPooling2D(6, data_format="channels_last"),
        layers.Flatten(),
        layers.Dense(2, name="dense"),
    ]
    saved(keras.Sequential(body), tmp_path / "net.keras")
    searched: list[int] = []

    def largest(self: Summation, channel: int) -> float:
        searched.append(channel)
        return 1.0

    monkeypatch.setattr(Summation, "largest", largest)
    # A map is 64 pixels wide, with 3 between two; before anything is looked through.
    assert too_large(command, tmp_path, "-l", "every", "-c", "all") == (
        "every, every channel: expected a picture of at most 150,000,000 pixels, but it takes "
        "13,400 × 13,400. Choose one channel, such as -c 0, or a smaller --size where the network "
        "takes any."
    )
    assert searched == []
    message = too_large(command, tmp_path, "-l", "dense", "-c", "0", "--all")
    assert message.startswith("dense:0: expected a picture of at most 150,000,000 pixels, but it")
    assert message.endswith(". Leave out --all.")


def test_rows_after_the_sixteenth_are_one() -> None:
    model = small_weights(keras.Sequential([keras.Input((6, 6, 20)), layers.Conv2D(2, 3)]))
    e = ls.explain(model, whole_numbers(1, 6, 6, 20), 0, 1)
    short, whole = draw_explanation(e), draw_explanation(e, every=True)
    assert sum(tile.role == "partial" for tile in short.maps) == 16
    assert sum(tile.role == "rest" for tile in short.maps) == 1
    assert sum(tile.role == "partial" for tile in whole.maps) == 20
    (rest,) = (tile for tile in short.maps if tile.role == "rest")
    left = np.argsort(-e.shares, kind="stable")[16:]
    half = rest.vmax / 120
    assert_allclose(short.values(rest), e.contributions[left].sum(axis=0), atol=half * 1.0001)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv1D(2, 3, padding="causal"), (9, 2)),
        (layers.Conv3D(2, 2), (4, 5, 6, 2)),
        (layers.Dense(3), (7,)),
        (layers.Conv2DTranspose(2, 3, strides=2), (5, 4, 2)),
    ],
)
def test_every_dimension_can_be_drawn_and_taken_apart(layer: Any, shape: tuple[int, ...]) -> None:
    model = small_weights(keras.Sequential([keras.Input(shape), layer]))
    e = ls.explain(model, whole_numbers(1, *shape), 0, 1)
    assert draw_explanation(e).png()
    for at in np.ndindex(e.output.shape):
        one = neuron(e, at)
        assert_allclose(one.sums, e.contributions[(slice(None), *at)], atol=1e-9)


def test_a_channel_is_traced_through_joins() -> None:
    x = keras.Input((6, 6, 2))
    a, b = layers.Conv2D(3, 1, name="a")(x), layers.Conv2D(2, 1, name="b")(x)
    both = layers.Concatenate(name="both")([a, b])
    again = layers.Concatenate(name="again")([b, layers.Dropout(0.5, name="drop")(both)])
    turned = layers.Permute((2, 1, 3), name="turned")(again)
    model = small_weights(keras.Model(x, layers.ReLU(name="r")(turned)))
    graph = opened(model).graph
    found = [origin(graph, graph["turned"], channel) for channel in range(8)]
    assert found == [("b", 0), ("b", 1), ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), None]
    assert origin(graph, graph["r"], 1) == ("r", 1)
    e = ls.explain(model, whole_numbers(1, 6, 6, 2), "again", 4)
    assert (e.node.name, e.channel) == ("a", 2)


def test_the_table_holds_one_channel_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_weights(
        keras.Sequential([keras.Input((64, 64, 16)), layers.Conv2D(24, 3, padding="same")])
    )
    ready = prepare_explaining(opened(model), whole_numbers(1, 64, 64, 16), 0, None)
    one = 16 * 64 * 64 * 4
    asked: list[int] = []
    explain = type(ready.explainer).explain

    def watched(self: Any, channel: int) -> Any:
        asked.append(channel)
        return explain(self, channel)

    monkeypatch.setattr(type(ready.explainer), "explain", watched)
    tracemalloc.start()
    picture, told, _ = draw_all(ready)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert asked == list(range(24))
    assert len(told["channels"]) == 24
    # The picture, what it is painted from, and a few times one channel, of 24.
    assert peak < 2 * picture.pixels.nbytes + 4 * one
