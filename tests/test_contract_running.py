"""Only what is needed runs, nothing else is kept, and compiling changes no value."""

import gc
import weakref
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import oracle
from kerasmodels import (
    BACKEND,
    everything,
    feeds,
    one,
    opened,
    small_weights,
    to_numpy,
    whole_numbers,
)
from layerscope.models.keras import program

pytestmark = pytest.mark.backend
layers = keras.layers


class Seen(layers.Layer):
    """Notes in a list that it was run with real tensors, and of what values."""

    def __init__(self, seen: list[Any], **options: Any) -> None:
        super().__init__(**options)
        self.seen = seen

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x: Any) -> Any:
        self.seen.append(1)
        return x + 1


def chain(length: int = 5) -> tuple[Any, list[Any]]:
    inputs = x = keras.Input((3,), name="i")
    # Keras itself would track a plain list that is a layer's attribute, and copy it.
    seen: list[Any] = []
    for i in range(length):
        layer = Seen(seen, name=f"s{i}")
        object.__setattr__(layer, "seen", seen)
        x = layer(x)
    return keras.Model(inputs, x), seen


def test_listing_runs_nothing_and_early_layers_run_alone() -> None:
    model, seen = chain()
    found = opened(model)
    assert len(found.graph) == 5
    assert not seen
    x = whole_numbers(2, 3)
    assert_array_equal(one(found, "s1", x), x + 2)
    assert len(seen) == (2 if BACKEND != "jax" else len(seen))
    assert len(seen) <= 2
    seen.clear()
    assert_array_equal(one(found, "i", x), x)
    assert not seen


def test_branches_that_are_not_asked_for_do_not_run() -> None:
    inputs = keras.Input((3,), name="i")
    seen: list[Any] = []
    made = []
    for name in ("left", "right"):
        layer = Seen([], name=name)
        object.__setattr__(layer, "seen", seen)
        made.append(layer(inputs))
    model = keras.Model(inputs, layers.Add(name="sum")(made))
    x = whole_numbers(2, 3)
    assert_array_equal(one(model, "right", x), x + 1)
    assert len(seen) == 1


def test_a_recorded_model_stops_when_it_has_what_is_asked_for() -> None:
    seen: list[Any] = []

    class Raw(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.early, self.late = layers.ReLU(name="early"), layers.ReLU(name="late")

        def call(self, x: Any) -> Any:
            y = self.early(keras.ops.convert_to_tensor(_by_backend(x)))
            seen.append(1)
            return self.late(y)

    model = Raw()
    x = whole_numbers(2, 3)
    model(x)
    found = opened(model)
    assert [node.name for node in found.graph] == ["early", "late"]
    seen.clear()
    assert_array_equal(one(found, "early", x), np.maximum(x, 0))
    assert not seen


def _by_backend(x: Any) -> Any:
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.reverse(x, [1])[:, ::-1]
    if BACKEND == "jax":
        import jax

        return jax.numpy.flip(jax.numpy.flip(x, 1), 1)
    import torch

    return torch.flip(torch.flip(x, [1]), [1])


@pytest.mark.skipif(BACKEND == "jax", reason="JAX compiles the pass, and frees arrays itself")
def test_values_are_let_go_as_soon_as_nothing_needs_them() -> None:
    model, _ = chain(6)
    found = opened(model)
    _ = found.graph
    alive: list[int] = []
    references: list[Any] = []
    original = keras.Layer.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = original(self, *args, **kwargs)
        gc.collect()
        references.append(weakref.ref(made))
        alive.append(sum(reference() is not None for reference in references))
        return made

    keras.Layer.__call__ = call
    try:
        kept = found.run(feeds(found, whole_numbers(2, 3)), ["s5"])
    finally:
        keras.Layer.__call__ = original
    assert list(kept) == ["s5"]
    # A layer's input and its output, and no third.
    assert len(alive) == 6
    assert max(alive) <= 2


def test_a_plan_releases_each_tensor_once_after_its_last_use() -> None:
    inputs = keras.Input((3,), name="i")
    a = layers.ReLU(name="a")(inputs)
    b = layers.ReLU(name="b")(a)
    c = layers.Add(name="c")([a, b])
    model = keras.Model(inputs, layers.Add(name="d")([c, a]))
    found = opened(model)
    trace = found._calls()
    assert trace is not None
    plan = program.make_plan(trace, ["c"])
    names = {id(x): call.name for call in trace.calls for x in call.outputs}
    names |= {id(x): name for name, x in trace.inputs.items()}
    freed = [sorted(names[id_] for id_ in step.release) for step in plan.steps]
    assert [step.call.name for step in plan.steps] == ["a", "b", "c"]
    assert freed == [["i"], [], ["a", "b", "c"]]


def convolutions() -> Any:
    inputs = keras.Input((6, 6, 2), name="i")
    x = layers.Conv2D(3, 3, activation="relu", name="c")(inputs)
    x = layers.BatchNormalization(name="bn", epsilon=0.0)(x)
    x = layers.Flatten(name="f")(x)
    return small_weights(keras.Model(inputs, layers.Dense(2, name="d")(x)))


def test_the_compiled_pass_gives_the_same_for_every_size_of_batch() -> None:
    model = convolutions()
    found = opened(model)
    for batch in (4, 4, 3, 1):
        x = whole_numbers(batch, 6, 6, 2, seed=batch)
        eager, compiled = everything(opened(model), x), everything(found, x, stream=True)
        assert list(eager) == list(compiled)
        for name, array in eager.items():
            np.testing.assert_allclose(compiled[name], array, rtol=1e-6, atol=1e-6)
        kernel, bias = (to_numpy(w) for w in model.get_layer("c").weights)
        assert_array_equal(compiled["c"], oracle.relu(oracle.convolution(x, kernel, bias)))


@pytest.mark.parametrize("stream", [False, True])
def test_weights_that_change_afterwards_are_seen(stream: bool) -> None:
    model = convolutions()
    found = opened(model)
    x = whole_numbers(2, 6, 6, 2)
    for seed in (1, 2):
        small_weights(model, seed=seed)
        kernel, bias = (to_numpy(w) for w in model.get_layer("c").weights)
        wanted = oracle.relu(oracle.convolution(x, kernel, bias))
        for _ in range(5):
            assert_array_equal(one(found, "c", x, stream=stream), wanted)
        assert_array_equal(found.weights("c")["kernel"], kernel)


def test_weights_by_role() -> None:
    found = opened(convolutions())
    assert {n: w.shape for n, w in found.weights("c").items()} == {
        "kernel": (3, 3, 2, 3),
        "bias": (3,),
    }
    assert set(found.weights("bn")) == {"gamma", "beta", "moving_mean", "moving_variance"}
    assert found.weights("f") == {}
    assert found.weights("i") == {}


def test_weights_are_copies() -> None:
    model = convolutions()
    found = opened(model)
    kernel = found.weights("c")["kernel"]
    before = kernel.copy()
    kernel[...] = 7
    assert_array_equal(to_numpy(model.get_layer("c").kernel), before)


def test_arrays_outlive_later_runs() -> None:
    model = convolutions()
    found = opened(model)
    first = everything(found, whole_numbers(2, 6, 6, 2, seed=1))
    copies = {name: array.copy() for name, array in first.items()}
    del model
    for seed in range(3):
        everything(found, whole_numbers(2, 6, 6, 2, seed=seed))
    gc.collect()
    for name, array in copies.items():
        assert_array_equal(first[name], array)
