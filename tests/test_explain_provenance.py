"""Provenance: channels traced through whatever moves values, held against the values themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import layerscope as ls
from kerasmodels import everything, opened, small_weights, whole_numbers
from layerscope.explain.provenance import Tracing, numbers_words, origin, origins
from layerscope.explain.receptive_field import boxes
from layerscope.explain.sizes import sizes_of
from layerscope.operations import Gather, Permutation, Reshape, Slice, Stack
from networks import saved

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


@pytest.fixture(autouse=True)
def counting_anew() -> None:
    """Keras numbers the operations of a session, which are known by these names."""
    keras.utils.clear_session()


def numbered(*shape: int) -> NDArray[np.float32]:
    """Every element its own whole number from 1, exact in single precision."""
    return np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)


def planes(node: Any, array: NDArray[Any]) -> NDArray[Any]:
    """One sample with its channels first."""
    one = np.take(array, 0, axis=node.axes.batch)
    axis = node.axes.channel
    return one[None] if axis is None else np.moveaxis(one, axis - 1, 0)


def agree(model: Any, x: NDArray[Any], name: str) -> list[tuple[str, int]]:
    """The origins of a node's channels, once its very values say the same.

    The input's elements are numbered, so that a value says where it comes from.
    """
    found = model if hasattr(model, "graph") else opened(model)
    graph = found.graph
    node = graph[name]
    traced = origins(graph, node)
    arrays = {**everything(found, x), graph.inputs[0].name: x}
    output = planes(node, arrays[name])
    assert len(traced) == len(output)
    tracing = Tracing(graph, node, sizes_of(graph))
    for channel, (source, number) in enumerate(traced):
        if source == name:
            continue
        given = planes(graph[source], arrays[source])[number]
        # The values that are no padding are those of the source's channel, and of no other.
        held = output[channel][output[channel] > 0]
        assert np.isin(held, given).all(), (name, channel)
        places = tracing.channel(channel)
        if not held.size:
            # Cut down to padding alone.
            assert places is None
            continue
        assert places is not None
        assert (places.node, places.channel) == (source, number)
        copy = np.where(places.flat < 0, output[channel], given.reshape(-1)[places.flat])
        assert (copy == output[channel]).all(), (name, channel)
        assert ((places.flat >= 0) == (output[channel] > 0)).all()
    return list(traced)


def of_input(model: Any, shape: tuple[int, ...], name: str) -> list[int | None]:
    """For each channel of a node the input's channel that it is, or None."""
    found = opened(model)
    traced = agree(found, numbered(1, *shape), name)
    given = found.graph.inputs[0].name
    return [number if source == given else None for source, number in traced]


def one(shape: tuple[int, ...], function: Callable[[Any], Any]) -> Any:
    """A model that does this to its input, and nothing else."""
    x = keras.Input(shape)
    return keras.Model(x, function(x))


MOVES: list[tuple[str, Callable[[Any], Any], list[int | None], type]] = [
    ("slice", lambda x: x[..., :3], [0, 1, 2], Slice),
    ("steps", lambda x: x[..., 1::2], [1, 3, 5], Slice),
    ("one", lambda x: x[..., -2], [4], Slice),
    ("places", lambda x: x[:, 1:4, ::2, 2:], [2, 3, 4, 5], Slice),
    ("row", lambda x: x[:, 1, :, 2:4], [2, 3], Slice),
    ("take", lambda x: ops.take(x, [4, 0, 0], axis=-1), [4, 0, 0], Gather),
    ("take rows", lambda x: ops.take(x, [2, 1], axis=1), [0, 1, 2, 3, 4, 5], Gather),
    ("flip", lambda x: ops.flip(x, axis=-1), [5, 4, 3, 2, 1, 0], Slice),
    ("flip columns", lambda x: ops.flip(x, axis=2), [0, 1, 2, 3, 4, 5], Slice),
    ("roll", lambda x: ops.roll(x, 2, axis=-1), [4, 5, 0, 1, 2, 3], Gather),
    ("moved", lambda x: ops.moveaxis(x, -1, 1), [0, 1, 2, 3, 4, 5], Permutation),
    ("swapped", lambda x: ops.swapaxes(x, 1, 2), [0, 1, 2, 3, 4, 5], Permutation),
    ("permuted", lambda x: layers.Permute((3, 2, 1))(x), [0, 1, 2, 3, 4, 5], Permutation),
    ("same shape", lambda x: layers.Reshape((4, 5, 6))(x), [0, 1, 2, 3, 4, 5], Reshape),
    ("rows in one", lambda x: layers.Reshape((20, 6))(x), [0, 1, 2, 3, 4, 5], Reshape),
    ("flat", lambda x: layers.Flatten()(x), [0, 1, 2, 3, 4, 5] * 20, Reshape),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "expected", "kind"), [m[1:] for m in MOVES], ids=[m[0] for m in MOVES]
)
def test_what_only_moves_values_is_traced(
    function: Callable[[Any], Any], expected: list[int | None], kind: type
) -> None:
    model = one((4, 5, 6), function)
    name = opened(model).graph.outputs[0]
    assert isinstance(opened(model).graph[name].operation, kind)
    assert of_input(model, (4, 5, 6), name) == expected


def test_each_output_of_a_split_and_unstacking() -> None:
    x = keras.Input((3, 4, 6))
    parts = ops.split(x, [1, 4], axis=-1)
    single = ops.unstack(x, axis=-1)
    model = keras.Model(x, [*parts, single[4]])
    found = [
        of_input(model, (3, 4, 6), name) for name in ("split", "split[1]", "split[2]", "unstack[4]")
    ]
    assert found == [[0], [1, 2, 3], [4, 5], [4]]


def test_a_channel_shuffle_is_three_moves() -> None:
    """As ShuffleNet mixes the channels of two groups."""

    def shuffled(x: Any) -> Any:
        x = layers.Reshape((4, 4, 2, 3))(x)
        return layers.Reshape((4, 4, 6), name="out")(layers.Permute((1, 2, 4, 3))(x))

    assert of_input(one((4, 4, 6), shuffled), (4, 4, 6), "out") == [0, 3, 1, 4, 2, 5]


def test_interleaving_by_stacking() -> None:
    x = keras.Input((3, 3, 4))
    a, b = ops.split(x, 2, axis=-1)
    both = ops.stack([a, b], axis=-1)
    model = keras.Model(x, layers.Reshape((3, 3, 4), name="out")(both))
    assert isinstance(opened(model).graph["stack"].operation, Stack)
    assert of_input(model, (3, 3, 4), "out") == [0, 2, 1, 3]


def test_a_flattened_network_with_channels_first_is_read_channels_last() -> None:
    x = keras.Input((2, 4, 3))
    first = layers.Permute((3, 1, 2), name="first")(x)
    model = keras.Model(x, layers.Flatten(data_format="channels_first", name="f")(first))
    assert opened(model).graph["f"].operation == Reshape("flatten", (0, 2, 3, 1))
    given = numbered(1, 2, 4, 3)
    assert (everything(model, given)["f"] == given.reshape(1, -1)).all()
    assert of_input(model, (2, 4, 3), "f") == [0, 1, 2] * 8


def test_channels_that_are_mixed_are_their_own() -> None:
    # Rows of two values become channels: every one holds values of all six.
    model = one((4, 4, 6), lambda x: layers.Reshape((8, 4, 3), name="mixed")(x))
    assert agree(model, numbered(1, 4, 4, 6), "mixed") == [("mixed", i) for i in range(3)]
    graph = opened(model).graph
    assert Tracing(graph, graph["mixed"], sizes_of(graph)).channel(0) is None


def test_through_any_number_of_joins() -> None:
    x = keras.Input((6, 6, 2))
    a, b = layers.Conv2D(3, 1, name="a")(x), layers.Conv2D(2, 1, name="b")(x)
    joined = layers.Concatenate(name="joined")([a, b])
    left, right = ops.split(joined, [2], axis=-1)
    again = layers.Concatenate(name="again")([right, layers.ReLU(name="r")(left), joined])
    padded = layers.ZeroPadding2D(1, name="padded")(layers.Dropout(0.5)(again))
    large = layers.UpSampling2D(2, name="large")(padded)
    model = small_weights(keras.Model(x, large))
    expected = [
        ("a", 2), ("b", 0), ("b", 1), ("r", 0), ("r", 1),
        ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1),
    ]  # fmt: skip
    graph = opened(model).graph
    for name in ("again", "padded", "large"):
        assert list(origins(graph, graph[name])) == expected
    assert origin(graph, graph["large"], 9) == ("b", 1)
    assert origin(graph, graph["large"], 10) is None


def test_sizes_that_are_free_need_not_be_known_for_channels() -> None:
    x = keras.Input((None, None, 4))
    moved = layers.Permute((2, 1, 3))(layers.ZeroPadding2D(2)(x[..., 1:]))
    graph = opened(keras.Model(x, layers.Concatenate(name="both")([moved, moved]))).graph
    given = graph.inputs[0].name
    assert origins(graph, graph["both"]) == ((given, 1), (given, 2), (given, 3)) * 2
    # A reshape needs them; told, it is traced.
    y = keras.Input((None, None, 4))
    flat = layers.Reshape((-1, 4), name="flat")(y)
    graph = opened(keras.Model(y, flat)).graph
    assert origins(graph, graph["flat"])[1] == ("flat", 1)
    sizes = sizes_of(graph, {graph.inputs[0].name: (1, 3, 5, 4)})
    assert origins(graph, graph["flat"], {**sizes, "flat": (1, 15, 4)})[1] == (
        graph.inputs[0].name,
        1,
    )


def test_a_nested_model_gives_the_channels_of_its_last_layer() -> None:
    inner_x = keras.Input((4, 4, 3))
    inner = keras.Model(inner_x, layers.Conv2D(4, 1, name="last")(inner_x), name="inner")
    x = keras.Input((4, 4, 3))
    model = keras.Model(x, layers.Concatenate(name="both")([inner(x), x]))
    graph = opened(model).graph
    given = graph.inputs[0].name
    assert origins(graph, graph["both"])[3:5] == (("inner/last", 3), (given, 0))


def test_saved_slices_are_read_again(tmp_path: Path) -> None:
    model = one((4, 4, 6), lambda x: x[:, 1:, :, 2:4])
    file = saved(model, tmp_path / "m.keras")
    graph = ls.open_model(file).graph
    (name,) = graph.outputs
    assert origins(graph, graph[name]) == ((graph.inputs[0].name, 2), (graph.inputs[0].name, 3))


# Moves that keep four axes, each from an array of shape (1, 4, 4, channels).
def halves(x: Any) -> Any:
    a, b = ops.split(x, 2, axis=-1)
    return ops.concatenate([b, a], axis=-1)


def shuffle(x: Any) -> Any:
    channels = x.shape[-1]
    x = ops.reshape(x, (-1, *x.shape[1:3], 2, channels // 2))
    x = ops.transpose(x, (0, 1, 2, 4, 3))
    return ops.reshape(x, (-1, *x.shape[1:3], channels))


def doubled(x: Any) -> Any:
    return ops.concatenate([x, ops.flip(x, axis=1)], axis=-1) if x.shape[-1] < 16 else x


RANDOM_MOVES: list[Callable[[Any], Any]] = [
    halves,
    shuffle,
    doubled,
    lambda x: ops.flip(x, axis=-1),
    lambda x: ops.swapaxes(x, 1, 2),
    lambda x: ops.roll(x, 1, axis=-1),
    lambda x: ops.take(x, [*range(1, x.shape[-1]), 0], axis=-1),
    lambda x: x[:, 1:] if x.shape[1] > 2 else x,
    lambda x: layers.ZeroPadding2D(((0, 1), (1, 0)))(x),
    lambda x: layers.Cropping2D(((1, 0), (0, 0)))(x) if x.shape[1] > 2 else x,
    lambda x: layers.UpSampling2D((1, 2))(x) if x.shape[2] < 12 else x,
    lambda x: layers.Dropout(0.1)(x),
    lambda x: ops.stack([x, x], axis=1)[:, 1],
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(RANDOM_MOVES), min_size=1, max_size=6))
def test_any_moves_one_after_another(moves: list[Callable[[Any], Any]]) -> None:
    x = keras.Input((4, 4, 4), name="x")
    y = x
    for move in moves:
        y = move(y)
    model = keras.Model(x, layers.Identity(name="end")(y))
    traced = agree(model, numbered(1, 4, 4, 4), "end")
    assert {source for source, _ in traced} == {"x"}


def test_changing_a_channel_changes_its_copies_and_nothing_else() -> None:
    x = keras.Input((5, 5, 4), name="x")
    a, b = ops.split(x, 2, axis=-1)
    joined = layers.Concatenate(name="joined")([b, layers.Conv2D(3, 3, padding="same")(a), a])
    model = small_weights(keras.Model(x, layers.Permute((2, 1, 3), name="end")(joined)))
    found = opened(model)
    traced = origins(found.graph, found.graph["end"])
    before = whole_numbers(1, 5, 5, 4)
    first = everything(found, before)["end"]
    for channel in (2, 3):
        after = before.copy()
        after[..., channel] += 1
        changed = (everything(found, after)["end"] != first).any(axis=(0, 1, 2))
        assert list(changed) == [source == ("x", channel) for source in traced]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:, 2:9:3, 1:, 1:],
        lambda x: ops.take(x, [7, 2, 2], axis=1),
        lambda x: ops.stack([x[:, :5], x[:, 5:]], axis=1)[:, 1],
        lambda x: ops.flip(x, axis=2),
        lambda x: layers.Flatten(data_format="channels_first")(x),
    ],
)
def test_receptive_fields_through_moves_are_exact(function: Callable[[Any], Any]) -> None:
    x = keras.Input((10, 9, 3), name="x")
    first = layers.Conv2D(2, 3, padding="same", use_bias=False, name="c")(x)
    model = keras.Model(x, layers.Identity(name="end")(function(first)))
    model.get_layer("c").set_weights([np.ones((3, 3, 3, 2), np.float32)])
    found = opened(model)
    node = found.graph["end"]
    base = numbered(1, 10, 9, 3)
    output = planes(node, everything(found, base)["end"])
    for place in {(0,) * (output.ndim - 1), tuple(n - 1 for n in output.shape[1:])}:
        channel = len(output) - 1
        at = place if node.axes.spatial else None
        (box,) = boxes(found.graph, "end", at, channel=channel)
        assert box.status == "exact"
        (top, bottom), (left, right) = box.ranges
        matters = np.zeros((10, 9), bool)
        for row, column in np.ndindex(10, 9):
            changed = base.copy()
            changed[0, row, column] += 1
            after = planes(node, everything(found, changed)["end"])
            matters[row, column] = after[(channel, *place)] != output[(channel, *place)]
        rows, columns = np.flatnonzero(matters.any(1)), np.flatnonzero(matters.any(0))
        assert (top, bottom) == (rows[0], rows[-1] + 1)
        assert (left, right) == (columns[0], columns[-1] + 1)


def test_numbers_in_few_words() -> None:
    assert numbers_words(list(range(64))) == "0–63"
    assert numbers_words([0, 2, 4, 6]) == "0, 2, …, 6"
    assert numbers_words([1, 2, 3, 8, 9, 20, 30, 40]) == "1–3, 8–9, 20, …"
    assert numbers_words([5]) == "5"
