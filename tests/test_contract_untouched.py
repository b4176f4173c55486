"""The model that was given is left as it was, and other threads notice nothing."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kerasmodels import BACKEND, everything, feeds, one, opened, small_weights, to_numpy
from layerscope.errors import ModelError

pytestmark = pytest.mark.backend
layers, ops = keras.layers, keras.ops


class Counted(layers.Layer):
    """Counts its calls in a weight of its own, and adds a loss at each."""

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="calls", dtype="float32"
        )

    def call(self, x: Any) -> Any:
        self.calls.assign(self.calls + 1.0)
        self.add_loss(ops.sum(x))
        return x * 1.0


class Failing(layers.Layer):
    """Fails when it is told to."""

    now = False

    def call(self, x: Any) -> Any:
        if self.now:
            raise RuntimeError("no luck today")
        return x


class Block(layers.Layer):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.inner = layers.Dense(2, activation="relu", name="inner")

    def call(self, x: Any) -> Any:
        return self.inner(x) + ops.relu(x)


def network() -> Any:
    inputs = keras.Input((4, 4, 2), name="i")
    conv = layers.Conv2D(2, 3, padding="same", activation="relu", name="c",
                         activity_regularizer="l2")  # fmt: skip
    x = layers.BatchNormalization(name="bn")(conv(conv(inputs)))
    x = Failing(name="failing")(Counted(name="counted")(Block(name="block")(x)))
    x = layers.Dropout(0.5, name="drop")(x + inputs)
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(2, 1, name="k")], name="seq")
    return small_weights(keras.Model(inputs, inner(x)), 0.25)


def layers_of(model: Any) -> list[Any]:
    return list(model._flatten_layers())


PATCHED = (
    (keras.Layer, "__call__"),
    (keras.Layer, "symbolic_call"),
    (keras.Operation, "__call__"),
    (keras.Operation, "symbolic_call"),
)


def state(model: Any) -> Any:
    operations = [*layers_of(model), *model.operations]
    return {
        "nodes": [(list(x._inbound_nodes), list(x._outbound_nodes)) for x in operations],
        "activations": [getattr(x, "activation", None) for x in operations],
        "attributes": [sorted(vars(x)) for x in operations],
        "regularizers": [x.activity_regularizer for x in layers_of(model)],
        "losses": [id(x) for x in model.losses],
        "classes": [vars(owner)[name] for owner, name in PATCHED],
        "weights": [to_numpy(variable).tobytes() for variable in model.variables],
    }


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    before = state(model)
    layer = layers.Dense(1)
    tensor = keras.KerasTensor((1,))
    yield
    after = state(model)
    for key, value in before.items():
        assert after[key] == value, key
    base, _, number = layer.name.rpartition("_")
    base, number = (layer.name, "0") if not number.isdigit() else (base, number)
    assert layers.Dense(1).name == f"{base}_{int(number) + 1}"
    stem, _, number = tensor.name.rpartition("_")
    count = int(number) if number.isdigit() else 0
    stem = stem if number.isdigit() else tensor.name
    assert keras.KerasTensor((1,)).name == f"{stem}_{count + 1}"


def picture(batch: int = 2) -> Any:
    return np.random.default_rng(0).normal(size=(batch, 4, 4, 2)).astype("float32")


@pytest.mark.parametrize("called_before", [False, True])
def test_listing_and_running_change_nothing(called_before: bool) -> None:
    model = network()
    if called_before:
        model(picture())
        assert model.losses
    with unchanged(model):
        found = opened(model)
        assert len(found.graph) > 8
    with unchanged(model):
        everything(found, picture())
        found.run(feeds(found, picture()), ["c:pre", "c@1:pre", "block/inner:pre", "seq/k"])
    with unchanged(model):
        everything(found, picture(), training=True)
    with unchanged(model):
        everything(found, picture(), stream=True)
        everything(found, picture(3), stream=True)


def test_a_recorded_model_is_unchanged_too() -> None:
    class Raw(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.body = network()
            self.last = layers.Dense(1, name="last", activation="relu")

        def call(self, x: Any) -> Any:
            # A float can be had of no symbolic tensor.
            return self.last(self.body(x * float(np.prod(tuple(x.shape[1:])) * 0 + 1)))

        @property
        def operations(self) -> Any:
            return self.body.operations

    model = Raw()
    model(picture())
    with unchanged(model):
        found = opened(model)
        values = everything(found, picture())
        found.run(feeds(found, picture()), ["last:pre"])
        found.run(feeds(found, picture()), ["last:pre"], training=True)
    wanted = to_numpy(model(picture(), training=False))
    assert_allclose(values["last"], wanted, rtol=1e-5, atol=1e-6)


def test_a_failure_inside_a_layer_leaves_nothing_behind() -> None:
    model = network()
    found = opened(model)
    _ = found.graph
    failing = model.get_layer("failing")
    failing.now = True
    try:
        with unchanged(model):
            message = (
                r"failing \(Failing\) cannot be computed from an input of shape "
                r"\((2|None), 4, 4, 2\): no luck today"
            )
            for stream in (False, True):
                with pytest.raises(ModelError) as caught:
                    everything(found, picture(), stream=stream)
                assert re.fullmatch(message, str(caught.value))
            with pytest.raises(ModelError, match=r"cannot be called .*: no luck today$"):
                _ = opened(model).graph
    finally:
        failing.now = False
    assert np.isfinite(one(found, "seq", picture())).all()


def test_eight_threads_at_once_agree_with_one() -> None:
    model = network()
    x = picture()
    single = opened(model)
    names = [node.name for node in single.graph]
    selections = [[*names[i::8], "c:pre", "seq"] for i in range(8)]
    wanted = [single.run(feeds(single, x), selection) for selection in selections]
    stop = threading.Event()
    trouble: list[BaseException] = []

    def meanwhile() -> None:
        """Another person's own work with Keras: building models and calling this one."""
        expected = to_numpy(model(x, training=False))
        while not stop.is_set():
            try:
                dense = layers.Dense(2)
                inputs = keras.Input((2,))
                small = keras.Model(inputs, ops.relu(dense(inputs)))
                assert len(dense._inbound_nodes) == 1
                assert small.get_layer(dense.name) is dense
                assert_array_equal(to_numpy(model(x, training=False)), expected)
            except BaseException as error:
                trouble.append(error)
                return

    other = threading.Thread(target=meanwhile)
    before = [vars(owner)[name] for owner, name in PATCHED]
    inbound = [len(layer._inbound_nodes) for layer in layers_of(model)]
    other.start()
    try:
        for shared in (True, False):
            found = opened(model)

            def run(
                selection: list[str], found: Any = found if shared else None
            ) -> list[dict[str, Any]]:
                mine = found or opened(model)
                return [
                    mine.run(feeds(mine, x), selection, stream=stream)
                    for stream in (False, BACKEND == "tensorflow")
                ]

            with ThreadPoolExecutor(8) as pool:
                results = list(pool.map(run, selections))
            for (eager, stream), expected in zip(results, wanted, strict=True):
                assert list(eager) == list(expected)
                for name, array in expected.items():
                    assert_array_equal(eager[name], array)
                    assert_allclose(stream[name], array, rtol=1e-5, atol=1e-6)
    finally:
        stop.set()
        other.join()
    assert not trouble, trouble[0]
    assert [vars(owner)[name] for owner, name in PATCHED] == before
    assert [len(layer._inbound_nodes) for layer in layers_of(model)] == inbound
