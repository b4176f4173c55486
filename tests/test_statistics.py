"""Statistics, against numpy on the whole data at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layerscope.axes import Axes
from layerscope.statistics import Tally


def tally(*batches: np.ndarray, axes: str = "NHWC") -> Tally:
    made = Tally()
    for batch in batches:
        made.add(batch, Axes.parse(axes))
    return made


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_figures_are_those_of_all_batches_at_once(offset: float) -> None:
    rng = np.random.default_rng(0)
    whole = (rng.normal(size=(7, 33, 41, 5)) + offset).astype(np.float32)
    whole[..., 2] = 0
    found = tally(whole[:3], whole[3:4], whole[4:]).statistics()
    exact = whole.astype(np.float64)
    assert found.min == exact.min()
    assert found.max == exact.max()
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert found.std == pytest.approx(exact.std(), rel=1e-12)
    assert found.zeros == np.mean(exact == 0)
    assert found.dead == (2,)
    assert found.finite


@given(hnp.arrays(np.float32, (3, 4, 2), elements=st.floats(-8, 8, width=32)), st.integers(0, 3))
def test_any_split_gives_the_same(whole: np.ndarray, cut: int) -> None:
    one, two = tally(whole, axes="NTC"), tally(whole[:cut], whole[cut:], axes="NTC")
    first, second = one.statistics(), two.statistics()
    assert (first.min, first.max, first.zeros, first.dead) == (
        second.min, second.max, second.zeros, second.dead,
    )  # fmt: skip
    assert first.mean == pytest.approx(second.mean, abs=1e-12)
    assert first.std == pytest.approx(second.std, abs=1e-7)


def test_a_channel_dead_in_one_batch_alone_is_not_dead() -> None:
    first, second = np.zeros((1, 2, 2, 2)), np.zeros((1, 2, 2, 2))
    second[0, 1, 1, 1] = 3
    assert tally(first, second).statistics().dead == (0,)


def test_channels_first_counts_the_first_axis() -> None:
    array = np.ones((1, 3, 4, 5))
    array[:, 1] = 0
    assert tally(array, axes="NCHW").statistics().dead == (1,)


def test_what_is_not_finite_is_left_out_of_the_figures_and_said() -> None:
    found = tally(np.array([[1.0, np.nan, np.inf, 3.0]]), axes="NC").statistics()
    assert (found.min, found.max, found.mean, found.finite) == (1.0, 3.0, 2.0, False)
    assert found.dead == ()


def test_nothing_finite_becomes_null_in_json() -> None:
    found = tally(np.array([[np.nan]]), axes="NC").statistics()
    assert math.isnan(found.mean)
    assert found.as_json() == {
        "min": None, "max": None, "mean": None, "std": None, "zeros": 0.0, "dead": [],
    }  # fmt: skip


def test_whole_numbers_and_booleans_count_too() -> None:
    found = tally(np.array([[0, 2], [0, 4]]), np.array([[False, True]]), axes="NC").statistics()
    assert (found.min, found.max, found.dead) == (0.0, 4.0, (0,))
    assert found.mean == pytest.approx(7 / 6)
