"""A run that is killed at any moment and goes on ends as one that was not."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from layerscope.training.record import Record
from networks import Command, plain_array
from photos import NETWORK, state_of, trained, words, write_cats_and_dogs

pytestmark = pytest.mark.slow

EPOCHS = 4

# Kills its own process just before or after the so-manieth file takes its final name.
DRIVER = """\
import os, signal, sys

at, when = int(sys.argv[1]), sys.argv[2]
real, count = os.replace, 0


def replace(*args):
    global count
    count += 1
    if count == at and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*args)
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)


os.replace = replace
sys.argv = ["layerscope", "train", *sys.argv[3:]]
from layerscope.faces.cli import main

main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    write_cats_and_dogs(folder / "data")
    (folder / "net.py").write_text(NETWORK)
    (folder / "driver.py").write_text(DRIVER)
    return folder


def asked(place: Path, output: Path) -> list[object]:
    return [
        *(place / "data", "-o", output, "--model", f"{place / 'net.py'}:small", "--augment"),
        *("--epochs", EPOCHS, "--steps", 30, "--batch", 4, "--optimizer", "adam"),
        *("--learning-rate", 0.003, "--watch", place / "data/train/dogs/1.png"),
    ]


@pytest.fixture(scope="module")
def unbroken(place: Path) -> Path:
    output = place / "unbroken.keras"
    done = trained(*asked(place, output))
    assert (done.returncode, done.stderr) == (0, "")
    return output


def weights(output: Path) -> list[Any]:
    network = keras.saving.load_model(output, compile=False)
    return [plain_array(variable.value) for variable in network.weights]


def history(output: Path) -> list[dict[str, str]]:
    with (output.with_name(f"{output.stem}.training") / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["seconds"]
    return rows


def check_same(output: Path, unbroken: Path) -> None:
    """Everything that a run leaves, but for how long it took, to the last bit."""
    for mine, theirs in zip(weights(output), weights(unbroken), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    first, second = state_of(output), state_of(unbroken)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert history(output) == history(unbroken)
    names = ("confusion.csv",)
    folders = [path.with_name(f"{path.stem}.training") for path in (output, unbroken)]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    records = [Record.open(folder) for folder in folders]
    assert records[0].epochs == records[1].epochs == tuple(range(EPOCHS + 1))
    assert records[0].history == records[1].history
    for epoch in records[0].epochs:
        for layer in records[0].layers:
            one, other = (record.quantized(epoch, layer) for record in records)
            np.testing.assert_array_equal(one.levels, other.levels)
            np.testing.assert_array_equal(one.low, other.low)
    leftovers = [p for p in output.parent.rglob(f".{output.stem}*") if p.is_file()]
    assert leftovers + [p for p in folders[0].rglob(".*") if p.is_file()] == []


def check_never_half(output: Path) -> None:
    """After a kill, whatever bears its final name is whole."""
    folder = output.with_name(f"{output.stem}.training")
    if output.exists():
        with zipfile.ZipFile(output) as archive:
            assert archive.testzip() is None
            assert "layerscope.json" in archive.namelist()
    for path in [folder / "state.npz", *folder.glob("record/epochs/*.npz")]:
        if path.exists() and not path.name.startswith("."):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
    if (folder / "state.npz").exists():
        assert output.exists()


@pytest.mark.backend
def test_killed_at_random_moments(place: Path, unbroken: Path) -> None:
    output, chance = place / "random.keras", random.Random()
    seed = chance.randrange(10**9)
    chance.seed(seed)
    # Each run takes seconds to start: on the other backends, one kill once there is an epoch
    # to go on from.
    here = keras.backend.backend() == "tensorflow"
    sign, most, longest = ("seed 0", 4, 2.5) if here else ("epoch 1/", 1, 0.3)
    kills = 0
    for attempt in range(30):
        more = ["--resume"] if attempt else []
        process = subprocess.Popen(
            words(*asked(place, output), *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert process.stdout is not None
        # From here on the run is training.
        for line in process.stdout:
            if sign in line:
                break
        if kills < most:
            time.sleep(chance.uniform(0.0, longest))
            process.kill()
        _, err = process.communicate(timeout=300)
        if process.returncode == 0:
            break
        assert process.returncode == -9, (seed, err)
        check_never_half(output)
        kills += 1
    assert kills >= 1, seed
    check_same(output, unbroken)


@pytest.mark.parametrize("start", [1, 4])
def test_killed_as_files_take_their_names(place: Path, unbroken: Path, start: int) -> None:
    output = place / f"renamed{start}.keras"
    driver = [sys.executable, place / "driver.py"]
    kills = 0
    for attempt in range(30):
        at, when = start + 6 * attempt, ("before", "after")[attempt % 2]
        more = ["--resume"] if attempt else []
        done = subprocess.run(
            list(map(str, [*driver, at, when, *asked(place, output), *more])),
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        check_never_half(output)
        kills += 1
    assert kills >= 2
    check_same(output, unbroken)


def test_a_run_in_two_parts_is_the_run_in_one(tmp_path: Path) -> None:
    data = write_cats_and_dogs(tmp_path / "data")
    (tmp_path / "net.py").write_text(NETWORK)
    common = (data, "--model", f"{tmp_path / 'net.py'}:small", "--steps", 3, "--batch", 4)
    whole, parts = tmp_path / "whole.keras", tmp_path / "parts.keras"
    assert trained(*common, "-o", whole, "--epochs", 3).returncode == 0
    assert trained(*common, "-o", parts, "--epochs", 1).returncode == 0
    done = trained(data, "-o", parts, "--epochs", 3, "--resume")
    assert (done.returncode, done.stderr) == (0, "")
    assert "going on after epoch 1" in done.stdout
    first, second = state_of(parts), state_of(whole)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert history(parts) == history(whole)


def test_only_the_length_of_a_run_may_change(
    command: Command, unbroken: Path, place: Path, tmp_path: Path
) -> None:
    told = command("train", place / "data", "-o", unbroken, "--resume", "--batch", 5)
    assert told.message == (
        "the training that is to go on was started with --batch 4, but --batch 5 is given: leave "
        "it out, or start anew with --force"
    )
    told = command("train", place / "data", "-o", unbroken, "--resume", "--range", "-1..1")
    assert told.message == (
        "the training that is to go on was started with no --range, but --range -1..1 is given: "
        "leave it out, or start anew with --force"
    )
    other = write_cats_and_dogs(tmp_path / "other", 6, 5)
    told = command("train", other, "-o", unbroken, "--resume")
    assert told.message == (
        f"{other} is not what the training in {place / 'unbroken.training'} was started on: some "
        "pictures were added, removed or changed. Bring them back, or start anew with --force"
    )


def test_a_network_that_is_gone_is_said(
    command: Command, unbroken: Path, place: Path, tmp_path: Path
) -> None:
    aside = unbroken.rename(tmp_path / "aside.keras")
    try:
        told = command("train", place / "data", "-o", unbroken, "--resume")
    finally:
        aside.rename(unbroken)
    assert told.message == (
        f"{unbroken} is gone, and with it the best network of the training in "
        f"{place / 'unbroken.training'}: bring it back, or train anew with --force"
    )


def test_a_damaged_state_is_said_and_nothing_is_lost(place: Path, unbroken: Path) -> None:
    state = place / "unbroken.training/state.npz"
    whole = state.read_bytes()
    try:
        state.write_bytes(whole[: len(whole) // 2])
        done = trained(place / "data", "-o", unbroken, "--resume", "--epochs", EPOCHS + 1)
        assert done.returncode == 1
        assert done.stderr.startswith(f"layerscope: {state} is damaged, so the training cannot go")
        assert done.stderr.count("\n") == 1
        assert len(weights(unbroken)) == 8
        about = json.loads((place / "unbroken.training/training.json").read_text())
        assert about["settings"]["epochs"] == EPOCHS
    finally:
        state.write_bytes(whole)


def test_going_on_after_the_end_changes_nothing(place: Path, unbroken: Path) -> None:
    before = unbroken.read_bytes()
    done = trained(place / "data", "-o", unbroken, "--resume")
    assert (done.returncode, done.stderr) == (0, "")
    assert unbroken.read_bytes() == before


def test_resume_without_a_run_before_begins_one(place: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.keras"
    short = ("--epochs", 1, "--steps", 1, "--batch", 2)
    model = ("--model", f"{place / 'net.py'}:small")
    assert trained(place / "data", "-o", output, *model, *short, "--resume").returncode == 0
    assert output.exists()
    assert os.listdir(tmp_path / "a.training")
