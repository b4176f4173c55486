"""The record of a training behind a real server: what a page of it is told and given."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import layerscope as ls
from layerscope.faces.explorer.film.exact import zero_shares
from layerscope.faces.explorer.film.film import Film
from layerscope.render import Limits, draw, read_figure
from layerscope.training.quantized import quantize
from serving import Served, decoded, serving
from tiny_training import LAYERS, Spy, record_of, some

EPOCHS = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ls.Record, Spy]:
    return record_of(tmp_path_factory.mktemp("film") / "record")


@pytest.fixture(scope="module")
def truth(recorded: tuple[ls.Record, Spy]) -> Spy:
    return recorded[1]


@pytest.fixture(scope="module")
def served(recorded: tuple[ls.Record, Spy]) -> Iterator[Served]:
    with serving(lambda ticket: Film(recorded[0])) as served:
        yield served


def planes(spy: Spy, epoch: int, name: str) -> NDArray[Any]:
    """What a layer gave: (pictures, channels, height, width)."""
    values = np.moveaxis(spy.seen[epoch][name].astype(np.float64), -1, 1)
    return values.reshape(*values.shape[:2], *(values.shape[2:] or (1, 1)))


def test_the_manifest_lists_every_picture_at_every_epoch(served: Served, truth: Spy) -> None:
    manifest = served.json("api/manifest")
    assert [node["name"] for node in manifest["nodes"]] == LAYERS
    assert (manifest["inputs"], manifest["findings"], manifest["classes"]) == ([], [], None)
    assert manifest["can"] == {
        "run": False, "exact": False, "explain": False, "field": False, "export": True,
    }  # fmt: skip
    assert manifest["settings"]["initial"] == {"scale": "epochs-channel"}
    (model,) = manifest["models"]
    assert (model["title"], model["format"]) == ("record", "training record")
    told = [(run["id"], run["picture"], run["epoch"], run["label"]) for run in manifest["runs"]]
    assert told == [
        (f"p{p}e{e}", p, e, f"array[{p}] · epoch {e}") for p in range(2) for e in EPOCHS
    ]
    record = manifest["record"]
    assert (record["pictures"], record["epochs"]) == (["array[0]", "array[1]"], EPOCHS)
    assert (record["growing"], record["best"], record["planned"]) == (False, None, None)
    assert record["kernels"] == [0]
    assert record["history"]["epoch"] == [1, 2, 3, 4]
    assert record["channels"] == [4, 4, 100, 2]


def test_what_all_epochs_come_to_is_what_the_network_gave(served: Served, truth: Spy) -> None:
    record = served.json("api/record")["record"]
    for number, name in enumerate(LAYERS):
        every = np.stack([planes(truth, epoch, name) for epoch in EPOCHS])
        told = record["ranges"][number]
        assert told["low"] == pytest.approx(every.min(), rel=1e-5, abs=1e-6)
        assert told["high"] == pytest.approx(every.max(), rel=1e-5)
        assert told["signed"] == (every.min() < 0)
        dead = [(every[e] == 0).all(axis=(0, 2, 3)).sum() for e in EPOCHS]
        assert record["dead"][number] == dead
        zeros = [(every[e] == 0).mean() for e in EPOCHS]
        np.testing.assert_allclose(record["zeros"][number], zeros, atol=0.01)
        if name in ("flat", "answer"):
            assert told["channels"] is None
        else:
            low, high = every.min(axis=(0, 1, 3, 4)), every.max(axis=(0, 1, 3, 4))
            np.testing.assert_allclose(told["channels"]["low"], low, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(told["channels"]["high"], high, rtol=1e-5, atol=1e-6)
    assert record["dead"][0][0] == 1, "no channel is dead, so that the test shows nothing"
    losses = [row["loss"] for row in ls.Record.open(truth_folder(served)).history]
    assert record["history"]["loss"] == losses


def truth_folder(served: Served) -> Path:
    return Path(served.json("api/manifest")["models"][0]["file"])


@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_entries_stand_for_what_the_network_gave(
    served: Served, truth: Spy, name: str
) -> None:
    number = LAYERS.index(name)
    for epoch, picture in ((0, 0), (3, 1)):
        header, found = served.container(f"api/runs/p{picture}e{epoch}/layers/{number}")
        values = planes(truth, epoch, name)[picture][:, None]
        for channel, entries in enumerate(found["entries"]):
            if channel in header["constant"]:
                assert np.ptp(values[channel]) == pytest.approx(0, abs=1e-6)
                continue
            lo, hi = float(found["lo"][channel]), float(found["hi"][channel])
            # Half a step of the record's 254, half a step of the 240 here.
            near = (hi - lo) / 480 + np.ptp(values[channel]) / 508 + 1e-5
            assert np.abs(decoded(entries, lo, hi) - values[channel]).max() <= near * 1.001


def test_a_layers_entries_are_those_that_render_draws(served: Served) -> None:
    record = ls.Record.open(truth_folder(served))
    header, found = served.container("api/runs/p1e2/layers/0")
    maps = record.maps(2, "first")
    own = Limits.of(type(maps)(maps.array[1:2], maps.axes, maps.node))
    figure = draw(maps, sample=1, zoom=1, limits=own)
    assert header["limits"] == [own.low, own.high]
    for tile in figure.tiles:
        part = figure.pixels[tile.top : tile.top + 10, tile.left : tile.left + 10]
        np.testing.assert_array_equal(part, found["entries"][tile.channel, 0])


def test_differences_of_two_epochs(served: Served, truth: Spy) -> None:
    header, found = served.container("api/runs/p0e4/layers/0?minus=p0e0")
    change = planes(truth, 4, "first")[0] - planes(truth, 0, "first")[0]
    assert header["signed"]
    for channel in (0, 1, 3):
        lo, hi = float(found["lo"][channel]), float(found["hi"][channel])
        near = (hi - lo) / 480 + sum(
            np.ptp(planes(truth, epoch, "first")[0, channel]) / 508 for epoch in (0, 4)
        )
        got = decoded(found["entries"][channel, 0], lo, hi)
        assert np.abs(got - change[channel]).max() <= near * 1.001 + 1e-5


def test_differences_of_two_pictures(served: Served, truth: Spy) -> None:
    change = planes(truth, 4, "pool")[0] - planes(truth, 4, "pool")[1]
    array = np.load(io.BytesIO(served.get("api/runs/p0e4/layers/1/array.npy?minus=p1e4").content))
    near = sum(np.ptp(planes(truth, 4, "pool")[p], axis=(1, 2)) for p in range(2)) / 508
    assert (np.abs(array[0] - np.moveaxis(change, 0, -1)) <= near + 1e-5).all()


def test_figures_of_a_picture(served: Served, truth: Spy) -> None:
    header, found = served.container("api/runs/p1e3/statistics")
    assert header["channels"] == [4, 4, 100, 2]
    for name, start in zip(LAYERS, header["offsets"], strict=True):
        values = planes(truth, 3, name)
        count = values.shape[1]
        own, part = values[1].reshape(count, -1), slice(start, start + count)
        span = np.ptp(own, axis=1) / 508
        assert (np.abs(found["min"][part] - own.min(axis=1)) <= 1e-5).all()
        assert (np.abs(found["max"][part] - own.max(axis=1)) <= 1e-5).all()
        assert (np.abs(found["mean"][part] - own.mean(axis=1)) <= span + 1e-5).all()
        # Over both pictures the share of zeros is known exactly.
        both = served.container("api/runs/p0e3/statistics")[1]["zeros"][part] + found["zeros"][part]
        known = (values == 0).mean(axis=(0, 2, 3)) * 2
        np.testing.assert_allclose(both, known, atol=0.021)
        np.testing.assert_allclose(found["zeros"][part], (own == 0).mean(axis=1), atol=0.06)
    assert header["dead"][0] == 1


def test_values_near_zero_are_not_taken_for_zero() -> None:
    """A byte that stands for 0 stands for a little more too; how many are 0 is kept apart."""
    values = np.zeros((3, 4, 1000))
    values[0, 0, :400] = 0.001
    values[0, 0, 400] = 1.0
    values[0, 1] = 0.5
    values[1, 1, :500] = np.linspace(-2, 3, 500)
    values[:, 2] = np.linspace(-1, 1, 1000)
    values[:, 3] = [[0.001] * 500 + [0.0] * 499 + [1.0]] * 3
    truth = (values == 0).mean(axis=2)
    shares = zero_shares(quantize(values), truth.mean(axis=0))
    # Certain are those that are all 0, and those that never are.
    np.testing.assert_allclose(shares[:, :3], truth[:, :3], atol=1e-12)
    np.testing.assert_allclose(shares[:, 3], truth[:, 3], atol=1e-12)


def test_with_one_picture_every_figure_is_exact(tmp_path: Path) -> None:
    record, spy = record_of(tmp_path / "r", epochs=1, pictures=1)
    with serving(lambda ticket: Film(record)) as served:
        header, found = served.container("api/runs/p0e1/statistics")
    for name, start in zip(LAYERS, header["offsets"], strict=True):
        kept = record.statistics(1, name)
        part = slice(start, start + len(kept.mean))
        # As they were before the maps became bytes, and those are what the network gave.
        np.testing.assert_array_equal(found["mean"][part], kept.mean.astype(np.float32))
        np.testing.assert_array_equal(found["zeros"][part], kept.zeros.astype(np.float32))
        values = planes(spy, 1, name)[0].reshape(len(kept.mean), -1)
        np.testing.assert_allclose(
            found["energy"][part], (values**2).mean(axis=1), rtol=1e-4, atol=1e-6
        )


def test_small_pictures_and_the_input(served: Served) -> None:
    header, _ = served.container("api/runs/p0e2/thumbnails")
    assert [tile["node"] for tile in header["tiles"]] == [0, 1, 2, 3]
    assert [(tile["height"], tile["width"]) for tile in header["tiles"][:2]] == [(10, 10), (5, 5)]
    x, _ = some()
    rgb = served.container("api/runs/p1e2/preview")[1]["rgb"]
    np.testing.assert_allclose(rgb, x[1] * 255, atol=0.51)
    manifest = served.json("api/manifest")
    assert {run["preview"] for run in manifest["runs"]} == {"p0e0", "p1e0"}


def test_kernels_are_those_of_the_network_on_one_scale(served: Served, truth: Spy) -> None:
    reach = max(np.abs(kernel).max() for kernel in truth.kernels)
    for epoch in EPOCHS:
        header, found = served.container(f"api/kernels/0/{epoch}")
        # (height, width, in, out) as the framework has it.
        np.testing.assert_array_equal(found["values"], truth.kernels[epoch].transpose(3, 2, 0, 1))
        assert (header["epoch"], header["low"], header["high"]) == (epoch, -reach, reach)


def picture(served: Served, tmp_path: Path, run: str, number: int, query: str) -> Any:
    answer = served.get(f"api/runs/{run}/layers/{number}/picture.png?{query}")
    assert answer.status_code == 200, answer.text
    (tmp_path / "x.png").write_bytes(answer.content)
    return read_figure(tmp_path / "x.png")


@pytest.mark.parametrize("number", [0, 3])
def test_a_picture_on_the_layers_range_over_all_epochs(
    served: Served, truth: Spy, tmp_path: Path, number: int
) -> None:
    name = LAYERS[number]
    every = np.stack([planes(truth, epoch, name) for epoch in EPOCHS])
    high = np.abs(every).max() if every.min() < 0 else every.max()
    low = -high if every.min() < 0 else 0.0
    record = ls.Record.open(truth_folder(served))
    for epoch in (0, 4):
        figure = picture(served, tmp_path, f"p0e{epoch}", number, "scale=epochs")
        for tile in figure.tiles:
            if tile.vmin != tile.vmax:
                assert tile.vmin == pytest.approx(low, rel=1e-5)
                assert tile.vmax == pytest.approx(high, rel=1e-5)
            value = planes(truth, epoch, name)[0, tile.channel]
            assert np.abs(figure.values(tile) - value).max() <= (high - low) * (1 / 480 + 1 / 508)
        told = served.json("api/record")["record"]["ranges"][number]
        top = max(abs(told["low"]), told["high"]) if told["signed"] else told["high"]
        fixed = draw(record.maps(epoch, name), scale=(-top if told["signed"] else 0.0, top))
        assert [tile.channel for tile in figure.tiles] == [tile.channel for tile in fixed.tiles]
        for one, other in zip(figure.tiles, fixed.tiles, strict=True):
            np.testing.assert_array_equal(figure.values(one), fixed.values(other))


def test_a_picture_with_each_channels_range_over_all_epochs(
    served: Served, truth: Spy, tmp_path: Path
) -> None:
    every = np.stack([planes(truth, epoch, "first") for epoch in EPOCHS])
    most = every.max(axis=(0, 1, 3, 4))
    for epoch in (0, 4):
        figure = picture(served, tmp_path, f"p1e{epoch}", 0, "scale=epochs-channel&zoom=2")
        for tile in figure.tiles:
            value = planes(truth, epoch, "first")[1, tile.channel]
            if np.ptp(value) == 0:
                assert (tile.channel, tile.vmin, tile.vmax) == (2, 0.0, 0.0)
                continue
            assert (tile.vmin, tile.vmax) == (0.0, pytest.approx(most[tile.channel], rel=1e-5))
            near = most[tile.channel] * (1 / 480 + 1 / 508)
            assert np.abs(figure.values(tile) - value).max() <= near
    # Of single values the layer's range is meant.
    figure = picture(served, tmp_path, "p1e0", 3, "scale=epochs-channel")
    every = np.stack([planes(truth, epoch, "answer") for epoch in EPOCHS])
    assert figure.tiles[0].vmax == pytest.approx(np.abs(every).max(), rel=1e-5)


def test_a_difference_on_one_range_for_all_epochs(
    served: Served, truth: Spy, tmp_path: Path
) -> None:
    every = np.stack([planes(truth, epoch, "first") for epoch in EPOCHS])
    for scale, far in (
        ("epochs", np.full(4, every.max())),
        ("epochs-channel", every.max(axis=(0, 1, 3, 4))),
    ):
        figure = picture(served, tmp_path, "p0e4", 0, f"scale={scale}&minus=p0e1")
        for tile in figure.tiles:
            if tile.channel != 2:
                assert -tile.vmin == tile.vmax == pytest.approx(far[tile.channel], rel=1e-5)


def test_the_arrays_are_the_records_own(served: Served) -> None:
    answer = served.get("api/runs/p1e2/layers/1/array.npy")
    maps = ls.Record.open(truth_folder(served)).maps(2, "pool").array
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), maps[1:2])
    assert "pool.npy" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("runs/r0/preview", 404, "There is no run 'r0' in this record."),
        ("runs/p2e0/preview", 404, "There is no run 'p2e0' in this record."),
        ("runs/p0e9/layers/0", 404,
         "Epoch 9 is not recorded, or was left out to keep the record small."),
        ("runs/p0e1/layers/4", 404, "There are layers 0 to 3, but layer 4 was asked for."),
        ("kernels/1/0", 404, "no kernel of pool is recorded; there are those of: first"),
        ("kernels/0/9", 404, "epoch 9 is not recorded; there are: 0, 1, 2, 3, 4"),
        ("kernels/9/0", 404, "There are layers 0 to 3, but layer 9 was asked for."),
        ("runs/p0e1/layers/0/picture.png?scale=x", 422,
         "expected a scale but got 'x'. Use channel, layer, symmetric, or two numbers LO,HI with "
         "LO below HI, such as 0,1; of a record also epochs or epochs-channel."),
        ("runs/p0e1/layers/0/picture.png?scale=epochs&clip=99", 422,
         "clip and the scale epochs were both given, and both say where colours end. Give one of "
         "them."),
        ("runs/p0e1/layers/0/channels/0/explain", 409,
         "A record holds maps, and no network that could run. Open the network itself: "
         "layerscope serve MODEL."),
        ("runs/p0e1/layers/0/channels/0/field", 409,
         "A record holds maps, and no network that could run. Open the network itself: "
         "layerscope serve MODEL."),
    ],
)  # fmt: skip
def test_what_is_refused(served: Served, path: str, status: int, message: str) -> None:
    assert served.refused(f"api/{path}", status) == message


def test_no_picture_is_run_or_removed(served: Served) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (12, 12)).save(picture, "PNG")
    assert served.upload(picture.getvalue()).status_code == 409
    assert served.delete("api/runs/p0e0").status_code == 409


def test_a_model_has_no_record(networks: Path) -> None:
    from layerscope.faces.explorer.session import Explorer

    with serving(lambda ticket: Explorer([ls.open_model(networks / "small.keras")])) as served:
        said = "There is no record of a training here, but a model."
        assert served.refused("api/record", 404) == said
        assert served.refused("api/kernels/0/0", 404) == said


def test_a_film_that_is_asked_by_many_at_once_stays_within_its_memory(
    recorded: tuple[ls.Record, Spy],
) -> None:
    film = Film(recorded[0], memory=50_000)
    wrong: list[Exception] = []

    def ask() -> None:
        try:
            for epoch in EPOCHS:
                run = film.run(f"p0e{epoch}")
                for number in range(4):
                    film.layer(run, number)
                assert len(run.summary.nodes) == 4
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert film.cache.bytes <= 50_000
