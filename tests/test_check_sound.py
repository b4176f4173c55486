"""Sound networks: nothing above a note, but that nobody has trained those of chance weights."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import layerscope as ls
from layerscope.explain.checkup import Finding

# One of each family; the rest of them differ in depth and width.
FAMILIES = (
    *("VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "MobileNetV3Small"),
    *("DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "NASNetMobile", "ConvNeXtTiny"),
    *("InceptionV3", "InceptionResNetV2", "Xception"),
)
EVERY = tuple(name for name in dir(keras.applications) if name[0].isupper())
SMALLEST = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71, "NASNetLarge": 331}


def photo() -> Any:
    return files("layerscope") / "demo" / "cat.jpg"


def bad(found: Sequence[Finding]) -> list[tuple[str, str, str]]:
    return [(f.level, f.code, f.message) for f in found if f.level != "note"]


def check_application(name: str) -> None:
    keras.utils.set_random_seed(1)
    size = SMALLEST.get(name, 32)
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )
    found = ls.check(model, photo())
    assert [(level, code) for level, code, _ in bad(found)] == [("warning", "untrained")]
    assert found[0].node is None
    keras.backend.clear_session()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_keras_applications(name: str) -> None:
    check_application(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(EVERY) - set(FAMILIES)))
def test_all_of_keras_applications(name: str) -> None:
    check_application(name)


def test_the_demo() -> None:
    model = files("layerscope") / "demo" / "cats_dogs.keras"
    found = ls.check(model, photo())
    assert bad(found) == []
    # What can be seen in the arrays, and the table of `view`, is there as a note.
    acts = ls.extract(model, photo())
    dead = [i for i in range(24) if not acts["conv2d"].channel(i).any()]
    (told,) = (f for f in found if f.code == "dead" and f.node == "conv2d")
    assert told.message.startswith(f"{len(dead)} of 24 channels of conv2d are 0 in all 21,904")
    assert bad(ls.check(model)) == []


# As each was trained: file, weights, input, and what the person asks for.
MATERIAL: list[tuple[str, str | None, str, dict[str, Any]]] = [
    ("keras/ardamavi_dogcat_model.json", "keras/ardamavi_dogcat_weights.h5",
     "images/photos/serve_dog.jpg", {"range": "0..255"}),
    ("keras/leyuzak_mnist_cnn.keras", None, "images/mnist", {}),
    ("keras/oarriaga_fer2013_mini_XCEPTION.102-0.66.hdf5", None,
     "images/photos/skimage_camera.png", {"range": "-1..1"}),
    ("keras/mlcommons_tiny_pretrainedResnet.h5", None, "images/photos/serve_dog.jpg",
     {"range": "0..255"}),
    ("keras/phvu_carnd_model.h5", None, "keras/phvu_center_2017_01_21_13_34_35_626.jpg", {}),
    ("keras/dl4j_mnist_cnn_th_keras1_config.json", "keras/dl4j_mnist_cnn_th_keras1_weights.h5",
     "images/mnist", {}),
    ("keras/tensorspace_separated_topology.json", "keras/tensorspace_separated_weights.h5",
     "images/mnist", {}),
    ("tf/tensorspace_lenet_frozen_model.pb", None, "images/mnist", {}),
    ("tf/customvision_squeezenet_model.pb", None, "images/photos/serve_dog.jpg",
     {"range": "caffe"}),
    ("tf/picasso_mnist_ckpt", None, "images/mnist", {}),
    ("tf/tensorspace_savedmodel_tf1", None, "images/mnist", {}),
]  # fmt: skip


def opened(material: Path, file: str, weights: str | None) -> Any:
    return ls.open_model(material / file, weights=weights and material / weights)


@pytest.mark.parametrize(
    ("file", "weights", "picture", "asked"), MATERIAL, ids=[row[0] for row in MATERIAL]
)
def test_real_networks(
    material: Path, file: str, weights: str | None, picture: str, asked: dict[str, Any]
) -> None:
    assert bad(ls.check(opened(material, file, weights), material / picture, **asked)) == []


def test_many_pictures_wake_most_channels(material: Path) -> None:
    cats = sorted((material / "pets/validation/cats").iterdir())[:20]
    model = files("layerscope") / "demo" / "cats_dogs.keras"
    found = ls.check(model, cats)
    assert bad(found) == []
    acts = ls.extract(model, cats, layers="conv2d")["conv2d"].array
    dead = [i for i in range(24) if not acts[..., i].any()]
    (told,) = (f for f in found if f.code == "dead" and f.node == "conv2d")
    assert told.message.startswith(f"{len(dead)} of 24 channels of conv2d are 0 in all 438,080 ")
    one = [i for i in range(24) if not acts[0, ..., i].any()]
    assert 0 < len(dead) <= len(one)
    deep = ls.extract(model, cats, layers="conv2d_4")["conv2d_4"].array
    assert not any(f.code == "dead" and f.node == "conv2d_4" for f in found)
    assert min(maps.any(axis=(0, 1)).sum() for maps in deep) < 128
    assert deep.any(axis=(0, 1, 2)).all()
    file, weights, _, asked = MATERIAL[0]
    assert bad(ls.check(opened(material, file, weights), cats, **asked)) == []


def test_a_real_network_whose_weights_are_chance(material: Path) -> None:
    """The stored file is one for a test: Glorot's bounds and no bias that differs from 0."""
    model = ls.open_model(material / "keras/dl4j_mtcnn_12net.h5")
    kernel = model.weights("conv1")["kernel"]
    assert np.abs(kernel).max() <= np.sqrt(6 / (9 * 3 + 9 * 10))
    assert not model.weights("conv1")["bias"].any()
    found = ls.check(model, material / "images/photos/serve_dog.jpg", size="48x48", range="-1..1")
    assert [(level, code) for level, code, _ in bad(found)] == [("warning", "untrained")]


def test_a_real_network_fed_with_the_wrong_range(material: Path) -> None:
    """It was trained on pixels from 0 to 255, and nothing but its statistics says so."""
    model = ls.open_model(material / "keras/mlcommons_tiny_pretrainedResnet.h5")
    (one,) = bad(ls.check(model, material / "images/photos/serve_dog.jpg"))
    assert one[:2] == ("warning", "input-range")
    assert "times less than in training" in one[2]


def test_a_signal_with_the_channels_first(material: Path) -> None:
    model = ls.open_model(material / "keras/arl_EEGNet-8-2-weights.h5")
    assert bad(ls.check(model)) == []
