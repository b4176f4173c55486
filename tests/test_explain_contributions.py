"""Contributions: each partial map against plain loops, and the sum against the network."""

from __future__ import annotations

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

import layerscope as ls
from kerasmodels import small_weights, to_numpy, whole_numbers
from layerscope.errors import ModelError, SelectionError

pytestmark = pytest.mark.backend
layers = keras.layers


def one_layer(layer: Any, *shape: int) -> Any:
    model = keras.Sequential([keras.Input(shape), layer])
    return small_weights(model)


def taken_apart(model: Any, x: NDArray[Any], channel: int, layer: str | int = -1) -> Any:
    """An explanation that adds up to what Keras itself answers."""
    e = ls.explain(model, x, layer, channel)
    assert e.residual <= 1e-5
    assert_allclose(e.sum + e.bias, e.pre_activation, rtol=1e-5, atol=1e-4)
    return e


def by_loops(
    x: NDArray[Any], kernel: NDArray[Any], stride: int, dilation: int, padding: str
) -> NDArray[np.float64]:
    """One channel (height, width) under one kernel, tap by tap."""
    (height, width), (rows, columns) = x.shape, kernel.shape
    reach = [(n - 1) * dilation + 1 for n in kernel.shape]
    if padding == "same":
        sizes = [-(-n // stride) for n in x.shape]
        lacking = [
            max((o - 1) * stride + r - n, 0) for o, r, n in zip(sizes, reach, x.shape, strict=True)
        ]
        before = [n // 2 for n in lacking]
    else:
        sizes = [(n - r) // stride + 1 for n, r in zip(x.shape, reach, strict=True)]
        before = [0, 0]
    out = np.zeros(sizes)
    for i, j in product(*map(range, sizes)):
        for a, b in product(range(rows), range(columns)):
            row = i * stride + a * dilation - before[0]
            column = j * stride + b * dilation - before[1]
            if 0 <= row < height and 0 <= column < width:
                out[i, j] += x[row, column] * kernel[a, b]
    return out


GRID = [
    (stride, dilation, padding, groups)
    for stride, dilation in ((1, 1), (2, 1), (3, 1), (1, 2), (1, 3))
    for padding in ("same", "valid")
    for groups in (1, 2)
]


@pytest.mark.parametrize(("stride", "dilation", "padding", "groups"), GRID)
def test_partial_maps_are_those_of_plain_loops(
    stride: int, dilation: int, padding: str, groups: int
) -> None:
    layer = layers.Conv2D(
        6, (3, 2), stride, padding, dilation_rate=dilation, groups=groups, activation="relu"
    )
    model = one_layer(layer, 10, 11, 4)
    x = whole_numbers(1, 10, 11, 4)
    kernel, bias = map(to_numpy, layer.weights)
    for channel in (0, 4):
        e = taken_apart(model, x, channel)
        first = channel // (6 // groups) * (4 // groups)
        assert list(e.inputs) == list(range(first, first + 4 // groups))
        for i, source in enumerate(e.inputs):
            wanted = by_loops(x[0, ..., source], kernel[..., i, channel], stride, dilation, padding)
            assert_allclose(e.contributions[i], wanted, atol=1e-12)
        assert e.bias == bias[channel]
        assert_allclose(e.output, np.maximum(e.pre_activation, 0))


def test_causal_padding_looks_back_only() -> None:
    model = one_layer(layers.Conv1D(2, 3, padding="causal", dilation_rate=2), 9, 2)
    e = taken_apart(model, whole_numbers(1, 9, 2), 1)
    assert_allclose(e.contributions[:, 0], e.kernel[:, -1] * e.maps[:, 0])


def test_a_separable_layer_has_its_two_stages() -> None:
    model = one_layer(layers.SeparableConv2D(3, 3, depth_multiplier=2, activation="relu"), 6, 7, 2)
    e = taken_apart(model, whole_numbers(1, 6, 7, 2), 2)
    maps, weights = e.stages
    assert maps.shape == (2, 2, 4, 5)
    assert_allclose((maps * weights[..., None, None]).sum(axis=1), e.contributions)


def test_dense_on_vectors_and_on_maps() -> None:
    model = one_layer(layers.Dense(3, activation="tanh"), 5)
    x = whole_numbers(1, 5)
    e = taken_apart(model, x, 1)
    kernel = to_numpy(model.layers[0].kernel)
    assert_allclose(e.contributions, x[0] * kernel[:, 1])
    assert e.function == "tanh"
    deep = one_layer(layers.Dense(3), 4, 6, 5)
    assert taken_apart(deep, whole_numbers(1, 4, 6, 5), 1).contributions.shape == (5, 4, 6)


def test_a_layer_without_bias() -> None:
    e = taken_apart(
        one_layer(layers.Conv2D(2, 3, use_bias=False), 5, 5, 1), np.ones((1, 5, 5, 1)), 0
    )
    assert e.bias == 0


def test_any_sample_and_the_value_before_the_activation() -> None:
    model = one_layer(layers.Conv2D(2, 3, activation="relu", name="c"), 5, 5, 2)
    x = whole_numbers(3, 5, 5, 2)
    second = ls.explain(model, x, "c:pre", 1, sample=2)
    assert_allclose(second.output, ls.explain(model, x[2:], "c", 1).output)
    assert_allclose(second.output, plain_relu(second.pre_activation))


def plain_relu(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(x > 0, x, 0)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_has_a_wider_bound(dtype: str) -> None:
    model = one_layer(layers.Conv2D(3, 3, dtype=dtype), 8, 8, 4)
    e = ls.explain(
        model, np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32"), 0, 1
    )
    assert e.residual < 0.02


def test_a_dead_channel_adds_up() -> None:
    model = one_layer(layers.Conv2D(2, 3), 5, 5, 1)
    model.layers[0].set_weights([np.zeros((3, 3, 1, 2)), np.zeros(2)])
    e = ls.explain(model, np.ones((1, 5, 5, 1), "float32"), 0, 0)
    assert e.residual == 0
    assert e.shares.tolist() == [0.0]


def test_shares_are_of_the_energy() -> None:
    model = one_layer(layers.Dense(1, use_bias=False), 2)
    model.layers[0].set_weights([np.array([[1.0], [3.0]])])
    e = ls.explain(model, np.ones((1, 2), "float32"), 0, 0)
    assert_allclose(e.shares, [0.1, 0.9])


class Doubled(layers.Conv2D):  # type: ignore[misc]
    """A convolution that does more than it says."""

    def call(self, x: Any) -> Any:
        return 2 * super().call(x)


def test_what_does_not_add_up_is_refused() -> None:
    model = one_layer(Doubled(2, 3, name="odd"), 5, 5, 1)
    with pytest.raises(ModelError) as caught:
        ls.explain(model, np.ones((1, 5, 5, 1), "float32"), "odd", 0)
    assert str(caught.value) == (
        "expected the contributions and the bias to add up to what odd (Doubled) computed for "
        "channel 0, but they differ by 0.5 of its largest value (allowed is 1e-05). The layer "
        "does something that its description does not say; nothing was drawn."
    )


def test_messages() -> None:
    model = small_weights(
        keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                layers.Conv2D(2, 3, name="c"),
                layers.Resizing(3, 3, name="p"),
            ]
        )
    )
    x = np.ones((1, 6, 6, 1), "float32")
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "p", 0)
    assert str(caught.value) == (
        "expected a layer to explain but p (Resizing) is not understood well enough to be taken "
        "apart. Convolutions and dense layers here are: c."
    )
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "c", 2)
    assert str(caught.value) == (
        "c has channels 0 to 1, but channel 2 was asked for. Choose one in that range."
    )
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "c", 0, sample=1)
    assert str(caught.value) == (
        "There is 1 input, numbered from 0, but sample 1 was asked for. Choose one of them."
    )
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "*", 0)
    assert str(caught.value) == (
        "expected one layer to explain but '*' chooses 2: c, p. Name one of them."
    )
