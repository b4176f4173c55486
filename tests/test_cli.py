"""The commands as a person types them."""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from layerscope.extract import plan
from layerscope.faces import terminal
from layerscope.manifest import layerscope_version
from layerscope.models import open_model
from layerscope.saving import save
from networks import Command

# Use case 2 as Keras's own summary has it: name, output shape, parameters.
CATS_AND_DOGS = [
    ("conv2d", "(None, 148, 148, 32)", "896"),
    ("max_pooling2d", "(None, 74, 74, 32)", "0"),
    ("conv2d_1", "(None, 72, 72, 64)", "18,496"),
    ("max_pooling2d_1", "(None, 36, 36, 64)", "0"),
    ("conv2d_2", "(None, 34, 34, 128)", "73,856"),
    ("max_pooling2d_2", "(None, 17, 17, 128)", "0"),
    ("conv2d_3", "(None, 15, 15, 128)", "147,584"),
    ("max_pooling2d_3", "(None, 7, 7, 128)", "0"),
    ("flatten", "(None, 6272)", "0"),
    ("dense", "(None, 512)", "3,211,776"),
    ("dense_1", "(None, 1)", "513"),
]
COMMANDS = ("view", "demo", "layers", "extract", "train")


def test_version(command: Command) -> None:
    assert command("--version").out == f"layerscope {layerscope_version()}\n"


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_lists_the_commands(command: Command, words: list[str]) -> None:
    done = command(*words)
    assert (done.status, done.err) == (0, "")
    listed = [line.split()[0] for line in done.out.partition("Commands:")[2].splitlines() if line]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: layerscope {name} ")
    assert "--debug" in done.out


def test_layers_prints_the_table(command: Command, networks: Path) -> None:
    done = command("layers", networks / "cats_dogs.keras")
    assert (done.status, done.err) == (0, "")
    head, *rows, _, total = done.out.splitlines()
    assert head.split() == ["layer", "type", "output", "shape", "axes", "parameters"]
    assert rows[0].split()[0] == "in"
    assert rows[0].split()[-5:] == [*"(None, 150, 150, 3)".split(), "NHWC"]
    found = []
    for index, row in enumerate(rows[1:]):
        number, name, *_ = row.split()
        assert number == str(index)
        shape = row[row.index("(None") : row.index(")") + 1]
        axes, parameters = row.partition(shape)[2].split()
        assert axes == ("NHWC" if shape.count(",") == 3 else "NC")
        found.append((name, shape, parameters))
    assert found == CATS_AND_DOGS
    assert total == "3,453,121 parameters in 11 layers"
    assert "Conv2D 32, 3×3, relu " in rows[1]
    assert "Dense 1, sigmoid " in rows[11]


def test_layers_as_json(command: Command, networks: Path) -> None:
    done = command("layers", networks / "cats_dogs.keras", "--json")
    assert (done.status, done.err) == (0, "")
    printed = json.loads(done.out)
    assert printed["parameters"] == 3_453_121
    live = keras.saving.load_model(networks / "cats_dogs.keras")
    assert [(n["name"], tuple(n["shape"]), n["parameters"]) for n in printed["nodes"]] == [
        (layer.name, layer.output.shape, layer.count_params()) for layer in live.layers
    ]
    assert printed["outputs"] == ["dense_1"]
    assert "inputs" not in printed
    assert printed["input_nodes"][0]["shape"] == [None, 150, 150, 3]


def test_layers_of_a_network_of_any_size(command: Command, networks: Path) -> None:
    done = command("layers", networks / "free.keras")
    assert done.status == 0
    assert "(None, None, None, 2)" in done.out


def test_layers_of_a_network_that_is_not_built(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import keras\n"
        "model = keras.Sequential([keras.layers.Conv2D(2, 3, name='c'), keras.layers.Flatten()])\n"
    )
    code = f"{tmp_path}/net.py:model"
    done = command("layers", code)
    assert done.status == 1
    assert "so the shape of its input is not known" in done.message
    assert "--size HxWxC" in done.message
    done = command("layers", code, "--size", "10x8")
    assert done.status == 0
    assert "8, 6, 2)" in done.out
    assert "input: 3 channels are assumed" in " ".join(done.out.split())
    done = command("layers", code, "--size", "10×8x5", "--json")
    printed = json.loads(done.out)
    assert printed["input_nodes"][0]["shape"] == [None, 10, 8, 5]
    assert printed["nodes"][0]["parameters"] == 3 * 3 * 5 * 2 + 2
    assert "notes" not in printed["model"]
    done = command("layers", code, "--size", "10x8x5x2")
    assert (done.status, "size '10x8x5x2' is not understood" in done.message) == (1, True)
    # An array tells its shape itself.
    np.save(tmp_path / "x.npy", np.ones((2, 7, 9, 1), np.float32))
    done = command("extract", code, tmp_path / "x.npy", "-o", tmp_path / "x.npz")
    assert (done.status, done.err) == (0, "")
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["c"].shape == (2, 5, 7, 2)


def test_layers_runs_nothing(
    command: Command, networks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ran(*_: object, **__: object) -> None:
        raise AssertionError("the network was run")

    from layerscope.models.keras.adapter import KerasModel

    monkeypatch.setattr(KerasModel, "run", ran)
    assert command("layers", networks / "cats_dogs.keras").status == 0


def test_the_first_eight_layers(command: Command, networks: Path, tmp_path: Path) -> None:
    done = command(
        *("extract", networks / "cats_dogs.keras", networks / "large.png"),
        *("-l", "0:8", "-o", tmp_path / "x.npz"),
    )
    assert (done.status, done.err) == (0, "")
    with np.load(tmp_path / "x.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays.files} == {
            name: (1, *map(int, shape[7:-1].split(","))) for name, shape, _ in CATS_AND_DOGS[:8]
        }


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_long_work_shows_a_bar_on_a_terminal(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_PATIENCE", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    extraction = plan(open_model(networks / "small.keras"), [networks / "cat.png"] * 70)
    ours, theirs = os.openpty()
    with open(theirs, "w", buffering=1) as screen, open(ours, "rb", buffering=0) as reader:
        monkeypatch.setattr(sys, "stderr", screen)
        with terminal.progress("extracting [red]") as advance:
            assert advance is not None
            save(extraction, tmp_path / "x.npz", progress=advance)
        monkeypatch.undo()
        # What was written may reach the other end in parts, and late.
        shown = ""
        while "/70" not in shown and select.select([reader], [], [], 20)[0]:
            shown += reader.read(100_000).decode()
    assert "extracting [red]" in shown
    assert "/70" in shown


def test_short_work_and_pipes_show_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("extracting") as advance:
        assert advance is None
    assert capsys.readouterr().err == ""


def test_short_work_shows_no_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    with open(theirs, "w", buffering=1) as screen, open(ours, "rb", buffering=0) as reader:
        monkeypatch.setattr(sys, "stderr", screen)
        with terminal.progress("extracting") as advance:
            assert advance is not None
            advance(1, 2)
            advance(2, 2)
        monkeypatch.undo()
        assert reader.read(1000) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("Hündin ×", "Hündin ×"),
        ("\x1b]0;title\a", "\\x1b]0;title\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("\u202e\u2066\u200b", "\\u202e\\u2066\\u200b"),
        ("\x9b31m", "\\x9b31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert terminal.plain(text) == expected
