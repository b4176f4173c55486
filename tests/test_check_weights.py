"""Weights that nobody trained, and filters that are there twice."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from checks import found, layers, noise, only, stack, trained
from layerscope.explain.checkup.initial import _normal_below, looks_initial
from layerscope.explain.checkup.weights import same_columns

init = keras.initializers
USUAL = [
    *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform"),
    *("lecun_normal", init.RandomNormal(stddev=0.05), init.RandomUniform(-0.05, 0.05)),
    *(init.TruncatedNormal(stddev=0.02), init.RandomNormal(stddev=0.01)),
    init.VarianceScaling(2.0, "fan_out", "truncated_normal"),
    init.VarianceScaling(1.0 / 3, "fan_in", "uniform"),
]


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


def body() -> list[Any]:
    return [
        layers.Conv2D(16, 3, name="a"),
        layers.BatchNormalization(name="bn"),
        layers.Conv2D(16, 3, use_bias=False, name="b"),
        layers.BatchNormalization(name="bn2"),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10, name="d"),
    ]


@pytest.mark.parametrize("initializer", USUAL, ids=str)
@pytest.mark.parametrize("shape", [(3, 3, 16, 32), (1, 1, 64, 8), (7, 7, 3, 64), (300, 200)])
def test_every_usual_initializer_is_known(initializer: Any, shape: tuple[int, ...]) -> None:
    made = init.get(initializer)
    known = 0
    for seed in range(20):
        made = type(made).from_config({**made.get_config(), "seed": seed})
        known += looks_initial(keras.ops.convert_to_numpy(made(shape))) is True
    # Each of four tests fails by chance in far less than one of a thousand.
    assert known >= 19


def glorot(*shape: int) -> Any:
    """Drawn by numpy, from the distribution that Glorot and Bengio give."""
    taps = int(np.prod(shape[:-2]))
    bound = np.sqrt(6 / (taps * shape[-2] + taps * shape[-1]))
    return np.random.default_rng(4).uniform(-bound, bound, shape)


def with_one(kernel: Any, factor: float) -> Any:
    """The kernel with its largest value made larger."""
    kernel = kernel.copy()
    kernel.flat[np.abs(kernel).argmax()] *= factor
    return kernel


def test_bounds_are_kept_and_reached() -> None:
    kernel = glorot(3, 3, 32, 32)
    assert looks_initial(kernel) is True
    assert looks_initial(with_one(kernel, 1.01)) is False
    assert looks_initial(kernel * 0.99) is False


@pytest.mark.parametrize(
    "kernel",
    [
        np.random.default_rng(0).laplace(0, 0.05, (3, 3, 32, 32)),
        np.random.default_rng(0).normal(0, 0.03, (3, 3, 32, 32)),
        np.random.default_rng(0).normal(0.02, 0.0589, (3, 3, 32, 32)),
        np.random.default_rng(0).uniform(-0.09, 0.09, (3, 3, 32, 32)),
        np.random.default_rng(0).choice([-0.05, 0.05], (3, 3, 32, 32)),
        np.linspace(-0.1, 0.1, 3 * 3 * 32 * 32).reshape(3, 3, 32, 32) ** 3,
        np.full((3, 3, 4, 4), np.nan),
    ],
)
def test_other_kernels_are_none(kernel: Any) -> None:
    assert looks_initial(kernel) is False


def test_too_few_values_tell_nothing() -> None:
    assert looks_initial(np.random.default_rng(0).normal(size=(3, 3, 1, 2))) is None
    assert looks_initial(np.zeros((3, 3, 8, 8))) is None


def test_the_normal_distribution_is_scipy_s() -> None:
    stats = pytest.importorskip("scipy.stats")
    x = np.linspace(-7, 7, 5001)
    np.testing.assert_allclose(_normal_below(x), stats.norm.cdf(x), atol=1e-7)


def test_a_network_that_was_never_trained() -> None:
    one = only(stack((32, 32, 3), *body()), None, "untrained")
    assert one.as_json() == {
        "level": "warning",
        "code": "untrained",
        "node": None,
        "message": "All layers with weights (3 that can be told) hold random numbers as an "
        "initializer makes them: the network has not been trained, or its weights were not loaded.",
        "remedy": "Load the trained weights (--weights FILE, model.load_weights), or train it.",
    }


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_one_step_of_training_is_enough(optimizer: str) -> None:
    model = stack((16, 16, 3), *body())
    model.compile(optimizer, "mse")
    model.fit(noise(8, 16, 16, 3), noise(8, 10), batch_size=8, verbose=0)
    assert found(model, None, "untrained", "duplicate-filters") == []


def test_a_new_head_on_a_trained_network_is_told_alone() -> None:
    model = trained(stack((32, 32, 3), *body()))
    assert found(model, None, "untrained") == []
    head = stack((16,), layers.Dense(10)).layers[0].get_weights()
    model.get_layer("d").set_weights(head)
    one = only(model, None, "untrained")
    assert one.node == "d"
    assert one.message == (
        "d holds random numbers as an initializer makes them, unlike a and b: it has not been "
        "trained, or its weights were not loaded."
    )
    # Any one of the numbers beside a kernel shows that it was trained.
    model.get_layer("d").set_weights([head[0], head[1] + np.eye(10)[3] * 1e-6])
    assert found(model, None, "untrained") == []


def test_no_bias_alone_makes_a_kernel_new() -> None:
    model = stack((32, 32, 3), *body())
    kernel = np.random.default_rng(0).laplace(0, 0.05, (16, 10))
    model.get_layer("d").set_weights([kernel, np.zeros(10)])
    assert [one.node for one in found(model, None, "untrained")] == ["a", "b"]


def test_statistics_that_moved_show_that_a_kernel_was_trained() -> None:
    model = trained(stack((32, 32, 3), *body()))
    fresh = stack((32, 32, 3), *body())
    model.get_layer("b").set_weights(fresh.get_layer("b").get_weights())
    assert found(model, None, "untrained") == []
    model.get_layer("bn2").set_weights(fresh.get_layer("bn2").get_weights())
    assert only(model, None, "untrained").node == "b"


def test_zeros() -> None:
    model = trained(stack((32, 32, 3), *body()))
    model.get_layer("b").set_weights([np.zeros((3, 3, 16, 16))])
    one = only(model, None, "untrained")
    assert one.message == (
        "All weights of b are 0, so that what it gives does not depend on its input."
    )
    assert found(model, None, "duplicate-filters") == []


def test_depthwise_separable_and_transposed_layers() -> None:
    fresh = [
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.SeparableConv2D(24, 3),
        layers.Conv2DTranspose(16, 3),
        layers.Conv1D(8, 3),
    ]
    for layer in fresh:
        shape = (16, 8) if layer is fresh[-1] else (16, 16, 8)
        assert found(stack(shape, layer), None, "untrained"), layer
        assert found(trained(stack(shape, layer)), None, "untrained", "duplicate-filters") == []


def test_duplicate_filters() -> None:
    model = trained(stack((16, 16, 3), layers.Conv2D(12, 3, name="c"), layers.Dense(4)))
    kernel, bias = model.get_layer("c").get_weights()
    kernel[..., 7], bias[7] = kernel[..., 2], bias[2]
    kernel[..., 9], bias[9] = kernel[..., 2] * (1 + 1e-7), bias[2]
    kernel[..., 5], bias[5] = kernel[..., 4], bias[4]
    kernel[..., 11] = kernel[..., 10]  # another bias
    kernel[..., :2] = 0  # nothing is no duplicate
    model.get_layer("c").set_weights([kernel, bias])
    one = only(model, None, "duplicate-filters")
    assert (one.level, one.node) == ("note", "c")
    assert one.message == "5 of 12 filters of c are the same: 2, 7 and 9; 4 and 5."


def test_filters_that_all_started_the_same() -> None:
    layer = layers.Conv2D(6, 3, kernel_initializer="ones", name="c")
    one = only(stack((9, 9, 2), layer), None, "duplicate-filters")
    assert one.level == "warning"
    assert one.message == "All 6 filters of c are the same: 0, 1, 2, 3, 4 and 5."
    assert "random initializer" in one.remedy


def test_the_same_kernel_in_another_group_or_depthwise_is_no_duplicate() -> None:
    for layer in (layers.Conv2D(4, 3, groups=2, name="c"), layers.DepthwiseConv2D(3, name="c")):
        model = trained(stack((9, 9, 4), layer))
        kernel, bias = layer.get_weights()
        one = kernel[..., :1] if "Depthwise" not in type(layer).__name__ else kernel[:, :, :1]
        twin = np.concatenate([one] * 4, axis=2 if "Depthwise" in type(layer).__name__ else 3)
        layer.set_weights([twin, np.full_like(bias, 0.5)])
        seen = found(model, None, "duplicate-filters")
        if "Depthwise" in type(layer).__name__:
            assert seen == []
        else:
            assert seen[0].message == "All 4 filters of c have a twin: 0 and 1; 2 and 3."


def test_equal_columns_by_comparing_all_pairs() -> None:
    random = np.random.default_rng(2)
    for trial in range(30):
        columns = random.normal(size=(int(random.integers(1, 300)), 20)).astype("float32")
        for _ in range(int(random.integers(0, 8))):
            i, j = random.integers(0, 20, 2)
            columns[:, i] = columns[:, j] + (0 if trial % 2 else 1e-7)
        same = np.abs(columns[:, :, None] - columns[:, None]).max(axis=0) <= (
            1e-5 * np.abs(columns).max()
        )
        wanted = {tuple(map(int, np.flatnonzero(row))) for row in same if row.sum() > 1}
        assert set(same_columns(columns, None)) == wanted
