"""The recorder in training loops of the user's own, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import layerscope as ls
from layerscope.errors import LayerscopeError
from networks import plain_array
from test_train_recorder import Spy, network, some

pytestmark = [
    pytest.mark.backend,
    # Keras hands its tensors to NumPy in ways that NumPy 2 has deprecated.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*non-writable:UserWarning"),
]

BACKEND = keras.backend.backend()
EPOCHS, RATE = 3, 0.05


def torch_step(model: Any) -> Callable[[Any, Any], float]:
    """A step as users of torch write it."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step(x: Any, y: Any) -> float:
        loss = torch.nn.functional.mse_loss(model(x, training=True), torch.as_tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def jax_step(model: Any) -> Callable[[Any, Any], float]:
    """A step as users of JAX write it, which hands the new weights back to the network."""
    import jax

    def loss_of(trained: Any, rest: Any, x: Any, y: Any) -> Any:
        answer, _ = model.stateless_call(trained, rest, x, training=True)
        return ((answer - y) ** 2).mean()

    differentiated = jax.jit(jax.value_and_grad(loss_of))

    def step(x: Any, y: Any) -> float:
        trained = [v.value for v in model.trainable_variables]
        rest = [v.value for v in model.non_trainable_variables]
        loss, slopes = differentiated(trained, rest, x, y)
        for variable, slope in zip(model.trainable_variables, slopes, strict=True):
            variable.assign(variable.value - RATE * slope)
        return float(loss)

    return step


def tensorflow_step(model: Any) -> Callable[[Any, Any], float]:
    """A step as users of TensorFlow write it."""
    import tensorflow as tf

    optimizer = keras.optimizers.SGD(RATE)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def compiled(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=True) - y) ** 2)
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        return loss

    return lambda x, y: float(compiled(x, y))


STEPS = {"torch": torch_step, "jax": jax_step, "tensorflow": tensorflow_step}


@pytest.mark.parametrize("through", ["list", "itself"])
def test_a_loop_without_fit(tmp_path: Path, through: str) -> None:
    x, y = some()
    model = network()
    recorder = ls.FeatureMapRecorder(x[:2], ["first", "answer"], output=tmp_path / "r")
    truths = [plain_array(model(x[:2]))]
    if through == "list":
        told = keras.callbacks.CallbackList([recorder], model=model)
    else:
        told = recorder
        told.set_model(model)
    step = STEPS[BACKEND](model)
    losses = []
    told.on_train_begin()
    for epoch in range(EPOCHS):
        told.on_epoch_begin(epoch)
        losses.append(step(x, y))
        truths.append(plain_array(model(x[:2])))
        told.on_epoch_end(epoch, {"loss": losses[-1]})
    told.on_train_end()
    record = ls.Record.open(tmp_path / "r")
    assert record.epochs == (0, 1, 2, 3)
    assert [row["loss"] for row in record.history] == pytest.approx(losses)
    assert losses[-1] < losses[0]
    for epoch, truth in enumerate(truths):
        maps = record.maps(epoch, "answer").array
        assert maps.shape == truth.shape
        # A vector's channels hold one value for each picture.
        assert abs(maps - truth).max() < 1e-5
    changes = [abs(b - a).max() for a, b in pairwise(truths)]
    assert min(changes) > 1e-4, "the network does not learn, so that the test shows nothing"


class OwnStep(keras.Model):  # type: ignore[misc]
    """A network with a training step of its own, which halves the loss."""

    def halved(self, loss: Any) -> Any:
        return loss / 2

    def train_step(self, *arguments: Any) -> Any:
        if BACKEND == "jax":
            return self.step_on_jax(*arguments)
        x, y = arguments[0]
        if BACKEND == "torch":
            self.zero_grad()
            loss = self.halved(((self(x, training=True) - y) ** 2).mean())
            loss.backward()
            variables = self.trainable_variables
            slopes = [v.value.grad for v in variables]
            import torch

            with torch.no_grad():
                self.optimizer.apply(slopes, variables)
            return {"half": loss}
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.halved(tf.reduce_mean((self(x, training=True) - y) ** 2))
        slopes = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(slopes, self.trainable_variables)
        return {"half": loss}

    def step_on_jax(self, state: Any, data: Any) -> Any:
        import jax

        trained, rest, slots, metrics = state
        x, y = data

        def loss_of(trained: Any) -> Any:
            answer, changed = self.stateless_call(trained, rest, x, training=True)
            return self.halved(((answer - y) ** 2).mean()), changed

        (loss, changed), slopes = jax.value_and_grad(loss_of, has_aux=True)(trained)
        trained, slots = self.optimizer.stateless_apply(slots, slopes, trained)
        return {"half": loss}, (trained, changed, slots, metrics)


def test_fit_with_a_step_of_its_own(tmp_path: Path) -> None:
    x, y = some()
    body = network()
    model = OwnStep(body.inputs[0], body.outputs[0])
    model.compile(keras.optimizers.SGD(RATE), jit_compile=False)
    recorder = ls.FeatureMapRecorder(x[:1], "answer", output=tmp_path / "r")
    first = plain_array(model(x[:1]))

    class Look(Spy):
        def look(self) -> None:
            self.seen.append(plain_array(self.model(self.x)))

    spy = Look(x[:1])
    model.fit(x, y, epochs=EPOCHS, batch_size=8, verbose=0, callbacks=[recorder, spy])
    record = ls.Record.open(tmp_path / "r")
    assert record.epochs == (0, 1, 2, 3)
    np.testing.assert_array_equal(spy.seen[0], first)
    for epoch, truth in enumerate(spy.seen):
        assert abs(record.maps(epoch, "answer").array - truth).max() < 1e-5
    assert abs(spy.seen[-1] - first).max() > 1e-4
    # The loss of the first step, by hand: halved, before anything was learned.
    untrained = plain_array(network()(x))
    assert record.history[0]["half"] == pytest.approx(((untrained - y) ** 2).mean() / 2, rel=1e-4)


class Subclassed(keras.Model):  # type: ignore[misc]
    """A network that is code alone, so that it has to be run to be known."""

    def __init__(self) -> None:
        super().__init__()
        self.first = keras.layers.Conv2D(4, 3, activation="relu", name="first")
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.drop = keras.layers.Dropout(0.5, name="drop", seed=1)
        self.pool = keras.layers.GlobalAveragePooling2D(name="pool")
        self.answer = keras.layers.Dense(2, name="answer")

    def call(self, x: Any, training: bool = False) -> Any:
        x = self.norm(self.first(x), training=training)
        return self.answer(self.drop(self.pool(x), training=training))


def test_recording_changes_nothing_of_what_is_learned(tmp_path: Path) -> None:
    x, y = some()
    learned = []
    for recording in (False, True):
        keras.utils.set_random_seed(5)
        model = Subclassed()
        model(x[:1])
        model.compile(keras.optimizers.SGD(RATE, momentum=0.9), "mse", jit_compile=False)
        callbacks = [ls.FeatureMapRecorder(x[:1], output=tmp_path / "r")] if recording else []
        model.fit(x, y, epochs=3, batch_size=4, verbose=0, callbacks=callbacks)
        learned.append(
            [plain_array(v.value) for v in (*model.variables, *model.optimizer.variables)]
        )
    assert len(learned[0]) > 10
    for without, with_it in zip(*learned, strict=True):
        np.testing.assert_array_equal(without, with_it)
    names = list(ls.Record.open(tmp_path / "r").layers)
    assert [name.rpartition("/")[2] for name in names] == [
        "first",
        "norm",
        "pool",
        "drop",
        "answer",
    ]


def test_a_loop_that_does_not_say_where_it_begins(tmp_path: Path) -> None:
    x, _ = some()
    recorder = ls.FeatureMapRecorder(x[:1], output=tmp_path / "r")
    recorder.set_model(network())
    with pytest.raises(LayerscopeError) as caught:
        recorder.on_epoch_end(0, {"loss": 1.0})
    assert str(caught.value) == (
        "an epoch ended before the recorder was told of its begin: in a loop of your own, call "
        "on_train_begin() once and on_epoch_begin(epoch) before each epoch, after set_model(model)"
    )
    assert not (tmp_path / "r").exists()
