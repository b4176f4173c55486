"""Contributions over the whole grid of convolutions, each against the layer itself.

A convolution is linear: what it makes of one input channel alone, its bias taken off, is that
channel's partial map. One batch holds the input, each of its channels alone, and nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import layerscope as ls
from kerasmodels import opened, small_weights, whole_numbers
from layerscope.explain.contributions import Summation

pytestmark = pytest.mark.backend
layers = keras.layers

CHANNELS = 4
SIZES = (9, 8, 7)
MOVES = ((1, 1), (2, 1), (3, 1), (1, 2))
FORMATS = ("channels_last", "channels_first")


def convolutions(rank: int, form: str) -> Iterator[Any]:
    kind = getattr(layers, f"Conv{rank}D")
    for stride, dilation in MOVES:
        for padding in ("same", "valid", *(("causal",) if rank == 1 else ())):
            for groups in (1, 2):
                yield kind(
                    6, (3, 2, 1)[:rank], stride, padding, dilation_rate=dilation, groups=groups,
                    data_format=form, activation="relu",
                )  # fmt: skip


def depthwise(rank: int, form: str) -> Iterator[Any]:
    for name in ("DepthwiseConv", "SeparableConv"):
        kind = getattr(layers, f"{name}{rank}D")
        filters = () if name == "DepthwiseConv" else (5,)
        for stride, dilation in MOVES:
            for padding in ("same", "valid"):
                yield kind(
                    *filters, 3, stride, padding, depth_multiplier=2, dilation_rate=dilation,
                    data_format=form,
                )  # fmt: skip


def transposed(rank: int, form: str) -> Iterator[Any]:
    kind = getattr(layers, f"Conv{rank}DTranspose")
    for size in (1, 2, 3, 4):
        for stride in (1, 2, 3):
            for padding in ("same", "valid"):
                yield kind(3, size, stride, padding, data_format=form)
    for padding in ("same", "valid"):
        yield kind(3, 3, 2, padding, output_padding=1, data_format=form)
        yield kind(3, 3, 1, padding, dilation_rate=2, data_format=form)


# Keras has no depthwise and no separable convolution over volumes.
GRID = [
    (make, rank, form)
    for make in (convolutions, depthwise, transposed)
    for rank in (1, 2, 3)
    for form in FORMATS
    if rank < 3 or make is not depthwise
]


@pytest.mark.parametrize(("make", "rank", "form"), GRID)
def test_each_partial_map_is_what_the_layer_makes_of_one_channel(
    make: Any, rank: int, form: str
) -> None:
    first = form == "channels_first"
    shape = (CHANNELS, *SIZES[:rank]) if first else (*SIZES[:rank], CHANNELS)
    given = keras.Input(shape, name="x")
    every = list(make(rank, form))
    plain = small_weights(keras.Model(given, [layer(given) for layer in every]))
    model = opened(plain)
    whole = whole_numbers(1, *shape)
    axis = 1 if first else -1
    alone = [np.zeros_like(whole) for _ in range(CHANNELS)]
    for channel, one in enumerate(alone):
        np.moveaxis(one, axis, 0)[channel] = np.moveaxis(whole, axis, 0)[channel]
    batch = np.concatenate([whole, *alone, np.zeros_like(whole)])
    nodes = [model.graph[layer.name] for layer in every]
    names = [name for node in nodes for name in (f"{node.name}:pre", node.name)]
    values = model.run({"x": batch}, names)
    source = ls.Activation(batch, model.graph["x"].axes, model.graph["x"])
    assert len(nodes) == len(every)
    for layer, node in zip(every, nodes, strict=True):
        before, after = (
            ls.Activation(values[name], node.axes, node) for name in (f"{node.name}:pre", node.name)
        )
        summation = Summation(source, before, after, model.weights(node.name))
        own = np.moveaxis(before.array, axis, 1).astype(np.float64)
        assert summation.channels == own.shape[1]
        told = layer.get_config()
        for channel in {0, summation.channels - 1}:
            e = summation.explain(channel)
            assert e.residual <= 1e-5, told
            wanted = own[1 + np.array(e.inputs), channel] - own[-1, channel]
            assert_allclose(e.contributions, wanted, atol=1e-4, err_msg=str(told))
            assert e.bias == own[-1, channel].flat[0], told
            largest = max(np.abs(values).max() for values in (wanted, e.sum, e.pre_activation))
            assert_allclose(summation.largest(channel), largest, rtol=1e-6, err_msg=str(told))
