"""What is said of layers that an old Keras may have computed otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import layerscope as ls
from keras2_corpus import PLANE, of_one
from layerscope.errors import ModelError
from layerscope.models import open_model
from legacy_files import assert_same, feed, layerscope_nodes, tf_keras, written

L = tf_keras.layers


def by_version(path: Path, version: str) -> Path:
    """The file as if that version of Keras had written it."""
    with h5py.File(path, "r+") as file:
        for group in (file, file["model_weights"]):
            group.attrs["keras_version"] = version.encode()
    return path


BILINEAR = "bilinear upsampling takes pixels at their middle"
CROPS = "crops the middle of the picture and resizes it"


@pytest.mark.parametrize(
    ("layer", "version", "said"),
    [
        (lambda: L.UpSampling2D(2, interpolation="bilinear"), "2.2.4", BILINEAR),
        (lambda: L.UpSampling2D(2, interpolation="bilinear"), "2.2.4-tf", BILINEAR),
        (lambda: L.UpSampling2D(2, interpolation="bilinear"), "2.3.1", BILINEAR),
        (lambda: L.UpSampling2D(2, interpolation="bilinear"), "2.3.0-tf", None),
        (lambda: L.UpSampling2D(2, interpolation="bilinear"), "2.11.0", None),
        (lambda: L.UpSampling2D(2), "2.2.4", None),
        (lambda: L.RandomCrop(4, 4), "2.4.0", CROPS),
        (lambda: L.RandomCrop(4, 4), "2.9.0", None),
    ],
)
def test_what_a_version_may_have_computed_otherwise_is_said(
    layer: Any, version: str, said: str | None, tmp_path: Path
) -> None:
    model = of_one(PLANE, layer())
    opened = open_model(by_version(written(model, tmp_path / "m.h5"), version))
    name = model.layers[-1].name
    if said is None:
        assert opened.source.notes == ()
    else:
        (note,) = opened.source.notes
        assert note.startswith(f"{name}: {said}")
        assert f"Keras {version} " in note


def test_bilinear_upsampling_is_at_the_middle_of_the_pixels(tmp_path: Path) -> None:
    """By hand, along one axis: a quarter of the neighbour, and the border repeated."""
    model = of_one((1, 4, 1), L.UpSampling2D((1, 2), interpolation="bilinear", name="up"))
    x = feed((None, 1, 4, 1))
    line = np.pad(x[:, 0, :, 0], ((0, 0), (1, 1)), mode="edge")
    expected = np.zeros((2, 1, 8, 1))
    expected[:, 0, 0::2, 0] = 0.75 * line[:, 1:-1] + 0.25 * line[:, :-2]
    expected[:, 0, 1::2, 0] = 0.75 * line[:, 1:-1] + 0.25 * line[:, 2:]
    assert_same(layerscope_nodes(open_model(written(model, tmp_path / "m.h5")), [x]),
                {"up": expected})  # fmt: skip


@pytest.mark.parametrize("layer", [L.RandomHeight(0.2), L.RandomWidth(0.2), L.RandomCrop(4, 4)])
def test_random_sizes_are_not_computed_in_training(layer: Any, tmp_path: Path) -> None:
    opened = open_model(written(of_one(PLANE, layer), tmp_path / "m.h5"))
    with pytest.raises(ModelError, match=r"changes the size of its input at random in training"):
        ls.extract(opened, feed((None, *PLANE)), training=True)
