"""Activation functions and their numbers, and whose code an operation runs."""

from __future__ import annotations

import re
from typing import Any

import keras

from layerscope.operations import Elementwise, Operation

_BACKENDS = ("tensorflow", "jax", "torch")


def function_name(function: Any) -> str:
    """The name of an activation function; ``linear`` for none."""
    if function is None:
        return "linear"
    name = getattr(function, "__name__", None) or getattr(function, "name", None)
    return str(name or type(function).__name__)


def snake_case(name: str) -> str:
    """``BatchNormalization`` as ``batch_normalization``."""
    spaced = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", spaced).lower()


def keras_class(layer: Any) -> str:
    """The name of the class of Keras's own that a layer is, or comes from."""
    own = (kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    return next(own).__name__


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes as Keras takes them: one, several, or None for all."""
    if axis is None:
        return tuple(range(rank))
    several = axis if isinstance(axis, list | tuple) else (axis,)
    return tuple(positive(int(a), rank) for a in several)


def rank_of(args: tuple[Any, ...]) -> int:
    """The rank of the first tensor: before it may stand a number, as in ``1 - x``."""
    return next((len(x.shape) for x in args if hasattr(x, "shape")), 1)


def positive(axis: int, rank: int) -> int:
    """An axis counted from the first."""
    return axis if axis >= 0 else axis + rank


def of_function(layer: Any, args: tuple[Any, ...]) -> Operation:
    """A layer that is a function of each element."""
    return Elementwise(snake_case(keras_class(layer)).replace("re_lu", "relu"), settings_of(layer))


# The numbers of functions by attribute, with the values that are usual.
_SETTINGS: dict[str, dict[str, tuple[str, float | None]]] = {
    "ReLU": {
        "max_value": ("max_value", None),
        "negative_slope": ("negative_slope", 0.0),
        "threshold": ("threshold", 0.0),
    },
    "LeakyReLU": {"negative_slope": ("negative_slope", None)},
    "LeakyRelu": {"negative_slope": ("negative_slope", None)},
    "ELU": {"alpha": ("alpha", 1.0)},
    "Elu": {"alpha": ("alpha", 1.0)},
    "Celu": {"alpha": ("alpha", 1.0)},
    "Gelu": {"approximate": ("approximate", 0.0)},
    "Clip": {"x_min": ("low", None), "x_max": ("high", None)},
}


def settings_of(operation: Any) -> tuple[tuple[str, float], ...]:
    """The numbers of a function that are not the usual ones."""
    found = []
    for attribute, (name, usual) in _SETTINGS.get(keras_class(operation), {}).items():
        value = getattr(operation, attribute, None)
        number = float(value) if isinstance(value, int | float) else None
        if number is not None and number != usual:
            found.append((name, number))
    return tuple(found)


def of_softmax(layer: Any, args: tuple[Any, ...]) -> Operation:
    """The layer ``Softmax``, with its axes."""
    return Elementwise("softmax", settings_of(layer), axes_of(layer.axis, len(args[0].shape)))


def of_activation(layer: Any, args: tuple[Any, ...]) -> Operation:
    """The layer ``Activation``."""
    name = function_name(layer.activation)
    axis = -1 if name in ("softmax", "log_softmax") else ()
    return Elementwise(name, axis=axes_of(axis, len(args[0].shape)))


def own_code(operation: Any) -> bool:
    """Whether code of a person's own may do more than the operation's neutral form says."""
    if not isinstance(operation, keras.Layer):
        return False
    caller = next(kind for kind in type(operation).__mro__ if "call" in vars(kind))
    function = getattr(operation, "activation", None)
    home = caller.__module__.split(".")[0]
    return home not in ("keras", "layerscope") or not _is_known(function)


def _is_known(function: Any) -> bool:
    """Whether an activation function is what its name says."""
    if function is None or isinstance(function, keras.Layer):
        return function is None or not own_code(function)
    home = str(getattr(function, "__module__", "")).split(".")[0]
    name = function_name(function)
    return home == "keras" or (home in _BACKENDS and hasattr(keras.activations, name))
