"""What every dimension means, by hand."""

from typing import Any

import keras
import pytest

from kerasmodels import opened, table
from layerscope.axes import Axes, Axis
from layerscope.layout import Step, find_axes
from layerscope.operations import (
    Attention,
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Embedding,
    Input,
    Normalization,
    Opaque,
    Operation,
    Padding,
    Permutation,
    Pooling,
    Recurrent,
    Reshape,
    Submodel,
    Upsampling,
)


def convolution(rank: int = 2, data_format: str = "channels_last") -> Convolution:
    ones = (1,) * rank
    return Convolution(4, ones, ones, "valid", ones, data_format=data_format)


def pooling(everywhere: bool = False, keepdims: bool = False, first: bool = False) -> Pooling:
    data_format = "channels_first" if first else "channels_last"
    return Pooling("max", (2, 2), (2, 2), "valid", data_format, everywhere, keepdims)


FIRST = convolution(data_format="channels_first")
LAST = convolution()
Row = tuple[str, Operation, str, int, str]

TABLES: dict[str, list[Row]] = {
    "channels last flows on": [
        ("i", Input(), "", 4, "NHWC"),
        ("c", LAST, "i", 4, "NHWC"),
        ("bn", Normalization("batch", (3,)), "c", 4, "NHWC"),
        ("r", Elementwise("relu"), "bn", 4, "NHWC"),
        ("cat", Concatenation(3), "r c", 4, "NHWC"),
        ("pad", Padding(((1, 1), (1, 1))), "cat", 4, "NHWC"),
        ("p", pooling(), "pad", 4, "NHWC"),
        ("f", Reshape("flatten"), "p", 2, "NC"),
        ("d", Dense(3), "f", 2, "NC"),
    ],
    "channels first flows on, and back to the input": [
        ("i", Input(), "", 4, "NCHW"),
        ("scale", Elementwise("rescaling"), "i", 4, "NCHW"),
        ("c", FIRST, "scale", 4, "NCHW"),
        ("bn", Normalization("batch", (1,)), "c", 4, "NCHW"),
        ("sum", Elementwise("add"), "bn c", 4, "NCHW"),
        ("cat", Concatenation(1), "sum c", 4, "NCHW"),
        ("up", Upsampling((2, 2), data_format="channels_first"), "cat", 4, "NCHW"),
        ("p", pooling(first=True), "up", 4, "NCHW"),
        ("k", pooling(True, True, True), "p", 4, "NCHW"),
        ("g", pooling(True, first=True), "p", 2, "NC"),
    ],
    "a permutation turns the axes, forwards and backwards": [
        ("i", Input(), "", 4, "NHWC"),
        ("t", Permutation((0, 3, 1, 2)), "i", 4, "NCHW"),
        ("c", FIRST, "t", 4, "NCHW"),
        ("u", Permutation((0, 2, 3, 1)), "c", 4, "NHWC"),
        ("r", Elementwise("relu"), "u", 4, "NHWC"),
    ],
    "one and three dimensions": [
        ("a", Input(), "", 3, "NTC"),
        ("c1", convolution(1), "a", 3, "NTC"),
        ("b", Input(), "", 5, "NDHWC"),
        ("c3", convolution(3), "b", 5, "NDHWC"),
        ("e", Input(), "", 3, "NCT"),
        ("c1f", convolution(1, "channels_first"), "e", 3, "NCT"),
    ],
    "steps": [
        ("i", Input(), "", 2, "NT"),
        ("e", Embedding(9, 4), "i", 3, "NTC"),
        ("s", Recurrent("lstm", 4, returns_steps=True), "e", 3, "NTC"),
        ("h", Recurrent("gru", 4), "s", 2, "NC"),
        ("v", Input(), "", 5, "NTHWC"),
        ("cl", Recurrent("conv_lstm2d", 4, returns_steps=True), "v", 5, "NTHWC"),
        ("cs", Recurrent("conv_lstm2d", 4), "v", 4, "NHWC"),
    ],
    "dense works on the last axis": [
        ("i", Input(), "", 3, "NTC"),
        ("r", Recurrent("lstm", 4, returns_steps=True), "i", 3, "NTC"),
        ("d", Dense(5), "r", 3, "NTC"),
        ("j", Input(), "", 4, "NCHW"),
        ("c", FIRST, "j", 4, "NCHW"),
        ("x", Dense(5), "c", 4, "N???"),
    ],
    "a new shape of the same rank means nothing for sure": [
        ("i", Input(), "", 2, "NC"),
        ("d", Dense(48), "i", 2, "NC"),
        ("r", Reshape("reshape"), "d", 4, "NHWC"),
        ("c", LAST, "r", 4, "NHWC"),
    ],
    "a new shape before a channels-first layer": [
        ("i", Input(), "", 2, "NC"),
        ("r", Reshape("reshape"), "i", 4, "NCHW"),
        ("c", FIRST, "r", 4, "NCHW"),
    ],
    "nothing known": [
        ("i", Input(), "", 4, "NHWC"),
        ("o", Opaque("mystery"), "i", 6, "N?????"),
        ("s", Input(), "", 1, "N"),
    ],
}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_axes_of_a_network(rows: list[Row]) -> None:
    steps = [Step(name, op, tuple(inputs.split()), rank) for name, op, inputs, rank, _ in rows]
    found = find_axes(steps)
    assert {name: str(axes) for name, axes in found.items()} == {row[0]: row[4] for row in rows}


def test_attention_scores_have_heads_queries_and_keys() -> None:
    attention = Attention("multi_head_attention", 2)
    steps = [
        Step("i", Input(), (), 3),
        Step("a", attention, ("i", "i"), 3),
        Step("a[1]", attention, ("i", "i"), 4, 1),
        Step("b[1]", Attention("attention"), ("i", "i"), 3, 1),
    ]
    found = {name: str(axes) for name, axes in find_axes(steps).items()}
    assert found == {"i": "NTC", "a": "NTC", "a[1]": "NAQK", "b[1]": "NQK"}


def test_the_call_of_a_submodel_is_what_its_last_layer_is() -> None:
    steps = [
        Step("i", Input(), (), 4),
        Step("m/c", FIRST, ("i",), 4),
        Step("m", Submodel(), ("i",), 4, alias="m/c"),
        Step("r", Elementwise("relu"), ("m",), 4),
    ]
    assert {str(axes) for axes in find_axes(steps).values()} == {"NCHW"}


def test_what_nobody_says_is_the_default_data_format() -> None:
    steps = [Step("i", Input(), (), 4), Step("r", Elementwise("relu"), ("i",), 4)]
    assert {str(a) for a in find_axes(steps, "channels_first").values()} == {"NCHW"}


@pytest.mark.backend
def test_the_usual_cats_and_dogs_network() -> None:
    layers = keras.layers
    keras.backend.clear_session()
    model = keras.Sequential([keras.Input((150, 150, 3))])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    rows = [(name, shape, axes, parameters) for name, _, _, shape, axes, parameters in table(model)]
    assert rows == [
        ("conv2d", (None, 148, 148, 32), "NHWC", 896),
        ("max_pooling2d", (None, 74, 74, 32), "NHWC", 0),
        ("conv2d_1", (None, 72, 72, 64), "NHWC", 18_496),
        ("max_pooling2d_1", (None, 36, 36, 64), "NHWC", 0),
        ("conv2d_2", (None, 34, 34, 128), "NHWC", 73_856),
        ("max_pooling2d_2", (None, 17, 17, 128), "NHWC", 0),
        ("conv2d_3", (None, 15, 15, 128), "NHWC", 147_584),
        ("max_pooling2d_3", (None, 7, 7, 128), "NHWC", 0),
        ("flatten", (None, 6272), "NC", 0),
        ("dense", (None, 512), "NC", 3_211_776),
        ("dense_1", (None, 1), "NC", 513),
    ]
    graph = opened(model).graph
    assert graph.parameters == 3_453_121
    assert [node.index for node in graph][:8] == list(range(8))


@pytest.mark.backend
@pytest.mark.parametrize(
    ("data_format", "shape", "axes", "channels", "parameters"),
    [
        ("channels_last", (None, 1, 32, 10), "NHWC", 32, 20_490),
        ("channels_first", (None, 10, 32, 32), "NCHW", 1, 650),
    ],
)
def test_a_picture_that_is_taken_for_many_channels(
    data_format: str, shape: Any, axes: str, channels: int, parameters: int
) -> None:
    inputs = keras.Input((1, 32, 32))
    layer = keras.layers.Conv2D(10, 8, padding="same", data_format=data_format, name="c")
    graph = opened(keras.Model(inputs, layer(inputs))).graph
    assert graph["c"].shape == shape
    assert str(graph["c"].axes) == str(graph.inputs[0].axes) == axes
    assert graph.inputs[0].channels == channels
    assert graph["c"].parameters == graph.parameters == parameters


def test_letters_are_axes() -> None:
    assert Axes.parse("NCHW").names == (Axis.BATCH, Axis.CHANNEL, Axis.HEIGHT, Axis.WIDTH)
