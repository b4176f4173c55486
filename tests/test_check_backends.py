"""The same findings, whatever Keras runs on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import layerscope as ls
from kerasmodels import BACKEND, small_weights, whole_numbers

pytestmark = pytest.mark.backend
layers = keras.layers


def codes(model: Any, inputs: Any = None) -> list[tuple[str, str, str | None]]:
    return [(f.level, f.code, f.node) for f in ls.check(model, inputs)]


def network() -> Any:
    """A first layer that is dead in part, a dropout that stays on, a logarithm of 0."""
    x = keras.Input((8, 8, 2), name="x")
    y = layers.Conv2D(3, 3, activation="relu", name="conv")(x)
    y = layers.Dropout(0.5, name="drop")(y, training=True)
    return keras.Model(x, keras.ops.log(y))


def test_findings_of_a_run() -> None:
    model = small_weights(network())
    model.get_layer("conv").bias.assign(np.array([-999.0, 0.0, 999.0], "float32"))
    assert codes(model, whole_numbers(1, 8, 8, 2)) == [
        ("error", "not-finite", "log"),
        ("warning", "training-mode", "drop"),
        ("note", "summed-channels", "conv"),
        ("note", "dead", "conv"),
    ]


def test_findings_of_a_network_alone() -> None:
    keras.utils.set_random_seed(3)
    conv = layers.Conv2D(8, 8, padding="same", data_format="channels_last", name="conv")
    wrong = keras.Sequential([keras.Input((1, 32, 32), name="x"), conv])
    assert codes(wrong) == [("error", "layout", "conv"), ("warning", "untrained", "conv")]
    assert codes(small_weights(wrong))[0] == ("error", "layout", "conv")
    assert [code for _, code, _ in codes(small_weights(wrong))] == ["layout"]


def test_an_array_laid_out_the_other_way_is_not_run() -> None:
    model = small_weights(network())
    assert codes(model, whole_numbers(1, 2, 8, 8))[0] == ("error", "input-layout", "x")


def test_the_bias_bug_is_tensorflow_s() -> None:
    conv = layers.Conv2D(8, 3, padding="same", data_format="channels_first", name="conv")
    model = small_weights(keras.Sequential([keras.Input((1, 8, 8), name="x"), conv]))
    hit = [("warning", "backend-bug", "conv")] if BACKEND == "tensorflow" else []
    assert codes(model) == hit
