"""``view`` of a training record: its folder, its report, its words, and a notebook."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import layerscope as ls
from layerscope.errors import InputError, LayerscopeError, OutputError, SelectionError
from layerscope.faces.explorer.answers.container import unpack
from layerscope.faces.explorer.film.film import Film
from layerscope.faces.explorer.film.frame import frame_id
from layerscope.faces.explorer.film.report import describe, render_record
from layerscope.faces.record_kernels import kernel_sheet
from layerscope.render import read_figure
from layerscope.render.colormap import DIVERGING, colors
from networks import Command
from test_explorer_report import Page
from tiny_training import Spy, record_of


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ls.Record, Spy]:
    """As ``train`` leaves it: the record within the results beside the network."""
    folder = tmp_path_factory.mktemp("view") / "net.training"
    _, spy = record_of(folder / "record", epochs=6)
    # Epoch 4 is the best, as epochs are judged by accuracy first.
    rows = (folder / "record/history.csv").read_text().splitlines()
    marks = [0.5, 0.625, 0.5, 0.75, 0.75, 0.625]
    table = [f"{rows[0]},val_accuracy", *(f"{r},{m}" for r, m in zip(rows[1:], marks, strict=True))]
    (folder / "record/history.csv").write_text("\n".join(table) + "\n")
    (folder / "training.json").write_text('{"layerscope": "0", "settings": {"epochs": 8}}')
    return ls.Record.open(folder), spy


@pytest.fixture(scope="module")
def folder(recorded: tuple[ls.Record, Spy], tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("written") / "out"
    ls.view(recorded[0], out=target)
    return target


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())


def values(spy: Spy, epoch: int, name: str, picture: int) -> NDArray[Any]:
    """What a layer gave for a picture: (channels, height, width)."""
    found = np.moveaxis(spy.seen[epoch][name][picture].astype(np.float64), -1, 0)
    return found if found.ndim == 3 else found[:, None, None]


def test_the_folder_holds_what_it_says(folder: Path, manifest: Any) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "curves.png", "kernels", "manifest.json", "maps", "report.html",
    ]  # fmt: skip
    assert [path.name for path in (folder / "kernels").iterdir()] == ["000_first.png"]
    told = [picture["file"] for node in manifest["nodes"] for picture in node["pictures"]]
    assert sorted(f"maps/{path.name}" for path in (folder / "maps").iterdir()) == sorted(told)
    # Seven epochs are recorded, and at most six of two pictures are drawn: the best is there.
    for node in manifest["nodes"]:
        epochs = {picture["epoch"] for picture in node["pictures"]}
        assert {0, 4, 6} < epochs
        assert len(epochs) <= 6
    assert "maps/000_first__0_array[0]__epoch00004.png" in told
    assert manifest["record"]["best"] == 4
    assert manifest["record"]["planned"] == 8
    assert (manifest["model"]["format"], manifest["findings"]) == ("training record", [])
    assert len(manifest["inputs"]) == 2


def test_maps_can_be_read_back_on_a_range_that_all_epochs_share(
    folder: Path, manifest: Any, recorded: tuple[ls.Record, Spy]
) -> None:
    spy, checked = recorded[1], 0
    for node in manifest["nodes"]:
        every = np.stack([values(spy, e, node["name"], p) for e in range(7) for p in range(2)])
        largest = np.abs(every).max(axis=(0, 2, 3))
        if every.shape[2:] == (1, 1):
            largest[:] = largest.max()
        for told in node["pictures"]:
            figure = read_figure(folder / told["file"])
            assert told["scale"] == "epochs-channel"
            truth = values(spy, told["epoch"], node["name"], told["input"])
            for tile in figure.tiles:
                most = largest[tile.channel]
                if tile.vmin != tile.vmax:
                    assert tile.vmax == pytest.approx(most, rel=1e-5)
                    checked += 1
                near = 2 * most * (1 / 480 + 1 / 508) + 1e-5
                assert np.abs(figure.values(tile) - truth[tile.channel]).max() <= near
    assert checked > 100


def test_figures_in_the_manifest_are_of_the_last_epoch(
    manifest: Any, recorded: tuple[ls.Record, Spy]
) -> None:
    for node in manifest["nodes"]:
        truth = recorded[1].seen[6][node["name"]].astype(np.float64)
        told = node["statistics"]
        assert told["min"] == pytest.approx(truth.min(), rel=1e-5, abs=1e-6)
        assert told["max"] == pytest.approx(truth.max(), rel=1e-5)
        assert told["mean"] == pytest.approx(truth.mean(), rel=1e-4, abs=1e-6)
        assert told["std"] == pytest.approx(truth.std(), rel=1e-4)
        assert told["zeros"] == pytest.approx((truth == 0).mean(), abs=0.01)
    assert manifest["nodes"][0]["statistics"]["dead"] == [2]


def test_the_kernels_are_drawn_in_their_own_colours(
    folder: Path, recorded: tuple[ls.Record, Spy]
) -> None:
    spy = recorded[1]
    sheet = np.asarray(Image.open(folder / "kernels/000_first.png"))
    reach = max(np.abs(kernel).max() for kernel in spy.kernels)
    # A red, green and blue square of 8 pixels for each tap, at some place in a row of its own.
    for epoch in (0, 6):
        kernel = spy.kernels[epoch].astype(np.float64)
        painted = np.rint((kernel[..., 1] / reach + 1) / 2 * 255).astype(np.uint8)
        square = painted.repeat(8, 0).repeat(8, 1)
        windows = np.lib.stride_tricks.sliding_window_view(sheet, (24, 24, 3))[:, :, 0]
        rows = [y for y in range(len(windows)) if (windows[y] == square).all((1, 2, 3)).any()]
        assert len(rows) == 1, f"epoch {epoch}: {rows}"


def test_kernels_of_one_input_are_drawn_around_zero() -> None:
    kernel = np.array([[[[-2.0, 0.0], [1.0, 2.0]]]], np.float32)
    sheet = kernel_sheet("x", {3: kernel}, 2.0)
    table = colors(DIVERGING, 241)
    expected = table[[[0, 120], [180, 240]]].repeat(12, 0).repeat(12, 1)
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (24, 24, 3))[:, :, 0]
    assert (windows == expected).all((2, 3, 4)).sum() == 1
    # Not finite, and nothing but zeros: drawn, without a warning.
    assert kernel_sheet("x", {0: np.full((2, 3, 1, 5), np.nan, np.float32)}, 0.0).ndim == 3


def page_of(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_report_answers_as_the_server_does(
    folder: Path, recorded: tuple[ls.Record, Spy]
) -> None:
    page = page_of(folder)
    held, film = page.held(), Film(recorded[0])
    manifest = page.manifest()
    record, runs = manifest["record"], manifest["runs"]
    assert record["epochs"] == [0, 1, 2, 3, 4, 5, 6]
    assert not record["growing"]
    assert len(runs) == 14
    for run in runs:
        id = run["id"]
        for number in range(4):
            assert held[f"runs/{id}/layers/{number}"] == film.layer(film.run(id), number)
        assert held[f"runs/{id}/statistics"] == film.run(id).summary.statistics()
        assert held[f"runs/{id}/thumbnails"] == film.run(id).summary.thumbnails()
        assert f"runs/{run['preview']}/preview" in held
    for epoch in record["epochs"]:
        np.testing.assert_array_equal(
            unpack(held[f"kernels/0/{epoch}"])[1]["values"],
            recorded[1].kernels[epoch].transpose(3, 2, 0, 1),
        )
    assert manifest["left_out"] == (
        "Values are within 1/508 of a channel's range. A training that still goes on is followed "
        "by layerscope serve RECORD."
    )


def test_the_report_tells_the_training_without_scripts(folder: Path) -> None:
    page = page_of(folder)
    assert page.texts["h1"] == ["net.training"]
    assert page.texts["caption"][0] == "the training"
    rows = page.texts["table"][0].splitlines()
    assert [row.split()[0] for row in rows if "(kept)" in row] == ["4"]
    assert "zeros, epoch 0dead, epoch 0zeros, epoch 6dead, epoch 6" in page.texts["table"][1]


def test_a_small_report_leaves_epochs_out_evenly(recorded: tuple[ls.Record, Spy]) -> None:
    film = Film(recorded[0])
    whole = len(render_record(film, describe(film)))
    costs = whole - len(render_record(film, describe(film), limit=0))
    for share in (0.8, 0.5):
        limit = int(whole - costs * (1 - share)) + 700_000
        data = render_record(film, describe(film), limit=limit)
        assert len(data) <= limit
    # The estimate of what the page itself takes is generous.
    data = render_record(film, describe(film), limit=700_000 + costs // 2)
    page = Page(data.decode())
    manifest = page.manifest()
    epochs = manifest["record"]["epochs"]
    assert 3 <= len(epochs) < 7
    assert {0, 4, 6} <= set(epochs)
    ids = {run["id"] for run in manifest["runs"]}
    assert ids == {frame_id(picture, epoch) for picture in range(2) for epoch in epochs}
    assert {path.split("/")[1] for path in page.held() if path.endswith("statistics")} == ids
    assert [len(every) for every in manifest["record"]["dead"]] == [len(epochs)] * 4
    told = ", ".join(map(str, epochs))
    assert f"{len(epochs)} of 7 recorded epochs are in it: {told}." in manifest["left_out"]
    # What the scale is made of stays what all epochs come to.
    assert manifest["record"]["ranges"] == film.fresh()["record"]["ranges"]


TOLD = """\
net.training: {framework}
  7 epochs recorded: 0 to 6, of 8 planned
  array[0]
  array[1]
  kept: epoch 4, val_accuracy 0.7500, loss {loss:.4f}

"""


def test_what_the_command_prints(
    command: Command, recorded: tuple[ls.Record, Spy], tmp_path: Path
) -> None:
    record = recorded[0]
    done = command("view", record.folder.parent, "-o", tmp_path / "out", "--epochs", "0,best,last")
    assert (done.status, done.err) == (0, "")
    loss = record.history[3]["loss"]
    expected = TOLD.format(framework=record.framework, loss=loss)
    assert done.out.startswith(expected)
    head, *rows = done.out.removeprefix(expected).splitlines()
    assert head.split() == (
        "layer type output shape channels zeros, epoch 0 4 6 dead, epoch 0 4 6".split()
    )
    shares = [(recorded[1].seen[epoch]["first"] == 0).mean() for epoch in (0, 4, 6)]
    assert rows[0].split()[:6] == ["0", "first", "Conv2D", "4,", "3×3,", "relu"]
    assert rows[0].split()[-9:] == [
        *(part for share in shares for part in (f"{100 * share:.0f}", "%")), "1", "1", "1",
    ]  # fmt: skip
    assert rows[-1] == f"Report: {tmp_path / 'out' / 'report.html'}"
    drawn = {path.stem.rpartition("__epoch")[2] for path in (tmp_path / "out/maps").iterdir()}
    assert drawn == {"00000", "00004", "00006"}


def test_where_it_writes(
    command: Command, recorded: tuple[ls.Record, Spy], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert command("view", recorded[0].folder, "--epochs", "last").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["layerscope-net.training"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("x")
    done = command("view", recorded[0].folder, "-o", "mine")
    assert done.status == 1
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["view", "{r}", "cat.png", "--size", "3x3", "-l", "first"],
         "{r} is a training record, whose pictures and layers were chosen when it was recorded: "
         "leave out cat.png --layers --size"),
        (["serve", "{r}", "--compare", "x.keras"],
         "{r} is a training record, whose pictures and layers were chosen when it was recorded: "
         "leave out --compare"),
        (["view", "{r}", "--epochs", "0,x"],
         "expected recorded epochs but got '0,x'. Write numbers or first, last, best, with commas "
         "between them, such as 0,10,last."),
        (["view", "{r}", "--epochs", "12"], "epoch 12 is not recorded; there are: 0 to 6"),
        (["view", "{r}", "--scale", "epochs", "--clip", "99"],
         "clip and the scale epochs were both given, and both say where colours end. Give one of "
         "them."),
        (["view", "{t}/empty", "cat.png"],
         "{t}/empty is a folder, not a model. Expected a .keras or .h5 file, a TensorFlow graph "
         "(.pb, .meta or a SavedModel's folder), or code as FILE.py:name. Nor is it a training "
         "record: it has no record.json."),
        (["view", "{t}/unwatched", "cat.png"],
         "{t}/unwatched holds the results of a training, but no record of maps: give the network "
         "itself, or train with --watch PICTURE"),
        (["view", "{t}/none"], "{t}/none holds no epoch yet: wait for the training's first"),
    ],
)  # fmt: skip
def test_what_the_command_refuses(
    command: Command, recorded: tuple[ls.Record, Spy], tmp_path: Path, words: list[str],
    message: str,
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    (tmp_path / "unwatched").mkdir()
    (tmp_path / "unwatched/training.json").write_text("{}")
    (tmp_path / "none").mkdir()
    shutil.copy(recorded[0].folder / "record.json", tmp_path / "none")
    shutil.copy(recorded[0].folder / "pictures.npz", tmp_path / "none")
    before = sorted(tmp_path.rglob("*"))
    places = {"r": recorded[0].folder, "t": tmp_path}
    out = ["-o", str(tmp_path / "out")] if words[0] == "view" else ["--no-open"]
    done = command(*(word.format(**places) for word in words), *out)
    assert (done.status, done.message) == (1, message.format(**places))
    assert sorted(tmp_path.rglob("*")) == before


def test_in_python(recorded: tuple[ls.Record, Spy], tmp_path: Path) -> None:
    record = recorded[0]
    view = ls.view(str(record.folder), out=tmp_path / "out", epochs="best", scale="epochs")
    assert view.report == tmp_path / "out/report.html"
    assert (view.labels, view.predictions) == (("array[0]", "array[1]"), [])
    assert {p["scale"] for node in view.manifest["nodes"] for p in node["pictures"]} == {"epochs"}
    wrong: list[tuple[type[LayerscopeError], dict[str, Any], str]] = [
        (InputError, {"inputs": "cat.png"}, "leave out inputs"),
        (InputError, {"layers": "first", "training": True}, "leave out layers, training"),
        (SelectionError, {"epochs": "9"}, "epoch 9 is not recorded; there are: 0 to 6"),
        (OutputError, {"scale": "film"}, "or epochs or epochs-channel|also epochs"),
    ]
    for kind, options, said in wrong:
        with pytest.raises(kind, match=said):
            ls.view(record, out=tmp_path / "other", **options)
    assert not (tmp_path / "other").exists()
    with pytest.raises(InputError, match="or a Record alone, but inputs are missing"):
        ls.view("net.keras")
    with pytest.raises(InputError, match="or a Record alone, but epochs were given"):
        ls.view("net.keras", "cat.png", epochs="best")


def test_a_record_shows_itself_in_a_notebook(
    recorded: tuple[ls.Record, Spy], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = recorded[0]
    data, _ = record._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    # What an import finds where a package is not installed.
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "layerscope.faces.explorer.widget", raising=False)
    found = record._repr_mimebundle_()
    assert found["text/plain"] == "<Record of 4 layers over 7 epochs>"
    frame = Page(found["text/html"]).all("iframe")
    assert "net.training" in frame[0]["srcdoc"]
    assert Page(frame[0]["srcdoc"]).manifest()["record"]["epochs"] == list(range(7))
    # One without an epoch has nothing to show yet.
    shutil.copytree(record.folder, tmp_path / "r", ignore=shutil.ignore_patterns("epochs"))
    assert ls.Record.open(tmp_path / "r")._repr_mimebundle_() == {
        "text/plain": "<Record of 4 layers over 0 epochs>"
    }
