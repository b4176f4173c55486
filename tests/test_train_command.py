"""``layerscope train`` as a person types it."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import signal
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from layerscope.inputs import prepare
from layerscope.models import open_model
from networks import Command, plain_array
from photos import (
    CLASSES,
    NETWORK,
    state_of,
    trained,
    words,
    write_cats_and_dogs,
    write_photos,
)
from test_cli import CATS_AND_DOGS

SMALL = ("--size", "48", "--epochs", "2", "--steps", "3", "--batch", "4")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cats_and_dogs(tmp_path_factory.mktemp("photos") / "data")


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("code") / "net.py"
    path.write_text(NETWORK)
    return path


@pytest.fixture(scope="module")
def done(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The usual network after two short epochs, and what was printed."""
    output = tmp_path_factory.mktemp("out") / "cats_dogs.keras"
    watched = data / "train/cats/0.png"
    return output, trained(data, "-o", output, *SMALL, "--watch", watched)


def validation_pictures(data: Path) -> list[tuple[Path, int]]:
    return [
        (file, label)
        for label, name in enumerate(CLASSES)
        for file in sorted((data / "validation" / name).iterdir())
    ]


@pytest.mark.slow
@pytest.mark.backend
def test_a_run_prints_its_epochs_and_no_noise(done: tuple[Path, Any]) -> None:
    output, process = done
    assert (process.returncode, process.stderr) == (0, "")
    lines = process.stdout.splitlines()
    backend = keras.backend.backend()
    assert lines[:6] == [
        f"Keras {keras.__version__} on {backend}",
        "2 classes: cats, dogs",
        "20 pictures to train on, 10 pictures to measure on",
        "size 48×48, resized bilinear, range 0..1, color rgb",
        "307,393 parameters; RMSprop 0.0001, binary_crossentropy",
        "2 epochs of 3 batches of 4, seed 0",
    ]
    assert lines[6].startswith("epoch 1/2  loss 0.")
    assert lines[6].endswith(" s  kept")
    assert lines[-2].startswith(f"Network: {output} (epoch ")
    assert lines[-1] == f"Results: {output.with_name('cats_dogs.training')}"
    assert "\x1b" not in process.stdout


@pytest.mark.slow
@pytest.mark.backend
def test_a_run_leaves_its_network_and_its_results(done: tuple[Path, Any], data: Path) -> None:
    output, _ = done
    folder = output.with_name("cats_dogs.training")
    assert sorted(path.name for path in output.parent.iterdir()) == [output.name, folder.name]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("confusion.csv", "confusion.png", "curves.png", "history.csv", "record"),
        *("state.npz", "training.json"),
    ]
    with (folder / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert list(history[0]) == [
        *("epoch", "accuracy", "loss", "val_accuracy", "val_loss", "seconds"),
    ]
    for name in ("confusion.png", "curves.png"):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
    about = json.loads((folder / "training.json").read_text())
    assert about["classes"] == ["cats", "dogs"]
    assert (about["data"]["train"], about["data"]["validation"]) == (20, 10)


@pytest.mark.slow
@pytest.mark.backend
def test_the_confusion_matrix_is_what_numpy_finds(done: tuple[Path, Any], data: Path) -> None:
    output, process = done
    network = keras.saving.load_model(output, compile=False)
    expected = np.zeros((2, 2), int)
    for file, label in validation_pictures(data):
        with Image.open(file) as picture:
            small = picture.resize((48, 48), Image.Resampling.BILINEAR)
        x = np.asarray(small, np.float32)[None] / 255
        answer = plain_array(network(x, training=False)).item()
        expected[label, int(answer > 0.5)] += 1
    with (output.with_name("cats_dogs.training") / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["truth", "taken for cats", "taken for dogs"]
    assert [row[0] for row in rows[1:]] == ["cats", "dogs"]
    np.testing.assert_array_equal([[int(x) for x in row[1:]] for row in rows[1:]], expected)
    accuracy = np.trace(expected) / 10
    assert f"accuracy {accuracy:.4f} on 10 validation pictures" in process.stdout.splitlines()
    # The best epoch was measured on the same pictures.
    with (output.with_name("cats_dogs.training") / "history.csv").open() as file:
        best = max(float(row["val_accuracy"]) for row in csv.DictReader(file))
    assert best == pytest.approx(accuracy)


@pytest.mark.slow
@pytest.mark.backend
def test_the_file_says_how_to_feed_it(done: tuple[Path, Any], data: Path) -> None:
    output, _ = done
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("layerscope.json")) == {
            "classes": ["cats", "dogs"],
            "input": {"size": [48, 48], "range": "0..1", "color": "rgb"},
        }
        assert json.loads(archive.read("config.json"))["compile_config"] == {}
    opened = open_model(output)
    assert opened.hints.classes == ("cats", "dogs")
    feed = prepare(data / "train/cats/0.png", opened.graph.inputs, hints=opened.hints)
    (batch,) = feed.batches(1)
    assert batch.records[0][0].steps[-1] == (
        "divided by 255 (auto: cats_dogs.keras says so in its layerscope.json)"
    )
    network = keras.saving.load_model(output)
    assert not network.compiled
    assert [layer.name for layer in network.layers] == [name for name, *_ in CATS_AND_DOGS]


def test_the_usual_network_is_use_case_2s() -> None:
    from layerscope.training.recipe import usual_network

    network = usual_network((150, 150), 3, 2)
    assert [
        (layer.name, str(tuple(layer.output.shape)), f"{layer.count_params():,}")
        for layer in network.layers
    ] == CATS_AND_DOGS
    assert network.count_params() == 3_453_121
    assert network.layers[-1].activation is keras.activations.sigmoid
    many = usual_network((46, 46), 1, 5)
    assert many.layers[-1].activation is keras.activations.softmax
    assert (many.input_shape, many.output_shape) == ((None, 46, 46, 1), (None, 5))


def test_its_defaults_are_use_case_2s() -> None:
    from layerscope.training.recipe import compile_network, usual_network
    from layerscope.training.settings import Settings

    asked = Settings.settle({})
    assert (asked.epochs, asked.steps, asked.validation_steps, asked.batch) == (30, 100, 50, 20)
    network = usual_network((46, 46), 3, 2)
    compile_network(network, "binary", logits=False, optimizer=None, learning_rate=None)
    assert isinstance(network.optimizer, keras.optimizers.RMSprop)
    assert plain_array(network.optimizer.learning_rate) == np.float32(1e-4)
    assert isinstance(network.loss, keras.losses.BinaryCrossentropy)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "counts", "more", "color", "loss"),
    [
        (
            "three",
            {"a": 6, "b": 5, "c": 4},
            ["--validation", "0.4"],
            "rgb",
            "SGD 0.01, sparse_categorical_crossentropy",
        ),
        (
            "logits",
            {"a": 6, "b": 5},
            ["--validation", "0.4", "--optimizer", "adam", "--learning-rate", "0.01"],
            "gray",
            "Adam 0.01, binary_crossentropy",
        ),
    ],
)
def test_a_network_of_the_users_own(
    tmp_path: Path,
    code: Path,
    function: str,
    counts: dict[str, int],
    more: list[str],
    color: str,
    loss: str,
) -> None:
    data = write_photos(tmp_path / "data", counts)
    output = tmp_path / "own.keras"
    short = ("--epochs", "1", "--steps", "2", "--batch", "3")
    process = trained(data, "-o", output, "--model", f"{code}:{function}", *more, *short)
    assert (process.returncode, process.stderr) == (0, "")
    assert loss in process.stdout
    network = keras.saving.load_model(output)
    found = open_model(output)
    assert found.hints.classes == tuple(counts)
    assert found.hints.color == color
    # The matrix, by hand.
    expected = np.zeros((len(counts), len(counts)), int)
    for label, name in enumerate(counts):
        total = counts[name]
        order = np.random.default_rng((0, 2, label)).permutation(total)
        names = sorted(f"{i}.png" for i in range(total))
        for i in order[: max(1, round(0.4 * total))]:
            (batch,) = prepare(data / name / names[i], found.graph.inputs).batches(1)
            (x,) = batch.feeds.values()
            answer = plain_array(network(x, training=False))[0]
            expected[label, int(answer[0] > 0) if len(answer) == 1 else answer.argmax()] += 1
    with (tmp_path / "own.training/confusion.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    np.testing.assert_array_equal([[int(x) for x in row[1:]] for row in rows], expected)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")
def test_ctrl_c_ends_after_the_batch_with_the_best_network_kept(
    tmp_path: Path, data: Path, code: Path
) -> None:
    output = tmp_path / "net.keras"
    asked = ["--model", f"{code}:small", "--epochs", "50", "--steps", "40", "--batch", "4"]
    with subprocess.Popen(
        words(data, "-o", output, *asked), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch  2/50"):
                process.send_signal(signal.SIGINT)
                break
        rest, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "")
    finished = 2 + sum(line.startswith("epoch") for line in rest.splitlines())
    assert f"Stopped after {finished} finished epochs. Go on with --resume." in rest
    assert keras.saving.load_model(output).count_params() > 0
    assert not list(tmp_path.glob(".*"))
    # What was stopped goes on, to the same end as a run that was not.
    whole = tmp_path / "whole.keras"
    last = ("--epochs", str(finished + 1))
    assert trained(data, "-o", output, "--resume", *last).returncode == 0
    assert trained(data, "-o", whole, *asked[:2], *last, *asked[4:]).returncode == 0
    first, second = state_of(output), state_of(whole)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar(tmp_path: Path, data: Path, code: Path) -> None:
    ours, theirs = pty.openpty()
    asked = ["--model", f"{code}:small", "--epochs", "2", "--steps", "3", "--batch", "4"]
    process = subprocess.Popen(
        words(data, "-o", tmp_path / "net.keras", *asked),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert re.search(r"epoch 2/2  loss \d\.\d{4}  accuracy \d\.\d{4} .*6/6.*00:00.* left", text)
    assert "\x1b" not in out


ERRORS = [
    (
        ["-o", "net.h5"],
        "net.h5 does not end in .keras: choose a name that does, with -o",
    ),
    (["-o", "a.keras", "--epochs", "0"], "--epochs must be at least 1, and is 0"),
    (["-o", "a.keras", "--seed", "-1"], "--seed must lie between 0 and 4294967295, and is -1"),
    (
        ["-o", "a.keras", "--learning-rate", "0"],
        "--learning-rate must be above 0, and is 0",
    ),
    (
        ["-o", "a.keras", "--validation", "1"],
        "--validation must lie between 0 and 1, such as 0.2, and is 1",
    ),
    (
        ["-o", "a.keras", "--size", "45"],
        "size 45×45 is too small for the usual network, whose four poolings need 46×46 pixels: "
        "give a larger --size, or a --model of your own",
    ),
    (
        ["-o", "a.keras", "--size", "48", "--optimizer", "[red]"],
        "--optimizer '[red]' is none of Keras's: give rmsprop, adam, adamw, sgd, adagrad …",
    ),
    (
        ["-o", "a.keras", "--model", "{code}:seven"],
        "{code}:seven answers with 7 numbers, but the data have 2 classes: its last layer must "
        "have 2 outputs (or 1)",
    ),
    (
        ["-o", "a.keras", "--model", "{code}:pair"],
        "{code}:pair must have one input and one output to be trained on pictures",
    ),
    (
        ["-o", "a.keras", "--model", "{code}:three", "--learning-rate", "1"],
        "{code}:three answers with 3 numbers, but the data have 2 classes: its last layer must "
        "have 2 outputs (or 1)",
    ),
    (
        ["-o", "a.keras", "--model", "{code}:vector"],
        "input 'input_layer' takes channel 8: expected a network for pictures, which takes "
        "height, width and 1 or 3 channels",
    ),
    (
        ["-o", "a.keras", "--model", "{code}:small", "--size", "20"],
        "size 20×20 does not fit: input 'input_layer' takes height 12, width 16, channel 3. "
        "Leave it out",
    ),
    (
        ["-o", "a.keras", "--size", "48", "--watch", "no.jpg"],
        "no such file or folder: no.jpg; check its name and folder",
    ),
]


@pytest.mark.parametrize(("asked", "message"), ERRORS, ids=[" ".join(a) for a, _ in ERRORS])
def test_what_is_wrong_is_said_before_training_starts(
    command: Command,
    data: Path,
    code: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
    message: str,
) -> None:
    keras.utils.clear_session()
    monkeypatch.chdir(tmp_path)
    told = command("train", data, *(word.format(code=code) for word in asked))
    assert (told.status, told.message) == (1, message.format(code=code))
    assert list(tmp_path.iterdir()) == []


def test_a_compiled_network_keeps_its_optimizer(
    command: Command, code: Path, tmp_path: Path
) -> None:
    data = write_photos(tmp_path / "data", {"a": 2, "b": 2, "c": 2})
    told = command(
        *("train", data, "-o", tmp_path / "a.keras", "--model", f"{code}:three"),
        *("--validation", "0.5", "--optimizer", "adam"),
    )
    assert told.message == (
        f"{code}:three comes compiled, with an optimizer of its own: leave --optimizer and "
        "--learning-rate out, or do not compile it in the code"
    )


def test_a_folder_of_pictures_that_is_wrong(command: Command, tmp_path: Path) -> None:
    told = command("train", tmp_path / "none", "-o", tmp_path / "a.keras")
    assert told.message == f"there is no folder {tmp_path}/none: expected one with pictures"


def test_strict_refuses_what_cannot_be_read(command: Command, tmp_path: Path) -> None:
    data = write_cats_and_dogs(tmp_path / "data", 2, 1)
    (data / "train/cats/x.jpg").write_bytes(b"\xff\xd8\xff")
    told = command("train", data, "-o", tmp_path / "a.keras", "--size", "48", "--strict")
    assert told.message == (
        f"{data}: 1 file cannot be read as a picture: train/cats/x.jpg. Remove or mend them, or "
        "leave --strict out to skip them"
    )
    assert list(tmp_path.iterdir()) == [data]


def test_what_is_there_is_not_overwritten(command: Command, data: Path, tmp_path: Path) -> None:
    output, folder = tmp_path / "a.keras", tmp_path / "a.training"
    output.write_text("mine")
    assert command("train", data, "-o", output).message == (
        f"{output} exists: pass --resume to go on with its training, --force to train anew and "
        "replace it, or choose another name with -o"
    )
    assert command("train", data, "-o", output, "--resume").message == (
        f"{output} exists, but {folder} holds no training to go on with: pass --force to train "
        "anew and replace it, or choose another name with -o"
    )
    output.unlink()
    folder.mkdir()
    (folder / "mine.txt").touch()
    assert command("train", data, "-o", output).message == (
        f"{folder} exists and layerscope did not write it: choose another name with -o, or pass "
        "--force to replace it"
    )
    folder.joinpath("mine.txt").unlink()
    folder.rmdir()
    output.mkdir()
    assert command("train", data, "-o", output).message == (
        f"{output} is a folder: choose the name of a file, with -o"
    )


@pytest.mark.slow
def test_what_is_not_read_is_named_and_hostile_names_are_harmless(
    tmp_path: Path, code: Path
) -> None:
    data = write_photos(
        tmp_path / "data",
        {f"{p}/{c}": 2 for p in ("train", "validation") for c in ("a\x1b[31m", "<b>[red]")},
    )
    (data / "train/<b>[red]/\x1b]0;x\x07.jpg").write_bytes(b"\xff\xd8\xff")
    output = tmp_path / "a.keras"
    short = ("--epochs", "1", "--steps", "1", "--batch", "2")
    done = trained(data, "-o", output, "--model", f"{code}:small", *short)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "2 classes: <b>[red], a\\x1b[31m" in done.stdout
    assert "  skipped train/<b>[red]/\\x1b]0;x\\x07.jpg: " in done.stdout
    assert open_model(output).hints.classes == ("<b>[red]", "a\x1b[31m")
