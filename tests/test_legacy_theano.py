"""Networks that Theano computed: what its padding ``same`` gave, in loops, and in layerscope.

The loops follow the definitions of Theano's ``conv2d`` (``border_mode="half"``, filters turned)
and ``pool_2d`` (``average_exc_pad``), and what Keras 1.2 asked of them and cut off afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerscope as ls
from layerscope.models import open_model
from legacy_files import Array, assert_same, feed, keras_1_file, layerscope_nodes, sequential_1

pytestmark = pytest.mark.backend

TH = {"dim_ordering": "th"}
Reduce = Callable[..., Array]
opens = partial(
    pytest.mark.opens,
    era="Keras 1",
    writer="the tests, as Keras 1 on Theano did",
    file=".h5",
    against="NumPy",
)


def ceil(size: int, stride: int) -> int:
    return -(-size // stride)


def by_loops(x: Array, sizes: Any, strides: Any, before: Any, reduce: Reduce) -> Array:
    """Windows of the last axes that begin ``before`` the input: what is inside, and where.

    reduce: takes the part of the input inside a window and the window's positions of it.
    """
    counts = [ceil(n, s) for n, s in zip(x.shape[2:], strides, strict=True)]
    found: dict[tuple[int, ...], Array] = {}
    for place in product(*map(range, counts)):
        inside, taps = [], []
        for p, size, stride, pad, n in zip(place, sizes, strides, before, x.shape[2:], strict=True):
            start = p * stride - pad
            inside.append(slice(max(start, 0), min(start + size, n)))
            taps.append(slice(max(-start, 0), min(size, n - start)))
        found[place] = reduce(x[(slice(None), slice(None), *inside)], tuple(taps))
    first = next(iter(found.values()))
    result = np.zeros((*first.shape, *counts))
    for place, value in found.items():
        result[(..., *place)] = value
    return result


def convolved(x: Array, kernel: Array, strides: Any, dilation: int = 1) -> Array:
    """kernel: (filters, channels, *sizes) as Keras 1 stored it under 'th'."""
    turned = kernel[(slice(None), slice(None), *[slice(None, None, -1)] * (kernel.ndim - 2))]
    sizes = [(k - 1) * dilation + 1 for k in kernel.shape[2:]]
    wide = np.zeros((*kernel.shape[:2], *sizes))
    wide[(slice(None), slice(None), *[slice(None, None, dilation)] * len(sizes))] = turned

    def reduce(part: Array, taps: Any) -> Array:
        weights = wide[(slice(None), slice(None), *taps)]
        axes = list(range(1, part.ndim))
        return np.tensordot(part, weights, (axes, axes))

    return by_loops(x, sizes, strides, [size // 2 for size in sizes], reduce)


def pooled(x: Array, sizes: Any, strides: Any, kind: str) -> Array:
    before = [size - 2 if size > 2 and size % 2 else size - 1 for size in sizes]

    def reduce(part: Array, taps: Any) -> Array:
        axes = tuple(range(2, part.ndim))
        found: Array = part.max(axes) if kind == "Max" else part.mean(axes)
        return found

    return by_loops(x, sizes, strides, before, reduce)


def opened(path: Path, layer: tuple[str, dict[str, Any]], shape: Any, weights: Any = ()) -> Any:
    kind, own = layer
    config = sequential_1(
        (kind, {"name": "only", "border_mode": "same", "batch_input_shape": [None, *shape], **own})
    )
    groups = {"only": [(f"only_{i}", array) for i, array in enumerate(weights)]}
    return open_model(keras_1_file(path, config, groups), theano_kernels=True)


@opens(what="convolutions with padding 'same'")
@pytest.mark.parametrize("size", [(9, 8), (8, 7)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 2), (4, 1), (2, 7)])
def test_convolutions(kernel: Any, stride: int, size: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = [random.normal(size=(4, 3, *kernel)), random.normal(size=4)]
    own = {"nb_filter": 4, "nb_row": kernel[0], "nb_col": kernel[1], "subsample": [stride] * 2}
    model = opened(tmp_path / "m.h5", ("Convolution2D", own | TH), (3, *size), weights)
    x = feed((None, 3, *size))
    expected = convolved(x, weights[0], (stride, stride)) + weights[1][:, None, None]
    assert_same(layerscope_nodes(model, [x]), {"only": expected})
    node = model.graph["only"]
    assert (node.type, node.shape) == ("Conv2D", (None, *expected.shape[1:]))
    elsewhere = stride > 1 or any(k % 2 == 0 for k in kernel)
    places = f"only: padding 'same' adds {kernel[0] // 2}+{(kernel[0] - 1) // 2} × "
    assert any(note.startswith(places) for note in model.source.notes) == elsewhere


@opens(what="dilated, 1-D and 3-D convolutions with padding 'same'")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3])
def test_dilated_and_other_ranks(kernel: int, stride: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    flat = random.normal(size=(4, 3, kernel, kernel))
    own = {"nb_filter": 4, "nb_row": kernel, "nb_col": kernel, "atrous_rate": [2, 2], "bias": False}
    model = opened(tmp_path / "a.h5", ("AtrousConvolution2D", own | TH), (3, 9, 8), [flat])
    x = feed((None, 3, 9, 8))
    assert_same(layerscope_nodes(model, [x]), {"only": convolved(x, flat, (1, 1), 2)})
    line = random.normal(size=(4, 3, kernel))
    own = {"nb_filter": 4, "filter_length": kernel, "subsample_length": stride, "bias": False}
    stored = line.transpose(2, 1, 0)[:, None]
    model = opened(tmp_path / "l.h5", ("Convolution1D", own), (9, 3), [stored])
    x = feed((None, 9, 3))
    expected = convolved(x.transpose(0, 2, 1), line, (stride,)).transpose(0, 2, 1)
    assert_same(layerscope_nodes(model, [x]), {"only": expected})
    space = random.normal(size=(2, 3, kernel, 2, 3))
    own = {"nb_filter": 2, "kernel_dim1": kernel, "kernel_dim2": 2, "kernel_dim3": 3,
           "subsample": [stride, 1, 2], "bias": False}  # fmt: skip
    model = opened(tmp_path / "s.h5", ("Convolution3D", own | TH), (3, 5, 4, 6), [space])
    x = feed((None, 3, 5, 4, 6))
    assert_same(layerscope_nodes(model, [x]), {"only": convolved(x, space, (stride, 1, 2))})


@opens(what="{kind}Pooling2D with padding 'same'")
@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [(2, 2), (3, 3), (4, 5), (1, 2)])
def test_poolings(window: Any, stride: int, kind: str, tmp_path: Path) -> None:
    own = {"pool_size": list(window), "strides": [stride, stride], **TH}
    model = opened(tmp_path / "m.h5", (f"{kind}Pooling2D", own), (3, 9, 8))
    x = feed((None, 3, 9, 8)) - 3.0
    found = layerscope_nodes(model, [x])
    assert_same(found, {"only": pooled(x, window, (stride, stride), kind)})
    assert model.graph["only"].type == f"{kind}Pooling2D"


@opens(what="transposed convolutions with padding 'same'")
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 3), (5, 3), (1, 2), (3, 1)])
def test_transposed_convolutions(kernel: int, stride: int, tmp_path: Path) -> None:
    """What a convolution that Theano padded would hand back to its input."""
    random = np.random.default_rng(0)
    stored, bias = random.normal(size=(4, 3, kernel, kernel)), random.normal(size=4)
    size = (5, 4)
    whole = tuple(n * stride for n in size)
    own = {"nb_filter": 4, "nb_row": kernel, "nb_col": kernel, "subsample": [stride, stride],
           "output_shape": [None, 4, *whole], **TH}  # fmt: skip
    model = opened(tmp_path / "m.h5", ("Deconvolution2D", own), (3, *size), [stored, bias])
    x = feed((None, 3, *size))
    expected = np.zeros((2, 4, *whole)) + bias[:, None, None]
    turned = stored[:, :, ::-1, ::-1]
    for i, j, a, b in product(range(size[0]), range(size[1]), range(kernel), range(kernel)):
        row, column = i * stride - kernel // 2 + a, j * stride - kernel // 2 + b
        if 0 <= row < whole[0] and 0 <= column < whole[1]:
            expected[:, :, row, column] += np.einsum("nc,fc->nf", x[:, :, i, j], turned[:, :, a, b])
    assert_same(layerscope_nodes(model, [x]), {"only": expected})
    assert model.graph["only"].shape == (None, 4, *whole)


def test_explanations_know_the_places(tmp_path: Path) -> None:
    """The sum of the contributions, and the pixels that a neuron sees."""
    random = np.random.default_rng(0)
    kernel = random.normal(size=(4, 3, 3, 2))
    own = {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "subsample": [2, 2], "bias": False}
    model = opened(tmp_path / "m.h5", ("Convolution2D", own | TH), (3, 8, 7), [kernel])
    x = feed((None, 3, 8, 7))[:1]
    explained = ls.explain(model, x, "only", channel=1)
    assert explained.residual < 1e-5
    assert np.allclose(explained.output, convolved(x, kernel, (2, 2))[0, 1], atol=1e-5)
    box = ls.receptive_field(model, "only", at=(1, 1))
    assert (box.top, box.left, box.bottom, box.right) == (1, 1, 4, 3)


def test_without_theano_the_places_are_tensorflows(tmp_path: Path) -> None:
    own = {"name": "only", "border_mode": "same", "pool_size": [2, 2], "strides": [2, 2],
           "batch_input_shape": [None, 9, 8, 3], "dim_ordering": "tf"}  # fmt: skip
    path = keras_1_file(tmp_path / "m.h5", sequential_1(("MaxPooling2D", own)), {})
    x = feed((None, 9, 8, 3))
    filled = np.pad(x, ((0, 0), (0, 1), (0, 0), (0, 0)), constant_values=-np.inf)
    windows = filled.reshape(2, 5, 2, 4, 2, 3).max((2, 4))
    model = open_model(path)
    assert_same(layerscope_nodes(model, [x]), {"only": windows})
    assert model.source.notes == ()


def test_code_of_ones_own_is_left_as_it_is_and_told(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
    own = {"name": "c", "nb_filter": 4, "nb_row": 3, "nb_col": 3, "border_mode": "same",
           "subsample": [2, 2], "batch_input_shape": [None, 3, 8, 8], **TH}  # fmt: skip
    weights = keras_1_file(
        tmp_path / "w.h5", sequential_1(("Convolution2D", own)),
        {"c": [("c_W", kernel), ("c_b", np.zeros(4))]},
    )  # fmt: skip
    code = tmp_path / "net.py"
    code.write_text(
        "import keras\n\n\ndef net():\n    return keras.Sequential([keras.Input((3, 8, 8)), "
        "keras.layers.Conv2D(4, 3, 2, 'same', 'channels_first', name='c')])\n"
    )
    model = open_model(f"{code}:net", weights=weights)
    assert [note.partition(":")[0] for note in model.source.notes[:2]] == [
        "kernels turned by 180°", "c",
    ]  # fmt: skip
    assert "placed as the code given does" in model.source.notes[1]
