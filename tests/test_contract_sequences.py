"""Recurrent layers, embeddings and attention against numpy, step by step."""

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
