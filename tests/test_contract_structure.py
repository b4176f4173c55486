"""Sequential and functional models: their nodes, and what each of them gives."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import oracle
from kerasmodels import (
    agrees,
    dense,
    everything,
    names,
    one,
    opened,
    small_weights,
    table,
    weights,
    whole_numbers,
)
from layerscope.errors import ModelError
from layerscope.models.keras.naming import Namer

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


def test_a_built_sequential_model() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1), name="picture"),
            layers.Conv2D(2, 3, activation="relu", name="c"),
            layers.MaxPooling2D(name="p"),
            layers.Flatten(name="f"),
            layers.Dense(3, name="d"),
        ]
    )
    small_weights(model)
    x = whole_numbers(2, 6, 6, 1)
    assert table(model) == [
        ("c", "Conv2D", ("picture",), (None, 4, 4, 2), "NHWC", 20),
        ("p", "MaxPooling2D", ("c",), (None, 2, 2, 2), "NHWC", 0),
        ("f", "Flatten", ("p",), (None, 8), "NC", 0),
        ("d", "Dense", ("f",), (None, 3), "NC", 27),
    ]
    found = agrees(model, x)
    conv = oracle.relu(oracle.convolution(x, *weights(model.get_layer("c"))))
    assert_array_equal(found["c"], conv)
    pooled = oracle.pooling(conv, (2, 2), (2, 2), "valid", "max")
    assert_array_equal(found["p"], pooled)
    assert_array_equal(found["d"], dense(pooled.reshape(2, -1), model.get_layer("d")))
    graph = opened(model).graph
    assert graph.outputs == ("d",)
    assert [node.index for node in graph] == [0, 1, 2, 3]
    assert graph.parameters == 47
    assert graph.inputs[0].index is None


def test_an_unbuilt_model_asks_for_the_shape_and_takes_it() -> None:
    model = keras.Sequential([layers.Dense(2, name="d")], name="net")
    found = opened(model)
    with pytest.raises(ModelError) as caught:
        _ = found.graph
    assert str(caught.value) == (
        "net has never been called, so the shape of its input is not known. Give an INPUT, or "
        "--size HxWxC to list its layers, or build the model before it is saved: "
        "model.build((None, height, width, channels))."
    )
    assert not model.built
    found.accept({"input": (5, 3)})
    assert [(n.name, n.inputs, n.shape) for n in found.graph] == [("d", ("input",), (None, 2))]
    x = whole_numbers(4, 3)
    assert_allclose(one(found, "d", x), dense(x, model.layers[0]), rtol=1e-6, atol=1e-6)


def test_a_shape_that_the_layers_refuse_is_one_message() -> None:
    model = keras.Sequential([layers.Conv2D(2, 3)], name="net")
    found = opened(model)
    found.accept({"input": (5, 3)})
    with pytest.raises(ModelError, match=r"^net cannot be called on an input of shape \(None, 3\)"):
        _ = found.graph


def test_a_sequential_model_built_late() -> None:
    model = keras.Sequential([layers.Conv2D(2, 3, name="c"), layers.ReLU(name="r")])
    model.build((None, 5, 5, 1))
    assert [row[:4] for row in table(small_weights(model))] == [
        ("c", "Conv2D", (opened(model).graph.inputs[0].name,), (None, 3, 3, 2)),
        ("r", "ReLU", ("c",), (None, 3, 3, 2)),
    ]
    agrees(model, whole_numbers(1, 5, 5, 1))


def test_nodes_come_in_the_order_of_the_models_layers() -> None:
    inputs = keras.Input((4, 4, 2), name="i")
    late = layers.Conv2D(2, 1, name="late")(inputs)
    early = layers.Conv2D(2, 1, name="early")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([early, late]))
    assert names(model) == [layer.name for layer in model.layers[1:]]
    agrees(small_weights(model), whole_numbers(1, 4, 4, 2))


def nested(depth: int) -> Any:
    inputs = keras.Input((4,), name=f"in_{depth}")
    x = layers.Dense(4, name="dense")(inputs)
    if depth:
        x = nested(depth - 1)(x)
    return keras.Model(inputs, layers.ReLU(name="relu")(x), name=f"level_{depth}")


def test_three_levels_of_models() -> None:
    model = small_weights(nested(3))
    x = whole_numbers(2, 4)
    two, one_, zero = "level_2", "level_2/level_1", "level_2/level_1/level_0"
    assert [row[:3] for row in table(model)] == [
        ("dense", "Dense", ("in_3",)),
        (f"{two}/dense", "Dense", ("dense",)),
        (f"{one_}/dense", "Dense", (f"{two}/dense",)),
        (f"{zero}/dense", "Dense", (f"{one_}/dense",)),
        (f"{zero}/relu", "ReLU", (f"{zero}/dense",)),
        (zero, "Functional", (f"{one_}/dense",)),
        (f"{one_}/relu", "ReLU", (zero,)),
        (one_, "Functional", (f"{two}/dense",)),
        (f"{two}/relu", "ReLU", (one_,)),
        (two, "Functional", ("dense",)),
        ("relu", "ReLU", (two,)),
    ]
    found = agrees(model, x)
    value, level = x, model
    for path in ("", f"{two}/", f"{one_}/", f"{zero}/"):
        value = dense(value, level.get_layer("dense"))
        assert_array_equal(found[f"{path}dense"], value)
        level = next((inner for inner in level.layers if isinstance(inner, keras.Model)), None)
    assert_array_equal(found[zero], np.maximum(value, 0))
    assert_array_equal(found["relu"], found[zero])
    assert opened(model).graph[zero].parameters == 20
    assert opened(model).graph.parameters == 80


def test_a_nested_model_called_twice() -> None:
    inner_inputs = keras.Input((5, 5, 2))
    inner = keras.Model(inner_inputs, layers.Conv2D(2, 1, name="conv")(inner_inputs), name="inner")
    inputs = keras.Input((5, 5, 2), name="i")
    model = small_weights(keras.Model(inputs, inner(inner(inputs))))
    x = whole_numbers(2, 5, 5, 2)
    rows = opened(model).graph
    assert [(n.name, n.inputs, n.shared) for n in rows] == [
        ("inner/conv", ("i",), False),
        ("inner", ("i",), False),
        ("inner@1/conv", ("inner",), True),
        ("inner@1", ("inner",), True),
    ]
    found = agrees(model, x)
    once = oracle.convolution(x, *weights(inner.get_layer("conv")))
    twice = oracle.convolution(once, *weights(inner.get_layer("conv")))
    assert_array_equal(found["inner/conv"], once)
    assert_array_equal(found["inner@1"], twice)
    assert sum(n.parameters for n in rows if "/" in n.name and not n.shared) == 6


def test_a_nested_sequential_model_sharing_a_layer() -> None:
    shared = layers.Dense(3, name="shared")
    inner = keras.Sequential([keras.Input((3,)), shared, layers.ReLU(name="r")], name="inner")
    inputs = keras.Input((3,), name="i")
    model = small_weights(keras.Model(inputs, [inner(inputs), shared(inputs)]))
    assert sorted(names(model)) == ["inner", "inner/r", "inner/shared", "shared"]
    x = whole_numbers(2, 3)
    found = agrees(model, x)
    assert_array_equal(found["shared"], dense(x, shared))
    assert_array_equal(found["inner"], np.maximum(dense(x, shared), 0))


def test_a_layer_called_three_times() -> None:
    layer = layers.Dense(3, name="dense")
    inputs = keras.Input((3,), name="i")
    model = small_weights(keras.Model(inputs, layer(layer(layer(inputs)))))
    rows = opened(model).graph
    assert [(n.name, n.inputs, n.parameters, n.shared) for n in rows] == [
        ("dense", ("i",), 12, False),
        ("dense@1", ("dense",), 12, True),
        ("dense@2", ("dense@1",), 12, True),
    ]
    x = value = whole_numbers(2, 3)
    found = agrees(model, x)
    for array in found.values():
        value = dense(value, layer)
        assert_array_equal(array, value)
    assert_array_equal(opened(model).weights("dense@2")["kernel"], weights(layer)[0])


def test_names_that_look_like_calls_and_outputs_stay_apart() -> None:
    namer = Namer(["input"])
    given = [namer.name(own) for own in ("dense", "dense@1", "dense", "input", "dense")]
    assert given == ["dense", "dense@1", "dense@2", "input@1", "dense@3"]
    with namer.inside("dense@1"):
        assert [namer.name("add", anonymous=True) for _ in range(2)] == [
            "dense@1/add",
            "dense@1/add_1",
        ]


def test_layers_of_one_name_in_a_subclassed_model() -> None:
    class Twins(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layers.Dense(3, name="twin"), layers.Dense(3, name="twin")
            self.c = layers.Dense(3, name="input")

        def call(self, x: Any) -> Any:
            return self.c(self.b(self.a(x)))

    model = Twins()
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)
    assert [(n.name, n.layer, n.shared) for n in opened(model).graph] == [
        ("twin", "twin", False),
        ("twin@1", "twin", False),
        ("input@1", "input", False),
    ]
    found = agrees(model, x)
    assert_array_equal(found["twin@1"], dense(dense(x, model.a), model.b))


@pytest.mark.parametrize("kind", [list, dict])
def test_many_inputs_and_outputs(kind: type) -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    total, product = layers.Add(name="sum")([a, b]), layers.Multiply(name="product")([a, b])
    given: Any = {"a": a, "b": b} if kind is dict else [a, b]
    made: Any = {"p": product, "s": total} if kind is dict else [product, total]
    model = keras.Model(given, made)
    found = opened(model)
    assert [node.name for node in found.graph.inputs] == ["a", "b"]
    assert found.graph.outputs == ("product", "sum")
    x, y = whole_numbers(2, 3), whole_numbers(2, 3, seed=2)
    for stream in (False, True):
        values = found.run({"b": y, "a": x}, ["sum", "product", "b"], stream=stream)
        assert list(values) == ["sum", "product", "b"]
        assert_array_equal(values["sum"], x + y)
        assert_array_equal(values["product"], x * y)
        assert_array_equal(values["b"], y)


def test_outputs_that_are_inputs_or_used_twice() -> None:
    inputs = keras.Input((3,), name="i")
    made = layers.Dense(3, name="d")(inputs)
    model = small_weights(keras.Model(inputs, [inputs, made, made]))
    assert opened(model).graph.outputs == ("i", "d", "d")
    x = whole_numbers(2, 3)
    assert_array_equal(one(model, "i", x), x)
    assert_array_equal(one(model, "d", x), dense(x, model.get_layer("d")))


def test_whole_numbers_in_and_free_sizes() -> None:
    inputs = keras.Input((None, None, 1), dtype="uint8", name="i")
    x = layers.Rescaling(0.5, name="half")(inputs)
    x = layers.Conv2D(2, 3, name="c")(x)
    model = small_weights(keras.Model(inputs, layers.GlobalMaxPooling2D(name="g")(x)))
    assert [row[3:5] for row in table(model)] == [
        ((None, None, None, 1), "NHWC"),
        ((None, None, None, 2), "NHWC"),
        ((None, 2), "NC"),
    ]
    assert opened(model).graph.inputs[0].dtype == "uint8"
    found = opened(model)
    for height, width in ((5, 7), (9, 4)):
        picture = np.abs(whole_numbers(2, height, width, 1)).astype("uint8")
        conv = oracle.convolution(picture / 2.0, *weights(model.get_layer("c")))
        for stream in (False, True):
            values = everything(found, picture, stream=stream)
            assert_array_equal(values["c"], conv)
            assert_array_equal(values["g"], conv.max(axis=(1, 2)))


def test_operations_between_layers_are_nodes() -> None:
    inputs = keras.Input((4, 3), name="i")
    x = layers.Dense(3, name="d")(inputs)
    x = ops.relu(x + inputs) * 2.0
    x = ops.reshape(x[:, 1:], (-1, 9))
    model = small_weights(keras.Model(inputs, x))
    rows = table(model)
    assert [row[1] for row in rows] == ["Dense", "Add", "Relu", "Multiply", "GetItem", "Reshape"]
    assert rows[1][2] == ("d", "i")
    assert rows[-1][3:5] == ((None, 9), "NC")
    x = whole_numbers(2, 4, 3)
    found = list(agrees(model, x).values())
    total = np.maximum(dense(x, model.get_layer("d")) + x, 0) * 2
    assert_array_equal(found[3], total)
    assert_array_equal(found[5], total[:, 1:].reshape(2, 9))


def test_layer_names_with_the_word_input_are_ordinary() -> None:
    inputs = keras.Input((3,), name="i")
    model = small_weights(
        keras.Model(inputs, layers.Dense(2, name="input_dense")(layers.ReLU(name="input")(inputs)))
    )
    assert names(model) == ["input", "input_dense"]
    agrees(model, whole_numbers(2, 3))
