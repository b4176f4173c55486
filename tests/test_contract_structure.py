"""Every way to put a Keras model together: its nodes, and what each of them gives."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import oracle
from kerasmodels import (
    BACKEND,
    everything,
    feeds,
    one,
    opened,
    plain,
    small_weights,
    table,
    to_numpy,
    whole_numbers,
)
from layerscope.errors import ModelError
from layerscope.models.keras.naming import Namer

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


def names(model: Any) -> list[str]:
    return [node.name for node in opened(model).graph]


def weights(layer: Any) -> list[Any]:
    return [to_numpy(weight) for weight in layer.weights]


def dense(x: Any, layer: Any) -> Any:
    kernel, bias = weights(layer)
    return x @ kernel + bias


def agrees(model: Any, *arrays: Any) -> dict[str, Any]:
    """Every node of the model, its outputs being those that Keras gives."""
    found = opened(model)
    everything_ = everything(found, *arrays)
    for node in found.graph:
        shape = tuple(np.shape(everything_[node.name]))
        fits = (free is None or free == size for free, size in zip(node.shape, shape, strict=True))
        assert all(fits), (node.name, node.shape, shape)
        assert len(node.axes) == len(shape)
        given = [*found.graph.inputs, *found.graph.nodes[: node.index]]
        assert set(node.inputs) <= {other.name for other in given}
    structure = model(arrays[0] if len(arrays) == 1 else list(arrays))
    wanted = [to_numpy(x) for x in keras.tree.flatten(structure)]
    own = found.run(feeds(found, *arrays), found.graph.outputs)
    for name, expected in zip(found.graph.outputs, wanted, strict=True):
        assert_allclose(own[name], expected, rtol=1e-5, atol=1e-6)
    return everything_


# Sequential


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
        "build the model before it is saved: model.build((None, height, width, channels))."
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


# Functional


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


# What only training changes


def test_layers_for_training_hand_through_what_they_get() -> None:
    inputs = keras.Input((6, 6, 1), name="i")
    x = layers.RandomFlip(name="flip")(inputs)
    x = layers.RandomContrast(0.5, name="contrast")(x)
    x = layers.Dropout(0.5, name="drop")(x)
    x = layers.GaussianNoise(0.5, name="noise")(x)
    model = keras.Model(inputs, x)
    picture = whole_numbers(2, 6, 6, 1)
    found = opened(model)
    for stream in (False, True):
        for array in everything(found, picture, stream=stream).values():
            assert_array_equal(array, picture)
    drop = one(found, "drop", np.ones((2, 6, 6, 1), "float32"), training=True)
    assert 0 < np.count_nonzero(drop == 0) < drop.size


def test_training_that_is_written_into_the_model_is_honoured_for_that_layer_alone() -> None:
    inputs = keras.Input((2,), name="i")
    first = layers.BatchNormalization(name="first", epsilon=0.0)
    second = layers.BatchNormalization(name="second", epsilon=0.0)
    model = keras.Model(inputs, second(first(inputs, training=True)))
    for layer in (first, second):
        layer.moving_mean.assign([1.0, 1.0])
        layer.moving_variance.assign([4.0, 4.0])
    x = np.array([[0.0, 2.0], [2.0, 6.0]], "float32")
    for stream in (False, True):
        found = everything(model, x, stream=stream)
        assert_allclose(found["first"], [[-1, -1], [1, 1]], rtol=1e-6)
        assert_allclose(found["second"], [[-1, -1], [0, 0]], rtol=1e-6, atol=1e-6)


def test_a_training_run_uses_batch_statistics_and_changes_nothing() -> None:
    inputs = keras.Input((2,), name="i")
    layer = layers.BatchNormalization(name="bn", epsilon=0.0)
    model = keras.Model(inputs, layer(inputs))
    before = weights(layer)
    x = np.array([[0.0, 2.0], [2.0, 6.0]], "float32")
    assert_allclose(one(model, "bn", x, training=True), [[-1, -1], [1, 1]], rtol=1e-6)
    assert_array_equal(one(model, "bn", x), x)
    for old, new in zip(before, weights(layer), strict=True):
        assert_array_equal(old, new)


def test_a_block_that_branches_on_training() -> None:
    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = layers.ReLU(name="a"), layers.ReLU(name="b")

        def call(self, x: Any, training: bool = False) -> Any:
            return self.a(x) if training else self.b(x)

    model = Block()
    x = whole_numbers(2, 3)
    model(x)
    assert names(model) == ["b"]
    assert_array_equal(one(model, "b", x), np.maximum(x, 0))
    with pytest.raises(ModelError) as caught:
        one(model, "b", x, training=True)
    assert str(caught.value) == "The network does not compute b in this forward pass."


def test_a_missing_input_is_named() -> None:
    a, b = keras.Input((1,), name="a"), keras.Input((1,), name="b")
    model = keras.Model([a, b], layers.Add()([a, b]))
    with pytest.raises(ModelError) as caught:
        opened(model).run({"a": whole_numbers(1, 1)}, [])
    assert "takes the inputs a, b, but was given a. Give an array for each." in str(caught.value)


# Data types


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy: str) -> None:
    inputs = keras.Input((6, 6, 2), name="i")
    x = layers.Conv2D(2, 3, activation="relu", name="c", dtype=policy)(inputs)
    x = ops.add(x, x)
    model = small_weights(keras.Model(inputs, layers.Flatten(name="f", dtype=policy)(x)))
    picture = whole_numbers(2, 6, 6, 2)
    found = everything(model, picture)
    conv = oracle.relu(oracle.convolution(picture, *weights(model.get_layer("c"))))
    wanted = {"mixed_float16": np.float16, "mixed_bfloat16": np.float32}[policy]
    assert {array.dtype for array in found.values()} == {np.dtype(wanted)}
    # Whole numbers below 256 are exact in both.
    assert np.abs(conv).max() < 256
    assert_array_equal(found["c"], conv)
    assert_array_equal(found["f"], 2 * conv.reshape(2, -1))
    assert one(model, "c:pre", picture).dtype == wanted


def test_a_mixed_block_with_operations_in_it() -> None:
    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__(dtype="mixed_bfloat16")
            self.a = layers.Dense(3, name="a", dtype="mixed_bfloat16")

        def call(self, x: Any) -> Any:
            return ops.relu(self.a(x) + x)

    model = Block()
    x = whole_numbers(2, 3)
    model(x)
    small_weights(model)
    found = agrees(model, x)
    assert list(found)[-1].startswith("relu")
    assert_array_equal(found["a"], dense(x, model.a))


# Custom layers


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


# Subclassed models


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


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", oracle.relu),
        ("softmax", oracle.softmax),
        (lambda x: x * x, np.square),
        (layers.LeakyReLU(negative_slope=0.5), lambda x: np.where(x < 0, x / 2, x)),
        ("linear", lambda x: x),
    ],
)
def test_values_before_the_fused_activation_function(
    activation: Any, function: Callable[[Any], Any]
) -> None:
    inputs = keras.Input((5, 5, 2), name="i")
    made = [
        layers.Conv2D(2, 3, activation=activation, name="c")(inputs),
        layers.DepthwiseConv2D(3, activation=activation, name="w")(inputs),
        layers.SeparableConv2D(2, 3, activation=activation, name="s")(inputs),
        layers.Conv2DTranspose(2, 3, strides=2, activation=activation, name="t")(inputs),
        layers.Dense(2, activation=activation, name="d")(inputs),
    ]
    model = small_weights(keras.Model(inputs, made))
    own = {name: model.get_layer(name).activation for name in "cwstd"}
    x = whole_numbers(2, 5, 5, 2)
    wanted = {
        "c": oracle.convolution(x, *weights(model.get_layer("c"))),
        "w": oracle.depthwise(x, *weights(model.get_layer("w"))),
        "t": oracle.transposed(x, *weights(model.get_layer("t")), (2, 2), "valid"),
        "d": dense(x, model.get_layer("d")),
    }
    d, p, b = weights(model.get_layer("s"))
    wanted["s"] = oracle.convolution(oracle.depthwise(x, d), p, b)
    asked = [f"{name}{suffix}" for name in wanted for suffix in (":pre", "")]
    found = opened(model)
    for stream in (False, True):
        values = found.run(feeds(found, x), asked, stream=stream)
        alone = found.run(feeds(found, x), asked[::2], stream=stream)
        for name, expected in wanted.items():
            assert_array_equal(values[f"{name}:pre"], expected)
            assert_array_equal(alone[f"{name}:pre"], expected)
            assert_allclose(values[name], function(expected), rtol=1e-5, atol=1e-6)
    for name, activation_ in own.items():
        assert model.get_layer(name).activation is activation_
