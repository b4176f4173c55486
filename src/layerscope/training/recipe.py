"""The usual network for telling photographs apart, and how it is trained."""

from __future__ import annotations

from typing import Any

import keras

from layerscope.errors import InputError

_FILTERS = (32, 64, 128, 128)
_SMALLEST = 46
_OPTIMIZER, _LEARNING_RATE = "rmsprop", 1e-4


def usual_network(size: tuple[int, int], channels: int, classes: int) -> Any:
    """Four convolutions, each with a max-pooling, and two dense layers: a Sequential model.

    size: height and width in pixels. Two classes are answered with one number from 0 to 1,
    more with one for each. Raises InputError where the pictures are too small for it.
    """
    if min(size) < _SMALLEST:
        raise InputError(
            f"size {size[0]}×{size[1]} is too small for the usual network, whose four poolings "
            f"need {_SMALLEST}×{_SMALLEST} pixels: give a larger --size, or a --model of your own"
        )
    layers = keras.layers
    # Keras's own names, given by hand, so that a network made before changes nothing.
    model = keras.Sequential([keras.Input((*size, channels), name="input_layer")], name="network")
    for i, filters in enumerate(_FILTERS):
        tail = f"_{i}" if i else ""
        last = {"data_format": "channels_last"}
        model.add(layers.Conv2D(filters, 3, activation="relu", name=f"conv2d{tail}", **last))
        model.add(layers.MaxPooling2D(2, name=f"max_pooling2d{tail}", **last))
    model.add(layers.Flatten(name="flatten", data_format="channels_last"))
    model.add(layers.Dense(512, activation="relu", name="dense"))
    many = classes > 2
    model.add(
        layers.Dense(
            classes if many else 1, activation="softmax" if many else "sigmoid", name="dense_1"
        )
    )
    return model


def compile_network(
    model: Any, kind: str, *, logits: bool, optimizer: str | None, learning_rate: float | None
) -> None:
    """Give a network its loss, its optimizer and accuracy.

    kind: of its answers, ``"binary"`` or ``"one-hot"``. logits: whether its last layer has no
    sigmoid or softmax. optimizer: Keras's name of one, RMSprop by default; learning_rate: 1e-4
    by default. Raises InputError where Keras has no optimizer of that name.
    """
    name = optimizer or _OPTIMIZER
    rate = _LEARNING_RATE if learning_rate is None else learning_rate
    try:
        made = keras.optimizers.get({"class_name": name, "config": {"learning_rate": rate}})
    except (ValueError, TypeError):
        raise InputError(
            f"--optimizer {name!r} is none of Keras's: give rmsprop, adam, adamw, sgd, adagrad …"
        ) from None
    losses, metrics = keras.losses, keras.metrics
    if kind == "binary":
        loss = losses.BinaryCrossentropy(from_logits=logits)
        accuracy = metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if logits else 0.5)
    else:
        loss = losses.CategoricalCrossentropy(from_logits=logits)
        accuracy = metrics.CategoricalAccuracy(name="accuracy")
    # On a CPU, TensorFlow's own convolutions are several times as fast as XLA's.
    model.compile(made, loss=loss, metrics=[accuracy], jit_compile=False)
