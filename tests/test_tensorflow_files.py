"""Real TensorFlow files, node by node against TensorFlow's own session."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import layerscope as ls
from layerscope.errors import ModelError
from layerscope.explain.provenance import branches
from tfgraphs import Plain, v1
from which_files import seen

LENET = "tensorspace_lenet_frozen_model.pb"
SQUEEZENET = "customvision_squeezenet_model.pb"
PICASSO = "picasso_mnist_ckpt"
SAVED = "tensorspace_savedmodel_tf1"


@pytest.fixture
def tf_files(material: Path) -> Path:
    return material / "tf"


def digits(material: Path) -> list[Path]:
    return sorted((material / "images" / "mnist").glob("*.png"))


@pytest.mark.parametrize(
    ("name", "nodes", "parameters", "output"),
    [
        (LENET, 18, 61706, "MySoftMax"),
        (PICASSO, 14, 600810, "Softmax"),
        (f"{PICASSO}/convolutional.ckpt", 14, 600810, "Softmax"),
        (f"{PICASSO}/convolutional.ckpt.meta", 14, 600810, "Softmax"),
        (f"{PICASSO}/convolutional.ckpt.index", 14, 600810, "Softmax"),
        (SAVED, 18, 61706, "MySoftMax"),
        (f"{SAVED}/saved_model.pb", 18, 61706, "MySoftMax"),
    ],
)
def test_it_opens_in_every_way(
    tf_files: Path, name: str, nodes: int, parameters: int, output: str
) -> None:
    graph = ls.open_model(tf_files / name).graph
    # By hand: 5·5·6+6, 5·5·6·16+16, 400·120+120, 120·84+84, 84·10+10 for LeNet.
    assert (len(graph), graph.parameters, graph.outputs) == (nodes, parameters, (output,))


@pytest.mark.opens(
    era="TensorFlow 1", writer="TensorFlow 1", file=".pb",
    what="a real network: {name}", against="a session of TensorFlow", exact=True,
)  # fmt: skip
@pytest.mark.parametrize("name", [LENET, SQUEEZENET])
def test_a_frozen_graph_equals_tensorflow_node_by_node(tf_files: Path, name: str) -> None:
    model = ls.open_model(tf_files / name)
    node = model.graph.inputs[0]
    feed = np.random.default_rng(0).random((2, *node.shape[1:])).astype("float32")  # type: ignore[arg-type]
    acts = ls.extract(model, feed)
    assert len(acts) == len(model.graph)
    wanted = Plain(tf_files / name).run(list(acts), {node.name: feed})
    for activation, expected in zip(acts.values(), wanted, strict=True):
        assert activation.array.shape == expected.shape
        assert np.array_equal(activation.array, expected), activation.node.name


@pytest.mark.opens(
    era="TensorFlow 1", writer="TensorFlow 1", file="MetaGraph (.meta) and checkpoint",
    what=f"a real network: {PICASSO}", against="a session of TensorFlow", exact=True,
)  # fmt: skip
def test_a_checkpoint_equals_tensorflow_node_by_node(tf_files: Path) -> None:
    model = ls.open_model(tf_files / PICASSO)
    feed = np.random.default_rng(0).random((2, 28, 28, 1)).astype("float32")
    acts = ls.extract(model, feed)
    plain = Plain(tf_files / PICASSO / "convolutional.ckpt")
    wanted = plain.run(list(acts), {model.graph.inputs[0].name: feed})
    for activation, expected in zip(acts.values(), wanted, strict=True):
        assert np.array_equal(activation.array, expected), activation.node.name


@pytest.mark.opens(
    era="TensorFlow 1", writer="TensorFlow 1", file="SavedModel folder",
    what=f"a real network: {SAVED}", against="a session of TensorFlow", exact=True,
)  # fmt: skip
def test_a_saved_model_equals_tensorflow_s_own_loader(tf_files: Path) -> None:
    feed = np.random.default_rng(0).random((2, 32, 32, 1)).astype("float32")
    acts = ls.extract(tf_files / SAVED, feed)
    with v1.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(tf_files / SAVED))
        wanted = session.run([f"{name}:0" for name in acts], {"MyInput:0": feed})
    for activation, expected in zip(acts.values(), wanted, strict=True):
        assert np.array_equal(activation.array, expected), activation.node.name


def test_no_file_is_forgotten(tf_files: Path) -> None:
    found = {path.name for path in tf_files.iterdir() if "labels" not in path.name}
    assert found == {LENET, SQUEEZENET, PICASSO, SAVED}


@pytest.mark.parametrize("name", [LENET, PICASSO, SAVED])
def test_the_digits_are_read(tf_files: Path, material: Path, name: str) -> None:
    files = digits(material)
    acts = ls.extract(tf_files / name, files)
    read = list(acts.values())[-1].array.argmax(-1).tolist()
    assert read == [int(path.stem[0]) if path.stem[0].isdigit() else -1 for path in files]


def test_squeezenet_s_layers(tf_files: Path) -> None:
    graph = ls.open_model(tf_files / SQUEEZENET).graph
    kinds = Counter(node.type for node in graph)
    assert (kinds["Conv2D"], kinds["ConcatV2"], kinds["BiasAdd"]) == (25, 8, 26)
    assert {"Const", "Identity", "Rsqrt"} & set(kinds) == set()
    assert graph.outputs == ("loss",)
    assert graph["data_bn/data_bn/add_1"].operation.kind == "normalization"
    joins = [node for node in graph if node.type == "ConcatV2"]
    halves = [[b.stop - b.start for b in branches(graph, node)] for node in joins]
    assert halves == [[n, n] for n in (64, 64, 128, 128, 192, 192, 256, 256)]
    first = branches(graph, joins[0])
    assert [b.source for b in first] == [
        "fire2_expand1x1/fire2_expand1x1",
        "fire2_expand3x3/fire2_expand3x3",
    ]


def test_weights_by_role(tf_files: Path) -> None:
    model = ls.open_model(tf_files / SQUEEZENET)
    plain = Plain(tf_files / SQUEEZENET)
    for node, role, tensor in (
        ("conv1/Conv2D", "kernel", "conv1/weights"),
        ("conv1/BiasAdd", "bias", "conv1/biases"),
        ("data_bn/data_bn/add_1", "gamma", "data_bn/scale"),
        ("data_bn/data_bn/add_1", "beta", "data_bn/offset"),
        ("data_bn/data_bn/add_1", "moving_mean", "data_bn/mean"),
        ("data_bn/data_bn/add_1", "moving_variance", "data_bn/variance"),
        ("fc/fc/MatMul", "kernel", "fc/weights"),
    ):
        assert np.array_equal(model.weights(node)[role], plain.run([tensor], {})[0])
    assert model.weights("pool1") == {}


def test_fire_modules_are_drawn_by_branch(tf_files: Path, material: Path, tmp_path: Path) -> None:
    photo = material / "images" / "photos" / "serve_kitten.jpg"
    ls.view(tf_files / SQUEEZENET, photo, tmp_path / "out", layers=["fire?_concat"])
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "fire2_expand1x1/fire2_expand1x1" in text
    assert "fire9_expand3x3/fire9_expand3x3" in text


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="MetaGraph (.meta) and checkpoint",
    what="a checkpoint without its .meta file", refused=True,
)  # fmt: skip
def test_weights_alone_are_refused(tf_files: Path, tmp_path: Path) -> None:
    for end in ("index", "data-00000-of-00001"):
        source = tf_files / PICASSO / f"convolutional.ckpt.{end}"
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "convolutional.ckpt"\n')
    for path in (tmp_path, tmp_path / "convolutional.ckpt", tmp_path / "convolutional.ckpt.index"):
        with pytest.raises(ModelError, match=r"without a \.meta file: it holds weights") as caught:
            ls.open_model(path)
        seen.refused(caught.value)


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="MetaGraph (.meta) and checkpoint",
    what="a .meta file without its checkpoint", refused=True,
)  # fmt: skip
def test_a_graph_without_its_checkpoint_is_refused(tf_files: Path, tmp_path: Path) -> None:
    source = tf_files / PICASSO / "convolutional.ckpt.meta"
    (tmp_path / source.name).write_bytes(source.read_bytes())
    with pytest.raises(ModelError, match=r"expected convolutional\.ckpt\.index") as caught:
        ls.open_model(tmp_path)
    seen.refused(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_graph_is_refused(tf_files: Path, tmp_path: Path, share: float) -> None:
    data = (tf_files / LENET).read_bytes()
    path = tmp_path / "cut.pb"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match="damaged or truncated"):
        ls.open_model(path)


def test_a_truncated_checkpoint_is_refused(tf_files: Path, tmp_path: Path) -> None:
    for source in (tf_files / PICASSO).iterdir():
        data = source.read_bytes()
        cut = data[: len(data) // 2] if ".data-" in source.name else data
        (tmp_path / source.name).write_bytes(cut)
    with pytest.raises(ModelError, match="is damaged or truncated"):
        ls.open_model(tmp_path)


def test_a_channel_of_a_graph_is_explained(material: Path) -> None:
    path = material / "tf" / "customvision_squeezenet_model.pb"
    picture = material / "images" / "photos" / "serve_kitten.jpg"
    layer = "fire2_expand3x3/Conv2D"
    found = ls.explain(path, picture, layer, 3)
    assert found.residual <= 1e-5
    given = ls.extract(path, picture, [layer])[layer].channel(3)[0]
    assert np.abs(found.contributions.sum(axis=0) - given).max() <= 1e-5 * np.abs(given).max()
    before = ls.extract(path, picture, [f"{layer}:pre"])[f"{layer}:pre"].channel(3)[0]
    assert np.array_equal(before, given)
