"""Every kind of layer against numpy: values, shape, axes and the number of parameters."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import oracle
from kerasmodels import everything, one, opened, small_weights, table, to_numpy, whole_numbers

pytestmark = pytest.mark.backend
layers = keras.layers

Oracle = Callable[..., Any]


def weights_of(layer: Any) -> list[Any]:
    return [to_numpy(weight).astype(np.float64) for weight in layer.weights]


def single(layer: Any, *shape: int | None) -> Any:
    inputs = keras.Input(shape)
    return small_weights(keras.Model(inputs, layer(inputs)))


CONVOLUTIONS: list[tuple[str, Callable[[], Any], tuple[int, ...], Oracle, str, int]] = [
    ("1d", lambda: layers.Conv1D(2, 3), (7, 2), oracle.convolution, "NTC", 14),
    (
        "1d causal", lambda: layers.Conv1D(2, 3, padding="causal", dilation_rate=2), (7, 2),
        lambda x, k, b: oracle.convolution(x, k, b, padding="causal", dilation=(2,)), "NTC", 14,
    ),
    ("2d", lambda: layers.Conv2D(3, (3, 2)), (5, 6, 2), oracle.convolution, "NHWC", 39),
    (
        "2d same", lambda: layers.Conv2D(2, (4, 3), padding="same", use_bias=False), (5, 6, 2),
        lambda x, k: oracle.convolution(x, k, padding="same"), "NHWC", 48,
    ),
    (
        "2d stride", lambda: layers.Conv2D(2, 3, strides=(2, 3), padding="same"), (7, 8, 1),
        lambda x, k, b: oracle.convolution(x, k, b, strides=(2, 3), padding="same"), "NHWC", 20,
    ),
    (
        "2d dilation", lambda: layers.Conv2D(2, 3, dilation_rate=(2, 1)), (7, 6, 2),
        lambda x, k, b: oracle.convolution(x, k, b, dilation=(2, 1)), "NHWC", 38,
    ),
    (
        "2d groups", lambda: layers.Conv2D(4, 2, groups=2), (4, 4, 6),
        lambda x, k, b: oracle.convolution(x, k, b, groups=2), "NHWC", 52,
    ),
    (
        "3d", lambda: layers.Conv3D(2, (2, 1, 3), strides=(1, 2, 1)), (3, 4, 5, 2),
        lambda x, k, b: oracle.convolution(x, k, b, strides=(1, 2, 1)), "NDHWC", 26,
    ),
    (
        "relu", lambda: layers.Conv2D(2, 2, activation="relu"), (4, 4, 2),
        lambda x, k, b: oracle.relu(oracle.convolution(x, k, b)), "NHWC", 18,
    ),
    (
        "depthwise", lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        (5, 4, 2), lambda x, k, b: oracle.depthwise(x, k, b, padding="same"), "NHWC", 40,
    ),
    (
        "depthwise 1d", lambda: layers.DepthwiseConv1D(3, strides=2), (7, 2),
        lambda x, k, b: oracle.depthwise(x, k, b, strides=(2,)), "NTC", 8,
    ),
    (
        "separable", lambda: layers.SeparableConv2D(3, 3, depth_multiplier=2), (5, 5, 2),
        lambda x, d, p, b: oracle.convolution(oracle.depthwise(x, d), p, b), "NHWC", 51,
    ),
    (
        "separable 1d", lambda: layers.SeparableConv1D(3, 3, padding="same"), (6, 2),
        lambda x, d, p, b: oracle.convolution(oracle.depthwise(x, d, padding="same"), p, b),
        "NTC", 15,
    ),
    (
        "transpose valid", lambda: layers.Conv2DTranspose(2, 3, strides=2), (3, 4, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (2, 2), "valid"), "NHWC", 38,
    ),
    (
        "transpose same", lambda: layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        (3, 4, 2), lambda x, k, b: oracle.transposed(x, k, b, (2, 2), "same"), "NHWC", 38,
    ),
    (
        "transpose 1d", lambda: layers.Conv1DTranspose(2, 2, strides=3), (4, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (3,), "valid"), "NTC", 10,
    ),
    (
        "transpose 3d", lambda: layers.Conv3DTranspose(1, 2, strides=2), (2, 3, 2, 2),
        lambda x, k, b: oracle.transposed(x, k, b, (2, 2, 2), "valid"), "NDHWC", 17,
    ),
    ("dense", lambda: layers.Dense(3), (4,), lambda x, k, b: x @ k + b, "NC", 15),
    ("dense on maps", lambda: layers.Dense(3), (2, 3, 4), lambda x, k, b: x @ k + b, "NHWC", 15),
]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "shape", "expected", "axes", "parameters"),
    [row[1:] for row in CONVOLUTIONS],
    ids=[row[0] for row in CONVOLUTIONS],
)
def test_weighted_layers_compute_what_loops_compute(
    build: Callable[[], Any], shape: tuple[int, ...], expected: Oracle, axes: str, parameters: int
) -> None:
    layer = build()
    model = single(layer, *shape)
    x = whole_numbers(2, *shape)
    wanted = expected(x.astype(np.float64), *weights_of(layer))
    (row,) = table(model)
    source = model.inputs[0].name
    kind = type(layer).__name__
    assert row == (layer.name, kind, (source,), (None, *wanted.shape[1:]), axes, parameters)
    # Whole numbers this small are exact in float32, in whatever order they are added.
    assert_array_equal(one(model, layer.name, x), wanted)
    assert_array_equal(one(model, layer.name, x, stream=True), wanted)


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: layers.Conv2D(4, 3, padding="same", strides=2, data_format="channels_first"),
            lambda x, k, b: oracle.convolution(x, k, b, strides=(2, 2), padding="same"),
        ),
        (
            lambda: layers.DepthwiseConv2D(3, data_format="channels_first"),
            lambda x, k, b: oracle.depthwise(x, k, b),
        ),
        (
            lambda: layers.MaxPooling2D(2, data_format="channels_first"),
            lambda x: oracle.pooling(x, (2, 2), (2, 2), "valid", "max"),
        ),
        (
            lambda: layers.UpSampling2D(2, data_format="channels_first"),
            lambda x: x.repeat(2, axis=1).repeat(2, axis=2),
        ),
    ],
)
def test_channels_first_is_the_same_layer_on_turned_arrays(
    build: Callable[[], Any], expected: Oracle
) -> None:
    layer = build()
    model = single(layer, 2, 5, 6)
    x = whole_numbers(2, 2, 5, 6)
    wanted = expected(np.moveaxis(x, 1, -1).astype(np.float64), *weights_of(layer))
    (node,) = opened(model).graph
    assert str(node.axes) == "NCHW"
    assert opened(model).graph.inputs[0].axes == node.axes
    assert_array_equal(one(model, layer.name, x), np.moveaxis(wanted, -1, 1))


POOLINGS: list[tuple[Callable[[], Any], tuple[int, ...], Oracle, str]] = [
    (
        lambda: layers.MaxPooling2D(2), (5, 6, 2),
        lambda x: oracle.pooling(x, (2, 2), (2, 2), "valid", "max"), "NHWC",
    ),
    (
        lambda: layers.MaxPooling2D(3, strides=2, padding="same"), (5, 6, 2),
        lambda x: oracle.pooling(x, (3, 3), (2, 2), "same", "max"), "NHWC",
    ),
    (
        lambda: layers.AveragePooling2D(2, strides=1, padding="same"), (4, 4, 2),
        lambda x: oracle.pooling(x, (2, 2), (1, 1), "same", "mean"), "NHWC",
    ),
    (
        lambda: layers.AveragePooling1D(2), (6, 2),
        lambda x: oracle.pooling(x, (2,), (2,), "valid", "mean"), "NTC",
    ),
    (
        lambda: layers.MaxPooling3D(2), (4, 2, 4, 2),
        lambda x: oracle.pooling(x, (2, 2, 2), (2, 2, 2), "valid", "max"), "NDHWC",
    ),
    (lambda: layers.GlobalMaxPooling2D(), (4, 4, 3), lambda x: x.max(axis=(1, 2)), "NC"),
    (lambda: layers.GlobalAveragePooling2D(), (4, 4, 3), lambda x: x.mean(axis=(1, 2)), "NC"),
    (
        lambda: layers.GlobalAveragePooling2D(keepdims=True), (4, 4, 3),
        lambda x: x.mean(axis=(1, 2), keepdims=True), "NHWC",
    ),
    (lambda: layers.GlobalAveragePooling1D(), (4, 3), lambda x: x.mean(axis=1), "NC"),
    (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), (3, 3, 2),
     lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), "NHWC"),
    (lambda: layers.Cropping2D(((1, 0), (0, 2))), (4, 4, 2), lambda x: x[:, 1:, :-2], "NHWC"),
    (
        lambda: layers.UpSampling2D((2, 3)), (2, 3, 2),
        lambda x: x.repeat(2, axis=1).repeat(3, axis=2), "NHWC",
    ),
    (lambda: layers.Permute((2, 1, 3)), (2, 3, 4), lambda x: x.transpose(0, 2, 1, 3), "NWHC"),
    (lambda: layers.Flatten(), (2, 3, 4), lambda x: x.reshape(2, -1), "NC"),
    (lambda: layers.Rescaling(0.5, offset=1), (2, 2, 1), lambda x: x * 0.5 + 1, "NHWC"),
    (lambda: layers.ReLU(max_value=2.0), (2, 2, 1), lambda x: np.clip(x, 0, 2), "NHWC"),
    (
        lambda: layers.LeakyReLU(negative_slope=0.5), (2, 2, 1),
        lambda x: np.where(x < 0, x / 2, x), "NHWC",
    ),
    (lambda: layers.Dropout(0.5), (2, 2, 1), lambda x: x, "NHWC"),
    (lambda: layers.GaussianNoise(0.9), (4,), lambda x: x, "NC"),
    (lambda: layers.RandomFlip(), (4, 4, 1), lambda x: x, "NHWC"),
    (lambda: layers.RandomRotation(0.3), (4, 4, 1), lambda x: x, "NHWC"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "shape", "expected", "axes"), POOLINGS)
def test_layers_without_weights_compute_what_numpy_computes(
    build: Callable[[], Any], shape: tuple[int, ...], expected: Oracle, axes: str
) -> None:
    layer = build()
    model = single(layer, *shape)
    x = whole_numbers(2, *shape)
    wanted = expected(x.astype(np.float64))
    (row,) = table(model)
    assert row[3:] == ((None, *wanted.shape[1:]), axes, 0)
    assert_allclose(one(model, layer.name, x), wanted, rtol=2e-7)


def test_batch_normalization_uses_the_moving_statistics() -> None:
    layer = layers.BatchNormalization(epsilon=0.25)
    model = single(layer, 3, 3, 2)
    for variable, values in zip(
        layer.weights, ([2.0, -1.0], [1.0, 2.0], [3.0, -2.0], [3.75, 0.0]), strict=True
    ):
        variable.assign(np.array(values))
    x = whole_numbers(2, 3, 3, 2)
    wanted = np.stack([(x[..., 0] - 3) / 2 * 2 + 1, (x[..., 1] + 2) / 0.5 * -1 + 2], axis=-1)
    assert_array_equal(one(model, layer.name, x), wanted)
    assert table(model)[0][3:] == ((None, 3, 3, 2), "NHWC", 8)


def test_layer_normalization() -> None:
    layer = layers.LayerNormalization(epsilon=0.5)
    model = single(layer, 4, 6)
    x = whole_numbers(2, 4, 6).astype(np.float64)
    gamma, beta = weights_of(layer)
    centred = x - x.mean(axis=-1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 0.5) * gamma + beta
    assert_allclose(one(model, layer.name, x.astype("float32")), wanted, rtol=1e-6, atol=1e-6)


CELLS: list[tuple[str, int, Callable[..., oracle.Cell]]] = [
    ("SimpleRNN", 1, oracle.simple_rnn),
    ("LSTM", 2, oracle.lstm),
    ("GRU", 1, oracle.gru),
]


def recurrent(kind: str, **options: Any) -> tuple[Any, Any]:
    inputs = keras.Input((5, 3))
    layer = getattr(layers, kind)(2, name="rnn", **options)
    model = keras.Model(inputs, layer(inputs))
    return small_weights(model, 0.25), layer


@pytest.mark.parametrize(("kind", "states", "cell"), CELLS)
def test_recurrent_layers_step_by_step(
    kind: str, states: int, cell: Callable[..., oracle.Cell]
) -> None:
    x = whole_numbers(2, 5, 3)
    model, layer = recurrent(kind, return_sequences=True, return_state=True)
    start = (np.zeros((2, 2)),) * states
    history = oracle.steps(cell(*weights_of(layer)), x.astype(np.float64), start)
    found = everything(model, x)
    assert list(found) == ["rnn", "rnn[1]", "rnn[2]"][: 1 + states]
    wanted = [np.stack([h[0] for h in history], axis=1), *history[-1]]
    for array, expected in zip(found.values(), wanted, strict=True):
        assert_allclose(array, expected, rtol=1e-5, atol=1e-6)
    rows = table(model)
    assert [row[3:5] for row in rows] == [((None, 5, 2), "NTC"), *[((None, 2), "NC")] * states]
    assert [row[5] for row in rows] == [layer.count_params(), *[0] * states]

    last, layer = recurrent(kind)
    assert_allclose(one(last, "rnn", x), history[-1][0], rtol=1e-5, atol=1e-6)
    assert table(last)[0][3:5] == ((None, 2), "NC")


def test_going_backwards_and_both_ways() -> None:
    x = whole_numbers(2, 5, 3)
    inputs = keras.Input((5, 3))
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True), name="both")
    model = small_weights(keras.Model(inputs, both(inputs)), 0.25)
    weights = weights_of(both)
    start = (np.zeros((2, 2)),) * 2
    forward = oracle.steps(oracle.lstm(*weights[:3]), x.astype(np.float64), start)
    backward = oracle.steps(oracle.lstm(*weights[3:]), x[:, ::-1].astype(np.float64), start)
    wanted = np.concatenate(
        [
            np.stack([h[0] for h in forward], axis=1),
            np.stack([h[0] for h in backward[::-1]], axis=1),
        ],
        axis=-1,
    )
    assert_allclose(one(model, "both", x), wanted, rtol=1e-5, atol=1e-6)
    (row,) = table(model)
    assert row[:2] == ("both", "Bidirectional")
    assert row[3:] == ((None, 5, 4), "NTC", 2 * 4 * (3 * 2 + 2 * 2 + 2))


def test_convolutional_lstm_over_pictures() -> None:
    x = whole_numbers(2, 3, 5, 5, 2)
    inputs = keras.Input((3, 5, 5, 2))
    layer = layers.ConvLSTM2D(2, 3, padding="same", return_sequences=True, name="c")
    model = small_weights(keras.Model(inputs, layer(inputs)), 0.125)
    start = (np.zeros((2, 5, 5, 2)),) * 2
    cell = oracle.conv_lstm(*weights_of(layer), padding="same")
    history = oracle.steps(cell, x.astype(np.float64), start)
    wanted = np.stack([h[0] for h in history], axis=1)
    assert_allclose(one(model, "c", x), wanted, rtol=1e-5, atol=1e-6)
    assert table(model)[0][3:5] == ((None, 3, 5, 5, 2), "NTHWC")


def test_a_masked_embedding_into_an_lstm_skips_the_masked_steps() -> None:
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(6, 3, mask_zero=True, name="words")
    layer = layers.LSTM(2, name="rnn")
    model = small_weights(keras.Model(inputs, layer(embedding(inputs))), 0.25)
    words = np.array([[1, 2, 3, 0, 0], [4, 0, 5, 1, 0]], "int32")
    (entries,) = weights_of(embedding)
    start = (np.zeros((2, 2)),) * 2
    history = oracle.steps(oracle.lstm(*weights_of(layer)), entries[words], start, words != 0)
    for stream in (False, True):
        found = everything(model, words, stream=stream)
        assert list(found) == ["words", "rnn"]
        assert_array_equal(found["words"], entries[words])
        assert_allclose(found["rnn"], history[-1][0], rtol=1e-5, atol=1e-6)
    assert [row[3:] for row in table(model)] == [
        ((None, 5, 3), "NTC", 18),
        ((None, 2), "NC", layer.count_params()),
    ]
    assert str(opened(model).graph.inputs[0].axes) == "NT"


def test_a_dense_layer_between_keeps_the_mask_also_when_taken_apart() -> None:
    inputs = keras.Input((4,), dtype="int32")
    x = layers.Embedding(5, 3, mask_zero=True, name="words")(inputs)
    x = layers.Dense(3, activation="relu", name="dense")(x)
    model = small_weights(keras.Model(inputs, layers.LSTM(2, name="rnn")(x)), 0.25)
    words = np.array([[1, 2, 0, 0]], "int32")
    found = opened(model)
    both = found.run(feeds_of(found, words), ["dense:pre", "rnn"])
    assert_array_equal(both["rnn"], one(model, "rnn", words))
    assert_array_equal(both["rnn"], to_numpy(model(words)))


def feeds_of(model: Any, *arrays: Any) -> dict[str, Any]:
    return dict(zip((node.name for node in model.graph.inputs), arrays, strict=True))


def test_attention_and_its_scores() -> None:
    query, value = keras.Input((4, 3)), keras.Input((5, 3))
    model = keras.Model([query, value], layers.Attention(name="a")([query, value]))
    q, v = whole_numbers(2, 4, 3) / 4, whole_numbers(2, 5, 3, seed=2) / 4
    scores = oracle.softmax(q.astype(np.float64) @ v.transpose(0, 2, 1))
    found = everything(model, q, v)
    assert_allclose(found["a"], scores @ v, rtol=1e-5, atol=1e-6)
    assert_allclose(found["a[1]"], scores, rtol=1e-5, atol=1e-6)
    assert [row[3:] for row in table(model)] == [
        ((None, 4, 3), "NTC", 0),
        ((None, 4, 5), "NQK", 0),
    ]


def multi_head(
    weights: list[Any], query: Any, value: Any, key: Any | None = None
) -> tuple[Any, Any]:
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    key = value if key is None else key
    q = np.einsum("btd,dhk->bhtk", query, wq) + bq[:, None]
    k = np.einsum("bsd,dhk->bhsk", key, wk) + bk[:, None]
    v = np.einsum("bsd,dhk->bhsk", value, wv) + bv[:, None]
    scores = oracle.softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(wq.shape[-1]))
    return np.einsum("bhtk,hkd->btd", scores @ v, wo) + bo, scores


@pytest.mark.parametrize("stated", [False, True])
def test_multi_head_attention_and_its_scores(stated: bool) -> None:
    query, value, key = keras.Input((4, 3)), keras.Input((5, 3)), keras.Input((5, 3))
    layer = layers.MultiHeadAttention(2, 4, name="mha")
    made = layer(query=query, value=value, key=key) if stated else layer(query, value, key)
    model = small_weights(keras.Model([query, value, key], made), 0.25)
    arrays = [whole_numbers(2, n, 3, seed=n + s) / 4 for n, s in ((4, 0), (5, 0), (5, 1))]
    wanted, scores = multi_head(weights_of(layer), *arrays)
    found = everything(model, *arrays)
    assert_allclose(found["mha"], wanted, rtol=1e-5, atol=1e-6)
    assert_allclose(found["mha[1]"], scores, rtol=1e-5, atol=1e-6)
    assert_allclose(one(model, "mha[1]", *arrays), scores, rtol=1e-5, atol=1e-6)
    assert [row[3:] for row in table(model)] == [
        ((None, 4, 3), "NTC", layer.count_params()),
        ((None, 2, 4, 5), "NAQK", 0),
    ]


def test_scores_that_the_model_itself_returns() -> None:
    inputs = keras.Input((4, 3))
    layer = layers.MultiHeadAttention(2, 4, name="mha")
    model = small_weights(
        keras.Model(inputs, layer(inputs, inputs, return_attention_scores=True)), 0.25
    )
    x = whole_numbers(2, 4, 3) / 4
    found = everything(model, x)
    assert list(found) == ["mha", "mha[1]"]
    wanted, scores = multi_head(weights_of(layer), x, x)
    assert_allclose(found["mha"], wanted, rtol=1e-5, atol=1e-6)
    assert_allclose(found["mha[1]"], scores, rtol=1e-5, atol=1e-6)
    assert [row[4] for row in table(model)] == ["NTC", "NAQK"]


def test_a_mask_is_no_key() -> None:
    inputs, mask = keras.Input((4, 3)), keras.Input((4, 4), dtype="bool")
    layer = layers.MultiHeadAttention(2, 4, name="mha")
    model = keras.Model([inputs, mask], layer(inputs, inputs, attention_mask=mask))
    assert table(model)[1][3] == (None, 2, 4, 4)
    x, lower = whole_numbers(1, 4, 3), np.tril(np.ones((1, 4, 4), bool))
    scores = one(model, "mha[1]", x, lower)
    assert not scores[0, :, ~lower[0]].any()


def test_time_distributed_applies_its_layer_to_each_step() -> None:
    inputs = keras.Input((3, 5, 5, 2))
    inner = layers.Conv2D(2, 3)
    layer = layers.TimeDistributed(inner, name="each")
    model = small_weights(keras.Model(inputs, layer(inputs)))
    x = whole_numbers(2, 3, 5, 5, 2)
    wanted = np.stack([oracle.convolution(x[:, t], *weights_of(inner)) for t in range(3)], axis=1)
    assert_array_equal(one(model, "each", x), wanted)
    (row,) = table(model)
    assert row[1] == "TimeDistributed"
    assert row[3] == (None, 3, 3, 3, 2)
    assert row[5] == 38


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda a, b: layers.Add()([a, b]), lambda a, b: a + b),
        (lambda a, b: layers.Subtract()([a, b]), lambda a, b: a - b),
        (lambda a, b: layers.Multiply()([a, b]), lambda a, b: a * b),
        (lambda a, b: layers.Average()([a, b]), lambda a, b: (a + b) / 2),
        (lambda a, b: layers.Maximum()([a, b]), np.maximum),
        (lambda a, b: layers.Concatenate()([a, b]), lambda a, b: np.concatenate([a, b], -1)),
        (
            lambda a, b: layers.Concatenate(axis=1)([a, b]),
            lambda a, b: np.concatenate([a, b], 1),
        ),
        (lambda a, b: a + b, lambda a, b: a + b),
        (lambda a, b: a * b - 2.0, lambda a, b: a * b - 2),
        (
            lambda a, b: keras.ops.concatenate([a, b], axis=-1),
            lambda a, b: np.concatenate([a, b], -1),
        ),
        (lambda a, b: keras.ops.maximum(a, b), np.maximum),
        (lambda a, b: (a + b)[:, 1:, ::2], lambda a, b: (a + b)[:, 1:, ::2]),
    ],
)  # fmt: skip
def test_joining_two_inputs(build: Callable[..., Any], expected: Oracle) -> None:
    a, b = keras.Input((4, 5, 2)), keras.Input((4, 5, 2))
    model = keras.Model([a, b], build(a, b))
    x, y = whole_numbers(2, 4, 5, 2), whole_numbers(2, 4, 5, 2, seed=2)
    found = everything(model, x, y)
    assert_array_equal(list(found.values())[-1], expected(x, y))
    assert table(model)[-1][4] == "NHWC"
