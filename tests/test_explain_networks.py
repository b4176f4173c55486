"""Explanations of whole networks: every sum, every box, on networks that people use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import layerscope as ls
from kerasmodels import BACKEND
from layerscope.explain.contributions import Summation
from layerscope.explain.receptive_field import boxes
from layerscope.explain.sizes import sizes_of
from layerscope.graph import Node
from layerscope.operations import Concatenation, Convolution, Dense, Elementwise, Pooling
from perturbed import check_box, inputs_of, pictures, positive

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(BACKEND != "tensorflow", reason="once is enough for networks of this size"),
]
# Wide and low, so that fields of hundreds of pixels end inside, at little cost.
SHAPES = {
    "VGG16": (40, 320),
    "ResNet50": (40, 640),
    "MobileNetV2": (32, 640),
    "InceptionV3": (75, 480),
    "EfficientNetB0": (32, 320),
}
ROUNDING = 2.0**-24
SQUEEZENET = "customvision_squeezenet_model.pb"


@cache
def built(name: str) -> tuple[Any, Any]:
    """A network of keras.applications with its head, and as layerscope opens it."""
    build = getattr(keras.applications, name)
    plain = build(weights=None, input_shape=(*SHAPES[name], 3), classes=7)
    for layer in plain.layers:
        # A ceiling would hide what is above it.
        if isinstance(layer, keras.layers.ReLU):
            layer.max_value = None
    return plain, ls.open_model(plain)


def random_weights(model: Any) -> None:
    """Weights that keep the size of values, and no statistic at its start."""
    random = np.random.default_rng(3)
    for variable in model.weights:
        shape, path = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
        if "kernel" in path:
            fan = np.prod(shape[:-2]) * inputs_of(shape)
            values = random.normal(0, np.sqrt(2 / fan), shape)
        elif path in ("moving_variance", "gamma", "variance"):
            values = random.uniform(0.5, 1.5, shape)
        else:
            values = random.normal(0, 0.2, shape)
        if path != "count":
            variable.assign(values.astype(variable.dtype))


def explicable(graph: Any) -> list[Node]:
    return [node for node in graph if isinstance(node.operation, Convolution | Dense)]


def check_sums(model: Any, feeds: Mapping[str, NDArray[Any]]) -> int:
    """Three channels of every convolution and dense layer add up; returns how many there are."""
    graph, chosen = model.graph, explicable(model.graph)
    random = np.random.default_rng(1)
    names = [name for node in chosen for name in (node.inputs[0], f"{node.name}:pre", node.name)]
    values = model.run(feeds, list(dict.fromkeys(names)))

    def activation(name: str) -> ls.Activation:
        node = graph[name.removesuffix(":pre")]
        return ls.Activation(values[name], node.axes, node)

    trivial = 0
    for node in chosen:
        three = map(activation, (node.inputs[0], f"{node.name}:pre", node.name))
        summation = Summation(*three, model.weights(node.name))
        for channel in random.integers(0, summation.channels, 3).tolist():
            e = summation.explain(channel)
            largest = np.abs(e.pre_activation).max()
            added = np.abs(e.contributions).sum(axis=0).max() + abs(e.bias)
            # Where large terms cancel, the network's own rounding is of their size.
            allowed = max(1e-5, ROUNDING * added / largest) if largest else 0
            assert e.residual <= allowed, (node.name, channel)
            trivial += not largest
    # A rectifier before a depthwise layer may leave a channel empty.
    assert trivial <= 3 * len(chosen) / 10
    return len(chosen)


# How many convolutions and dense layers there are, by the networks' own papers: ResNet-50 has 49
# and 4 for its shortcuts and 1 dense; VGG-16 has 13 and 3.
COUNTS = {"VGG16": 16, "ResNet50": 54}


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_sum_of_an_application(name: str) -> None:
    plain, model = built(name)
    random_weights(plain)
    scale = 255 if name == "EfficientNetB0" else 1
    feeds = {model.graph.inputs[0].name: scale * pictures(1, 1, *SHAPES[name], 3)}
    layers = [w for w in plain.weights if w.path.endswith("kernel")]
    assert check_sums(model, feeds) == COUNTS.get(name, len(layers))


def test_every_sum_of_a_frozen_graph(material: Path) -> None:
    model = ls.open_model(material / "tf" / SQUEEZENET)
    (given_,) = model.graph.inputs
    shape = tuple(size or 1 for size in given_.shape)
    # Two to begin with and three in each of eight fire modules (Iandola et al. 2016, table 1).
    assert check_sums(model, {given_.name: 255 * pictures(2, *shape)}) == 26


def seen_through(graph: Any) -> list[str]:
    """Convolutions, pooling, sums, products and joins."""
    kinds = Convolution | Pooling | Concatenation
    return [
        node.name
        for node in graph
        if isinstance(node.operation, kinds)
        or (isinstance(node.operation, Elementwise) and len(node.inputs) > 1)
    ]


def check_statuses(graph: Any) -> int:
    sizes = sizes_of(graph)
    chosen = seen_through(graph)
    for name in chosen:
        node = graph[name]
        middle = tuple(sizes[name][axis] // 2 for axis in node.axes.spatial)
        (box,) = boxes(graph, name, middle)
        assert box.status == "exact", (name, box)
    return len(chosen)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_box_of_an_application_is_exact(name: str) -> None:
    assert check_statuses(built(name)[1].graph) > 15


def test_every_box_of_a_frozen_graph_is_exact(material: Path) -> None:
    assert check_statuses(ls.open_model(material / "tf" / SQUEEZENET).graph) > 30


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_changed_pixels_tell_the_same(name: str) -> None:
    plain, model = built(name)
    positive(plain)
    # Pictures of 0 to 255 where the network divides them itself.
    values = (50.0, 200.0) if name == "EfficientNetB0" else (0.2, 0.8)
    sizes = sizes_of(model.graph)

    @given(st.integers(0, len(model.graph) - 1), st.integers(0, 2**20))
    # Not made simpler where it fails: each try is a forward pass.
    @settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
    def check(index: int, seed: int) -> None:
        node = model.graph.nodes[index]
        random = np.random.default_rng(seed)
        at = tuple(int(random.integers(0, sizes[node.name][a])) for a in node.axes.spatial)
        check_box(model, node.name, at, (1, *SHAPES[name], 3), seed, values)

    check()


def test_changed_pixels_tell_the_same_of_a_frozen_graph(material: Path) -> None:
    model = ls.open_model(material / "tf" / SQUEEZENET)
    shape = tuple(size or 1 for size in model.graph.inputs[0].shape)
    random = np.random.default_rng(4)
    # Convolutions and not what follows them: a rectifier of real weights hides what a pixel does.
    chosen = [node for node in explicable(model.graph) if node.axes.spatial]
    for node in random.choice(np.array(chosen, object), 6, replace=False):
        at = tuple(int(random.integers(0, node.shape[axis])) for axis in node.axes.spatial)
        check_box(model, node.name, at, shape, values=(0.0, 255.0))
