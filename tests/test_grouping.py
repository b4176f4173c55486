"""The channels of a picture by branch: headings, and where every tile comes from."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import layerscope as ls
from kerasmodels import everything, opened, whole_numbers
from layerscope.activation import Activation
from layerscope.faces.grouping import Grouping, kind_of

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


@cache
def mixed() -> Any:
    """Two branches, split and shuffled as in ShuffleNet."""
    # Keras numbers the operations of a session.
    keras.utils.clear_session()
    x = keras.Input((8, 8, 3), name="x")
    stem = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    pool = layers.MaxPooling2D(2, name="pool")(stem)
    conv = layers.Conv2D(6, 3, 2, "same", use_bias=False, name="conv")(stem)
    conv = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(conv))
    y = layers.Concatenate(name="mixed")([pool, conv])
    left, right = ops.split(y, [2], axis=-1)
    right = layers.DepthwiseConv2D(3, padding="same", name="deep")(right)
    y = layers.Concatenate(name="joined")([right, left[..., :1], left])
    turned = layers.Reshape((4, 4, 11))(y)
    odd = ops.take(turned, [0, 8, 1, 9, 2, 10], axis=-1)
    return keras.Model(x, [odd, layers.ZeroPadding2D(1, name="padded")(y)])


def groups(name: str, chosen: Any = None) -> Any:
    found = opened(mixed())
    x = whole_numbers(1, 8, 8, 3)
    arrays = everything(found, x)
    graph = found.graph
    activations = {n.name: Activation(arrays[n.name], n.axes, n) for n in graph}
    made = Grouping(graph, activations).of(activations[name], chosen)
    return made and [(g.label, list(g.channels), list(g.sources or ())) for g in made]


def test_a_concatenation_says_range_kind_and_name() -> None:
    assert groups("mixed") == [
        ("0–3 max-pool: pool", [0, 1, 2, 3], [f"pool:{i}" for i in range(4)]),
        ("4–9 conv: relu", [4, 5, 6, 7, 8, 9], [f"relu:{i}" for i in range(6)]),
    ]
    assert groups("joined") == [
        ("0–7 depthwise conv: deep", list(range(8)), [f"deep:{i}" for i in range(8)]),
        ("8 concatenation: get_item", [8], ["pool:0"]),
        ("9–10 concatenation: split", [9, 10], ["pool:0", "pool:1"]),
    ]


def test_slices_and_shuffles_say_which_channels_they_take() -> None:
    assert groups("split[1]") == [
        ("0–1 max-pool: pool, channels 2–3", [0, 1], ["pool:2", "pool:3"]),
        ("2–7 conv: relu", [2, 3, 4, 5, 6, 7], [f"relu:{i}" for i in range(6)]),
    ]
    assert groups("take") == [
        ("0, 2, 4 depthwise conv: deep, channels 0–2", [0, 2, 4], ["deep:0", "deep:1", "deep:2"]),
        ("1, 3, 5 max-pool: pool, channels 0, 0–1", [1, 3, 5], ["pool:0", "pool:0", "pool:1"]),
    ]


def test_what_makes_its_own_channels_has_no_groups() -> None:
    for name in ("stem", "pool", "norm", "relu", "deep"):
        assert groups(name) is None


def test_chosen_channels_stay_in_their_order() -> None:
    assert groups("mixed", (9, 1)) == [("", [9, 1], ["relu:5", "pool:1"])]


def test_the_manifest_tells_where_every_copy_comes_from(tmp_path: Path) -> None:
    x = whole_numbers(1, 8, 8, 3)
    ls.view(mixed(), x, tmp_path / "v")
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text(encoding="utf-8"))
    by_name = {node["name"]: node["pictures"][0]["tiles"] for node in manifest["nodes"]}
    found = opened(mixed())
    for node in found.graph:
        tiles = {tile["channel"]: tile["from"] for tile in by_name[node.name]}
        made = groups(node.name)
        expected = dict.fromkeys(range(node.channels or 0))
        for _, channels, sources in made or ():
            expected |= dict(zip(channels, sources, strict=True))
        assert tiles == expected, node.name
    assert {tile["from"] for tile in by_name["padded"]} == {
        *(f"deep:{i}" for i in range(8)), "pool:0", "pool:1"
    }  # fmt: skip


def test_a_vector_keeps_its_order(tmp_path: Path) -> None:
    x = keras.Input((2, 2, 2), name="x")
    both = layers.Concatenate(name="both")([layers.ReLU(name="a")(x), layers.ReLU(name="b")(x)])
    model = keras.Model(x, layers.Flatten(name="flat")(both))
    ls.view(model, whole_numbers(1, 2, 2, 2), tmp_path / "v")
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text(encoding="utf-8"))
    (flat,) = (node for node in manifest["nodes"] if node["name"] == "flat")
    tiles = flat["pictures"][0]["tiles"]
    assert [tile["channel"] for tile in tiles] == list(range(16))
    assert [tile["from"] for tile in tiles] == ["a:0", "a:1", "b:0", "b:1"] * 4


def test_headings_are_drawn_only_where_channels_are_grouped() -> None:
    found = opened(mixed())
    x = np.abs(whole_numbers(1, 8, 8, 3))
    arrays = everything(found, x)
    activations = {n.name: Activation(arrays[n.name], n.axes, n) for n in found.graph}
    grouping = Grouping(found.graph, activations)
    heights = {}
    for name in ("mixed", "padded"):
        plain = activations[name].figure(columns=4)
        grouped = activations[name].figure(columns=4, groups=grouping.of(activations[name]))
        heights[name] = grouped.pixels.shape[0] - plain.pixels.shape[0]
        assert {tile.channel for tile in grouped.tiles} == set(range(len(plain.tiles)))
    assert heights["mixed"] > 0


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (layers.Conv2DTranspose(2, 3), "transposed conv"),
        (layers.AveragePooling2D(2), "average-pool"),
        (layers.GlobalMaxPooling2D(keepdims=True), "global max-pool"),
        (layers.Dense(2), "dense"),
        (layers.Resizing(2, 2), "Resizing"),
        (layers.ReLU(), "input"),
    ],
)
def test_kinds(layer: Any, kind: str) -> None:
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), layer, layers.Dropout(0.1), layers.Activation("tanh", name="t")]
    )
    graph = opened(model).graph
    assert kind_of(graph, graph["t"]) == kind
