"""Normalisations, pooling, sums, products and activation functions, against numpy by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

import layerscope as ls
from kerasmodels import BACKEND, everything, opened, plain, small_weights, to_numpy, whole_numbers
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.applying import Applied
from layerscope.explain.chain import Chained
from layerscope.explain.contributions import Explanation
from layerscope.explain.copying import Copied, Copying
from layerscope.explain.explained import Sample
from layerscope.explain.joining import Joined
from layerscope.explain.pooling import Pooled
from layerscope.explain.provenance import Tracing, origins
from layerscope.explain.scaling import Scaled
from layerscope.explain.sizes import sizes_of

pytestmark = pytest.mark.backend
layers = keras.layers


def normal(*shape: int, seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def randomized(model: Any) -> Any:
    """Weights that are no round numbers, with variances above 0."""
    random = np.random.default_rng(5)
    for variable in model.weights:
        values = random.normal(size=variable.shape)
        positive = "variance" in variable.path
        variable.assign((np.abs(values) + 0.1 if positive else values).astype(variable.dtype))
    return model


def explained(layer: Any, x: NDArray[Any], channel: int) -> Any:
    """One layer on an array, its output being what Keras itself says."""
    model = randomized(keras.Sequential([keras.Input(x.shape[1:]), layer]))
    e = ls.explain(model, x, -1, channel)
    assert e.residual <= 1e-5
    assert_allclose(e.output, plain(model, x)[0][..., channel], rtol=1e-5, atol=1e-6)
    return e, model


def test_batch_normalisation_is_a_scale_and_a_shift() -> None:
    x = normal(1, 5, 4, 3)
    e, model = explained(layers.BatchNormalization(epsilon=0.01), x, 2)
    gamma, beta, mean, variance = (to_numpy(w)[2] for w in model.layers[-1].weights)
    assert isinstance(e, Scaled)
    assert not e.of_sample
    assert e.scale.shape == e.shift.shape == ()
    scale = gamma / np.sqrt(variance + 0.01)
    assert_allclose(e.scale, scale, rtol=1e-6)
    assert_allclose(e.shift, beta - mean * scale, rtol=1e-6)
    assert_allclose(e.given, x[0, :, :, 2])
    assert_allclose(e.given * e.scale + e.shift, e.output, rtol=1e-5, atol=1e-6)
    assert_allclose(float(e.terms["gamma"]), gamma)


@pytest.mark.parametrize(("center", "scale"), [(False, True), (True, False), (False, False)])
def test_what_a_normalisation_leaves_out_is_1_and_0(center: bool, scale: bool) -> None:
    e, model = explained(layers.BatchNormalization(center=center, scale=scale), normal(1, 4, 2), 1)
    names = {w.name for w in model.layers[-1].weights}
    assert ("beta" in names, "gamma" in names) == (center, scale)
    assert scale or float(e.terms["gamma"]) == 1
    assert center or float(e.terms["beta"]) == 0


def test_batch_normalisation_along_another_axis_scales_place_by_place() -> None:
    x = normal(1, 5, 4, 3)
    e, model = explained(layers.BatchNormalization(axis=1), x, 2)
    gamma, _, _, variance = map(to_numpy, model.layers[-1].weights)
    rows = gamma / np.sqrt(variance + 0.001)
    assert_allclose(e.scale, np.repeat(rows[:, None], 4, axis=1), rtol=1e-6)


def test_layer_normalisation_depends_on_the_sample() -> None:
    x = normal(2, 3, 4, 6)
    model = randomized(keras.Sequential([keras.Input((3, 4, 6)), layers.LayerNormalization()]))
    gamma, beta = map(to_numpy, model.layers[-1].weights)
    for sample in (0, 1):
        e = ls.explain(model, x, -1, 4, sample=sample)
        one = x[sample].astype(np.float64)
        scale = gamma[4] / np.sqrt(one.var(axis=-1) + 0.001)
        assert e.of_sample
        assert_allclose(e.scale, scale, rtol=1e-6)
        assert_allclose(e.shift, beta[4] - one.mean(axis=-1) * scale, rtol=1e-5, atol=1e-7)
        assert_allclose(e.output, plain(model, x)[sample, :, :, 4], rtol=1e-5, atol=1e-6)


def test_group_normalisation_has_one_scale_for_each_sample() -> None:
    x = normal(1, 3, 4, 6)
    e, model = explained(layers.GroupNormalization(groups=3), x, 3)
    gamma = to_numpy(model.layers[-1].weights[0])
    group = x[0, :, :, 2:4].astype(np.float64)
    assert e.of_sample
    assert e.scale.shape == ()
    assert_allclose(e.scale, gamma[3] / np.sqrt(group.var() + 0.001), rtol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.GroupNormalization(groups=-1),
        lambda: layers.GroupNormalization(groups=1),
        lambda: layers.UnitNormalization(),
        lambda: layers.RMSNormalization(),
        lambda: layers.LayerNormalization(axis=[1, 2, 3]),
        lambda: layers.Rescaling(1 / 127.5, -1),
        lambda: layers.Rescaling([0.5, 2.0, -1.0, 3.0, 1.0, 0.1]),
        lambda: layers.Normalization(mean=[1, 2, 3, 4, 5, 6], variance=[1, 4, 9, 16, 25, 0.25]),
        lambda: layers.Normalization(mean=2.0, variance=9.0, axis=None),
    ],
)
def test_every_normalisation_is_what_the_network_computed(layer: Callable[[], Any]) -> None:
    e, _ = explained(layer(), normal(1, 3, 4, 6) + 1, 5)
    assert isinstance(e, Scaled)
    assert_allclose(e.given * e.scale + e.shift, e.output, rtol=1e-4, atol=1e-5)


def test_numbers_in_the_code_of_a_network_are_scales_and_shifts() -> None:
    x = keras.Input((3, 2))
    channels = np.array([2.0, -3.0], np.float32)
    steps = [x * 2.0, x + channels, 1.5 - x, x - 1.5, x / 4.0, x * channels]
    model = keras.Model(x, steps)
    names = opened(model).graph.outputs
    data = whole_numbers(1, 3, 2)
    found = [ls.explain(model, data, name, 1) for name in names]
    assert [(float(e.scale), float(e.shift)) for e in found] == [
        (2, 0), (1, -3), (-1, 1.5), (1, -1.5), (0.25, 0), (-3, 0)
    ]  # fmt: skip


def pooled_by_loops(x: NDArray[Any], size: int, stride: int, same: bool) -> Any:
    """Every output's winning position (the first of equal ones) and the values of its window."""
    height, width = x.shape
    outs = [-(-n // stride) if same else (n - size) // stride + 1 for n in x.shape]
    before = [
        max((o - 1) * stride + size - n, 0) // 2 if same else 0
        for o, n in zip(outs, x.shape, strict=True)
    ]
    winners, held = {}, {}
    for i, j in np.ndindex(*outs):
        places = [
            (r, c)
            for r in range(i * stride - before[0], i * stride - before[0] + size)
            for c in range(j * stride - before[1], j * stride - before[1] + size)
            if 0 <= r < height and 0 <= c < width
        ]
        winners[i, j] = max(places, key=lambda place: x[place])
        held[i, j] = [x[place] for place in places]
    return winners, held


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_pooling_tells_who_won(padding: str, size: int, stride: int) -> None:
    x = whole_numbers(1, 7, 6, 2)
    winners, held = pooled_by_loops(x[0, :, :, 1], size, stride, padding == "same")
    e, _ = explained(layers.MaxPooling2D(size, stride, padding), x, 1)
    assert isinstance(e, Pooled)
    assert e.residual == 0
    wins = np.zeros((7, 6), int)
    for at, winner in winners.items():
        assert e.winner(at) == winner
        wins[winner] += 1
        values, inside = e.window(at)
        assert list(values[inside]) == held[at]
        (top, bottom), (left, right) = e.place(at)
        assert (bottom - top) * (right - left) == inside.sum()
    assert (e.wins == wins).all()

    mean, _ = explained(layers.AveragePooling2D(size, stride, padding), x, 1)
    assert mean.wins is None
    assert mean.winner((0, 0)) is None
    for at, values in held.items():
        read, inside = mean.window(at)
        assert_allclose(mean.output[at], read[inside].mean(), rtol=1e-5, atol=1e-6)
        # On torch Keras repeats the border where the two sides are not padded alike.
        assert list(read[inside]) == values or (BACKEND == "torch" and inside.all())


@pytest.mark.parametrize("keepdims", [False, True])
def test_pooling_over_all_places(keepdims: bool) -> None:
    x = normal(1, 4, 5, 3)
    e, _ = explained(layers.GlobalMaxPooling2D(keepdims=keepdims), x, 2)
    at = (0, 0) if keepdims else ()
    assert e.winner(at) == np.unravel_index(x[0, :, :, 2].argmax(), (4, 5))
    assert e.wins.sum() == 1
    mean, _ = explained(layers.GlobalAveragePooling2D(keepdims=keepdims), x, 2)
    assert_allclose(mean.output, np.full(mean.output.shape, x[0, :, :, 2].mean()), rtol=1e-5)
    assert mean.window(at)[0].shape == (4, 5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.MaxPooling1D(3, 2, "same"), (1, 8, 2)),
        (layers.AveragePooling1D(2), (1, 7, 2)),
        (layers.MaxPooling3D(2), (1, 4, 5, 6, 2)),
        (layers.AveragePooling3D((1, 2, 3), padding="same"), (1, 4, 5, 6, 2)),
    ],
)
def test_pooling_in_other_dimensions(layer: Any, shape: tuple[int, ...]) -> None:
    e, _ = explained(layer, normal(*shape), 1)
    for at in np.ndindex(e.output.shape):
        values, inside = e.window(at)
        expected = values[inside].max() if e.wins is not None else values[inside].mean()
        assert_allclose(e.output[at], expected, rtol=1e-5, atol=1e-6)
        if e.wins is not None:
            assert e.given[e.winner(at)] == e.output[at]


def joined(layer: Any, *parts: NDArray[Any], channel: int = 1) -> Any:
    inputs = [keras.Input(part.shape[1:], name=f"x{i}") for i, part in enumerate(parts)]
    model = keras.Model(inputs, layer(inputs))
    given = {f"x{i}": part for i, part in enumerate(parts)}
    return ls.explain(model, given, -1, channel), plain(model, *parts)[0][..., channel]


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (layers.Add(), lambda a, b: a + b),
        (layers.Subtract(), lambda a, b: a - b),
        (layers.Multiply(), lambda a, b: a * b),
        (layers.Average(), lambda a, b: (a + b) / 2),
        (layers.Maximum(), np.maximum),
        (layers.Minimum(), np.minimum),
    ],
)
def test_which_branch_gave_what(layer: Any, function: Any) -> None:
    a, b = whole_numbers(1, 4, 5, 3), whole_numbers(1, 4, 5, 3, seed=8)
    e, output = joined(layer, a, b)
    assert isinstance(e, Joined)
    assert_allclose(e.parts[0], a[0, :, :, 1])
    assert_allclose(e.parts[1], b[0, :, :, 1])
    assert_allclose(e.output, function(*e.parts), rtol=1e-6)
    assert_allclose(e.output, output)
    assert [source.name for source in e.sources] == ["x0", "x1"]
    energy = [np.square(part.astype(float)).sum() for part in e.parts]
    if isinstance(layer, layers.Maximum | layers.Minimum):
        pick = np.argmax if isinstance(layer, layers.Maximum) else np.argmin
        first = pick(np.stack(e.parts), axis=0)
        assert (e.winners == first).all()
        assert e.shares == ((first == 0).mean(), (first == 1).mean())
    elif isinstance(layer, layers.Multiply):
        assert e.shares is None
    else:
        assert_allclose(e.shares, np.array(energy) / sum(energy))


def test_a_gate_of_one_value_a_channel_is_repeated() -> None:
    maps, gate = normal(1, 4, 5, 3), normal(1, 1, 1, 3)
    e, output = joined(layers.Multiply(), maps, gate, channel=2)
    assert (e.parts[1] == gate[0, 0, 0, 2]).all()
    assert e.parts[1].shape == (4, 5)
    assert_allclose(e.output, output, rtol=1e-6)


def test_three_inputs_and_joining_along_rows() -> None:
    parts = [normal(1, 4, 5, 3, seed=i) for i in range(3)]
    e, _ = joined(layers.Add(), *parts)
    assert len(e.parts) == len(e.shares) == 3
    assert_allclose(sum(e.shares), 1)
    e, output = joined(layers.Concatenate(axis=1), *parts[:2], normal(1, 2, 5, 3))
    assert (e.function, e.axis) == ("concatenate", 0)
    assert [part.shape for part in e.parts] == [(4, 5), (4, 5), (2, 5)]
    assert_allclose(e.output, output)


FUNCTIONS = [
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "sigmoid", "log_sigmoid", "hard_sigmoid",
    "silu", "hard_silu", "gelu", "mish", "tanh", "softplus", "softsign", "softmax", "log_softmax",
    "exponential", "linear",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_activation_function(name: str) -> None:
    x = 3 * normal(1, 4, 5, 3)
    e, _ = explained(layers.Activation(name), x, 1)
    if name == "linear":
        # Nothing but the input itself, which no layer made.
        assert isinstance(e, Applied | Copied)
        return
    assert isinstance(e, Applied)
    assert e.known
    assert_allclose(e.given, x[0, :, :, 1])


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.5),
        lambda: layers.LeakyReLU(0.07),
        lambda: layers.PReLU(shared_axes=[1, 2]),
        lambda: layers.PReLU(),
        lambda: layers.ELU(0.4),
        lambda: layers.Softmax(axis=1),
        lambda: layers.Softmax(axis=-2),
    ],
)
def test_layers_with_their_own_numbers(layer: Callable[[], Any]) -> None:
    e, _ = explained(layer(), 3 * normal(1, 4, 5, 3), 2)
    assert isinstance(e, Applied)
    assert e.known


def test_what_is_not_known_is_not_said_to_be_checked() -> None:
    def odd(x: Any) -> Any:
        return x * 2

    model = keras.Sequential([keras.Input((3, 3, 2)), layers.Activation(odd, name="odd")])
    e = ls.explain(model, normal(1, 3, 3, 2), "odd", 0)
    assert not e.known
    assert np.isnan(e.residual)
    assert_allclose(e.output, 2 * e.given)


def test_a_function_that_is_not_what_its_name_says_is_refused() -> None:
    def tanh(x: Any) -> Any:
        return keras.ops.tanh(x) + 0.5

    model = keras.Sequential([keras.Input((3, 3, 2)), layers.Activation(tanh, name="a")])
    with pytest.raises(ModelError) as caught:
        ls.explain(model, np.zeros((1, 3, 3, 2), np.float32), "a", 0)
    assert str(caught.value) == (
        "expected tanh of its input to be what a (Activation) computed for channel 0, but they "
        "differ by 1 of its largest value (allowed is 1e-05). The layer does something that its "
        "description does not say; nothing was drawn."
    )


class Biased(layers.BatchNormalization):
    """A batch normalisation that adds what it does not say."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return super().call(inputs, training=training, mask=mask) + 1


def test_a_normalisation_that_does_something_else_is_refused() -> None:
    model = randomized(keras.Sequential([keras.Input((3, 3, 2)), Biased(name="n")]))
    with pytest.raises(ModelError) as caught:
        ls.explain(model, normal(1, 3, 3, 2), "n", 1)
    assert str(caught.value).startswith(
        "expected the input × scale + shift to be what n (Biased) computed for channel 1, but "
        "they differ by "
    )


def chain(*between: Any, use_bias: bool = True) -> Any:
    return randomized(
        keras.Sequential(
            [
                keras.Input((7, 6, 4)),
                layers.Conv2D(5, 3, padding="same", use_bias=use_bias, name="conv"),
                *between,
            ]
        )
    )


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_chain_is_taken_apart_as_one(use_bias: bool) -> None:
    model = chain(
        layers.BatchNormalization(name="bn"),
        layers.Dropout(0.5),
        layers.ReLU(name="end"),
        use_bias=use_bias,
    )
    x = normal(1, 7, 6, 4)
    e = ls.explain(model, x, "end", 3, chain=True)
    assert isinstance(e, Chained)
    assert isinstance(e, Explanation)
    assert [node.name for node in e.nodes] == ["conv", "bn", "dropout", "end"] or (
        [node.type for node in e.nodes] == ["Conv2D", "BatchNormalization", "Dropout", "ReLU"]
    )
    gamma, beta, mean, variance = (to_numpy(w)[3] for w in model.get_layer("bn").weights)
    scale = gamma / np.sqrt(variance + 0.001)
    own = ls.explain(model, x, "conv", 3)
    assert_allclose(e.contributions, own.contributions * scale, rtol=1e-6)
    assert_allclose(e.kernel, own.kernel * scale, rtol=1e-6)
    assert_allclose(e.bias, (own.bias - mean) * scale + beta, rtol=1e-6)
    assert_allclose(e.scale, scale, rtol=1e-6)
    assert_allclose(e.sum + e.bias, e.pre_activation, rtol=1e-4, atol=1e-5)
    assert_allclose(e.output, np.maximum(e.pre_activation, 0))
    assert_allclose(e.output, plain(model, x)[0, :, :, 3], rtol=1e-6)
    assert e.function == "relu"
    assert e.residual <= 1e-5


def test_chains_of_other_layers() -> None:
    x = normal(1, 7, 6, 4)
    for first in (
        layers.DepthwiseConv2D(3, name="conv"),
        layers.SeparableConv2D(5, 3, name="conv"),
        layers.Conv2DTranspose(5, 3, strides=2, name="conv"),
        layers.Dense(5, name="conv"),
    ):
        model = randomized(
            keras.Sequential(
                [
                    keras.Input((7, 6, 4)),
                    first,
                    layers.Rescaling(0.5, 2.0),
                    layers.BatchNormalization(),
                    layers.Activation("tanh", name="end"),
                ]
            )
        )
        e = ls.explain(model, x, "end", 2, chain=True)
        assert_allclose(np.tanh(e.sum + e.bias), plain(model, x)[0, ..., 2], rtol=1e-4, atol=1e-5)


def test_a_chain_through_a_join() -> None:
    x = keras.Input((6, 6, 2))
    a = layers.ReLU(name="r")(layers.Conv2D(3, 1, name="a")(x))
    model = randomized(keras.Model(x, layers.Concatenate(name="both")([x, a])))
    data = normal(1, 6, 6, 2)
    e = ls.explain(model, data, "both", 4, chain=True)
    assert (e.node.name, e.channel) == ("r", 2)
    assert_allclose(e.output, plain(model, data)[0, :, :, 4], rtol=1e-6)


class Shifting(layers.Dropout):
    """A dropout that adds what it does not say."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        return super().call(inputs, training=training) + 1


def test_a_chain_that_is_changed_in_between_is_refused() -> None:
    model = chain(Shifting(0.5, name="drop"), layers.ReLU(name="r"))
    with pytest.raises(ModelError) as caught:
        ls.explain(model, normal(1, 7, 6, 4), "r", 0, chain=True)
    assert str(caught.value) == (
        "expected drop (Shifting) to pass its input on but it changes it, so that its chain is no "
        "sum. Leave --chain out."
    )


def test_what_is_no_chain() -> None:
    x = normal(1, 7, 6, 4)
    model = chain(layers.ReLU(name="r"), layers.BatchNormalization(name="bn"))
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "bn", 0, chain=True)
    assert str(caught.value) == (
        "expected the activation function of a chain to be its last step but bn "
        "(BatchNormalization) comes after it, so that the chain of bn is no sum. Leave --chain "
        "out, or name the node before."
    )
    model = chain(layers.MaxPooling2D(name="p"), layers.ReLU(name="r"))
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "r", 0, chain=True)
    assert str(caught.value) == (
        "expected the end of a chain of a convolution or dense layer, then normalisations, biases "
        "and an activation function, but r (ReLU) comes after p (MaxPooling2D). Leave --chain out."
    )


def test_copies_are_explained_where_they_are_made() -> None:
    x = keras.Input((6, 5, 2))
    a = layers.Conv2D(3, 3, name="a")(x)
    turned = layers.Permute((2, 1, 3), name="turned")(a)
    model = small_weights(keras.Model(x, layers.Flatten(name="flat")(turned)))
    data = whole_numbers(1, 6, 5, 2)
    # Element 14 of 3 × 4 × 3: row 1, column 0, channel 2 of what was turned.
    e = ls.explain(model, data, "flat", 14)
    assert (e.node.name, e.channel) == ("a", 2)
    assert plain(model, data)[0, 14] == e.output[0, 1]
    # The network's own input is made by nothing: the copy itself is shown.
    model = keras.Model(x, layers.Cropping2D(1, name="crop")(x))
    e = ls.explain(model, data, "crop", 1)
    assert isinstance(e, Copied)
    assert_allclose(e.output, data[0, 1:-1, 1:-1, 1])
    assert e.places.at((0, 0)) == (1, 1)


class Brighter(layers.Cropping2D):
    """A crop that adds what it does not say."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) + 1


def test_what_may_do_more_than_copy_is_not_traced() -> None:
    x = keras.Input((6, 6, 2))
    model = small_weights(keras.Model(x, Brighter(1, name="b")(layers.Conv2D(2, 1, name="c")(x))))
    graph = opened(model).graph
    assert origins(graph, graph["b"]) == (("b", 0), ("b", 1))
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, whole_numbers(1, 6, 6, 2), "b", 1)
    assert str(caught.value) == (
        "expected a layer to explain but b (Brighter) is not understood well enough to be taken "
        "apart. Convolutions and dense layers here are: c."
    )


def test_a_copy_with_other_values_is_refused() -> None:
    x = keras.Input((6, 6, 2), name="x")
    found = opened(keras.Model(x, layers.Cropping2D(1, name="crop")(x)))
    graph, data = found.graph, whole_numbers(1, 6, 6, 2)
    values = everything(found, data)["crop"][0]
    tracing = Tracing(graph, graph["crop"], sizes_of(graph))
    given = {"x": Sample(graph.inputs[0], data[0])}
    assert Copying(Sample(graph["crop"], values), given, tracing).explain(1).residual == 0
    values = values.copy()
    values[2, 3, 1] += 1
    with pytest.raises(ModelError) as caught:
        Copying(Sample(graph["crop"], values), given, tracing).explain(1)
    assert str(caught.value).startswith(
        "expected the values of x:1 to be what crop (Cropping2D) computed for channel 1, but they "
        "differ by "
    )


def test_channels_first() -> None:
    x = keras.Input((4, 6, 5))
    y = layers.ZeroPadding2D(1, data_format="channels_first")(x)
    y = layers.BatchNormalization(axis=1, name="bn")(y)
    y = layers.Cropping2D(1, data_format="channels_first", name="crop")(y)
    model = randomized(keras.Model(x, y))
    data = normal(1, 4, 6, 5)
    e = ls.explain(model, data, "crop", 3)
    assert (e.node.name, e.channel) == ("bn", 3)
    gamma, _, _, variance = (to_numpy(w)[3] for w in model.get_layer("bn").weights)
    assert_allclose(e.scale, gamma / np.sqrt(variance + 0.001), rtol=1e-6)
    assert_allclose(e.output[1:-1, 1:-1], plain(model, data)[0, 3], rtol=1e-6)


# JAX has no double precision unless told, and torch normalises in single precision.
DTYPES = ["float16", "bfloat16", *(["float64"] if BACKEND == "tensorflow" else [])]


@pytest.mark.parametrize("dtype", DTYPES)
def test_other_precisions(dtype: str) -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, dtype=dtype, name="c"),
            layers.BatchNormalization(dtype=dtype, name="n"),
            layers.Activation("sigmoid", dtype=dtype, name="s"),
            layers.AveragePooling2D(2, dtype=dtype, name="p"),
        ]
    )
    x = normal(1, 6, 6, 3)
    for name, kind in (("n", Scaled), ("s", Applied), ("p", Pooled)):
        assert isinstance(ls.explain(model, x, name, 1), kind)
    assert isinstance(ls.explain(model, x, "s", 1, chain=True), Chained)


def test_channels_and_places_that_do_not_exist() -> None:
    model = chain(layers.MaxPooling2D(name="p"))
    x = normal(1, 7, 6, 4)
    with pytest.raises(SelectionError) as caught:
        ls.explain(model, x, "p", 5)
    assert str(caught.value) == (
        "p has channels 0 to 4, but channel 5 was asked for. Choose one in that range."
    )
    e = ls.explain(model, x, "p", 0)
    with pytest.raises(SelectionError) as caught:
        e.window((3, 0))
    assert str(caught.value) == "expected a place in p from 0,0 to 2,2 but got 3,0."
