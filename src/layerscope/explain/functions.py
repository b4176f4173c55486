"""Functions: activation functions and the like, as numpy computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import erf, pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.kernels import Floats
from layerscope.operations import Elementwise

Settings = Mapping[str, float]
# Klambauer, Unterthiner, Mayr and Hochreiter 2017, equation 14.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_erf: Callable[[Floats], Floats] = np.vectorize(erf, otypes=[np.float64])


def evaluate(
    operation: Elementwise, values: NDArray[Any], weights: Mapping[str, NDArray[Any]]
) -> tuple[Floats, ...]:
    """The function of one sample's values, by each of the definitions that go by its name.

    values: an array without its batch axis. weights: by role, for functions that learn. Empty
    where the function is not known.
    """
    x = np.asarray(values, np.float64)
    function, settings = operation.function, dict(operation.settings)
    found = _FUNCTIONS.get(function)
    with np.errstate(all="ignore"):
        if function in _SUMMING:
            # The operation counts the batch; the last axis is the usual one.
            axis = tuple(a - 1 for a in operation.axis if a) or (-1,)
            return (_SUMMING[function](x, axis),)
        if function == "prelu" and "alpha" in weights:
            return (np.maximum(x, 0) + weights["alpha"] * np.minimum(x, 0),)
        return () if found is None else tuple(one(x, settings) for one in found)


def _relu(x: Floats, settings: Settings) -> Floats:
    threshold, slope = settings.get("threshold", 0.0), settings.get("negative_slope", 0.0)
    above = np.where(x >= threshold, x, slope * (x - threshold))
    most = settings.get("max_value")
    return above if most is None else np.minimum(above, most)


def _leaky(x: Floats, settings: Settings) -> Floats:
    return np.where(x > 0, x, settings.get("negative_slope", 0.2) * x)


def _elu(x: Floats, settings: Settings) -> Floats:
    return np.where(x > 0, x, settings.get("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _celu(x: Floats, settings: Settings) -> Floats:
    alpha = settings.get("alpha", 1.0)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _selu(x: Floats, settings: Settings) -> Floats:
    return _SELU_SCALE * _elu(x, {"alpha": _SELU_ALPHA})


def _sigmoid(x: Floats, settings: Settings) -> Floats:
    return np.exp(-np.logaddexp(0, -x))


def _softplus(x: Floats, settings: Settings) -> Floats:
    return np.logaddexp(0, x)


def _softmax(x: Floats, axis: tuple[int, ...]) -> Floats:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _log_softmax(x: Floats, axis: tuple[int, ...]) -> Floats:
    moved = x - x.max(axis=axis, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=axis, keepdims=True)))


def _gelu_exact(x: Floats, settings: Settings) -> Floats:
    return x * 0.5 * (1 + _erf(x / sqrt(2)))


def _gelu_approximate(x: Floats, settings: Settings) -> Floats:
    """Hendrycks and Gimpel 2016, section 2."""
    return np.asarray(0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))))


def _clip(x: Floats, settings: Settings) -> Floats:
    return np.asarray(x.clip(settings.get("low", -np.inf), settings.get("high", np.inf)))


def _hard_sigmoid(x: Floats, settings: Settings) -> Floats:
    return np.clip(x / 6 + 0.5, 0, 1)


def _hard_sigmoid_of_keras_2(x: Floats, settings: Settings) -> Floats:
    return np.clip(0.2 * x + 0.5, 0, 1)


def _plain(function: Callable[[Floats], Any]) -> Callable[[Floats, Settings], Floats]:
    return lambda x, settings: np.asarray(function(x), np.float64)


_SUMMING: dict[str, Callable[[Floats, tuple[int, ...]], Floats]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
}
_One = Callable[[Floats, Settings], Floats]
_FUNCTIONS: dict[str, tuple[_One, ...]] = {
    "relu": (_relu,),
    "relu6": (_plain(lambda x: x.clip(0, 6)),),
    "leaky_relu": (_leaky,),
    "elu": (_elu,),
    "celu": (_celu,),
    "selu": (_selu,),
    "sigmoid": (_sigmoid,),
    "log_sigmoid": (_plain(lambda x: -np.logaddexp(0, -x)),),
    "tanh": (_plain(np.tanh),),
    "softplus": (_softplus,),
    "softsign": (_plain(lambda x: x / (1 + np.abs(x))),),
    "gelu": (_gelu_exact, _gelu_approximate),
    "silu": (lambda x, settings: x * _sigmoid(x, settings),),
    "mish": (_plain(lambda x: x * np.tanh(np.logaddexp(0, x))),),
    "hard_sigmoid": (_hard_sigmoid, _hard_sigmoid_of_keras_2),
    "hard_silu": (lambda x, settings: x * _hard_sigmoid(x, settings),),
    "exponential": (_plain(np.exp),),
    "exp": (_plain(np.exp),),
    "log": (_plain(np.log),),
    "sqrt": (_plain(np.sqrt),),
    "rsqrt": (_plain(lambda x: 1 / np.sqrt(x)),),
    "square": (_plain(np.square),),
    "abs": (_plain(np.abs),),
    "absolute": (_plain(np.abs),),
    "negative": (_plain(np.negative),),
    "sign": (_plain(np.sign),),
    "floor": (_plain(np.floor),),
    "ceil": (_plain(np.ceil),),
    "round": (_plain(np.round),),
    "reciprocal": (_plain(lambda x: 1 / x),),
    "sin": (_plain(np.sin),),
    "cos": (_plain(np.cos),),
    "erf": (_plain(_erf),),
    "clip": (_clip,),
    "linear": (_plain(lambda x: x),),
    "identity": (_plain(lambda x: x),),
    "stop_gradient": (_plain(lambda x: x),),
}
_FUNCTIONS["swish"] = _FUNCTIONS["silu"]
_FUNCTIONS["hard_swish"] = _FUNCTIONS["hard_silu"]
