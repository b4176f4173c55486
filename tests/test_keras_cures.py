"""Channels first on TensorFlow: right numbers where Keras or TensorFlow alone give none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from kerasmodels import BACKEND, everything, opened, small_weights, to_numpy, whole_numbers

L = keras.layers
FIRST = "channels_first"
# Each gives as many channels as its output's last dimension has places.
LAYERS: dict[str, tuple[tuple[int, ...], Any]] = {
    "Conv1D": ((2, 6), lambda **o: L.Conv1D(4, 3, **o)),
    "Conv1D causal": ((2, 4), lambda **o: L.Conv1D(4, 3, padding="causal", **o)),
    "Conv2D": ((2, 5, 6), lambda **o: L.Conv2D(4, 3, **o)),
    "Conv2D in groups": ((2, 5, 6), lambda **o: L.Conv2D(4, 3, groups=2, **o)),
    "Conv3D": ((2, 3, 4, 5), lambda **o: L.Conv3D(4, 2, **o)),
    "Conv1DTranspose": ((2, 3), lambda **o: L.Conv1DTranspose(6, 2, strides=2, **o)),
    "Conv2DTranspose": ((2, 3, 3), lambda **o: L.Conv2DTranspose(6, 2, strides=2, **o)),
    "Conv3DTranspose": ((2, 2, 2, 2), lambda **o: L.Conv3DTranspose(4, 2, strides=2, **o)),
    "DepthwiseConv1D": ((3, 5), lambda **o: L.DepthwiseConv1D(3, **o)),
    "DepthwiseConv2D": ((2, 5, 4), lambda **o: L.DepthwiseConv2D(3, **o)),
    "SeparableConv1D": ((2, 6), lambda **o: L.SeparableConv1D(4, 3, **o)),
    "SeparableConv2D": ((2, 5, 6), lambda **o: L.SeparableConv2D(4, 3, **o)),
}


def with_a_bias(make: Any, shape: tuple[int, ...]) -> tuple[Any, Any, NDArray[Any]]:
    """A model with a bias that is 1, 2, 3 …, the same without, and that bias."""
    given = keras.Input(shape)
    layer, bare = make(data_format=FIRST), make(data_format=FIRST, use_bias=False)
    model, without = keras.Model(given, layer(given)), keras.Model(given, bare(given))
    small_weights(without)
    kernels = [to_numpy(w) for w in bare.weights]
    bias = np.arange(1.0, 1.0 + layer.bias.shape[0], dtype=np.float32)
    layer.set_weights([*kernels, bias])
    return model, without, bias


@pytest.mark.backend
@pytest.mark.parametrize("name", LAYERS)
def test_a_bias_is_added_along_the_channels(name: str) -> None:
    shape, make = LAYERS[name]
    model, without, bias = with_a_bias(make, shape)
    x = whole_numbers(2, *shape)
    (alone,) = everything(without, x).values()
    assert alone.shape[1] == alone.shape[-1], "the case that Keras mistakes"
    expected = alone + bias.reshape(-1, *(1,) * (len(shape) - 1))
    model = opened(model)
    for _ in range(5):  # run eagerly, and compiled from the fourth time on
        (found,) = everything(model, x).values()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    last = model.graph.outputs[0]
    if BACKEND == "tensorflow":
        (note,) = model.source.notes
        assert note.startswith(f"{last}: its bias is added along the channels")
    else:
        assert model.source.notes == ()


@pytest.mark.backend
def test_inside_other_layers_and_own_models() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = L.Conv2D(4, 3, data_format=FIRST, name="conv")
            self.each = L.TimeDistributed(L.Conv1D(2, 1, data_format=FIRST), name="each")

        def call(self, inputs: Any) -> Any:
            return self.each(self.conv(inputs))

    model = Own()
    x = whole_numbers(1, 2, 5, 4)
    model(x)
    kernel, inner = np.zeros((3, 3, 2, 4), np.float32), np.zeros((1, 3, 2), np.float32)
    model.conv.set_weights([kernel, np.arange(4.0)])
    model.each.layer.set_weights([inner, np.array([5.0, 7.0])])
    found = everything(model, x)
    np.testing.assert_array_equal(found["conv"][0, :, 0, 0], np.arange(4.0))
    np.testing.assert_array_equal(found["each"][0, 0], [[5, 5], [7, 7]])


def test_keras_itself_is_left_as_it_was() -> None:
    before = keras.src.backend.numpy.add, keras.src.backend.nn.conv
    shape, make = LAYERS["Conv2D"]
    everything(with_a_bias(make, shape)[0], whole_numbers(1, *shape))
    assert (keras.src.backend.numpy.add, keras.src.backend.nn.conv) == before


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a matter of TensorFlow's builds")
def test_convolutions_without_onednn() -> None:
    """As in a TensorFlow whose processor kernels know channels last alone."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}
    own = Path(__file__)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(own), "-k", "a_bias"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{len(LAYERS)} passed" in done.stdout, done.stdout[-2000:]
