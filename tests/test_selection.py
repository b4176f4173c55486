"""The selection grammar, line by line."""

from collections.abc import Sequence

import pytest

from layerscope.axes import Axes
from layerscope.errors import SelectionError
from layerscope.graph import Graph, Node
from layerscope.operations import Convolution, Dense, Elementwise, Input, Operation, Submodel
from layerscope.selection import select

CONVOLUTION = Convolution(4, (3, 3), (1, 1), "same", (1, 1), activation="relu")


def graph(*layers: tuple[str, str, Operation]) -> Graph:
    axes = Axes.parse("NHWC")
    shape = (None, 8, 8, 4)
    inputs = (Node("picture", None, "picture", "InputLayer", Input(), (), shape, axes),)
    before = "picture"
    nodes = []
    for i, (name, type_, operation) in enumerate(layers):
        own = name.rpartition("/")[2]
        nodes.append(Node(name, i, own, type_, operation, (before,), shape, axes))
        before = name
    return Graph(inputs, tuple(nodes), (before,))


NETWORK = graph(
    ("vgg16/block1_conv1", "Conv2D", CONVOLUTION),
    ("vgg16/block1_pool", "MaxPooling2D", Elementwise("x")),
    ("vgg16/block2_conv1", "Conv2D", CONVOLUTION),
    ("vgg16", "Functional", Submodel()),
    ("lstm[1]", "LSTM", Elementwise("x")),
    ("lstm1", "LSTM", Elementwise("x")),
    ("dense", "Dense", Dense(3, activation="relu")),
    ("dense@1", "Dense", Dense(3, activation="relu")),
    ("Predictions", "Softmax", Elementwise("softmax")),
)
ALL = [node.name for node in NETWORK]


def chosen(*wanted: str | int, network: Graph = NETWORK) -> list[str]:
    return [node.name for node in select(network, wanted)]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("dense", ["dense"]),
        ("dense@1", ["dense@1"]),
        ("vgg16", ["vgg16"]),
        ("vgg16/block1_pool", ["vgg16/block1_pool"]),
        ("picture", ["picture"]),
        ("3", ["vgg16"]),
        ("-1", ["Predictions"]),
        (0, ["vgg16/block1_conv1"]),
        (-9, ["vgg16/block1_conv1"]),
        ("0:2", ALL[:2]),
        (":", ALL),
        ("2:", ALL[2:]),
        (":-7", ALL[:2]),
        ("-2:", ALL[-2:]),
        ("::4", ALL[::4]),
        ("1:100", ALL[1:]),
        # A slice that runs backwards still comes in the order of the network.
        ("3:0:-1", ALL[1:4]),
        ("*conv*", ["vgg16/block1_conv1", "vgg16/block2_conv1"]),
        ("*", ALL),
        ("vgg*conv1", ["vgg16/block1_conv1", "vgg16/block2_conv1"]),
        ("vgg16/block?_conv1", ["vgg16/block1_conv1", "vgg16/block2_conv1"]),
        ("lstm[1]", ["lstm[1]"]),
        ("lst?[1]", ["lstm[1]"]),
        ("l*[1]", ["lstm[1]"]),
        ("type:Conv2D", ["vgg16/block1_conv1", "vgg16/block2_conv1"]),
        ("type:Functional", ["vgg16"]),
        ("dense:pre", ["dense:pre"]),
        ("dense@1:pre", ["dense@1:pre"]),
        ("vgg16/block1_conv1:pre", ["vgg16/block1_conv1:pre"]),
    ],
)
def test_one_selector(wanted: str | int, names: Sequence[str]) -> None:
    assert chosen(wanted) == names
    assert [node.name for node in select(NETWORK, wanted)] == names


def test_none_is_every_node_and_no_input() -> None:
    assert select(NETWORK, None) == NETWORK.nodes
    assert chosen() == []


def test_several_selectors_give_each_node_once_in_the_order_of_the_network() -> None:
    assert chosen("dense", "0:2", 1, "vgg16/block1_pool", "picture", "dense:pre") == [
        "picture",
        "vgg16/block1_conv1",
        "vgg16/block1_pool",
        "dense:pre",
        "dense",
    ]


def test_an_exact_name_wins_over_everything() -> None:
    network = graph(
        ("3", "ReLU", Elementwise("relu")),
        ("0:2", "ReLU", Elementwise("relu")),
        ("*", "ReLU", Elementwise("relu")),
        ("type:ReLU", "ReLU", Elementwise("relu")),
        ("conv", "Conv2D", CONVOLUTION),
        ("conv:pre", "ReLU", Elementwise("relu")),
    )
    for name in ("3", "0:2", "*", "type:ReLU", "conv:pre"):
        assert chosen(name, network=network) == [name]
    assert chosen(3, network=network) == ["type:ReLU"]
    assert select(network, "conv:pre")[0].type == "ReLU"


def test_the_value_before_is_a_node_without_its_activation_function() -> None:
    (node,) = select(NETWORK, "dense:pre")
    assert node.index is None
    assert node.operation == Dense(3, activation="linear")
    assert (node.type, node.shape, node.axes) == ("Dense", (None, 8, 8, 4), Axes.parse("NHWC"))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            "densse",
            "There is no layer 'densse'. Did you mean dense, dense@1? "
            "All of them: layerscope layers MODEL.",
        ),
        (
            "PREDICTIONS",
            "There is no layer 'PREDICTIONS'. Did you mean Predictions? "
            "All of them: layerscope layers MODEL.",
        ),
        (
            "zzzzzz",
            "There is no layer 'zzzzzz'. The first are: picture, vgg16/block1_conv1, "
            "vgg16/block1_pool, vgg16/block2_conv1, vgg16. All of them: layerscope layers MODEL.",
        ),
        (
            "q*q",
            "There is no layer 'q*q'. The first are: picture, vgg16/block1_conv1, "
            "vgg16/block1_pool, vgg16/block2_conv1, vgg16. All of them: layerscope layers MODEL.",
        ),
        (
            "block1_conv1",
            "There is no layer 'block1_conv1'. Did you mean vgg16/block1_conv1, "
            "vgg16/block2_conv1, vgg16/block1_pool? All of them: layerscope layers MODEL.",
        ),
        (
            9,
            "There is no layer 9: the network has 9, numbered 0 to 8 (or -1 to -9 from the end).",
        ),
        (
            "-10",
            "There is no layer -10: the network has 9, numbered 0 to 8 (or -1 to -9 from the end).",
        ),
        ("9:", "The slice '9:' holds no layer: the network has 9, numbered 0 to 8."),
        ("5:2", "The slice '5:2' holds no layer: the network has 9, numbered 0 to 8."),
        ("::0", "The slice '::0' has a step of 0. Give another step."),
        (
            "type:conv2d",
            "There is no layer of the type 'conv2d'. The network has: Conv2D, Dense, "
            "Functional, LSTM, MaxPooling2D, Softmax.",
        ),
        (
            "lstm1:pre",
            "lstm1 (LSTM) has no fused activation function, so there is no lstm1:pre. "
            "Its inputs are: lstm[1].",
        ),
        (True, "A layer is chosen by name or number, but got True (bool)."),
        (1.5, "A layer is chosen by name or number, but got 1.5 (float)."),
    ],
)
def test_what_is_not_there(wanted: str | int, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select(NETWORK, [wanted])
    assert str(caught.value) == message


def test_a_bare_value_that_is_no_list() -> None:
    with pytest.raises(SelectionError, match=r"but got 1\.5 \(float\)"):
        select(NETWORK, 1.5)  # type: ignore[arg-type]
