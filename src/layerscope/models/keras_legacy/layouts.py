"""One layer's stored arrays in the order and layout of Keras 3's variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.models.keras_legacy.config import CHANNELS_FIRST, Config
from layerscope.models.keras_legacy.kernels import TURNED

Arrays = list[NDArray[Any]]


def relaid(
    kind: str, config: Config, arrays: Arrays, *, keras_1: bool, turned: bool, first: str
) -> Arrays:
    """The arrays of a layer as Keras 3 holds them; shapes that do not fit are left to the caller.

    kind: the class by Keras 2's name. first: the layer's data format, as decided.
    """
    if keras_1:
        arrays = _from_keras_1(kind, config, arrays, first == CHANNELS_FIRST)
    if kind in ("LSTM", "CuDNNLSTM", "GRU", "CuDNNGRU"):
        arrays = _from_cudnn(kind, arrays)
    if turned and kind in TURNED:
        count = 2 if kind == "ConvLSTM2D" else 1
        arrays = [_turned(array) if i < count else array for i, array in enumerate(arrays)]
    return arrays


def gates(kind: str, config: Config, keras_1: bool) -> int | None:
    """How many arrays Keras 1 stored for a layer that it kept apart by gates, or None."""
    apart = {"LSTM": 12, "GRU": 9, "ConvLSTM2D": 12}.get(kind)
    if not keras_1 or (kind != "ConvLSTM2D" and config.get("consume_less") == "gpu"):
        return None
    return apart


def _from_keras_1(kind: str, config: Config, arrays: Arrays, first: bool) -> Arrays:
    if kind == "LSTM" and len(arrays) == 12:
        # Keras 1 kept input, cell, forget, output; later ones keep input, forget, cell, output.
        return _joined(arrays, (0, 6, 3, 9))
    if kind == "GRU" and len(arrays) == 9:
        return _joined(arrays, (0, 3, 6))
    if kind == "ConvLSTM2D" and len(arrays) == 12:
        joined = _joined(arrays, (0, 6, 3, 9), along=0 if first else -1)
        return [*(_kernel(array, (2, 3, 1, 0), first) for array in joined[:2]), joined[2]]
    if not arrays:
        return arrays
    kernel, *others = arrays
    if kind == "Conv1D":
        return [_kernel_1d(kernel, config), *others]
    if kind == "Conv2D":
        return [_kernel(kernel, (2, 3, 1, 0), first), *others]
    if kind == "Conv3D":
        return [_kernel(kernel, (2, 3, 4, 1, 0), first), *others]
    if kind == "Conv2DTranspose" and kernel.ndim == 4:
        return [np.transpose(kernel, (2, 3, 0, 1) if first else (0, 1, 3, 2)), *others]
    if kind == "SeparableConv2D" and first:
        return [_kernel(array, (2, 3, 1, 0), array.ndim == 4) for array in arrays]
    return arrays


def _kernel(kernel: NDArray[Any], axes: tuple[int, ...], first: bool) -> NDArray[Any]:
    return np.transpose(kernel, axes) if first and kernel.ndim == len(axes) else kernel


def _kernel_1d(kernel: NDArray[Any], config: Config) -> NDArray[Any]:
    size = config.get("kernel_size")
    length = size[0] if isinstance(size, list) and size else size
    if kernel.ndim != 4:
        return kernel
    if kernel.shape[:2] != (length, 1) or kernel.shape[3] != config.get("filters"):
        kernel = np.transpose(kernel, (2, 3, 1, 0))
    return kernel[:, 0]


def _joined(arrays: Arrays, order: tuple[int, ...], along: int = -1) -> Arrays:
    """Kernels, recurrent kernels and biases of all gates in one array each."""
    return [
        np.concatenate(
            [arrays[gate + i] for gate in order], axis=-1 if arrays[i].ndim == 1 else along
        )
        for i in range(3)
    ]


def _from_cudnn(kind: str, arrays: Arrays) -> Arrays:
    """CuDNN's layout, told by its two biases, as the layout of the plain layer.

    Its kernels are transposed gate by gate, the input's also in memory order.
    """
    if len(arrays) != 3 or arrays[1].ndim != 2 or arrays[2].ndim != 1:
        return arrays
    units, count = arrays[1].shape[0], 4 if "LSTM" in kind else 3
    if arrays[2].shape != (2 * count * units,) or arrays[0].shape[1:] != (count * units,):
        return arrays
    kernel, recurrent, bias = arrays
    kernels = [gate.T.reshape(gate.shape, order="F") for gate in np.split(kernel, count, axis=1)]
    recurrents = [gate.T for gate in np.split(recurrent, count, axis=1)]
    both = bias.reshape(2, -1)
    return [
        np.concatenate(kernels, axis=1),
        np.concatenate(recurrents, axis=1),
        both.sum(axis=0) if count == 4 else both,
    ]


def _turned(kernel: NDArray[Any]) -> NDArray[Any]:
    spatial = max(0, kernel.ndim - 2)
    return kernel[(slice(None, None, -1),) * spatial]
