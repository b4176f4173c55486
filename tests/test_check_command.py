"""``layerscope check`` as a person types it, and what ``view`` tells of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from checks import layers, noise, stack, trained
from layerscope.explain.checkup import CODES, LEVELS, Finding
from layerscope.explain.checkup.finding import Kind
from layerscope.faces.commands.findings import counts, finding_lines
from networks import Command, saved

HOSTILE = "a\x1b[31m<script>alert(1)</script>\u202e$(rm)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks and pictures: the layout mistake, one with many convolutions, one that is sound."""
    keras.utils.set_random_seed(3)
    found = tmp_path_factory.mktemp("check")
    conv = layers.Conv2D(10, 8, padding="same", data_format="channels_last", name="conv")
    saved(stack((1, 32, 32), conv), found / "wrong.keras")
    deep = [layers.Conv2D(4, 3, padding="same", activation="relu", name=f"c{i}") for i in range(9)]
    saved(trained(stack((16, 16, 3), *deep)), found / "deep.keras")
    bad = stack(
        (16, 16, 3),
        layers.Conv2D(4, 3, activation="relu", name="first"),
        layers.Conv2D(4, 3, activation="relu", name="dead"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(2, activation="softmax", name="out"),
    )
    bad = trained(bad)
    bad.get_layer("dead").set_weights([np.zeros((3, 3, 4, 4)), np.full(4, -1.0)])
    saved(bad, found / "bad.keras")
    random = np.random.default_rng(1)
    for name, size in (("square.png", (16, 16)), ("wide.png", (16, 24))):
        Image.fromarray(random.integers(0, 256, (*size, 3), np.uint8)).save(found / name)
    np.save(found / "first.npy", noise(3, 16, 16))
    return found


def test_the_layout_mistake_is_told(command: Command, folder: Path) -> None:
    done = command("check", folder / "wrong.keras")
    assert done.status == 0
    assert done.err == ""
    lines = done.out.splitlines()
    assert re.fullmatch(r".*wrong\.keras: Keras .* on \w+", lines[0])
    assert lines[2] == "error: conv (layout)"
    assert lines[-1] == "1 error, 1 warning (1 layer; an INPUT would tell more)"
    flat = " ".join(done.out.split())
    assert "→ Either put the channels last, Input((32, 32, 1))" in flat
    # A shape is never broken over two lines.
    assert all(line.count("(") >= line.count(")") for line in lines if "(None" in line)
    assert max(map(len, lines[1:])) <= 88


def test_strict_is_for_errors_alone(command: Command, folder: Path) -> None:
    assert command("check", folder / "wrong.keras", "--strict").status == 1
    assert command("check", folder / "deep.keras", folder / "wide.png", "--strict").status == 0
    assert command("check", folder / "bad.keras", folder / "square.png").status == 0
    assert command("check", folder / "bad.keras", folder / "square.png", "--strict").status == 1
    assert command("check", folder / "bad.keras", "--strict", "--json").status == 0


def test_json_is_the_list_of_findings(command: Command, folder: Path) -> None:
    done = command("check", folder / "deep.keras", folder / "wide.png", "--json")
    listed = json.loads(done.out)
    assert [set(one) for one in listed] == [{"level", "code", "node", "message", "remedy"}] * len(
        listed
    )
    assert listed == [one.as_json() for one in ls.check(folder / "deep.keras", folder / "wide.png")]
    assert [one["node"] for one in listed if one["code"] == "summed-channels"] == [
        f"c{i}" for i in range(9)
    ]


def test_notes_of_one_code_are_folded(command: Command, folder: Path) -> None:
    done = command("check", folder / "deep.keras", folder / "square.png")
    assert done.out.count("(summed-channels)") == 1
    assert "  and 8 more: c1, c2, c3, c4 …" in done.out.splitlines()
    assert "9 notes (9 layers run on 1 input)" in done.out
    assert "c0 gives 4 maps and not 12" in " ".join(done.out.split())


def test_the_number_of_pictures_is_told(command: Command, folder: Path) -> None:
    both = [folder / "square.png", folder / "wide.png"]
    done = command("check", folder / "bad.keras", *both)
    assert "All 4 channels of dead are 0 in all 288 values of 2 samples" in " ".join(
        done.out.split()
    )
    assert done.out.splitlines()[-1].endswith("(4 layers run on 2 inputs)")
    assert "squeezed 24×16 → 16×16" in done.out


def test_an_input_that_cannot_be_fed_is_told_and_the_rest_too(
    command: Command, folder: Path
) -> None:
    done = command("check", folder / "deep.keras", folder / "first.npy")
    assert done.status == 0
    flat = " ".join(done.out.split())
    assert "error: x (input-layout)" in done.out
    assert "→ Give numpy.moveaxis(array, 0, -1), of shape (16, 16, 3)." in flat
    assert "(summed-channels)" in done.out
    assert command("check", folder / "deep.keras", folder / "first.npy", "--strict").status == 1


def test_inputs_that_belong_together(command: Command, folder: Path, tmp_path: Path) -> None:
    a, b = keras.Input((16, 16, 3), name="a"), keras.Input((16, 16, 1), name="b")
    both = layers.Concatenate(name="both")([a, b])
    path = saved(keras.Model([a, b], both), tmp_path / "two.keras")
    np.save(tmp_path / "b.npy", noise(1, 1, 16, 16))
    done = command("check", path, f"a={folder / 'square.png'}", f"b={tmp_path / 'b.npy'}")
    assert done.status == 0
    assert "error: b (input-layout)" in done.out
    assert "1 error (1 layer)" in done.out
    np.save(tmp_path / "b.npy", noise(1, 16, 16, 1))
    done = command("check", path, f"a={folder / 'square.png'}", f"b={tmp_path / 'b.npy'}")
    assert "nothing looks wrong (1 layer run on 1 input)" in done.out


def test_a_file_that_is_not_there_is_an_error_as_everywhere(command: Command, folder: Path) -> None:
    done = command("check", folder / "deep.keras", folder / "none.png")
    assert done.status == 1
    assert done.message.startswith("no such file")
    assert command("check", folder / "none.keras").status == 1


def test_preprocessing_is_as_asked(command: Command, folder: Path) -> None:
    done = command("check", folder / "deep.keras", folder / "square.png", "--range", "0..255")
    assert "kept as 0..255 (asked for)" in done.out
    assert command("check", folder / "deep.keras", "--range", "0..7").status == 1


def test_hostile_names_are_harmless(command: Command, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    # A layer's name must be one that Keras takes; the file's may be anything.
    evil = "conv\x1b[31m\u202e<b>$(x)`y`"
    model = stack((1, 32, 32), layers.Conv2D(4, 3, padding="same", data_format="channels_last",
                                             name=evil))  # fmt: skip
    for one in ls.check(model):
        for line in finding_lines([one]):
            assert line == "" or line.isprintable()
    named = [Finding("warning", "dead", HOSTILE, f"{HOSTILE} is dead.", f"See {HOSTILE}.")] * 3
    for line in finding_lines(named):
        assert line == "" or line.isprintable()
    path = saved(stack((8, 8, 2), layers.Conv2D(2, 3, name="c;x")), tmp_path / "e[red].keras")
    done = command("check", path)
    assert "-l 'c;x' -c all" in done.out
    assert all(line == "" or line.isprintable() for line in done.out.splitlines())


def test_view_tells_errors_and_warnings(command: Command, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "v"
    done = command("view", folder / "bad.keras", folder / "wide.png", "-o", out)
    assert done.status == 0
    lines = done.out.splitlines()
    assert "error: dead (dead)" in lines
    assert (
        "Findings: 1 error, 1 warning, 2 notes. All that can be told: layerscope check MODEL INPUT"
        in lines
    )
    assert not any(line.startswith("note") for line in lines)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    told = [(one["level"], one["code"], one["node"]) for one in manifest["findings"]]
    assert told == [
        ("error", "dead", "dead"),
        ("warning", "untrained", "dead"),
        ("note", "summed-channels", "first"),
        ("note", "summed-channels", "dead"),
    ]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("nothing of the input gets past it") == 2 + page.count(
        '"message":"All 4 channels of dead'
    )


def test_view_of_some_layers_notes_those_alone(folder: Path, tmp_path: Path) -> None:
    done = ls.view(folder / "deep.keras", folder / "square.png", tmp_path / "v", layers=["c3"])
    assert [(one["code"], one["node"]) for one in done.manifest["findings"]] == [
        ("summed-channels", "c3")
    ]


def test_a_sound_view_says_only_how_many(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("view", folder / "deep.keras", folder / "square.png", "-o", tmp_path / "v")
    assert [line for line in done.out.splitlines() if "inding" in line] == [
        "Findings: 9 notes. All that can be told: layerscope check MODEL INPUT"
    ]


def test_findings_in_python(folder: Path) -> None:
    found = ls.check(folder / "wrong.keras")
    assert isinstance(found, tuple)
    first = found[0]
    assert isinstance(first, ls.Finding)
    assert (first.level, first.code, first.node) == ("error", "layout", "conv")
    with pytest.raises(AttributeError):
        first.level = "note"  # type: ignore[misc]
    assert [LEVELS.index(one.level) for one in found] == sorted(
        LEVELS.index(one.level) for one in found
    )


def test_every_code_of_the_list_and_no_other() -> None:
    assert sorted(CODES) == sorted(
        "layout input-layout input-range input-channels backend-bug summed-channels collapsed "
        "kernel-larger-than-input skipping-stride dead saturated not-finite scale-drift "
        "training-mode untrained duplicate-filters".split()
    )
    for kind in CODES.values():
        assert isinstance(kind, Kind)
        assert kind.levels
        assert set(kind.levels) <= set(LEVELS)


def test_how_many_there_are() -> None:
    one = Finding("error", "dead", "a", "m", "r")
    two = Finding("note", "dead", "a", "m", "r")
    assert counts([one, two, two]) == "1 error, 2 notes"
    assert counts([]) == "nothing looks wrong"


def test_explain_checkup_knows_no_framework() -> None:
    program = (
        "import numpy as np, sys\n"
        "from layerscope.axes import Axes\n"
        "from layerscope.graph import Graph, Node\n"
        "from layerscope.hints import Hints\n"
        "from layerscope.operations import Convolution, Input\n"
        "from layerscope.explain.checkup import Evidence, checkup\n"
        "axes = Axes.parse('NHWC')\n"
        "x = Node('x', None, 'x', 'InputLayer', Input(), (), (None, 1, 32, 32), axes)\n"
        "op = Convolution(10, (8, 8), (1, 1), 'same', (1, 1))\n"
        "c = Node('c', 0, 'c', 'Conv2D', op, ('x',), (None, 1, 32, 10), axes, 20490)\n"
        "held = {'kernel': np.ones((8, 8, 32, 10)), 'bias': np.ones(10)}\n"
        "found = checkup(Evidence(Graph((x,), (c,), ('c',)), Hints(), lambda name: held))\n"
        "assert [f.code for f in found] == ['layout', 'duplicate-filters'], found\n"
        "assert not {'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_model_that_was_never_called_asks_for_an_input(folder: Path) -> None:
    class Own(keras.Model):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self.conv = layers.Conv2D(2, 3, name="conv")

        def call(self, x: Any) -> Any:
            return self.conv(x)

    with pytest.raises(ls.LayerscopeError, match="has never been called"):
        ls.check(Own())
    assert any(f.node == "conv" for f in ls.check(Own(), noise(1, 16, 16, 3)))
