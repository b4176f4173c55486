"""Real files of Keras 1 and 2: every node as tf_keras computes it, and digits that are read."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tf_keras.src.saving.legacy import hdf5_format

from layerscope.errors import ModelError
from layerscope.models import Model, open_model
from legacy_files import assert_same, layerscope_nodes, tf_keras, tf_keras_nodes
from networks import plain_array
from which_files import seen

FILES = {
    "ardamavi": ("ardamavi_dogcat_model.json", "ardamavi_dogcat_weights.h5"),
    "leyuzak": ("leyuzak_mnist_cnn.keras", None),
    "mini_XCEPTION": ("oarriaga_fer2013_mini_XCEPTION.102-0.66.hdf5", None),
    "ResNet": ("mlcommons_tiny_pretrainedResnet.h5", None),
    "carnd": ("phvu_carnd_model.h5", None),
    "th": ("dl4j_mnist_cnn_th_keras1_config.json", "dl4j_mnist_cnn_th_keras1_weights.h5"),
    "EEGNet": ("arl_EEGNet-8-2-weights.h5", None),
    "tensorspace": ("tensorspace_separated_topology.json", "tensorspace_separated_weights.h5"),
    "mtcnn": ("dl4j_mtcnn_12net.h5", None),
}


REAL = partial(pytest.mark.opens, era="Keras", writer="", file="", what="real networks")


def tell(material: Path, name: str) -> None:
    """Note the version and kind of a file, as it says itself."""
    file, weights = FILES[name]
    version: Any = None
    if file.endswith(".keras"):
        with zipfile.ZipFile(material / "keras" / file) as whole:
            version = json.loads(whole.read("metadata.json"))["keras_version"]
    else:
        with h5py.File(material / "keras" / (weights or file)) as archive:
            group = archive.get("model_weights", archive)
            version = archive.attrs.get("keras_version", group.attrs.get("keras_version", b"1"))
            version = version.decode() if isinstance(version, bytes) else version
    kind = "JSON and weights" if weights else Path(file).suffix
    what = f"a real network: {file}"
    seen.told(era=f"Keras {version[0]}", writer=f"Keras {version}", file=kind, what=what)


@pytest.fixture
def opened(material: Path) -> Callable[..., Model]:
    def open_it(name: str, **options: Any) -> Model:
        file, weights = FILES[name]
        folder = material / "keras"
        tell(material, name)
        return open_model(folder / file, weights=folder / weights if weights else None, **options)

    return open_it


def as_tf_keras_opens(material: Path, name: str) -> Any:
    """The network as tf_keras builds and fills it, without its loader that runs code."""
    file, weights = FILES[name]
    path = material / "keras" / (weights or file)
    with h5py.File(path, "r") as archive:
        if weights:
            config = (material / "keras" / file).read_text()
        else:
            config = archive.attrs["model_config"]
            config = config if isinstance(config, str) else config.decode()
        found = json.loads(config)
        if isinstance(found["config"], list):
            found["config"] = {"name": "sequential", "layers": found["config"]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = tf_keras.models.model_from_json(json.dumps(found))
        group = archive.get("model_weights", archive)
        hdf5_format.load_weights_from_hdf5_group(group, model)
    return model


def digits(material: Path) -> NDArray[np.float32]:
    """The ten digits as values from 0 to 1, white on black: (10, 28, 28)."""
    folder = material / "images" / "mnist"
    pictures = [Image.open(folder / f"{i}.png").convert("L") for i in range(10)]
    return np.stack([np.asarray(picture, np.float32) / 255 for picture in pictures])


def test_no_file_is_forgotten(material: Path) -> None:
    """Every model in the folder is among those opened, or is the one that cannot be."""
    known = {name for pair in FILES.values() for name in pair if name}
    found = {path.name for path in (material / "keras").iterdir() if path.suffix != ".jpg"}
    assert found - known == {"deepxplore_MNIST_Model1_weights_only.h5"}


@REAL()
@pytest.mark.parametrize("name", FILES)
def test_every_node_is_extracted(name: str, opened: Callable[..., Model]) -> None:
    model = opened(name)
    random = np.random.default_rng(0)
    arrays = [
        random.random((1, *(s or 32 for s in node.shape[1:])), dtype=np.float32)
        for node in model.graph.inputs
    ]
    found = layerscope_nodes(model, arrays)
    assert set(found) == {node.name for node in model.graph}
    assert all(np.isfinite(array).all() for array in found.values())


@REAL(against="tf_keras")
@pytest.mark.parametrize("name", ["ardamavi", "mini_XCEPTION", "ResNet", "tensorspace", "mtcnn"])
def test_every_node_is_as_tf_keras_computes_it(
    name: str, opened: Callable[..., Model], material: Path
) -> None:
    model, expected = opened(name), as_tf_keras_opens(material, name)
    shape = [2, *(size or 30 for size in model.graph.inputs[0].shape[1:])]
    array = np.random.default_rng(1).random(shape, dtype=np.float32) * 255
    assert_same(layerscope_nodes(model, [array]), tf_keras_nodes(expected, [array]), 2e-5)


@REAL(against="NumPy, its first layers")
def test_eegnet_is_as_numpy_computes_its_first_layers(opened: Callable[..., Model]) -> None:
    """channels_first, which tf_keras does not run everywhere: convolution and batch norm."""
    model = opened("EEGNet")
    x = np.random.default_rng(2).normal(size=(2, 1, 60, 151)).astype(np.float32)
    found = layerscope_nodes(model, [x])
    kernel = model.weights("conv2d")["kernel"]
    padded = np.pad(x, ((0, 0), (0, 0), (0, 0), (15, 16)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (1, 32), (2, 3))
    conv = np.einsum("ncijab,abcf->nfij", windows, kernel)
    assert_same(found, {"conv2d": conv})
    norm = model.weights("batch_normalization")
    shaped = {key: value[:, None, None] for key, value in norm.items()}
    expected = (conv - shaped["moving_mean"]) / np.sqrt(shaped["moving_variance"] + 1e-3)
    expected = expected * shaped["gamma"] + shaped["beta"]
    assert_same(found, {"batch_normalization": expected})
    assert str(model.graph["conv2d"].axes) == "NCHW"


@REAL(against="NumPy, its first layers")
def test_the_net_of_theano_is_as_numpy_computes_its_first_layer(
    opened: Callable[..., Model], material: Path
) -> None:
    model = opened("th")
    x = np.random.default_rng(4).random((2, 1, 28, 28), dtype=np.float32)
    with h5py.File(material / "keras" / FILES["th"][1]) as file:
        kernel, bias = (file["convolution2d_1"][f"convolution2d_1_{end}"][()] for end in "Wb")
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], (2, 3))
    conv = np.einsum("ncijab,fcab->nfij", windows, kernel[:, :, ::-1, ::-1]) + bias[:, None, None]
    assert_same(layerscope_nodes(model, [x]), {"convolution2d_1": conv})


@REAL(against="Keras 3, layer by layer")
def test_a_file_of_keras_3_is_as_keras_computes_it(
    opened: Callable[..., Model], material: Path
) -> None:
    model = opened("leyuzak")
    x = np.random.default_rng(5).random((2, 28, 28, 1), dtype=np.float32)
    given, expected = x, {}
    for layer in keras.saving.load_model(material / "keras" / FILES["leyuzak"][0]).layers:
        given = layer(given, training=False)
        expected[layer.name] = plain_array(given)
    assert_same(layerscope_nodes(model, [x]), expected)


def read(model: Model, arrays: NDArray[Any]) -> list[int]:
    name, last = model.graph.inputs[0].name, model.graph.outputs[0]
    return [int(i) for i in model.run({name: arrays}, [last])[last].argmax(axis=1)]


def test_ten_of_ten_digits(opened: Callable[..., Model], material: Path) -> None:
    pictures = digits(material)
    assert read(opened("leyuzak"), pictures[..., None]) == list(range(10))
    assert read(opened("th"), pictures[:, None]) == list(range(10))
    assert read(opened("tensorspace"), pictures) == list(range(10))


def test_theano_kernels_are_turned_by_evidence_and_on_demand(
    opened: Callable[..., Model], material: Path
) -> None:
    model = opened("th")
    assert any("turned by 180°: written by Theano" in note for note in model.source.notes)
    with h5py.File(material / "keras" / FILES["th"][1]) as file:
        stored = file["convolution2d_2/convolution2d_2_W"][()]
    kernel = stored.transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(model.weights("convolution2d_2")["kernel"], kernel[::-1, ::-1])
    plain = opened("th", theano_kernels=False)
    np.testing.assert_array_equal(plain.weights("convolution2d_2")["kernel"], kernel)
    assert sum(a == b for a, b in enumerate(read(plain, digits(material)[:, None]))) == 9
    assert opened("carnd", theano_kernels=True).source.notes[0].startswith("kernels turned")


def test_the_residual_network_knows_its_pictures(
    opened: Callable[..., Model], material: Path
) -> None:
    folder = material / "images" / "cifar10"
    pictures = np.load(folder / "alphabetacrown_sample100_X.npy").astype(np.float32) * 255
    labels = np.load(folder / "alphabetacrown_sample100_y.npy")
    assert (np.array(read(opened("ResNet"), pictures)) == labels).sum() >= 94


@REAL(against="NumPy, its first layers")
def test_carnd_is_as_numpy_computes_its_first_layer(opened: Callable[..., Model]) -> None:
    """Keras 1 with a 'tf' ordering: strides 1 × 2, no bias, valid."""
    model = opened("carnd")
    x = np.random.default_rng(3).random((1, 80, 160, 3), dtype=np.float32)
    found = layerscope_nodes(model, [x])
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, :, ::2]
    expected = np.einsum("nijcab,abcf->nijf", windows, model.weights("conv0")["kernel"])
    assert_same(found, {"conv0": expected, "conv0_act": np.maximum(expected, 0)})


@pytest.mark.opens(era="Keras 2", writer="Keras 2", file=".h5", what="weights alone", refused=True)
def test_weights_alone_are_refused_and_open_with_code(material: Path, tmp_path: Path) -> None:
    weights = material / "keras" / "deepxplore_MNIST_Model1_weights_only.h5"
    with pytest.raises(ModelError, match="weights without an architecture") as caught:
        open_model(weights)
    seen.refused(caught.value)
    code = tmp_path / "net.py"
    code.write_text(
        "import keras\nfrom keras import layers as L\n\n"
        "def net():\n    return keras.Sequential([\n        keras.Input((28, 28, 1)),\n"
        "        L.Conv2D(4, 5, padding='same', activation='relu', name='block1_conv1'),\n"
        "        L.MaxPooling2D(name='block1_pool1'),\n"
        "        L.Conv2D(12, 5, padding='same', activation='relu', name='block2_conv1'),\n"
        "        L.MaxPooling2D(name='block2_pool1'),\n        L.Flatten(name='flatten'),\n"
        "        L.Dense(10, name='before_softmax'),\n        L.Softmax(name='predictions'),\n"
        "    ])\n"
    )
    model = open_model(f"{code}:net", weights=weights)
    with h5py.File(weights) as file:
        stored = file["block2_conv1/block2_conv1/kernel:0"][()]
    np.testing.assert_array_equal(model.weights("block2_conv1")["kernel"], stored)
    assert read(model, digits(material)[..., None]) == list(range(10))
