"""Names out of files are data: harmless on a terminal, as file names and in a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unicodedata import category

import keras
import numpy as np
import pytest

from networks import Command, saved

NAMES = {
    "markup": "[red]bold[on blue]",
    "script": "<script>alert(1)<!--",
    "image": "<img src=x onerror=alert(1)>",
    "long": "n" * 300,
    "unicode": "слой_层_🙂",
    "quote": "a\"b'c`d",
    "spaces": "a b  c",
}
if keras.backend.backend() != "torch":
    # Keras itself cannot hold weights of such a layer on torch.
    NAMES["dots"] = ".."
CONTROL = {
    "ansi": "\x1b[31mred\x1b[0m",
    "newline": "a\nb",
    "bell": "\a\r\x9b2J",
    "turn": "\u202eabc",
}


@pytest.fixture(scope="module")
def hostile(networks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose layers have names that try to be more than names."""
    layers = keras.layers
    x = first = keras.Input((16, 16, 3), name="image")
    for name in (*NAMES.values(), *CONTROL.values()):
        x = layers.Conv2D(2, 1, name=name)(x)
    return saved(keras.Model(first, x), tmp_path_factory.mktemp("hostile") / "m.keras")


def test_hostile_names_are_printed_harmlessly(command: Command, hostile: Path) -> None:
    done = command("layers", hostile)
    assert done.status == 0
    assert not [c for c in done.out if not c.isprintable() and c != "\n"]
    lines = done.out.splitlines()
    assert len(lines) == 2 + len(NAMES) + len(CONTROL) + 2
    for name in NAMES.values():
        assert any(name in line for line in lines), name
    assert any("\\x1b[31mred\\x1b[0m" in line for line in lines)
    assert any("a\\nb" in line for line in lines)
    assert any("\\u202eabc" in line for line in lines)


def test_hostile_names_in_a_message(command: Command, hostile: Path) -> None:
    done = command("extract", hostile, hostile, "-o", "x\x1b[31m.npz")
    assert "\x1b" not in done.err
    assert done.status == 1


def test_hostile_names_make_safe_files(
    command: Command, networks: Path, hostile: Path, tmp_path: Path
) -> None:
    done = command("extract", hostile, networks / "cat.png", "-o", tmp_path / "x")
    assert done.status == 0
    files = sorted(path.name for path in (tmp_path / "x").iterdir())
    assert len(files) == len(NAMES) + len(CONTROL) + 1
    assert all(re.fullmatch(r"[\w@\[\]+=~-][\w.@\[\]+=~-]*", name, re.ASCII) for name in files)
    assert all(len(name) < 140 for name in files)
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert [node["name"] for node in manifest["nodes"]] == [*NAMES.values(), *CONTROL.values()]
    for node in manifest["nodes"]:
        assert np.load(tmp_path / "x" / node["file"]).shape == (1, 16, 16, 2)


def test_hostile_names_in_a_report(
    command: Command, networks: Path, hostile: Path, tmp_path: Path
) -> None:
    done = command("view", hostile, networks / "cat.png", "-o", tmp_path / "v")
    assert done.status == 0
    assert not [c for c in done.out if not c.isprintable() and c != "\n"]
    page = (tmp_path / "v" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    told = page.partition("</head>")[2].partition('<script type="module">')[0]
    assert not [c for c in told if category(c) in ("Cc", "Cf") and c != "\n"]
    files = sorted(path.name for path in (tmp_path / "v" / "maps").iterdir())
    assert len(files) == len(NAMES) + len(CONTROL)
    assert all(re.fullmatch(r"\d{3}_[\w.@\[\]+=~-]+\.png", name, re.ASCII) for name in files)


def test_hostile_class_names_in_a_report(command: Command, networks: Path, tmp_path: Path) -> None:
    classes = tmp_path / "classes.txt"
    classes.write_text("</script><script>alert(1)</script>\n\x1b[31mred\n[bold]\n")
    model, picture = networks / "small.keras", networks / "cat.png"
    done = command("view", model, picture, "-o", tmp_path / "v", "--classes", classes)
    assert done.status == 0
    assert not [c for c in done.out if not c.isprintable() and c != "\n"]
    assert "[bold]" in done.out
    page = (tmp_path / "v" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "alert(1)" in page


def test_hostile_names_in_npz(
    command: Command, networks: Path, hostile: Path, tmp_path: Path
) -> None:
    done = command("extract", hostile, networks / "cat.png", "-o", tmp_path / "x.npz")
    assert done.status == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert set(arrays.files) == {*NAMES.values(), *CONTROL.values()}
