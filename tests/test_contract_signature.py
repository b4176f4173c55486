"""How models of one's own class are called: lists, dictionaries and several arguments."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasmodels import opened, small_weights, to_numpy, whole_numbers
from layerscope.errors import ModelError

pytestmark = pytest.mark.backend


class Pair(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="pair")
        self.a, self.b = keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")


class OfList(Pair):
    def call(self, inputs: Any) -> Any:
        return self.a(inputs[0]) + self.b(inputs[1])


class OfDict(Pair):
    def call(self, inputs: Any) -> Any:
        return {"sum": self.a(inputs["left"]) + self.b(inputs["right"])}


class OfTwo(Pair):
    def call(self, x: Any, y: Any, training: bool = False) -> Any:
        return self.a(x) + self.b(y)


X, Y = whole_numbers(2, 3), whole_numbers(2, 4, seed=2)


@pytest.mark.parametrize(
    ("model", "call", "feeds"),
    [
        (OfList, lambda m: m([X, Y]), {"input_0": X, "input_1": Y}),
        (OfDict, lambda m: m({"right": Y, "left": X}), {"right": Y, "left": X}),
        (OfTwo, lambda m: m(X, Y), {"x": X, "y": Y}),
    ],
)
def test_inputs_of_a_subclassed_model(model: Any, call: Any, feeds: Mapping[str, Any]) -> None:
    made = model()
    call(made)
    small_weights(made)
    found = opened(made)
    if model is OfTwo:
        # Keras keeps the shape of the first argument alone.
        with pytest.raises(ModelError, match="has never been called"):
            _ = found.graph
        found.accept({name: array.shape for name, array in feeds.items()})
    assert sorted(node.name for node in found.graph.inputs) == sorted(feeds)
    assert [(node.name, node.shape) for node in found.graph] == [
        ("a", (None, 2)),
        ("b", (None, 2)),
        ("add", (None, 2)),
    ]
    first, second = sorted(feeds)
    assert found.graph["a"].inputs == (first,)
    assert found.graph["add"].inputs == ("a", "b")
    kernel, bias = (to_numpy(w) for w in made.a.weights)
    kernel_b, bias_b = (to_numpy(w) for w in made.b.weights)
    for stream in (False, True):
        values = found.run(feeds, ["b", "a", "add"], stream=stream)
        assert_array_equal(values["a"], feeds[first] @ kernel + bias)
        assert_array_equal(values["add"], values["a"] + feeds[second] @ kernel_b + bias_b)


def test_an_optional_argument_that_was_not_given_is_no_input() -> None:
    class Optional(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a = keras.layers.Dense(2, name="a")

        def call(self, x: Any, more: Any = None) -> Any:
            return self.a(x if more is None else more)

    model = Optional()
    model(X)
    assert [node.name for node in opened(model).graph.inputs] == ["input"]


def test_the_batch_is_free_though_the_model_was_called_with_one_size() -> None:
    model = OfList()
    model([X, Y])
    found = opened(model)
    assert {node.shape[0] for node in (*found.graph.inputs, *found.graph)} == {None}
    more = {"input_0": np.repeat(X, 3, 0), "input_1": np.repeat(Y, 3, 0)}
    assert found.run(more, ["add"])["add"].shape == (6, 2)
