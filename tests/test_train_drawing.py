"""The curves of a training and its confusion matrix, as pictures and tables."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from layerscope.errors import InputError
from layerscope.training.confusion import accuracy_of, write_confusion
from layerscope.training.curves import panel_names, ticks, write_curves
from layerscope.training.history import read_history, write_history
from layerscope.training.merit import is_better

BLUE, ORANGE = (0x2B, 0x6C, 0xB0), (0xC8, 0x55, 0x1B)
PANEL = (940, 600)


def rows(
    *columns: list[float], names: tuple[str, ...] = ("loss", "val_loss")
) -> list[dict[str, float]]:
    return [
        {"epoch": float(i + 1), **dict(zip(names, values, strict=True)), "seconds": 1.0}
        for i, values in enumerate(zip(*columns, strict=True))
    ]


def places(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns of the pixels of a colour."""
    return np.argwhere(np.abs(picture.astype(int) - color).max(axis=2) < 24)


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_falling_curve_falls_and_a_rising_one_rises(tmp_path: Path) -> None:
    history = rows([1.0, 0.8, 0.6, 0.4, 0.2], [0.2, 0.4, 0.6, 0.8, 1.0])
    write_curves(tmp_path / "c.png", history)
    picture = opened(tmp_path / "c.png")
    assert picture.shape == (PANEL[1], PANEL[0], 3)
    for color, falls in ((BLUE, True), (ORANGE, False)):
        found = places(picture[:, :760], color)
        first, last = (found[np.argsort(found[:, 1])][i, 0] for i in (0, -1))
        assert (last > first) == falls
        # Straight, over the whole width: the height follows the column.
        assert abs(np.corrcoef(found[:, 0], found[:, 1])[0, 1]) > 0.99
        assert np.ptp(found[:, 1]) > 600


def test_every_figure_has_a_panel(tmp_path: Path) -> None:
    history = [
        {"epoch": 1.0, "mae": 1.0, "accuracy": 0.5, "loss": 2.0, "val_f1": 0.1, "seconds": 9}
    ]
    assert panel_names(history) == ["loss", "accuracy", "mae", "f1"]
    write_curves(tmp_path / "c.png", history, 0)
    assert opened(tmp_path / "c.png").shape == (2 * PANEL[1], 2 * PANEL[0], 3)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, 1e30, -1e-30])
def test_odd_values_can_be_drawn(tmp_path: Path, value: float) -> None:
    write_curves(tmp_path / "c.png", rows([value, value, 1.0], [1.0, value, value]), 1)
    write_curves(tmp_path / "c.png", rows([value], [value]), 0)
    assert opened(tmp_path / "c.png").min() < 100


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.4, 0.71), (-3.0, 5.0), (0.5, 0.5), (0.0, 0.0), (1e-9, 3e-9)]
)
def test_ticks_are_round_and_hold_the_values(low: float, high: float) -> None:
    found = ticks(low, high, 6)
    steps = np.diff(found)
    assert found[0] <= low + 1e-12
    assert found[-1] >= high - 1e-12
    assert 2 <= len(found) <= 8
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_the_matrix_is_written_as_it_is(tmp_path: Path) -> None:
    counts = np.array([[8, 2], [1, 9]])
    write_confusion(tmp_path, counts, ["a,b", "c\x1b"])
    with (tmp_path / "confusion.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["truth", "taken for a,b", "taken for c\x1b"],
            ["a,b", "8", "2"],
            ["c\x1b", "1", "9"],
        ]
    assert accuracy_of(counts) == 17 / 20
    picture = opened(tmp_path / "confusion.png").astype(int)
    # The corners of the cells, in the order of their shares: 0.8, 0.2, 0.1, 0.9.
    height, width = picture.shape[:2]
    right, bottom = width - 40, height - 40
    dark = [
        picture[bottom - (2 - i) * 184 + 20, right - (2 - j) * 184 + 20].sum()
        for i in (0, 1)
        for j in (0, 1)
    ]
    assert dark[3] < dark[0] < dark[1] < dark[2]


@pytest.mark.parametrize("count", [2, 6, 13, 40])
def test_any_number_of_classes_can_be_drawn(tmp_path: Path, count: int) -> None:
    names = [f"{'a long name ' * (i % 4)}{i}" for i in range(count)]
    write_confusion(tmp_path, np.eye(count, dtype=np.int64), names)
    assert max(opened(tmp_path / "confusion.png").shape) < 3000
    write_confusion(tmp_path, np.zeros((count, count), np.int64), names)


def test_a_history_is_read_back_as_it_was(tmp_path: Path) -> None:
    history = rows([0.1 + 0.2, 1 / 3], [math.inf, 1e-300])
    history[1]["new"] = 5.0
    write_history(tmp_path / "h.csv", history)
    assert list(read_history(tmp_path / "h.csv")) == history
    assert (tmp_path / "h.csv").read_text().splitlines()[0] == "epoch,loss,val_loss,seconds,new"


def test_what_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_text("epoch,loss\n1,two\n")
    with pytest.raises(InputError, match="is no table of a training's history"):
        read_history(tmp_path / "h.csv")


def test_the_higher_accuracy_is_better_then_the_lower_loss() -> None:
    row = {"val_accuracy": 0.8, "val_loss": 0.5}
    assert is_better(row, None)
    assert is_better({**row, "val_accuracy": 0.81, "val_loss": 9.0}, row)
    assert is_better({**row, "val_loss": 0.4}, row)
    assert not is_better(row, row)
    assert not is_better({"val_accuracy": math.nan, "val_loss": math.nan}, row)
    assert is_better(row, {"val_accuracy": 0.8, "val_loss": math.nan})
    assert is_better({"val_loss": 0.1}, {"val_loss": 0.2})
