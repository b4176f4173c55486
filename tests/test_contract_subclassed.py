"""Models and layers of people's own classes: their nodes, and what each of them gives."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasmodels import (
    BACKEND,
    agrees,
    dense,
    feeds,
    names,
    one,
    opened,
    plain,
    small_weights,
    weights,
    whole_numbers,
)

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


def test_layers_that_return_several_tensors() -> None:
    class Split(layers.Layer):
        def call(self, x: Any) -> Any:
            return {"positive": ops.relu(x), "negative": -ops.relu(-x)}

    class Pair(layers.Layer):
        def call(self, x: Any) -> Any:
            return x + 1, (x * 2, x - 1)

    inputs = keras.Input((3,), name="i")
    parts = Split(name="split")(inputs)
    one_, (two, three) = Pair(name="pair")(parts["positive"])
    model = keras.Model(inputs, [one_, two, three, parts["negative"]])
    x = whole_numbers(2, 3)
    found = agrees(model, x)
    assert list(found) == ["split", "split[1]", "pair", "pair[1]", "pair[2]"]
    # Dictionaries are in the order of their keys.
    assert_array_equal(found["split"], np.minimum(x, 0))
    assert_array_equal(found["split[1]"], np.maximum(x, 0))
    assert_array_equal(found["pair[1]"], np.maximum(x, 0) * 2)
    assert opened(model).graph.outputs == ("pair", "pair[1]", "pair[2]", "split")
    assert opened(model).graph["pair[1]"].inputs == ("split[1]",)


def test_a_layer_whose_specification_is_its_input() -> None:
    class Double(layers.Layer):
        def compute_output_spec(self, x: Any) -> Any:
            return x

        def call(self, x: Any) -> Any:
            return x * 2

    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.twice = Double(name="double")

        def call(self, x: Any) -> Any:
            return self.twice(x) + x

    model = Block()
    x = whole_numbers(2, 3)
    model(x)
    found = agrees(model, x)
    assert_array_equal(found["double"], 2 * x)
    assert_array_equal(found["add"], 3 * x)


def test_layers_derived_from_keras_own_are_one_node() -> None:
    class MyLSTM(layers.LSTM):
        pass

    class MyBoth(layers.Bidirectional):
        def call(
            self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None
        ) -> Any:
            return super().call(sequences, initial_state, mask, training)

    inputs = keras.Input((4, 3), name="i")
    x = MyLSTM(2, return_sequences=True, name="mine")(inputs)
    model = small_weights(keras.Model(inputs, MyBoth(layers.GRU(2), name="both")(x)), 0.25)
    assert names(model) == ["mine", "both"]
    assert [node.operation.kind for node in opened(model).graph] == ["recurrent"] * 2
    agrees(model, whole_numbers(2, 4, 3))


class Residual(layers.Layer):
    """Two dense layers in a list, and what came in added to what goes out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.steps = [layers.Dense(3, name="one"), layers.Dense(3, name="two")]

    def build(self, shape: Any) -> None:
        for step in self.steps:
            step.build(shape)

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        y = x
        for step in self.steps:
            y = ops.relu(step(y))
        return x + y


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="net")
        self.first = Residual(name="block")
        self.more = [Residual(name="block_1"), layers.Dropout(0.5, name="drop")]
        self.head = layers.Dense(2, name="head")

    def call(self, x: Any, training: bool | None = None) -> Any:
        x = self.first(x, training=training)
        for layer in self.more:
            x = layer(x, training=training)
        batch = ops.shape(x)[0]
        return self.head(ops.reshape(x, (batch, 3)) if self.reshaped else x)

    reshaped = False


@pytest.mark.parametrize("reshaped", [False, True])
def test_a_subclassed_model_of_blocks(reshaped: bool) -> None:
    model = Subclassed()
    model.reshaped = reshaped
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)
    layers_ = [
        "block/one", "block/two", "block", "block_1/one", "block_1/two", "block_1", "drop", "head",
    ]  # fmt: skip
    wanted = list(layers_)
    if not reshaped:
        for block in ("block", "block_1"):
            wanted.insert(wanted.index(f"{block}/two"), f"{block}/relu")
            at = wanted.index(f"{block}/two") + 1
            wanted[at:at] = [f"{block}/relu_1", f"{block}/add"]
    assert names(model) == wanted
    found = agrees(model, x)
    value = x
    for path, block in (("block", model.first), ("block_1", model.more[0])):
        y = dense(value, block.steps[0])
        assert_array_equal(found[f"{path}/one"], y)
        y = dense(np.maximum(y, 0), block.steps[1])
        assert_array_equal(found[f"{path}/two"], y)
        value = value + np.maximum(y, 0)
        assert_array_equal(found[path], value)
    assert_array_equal(found["drop"], value)
    assert_array_equal(found["head"], dense(value, model.head))
    node = opened(model).graph["block_1"]
    assert (node.inputs, node.parameters) == (("block",), 24)


def raw_relu(x: Any) -> Any:
    """max(x, 0) by the backend's own function, which knows no symbolic tensors."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.nn.relu(tf.reshape(x, (-1, 3)))
    if BACKEND == "jax":
        import jax

        return jax.nn.relu(jax.numpy.reshape(x, (-1, 3)))
    import torch

    return torch.relu(torch.reshape(x, (-1, 3)))


class Raw(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="raw")
        self.a, self.b = layers.Dense(3, name="a"), layers.Dense(3, name="b", activation="relu")
        self.block = Residual(name="block")

    def call(self, x: Any) -> Any:
        return self.block(self.b(raw_relu(self.a(x)) + x))


def test_a_model_with_the_backends_own_operations_is_recorded() -> None:
    model = Raw()
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)
    found = opened(model)
    assert [(n.name, n.inputs, n.shape) for n in found.graph] == [
        ("a", ("input",), (None, 3)),
        ("b", ("a", "input"), (None, 3)),
        ("block/one", ("b",), (None, 3)),
        ("block/two", ("block/one",), (None, 3)),
        ("block", ("b",), (None, 3)),
    ]
    a = dense(x, model.a)
    pre = dense(np.maximum(a, 0) + x, model.b)
    for stream in (False, True):
        values = found.run(feeds(found, x), ["b:pre", "a", "b", "block"], stream=stream)
        assert list(values) == ["b:pre", "a", "b", "block"]
        assert_array_equal(values["a"], a)
        assert_array_equal(values["b:pre"], pre)
        assert_array_equal(values["b"], np.maximum(pre, 0))
        assert_array_equal(values["block"], plain(model, x))
    assert found.graph.outputs == ("block",)
    more = whole_numbers(5, 3, seed=5)
    assert_array_equal(one(found, "a", more, stream=True), dense(more, model.a))


def test_weights_used_outside_any_layer_are_read_when_the_model_runs() -> None:
    class Scaled(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a = layers.Dense(3, name="a")
            self.scale = self.add_weight(shape=(3,), name="scale", initializer="ones")

        def call(self, x: Any) -> Any:
            return self.a(x) * (self.scale + 1.0)

    model = Scaled()
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)

    class Outer(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.last = model, layers.ReLU(name="last")

        def call(self, x: Any) -> Any:
            return self.last(self.inner(x))

    outer = Outer()
    outer(x)
    found = opened(outer)
    for value in (1.0, 2.0, -3.0):
        model.scale.assign(np.full(3, value, "float32"))
        for stream in (False, True):
            wanted = np.maximum(dense(x, model.a) * (value + 1), 0)
            assert_array_equal(one(found, "last", x, stream=stream), wanted)


def test_a_layer_called_on_constants() -> None:
    class Positions(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = layers.Embedding(4, 3, name="table")

        def call(self, x: Any) -> Any:
            return x + self.table(ops.arange(4))

    model = Positions()
    x = whole_numbers(2, 4, 3)
    model(x)
    small_weights(model)
    found = agrees(model, x)
    (entries,) = weights(model.table)
    assert_array_equal(found["table"], entries)
    assert_array_equal(found["add"], x + entries)


def test_a_block_that_hands_its_mask_on() -> None:
    class Reader(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.words = layers.Embedding(5, 3, mask_zero=True, name="words")
            self.rnn = layers.LSTM(2, name="rnn")

        def call(self, x: Any, mask: Any = None) -> Any:
            y = self.words(x)
            return self.rnn(y, mask=self.words.compute_mask(x))

    model = Reader()
    words = np.array([[1, 2, 0], [3, 0, 0]], "float32")
    model(words)
    small_weights(model, 0.25)
    assert names(model) == ["words", "rnn"]
    agrees(model, words)


def test_an_identity_block_is_the_value_it_was_given() -> None:
    class Same(layers.Layer):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.unused = layers.ReLU()

        def call(self, x: Any) -> Any:
            return x

    inputs = keras.Input((3, 3, 1), name="i")
    model = keras.Model(inputs, layers.ReLU(name="r")(Same(name="same")(inputs)))
    x = whole_numbers(2, 3, 3, 1)
    found = agrees(model, x)
    assert_array_equal(found["same"], x)
    assert_array_equal(found["r"], np.maximum(x, 0))
