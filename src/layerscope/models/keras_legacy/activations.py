"""Activation functions of old Keras under the names that Keras 3 gives the same functions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from layerscope.errors import ModelError

# Keras 3's hard sigmoid is another function than that of Keras 1 and 2; under its name, a
# wrapper that copies its layer would take Keras 3's.
HARD_SIGMOID = "keras2_hard_sigmoid"
_SAME = frozenset(
    "linear relu relu6 sigmoid tanh softmax softplus softsign elu selu exponential gelu mish "
    "leaky_relu log_softmax".split()
)
_RENAMED = {"swish": "silu", "silu": "silu"}
_AS_LAYERS = {"LeakyReLU", "ReLU", "ELU", "Softmax"}


def activation(value: Any, where: str, own: Collection[str]) -> Any:
    """What Keras 3 is to be given for an activation; own: names that the user supplies."""
    if isinstance(value, dict):
        name = value.get("class_name")
        inner = value.get("config")
        if isinstance(name, str) and name in _AS_LAYERS and isinstance(inner, dict):
            return _layer(name, inner)
        value = inner if name == "function" else name
    if value is None:
        return "linear"
    if isinstance(value, str):
        bare = value.rpartition(">")[2]
        if value in own or bare in own:
            return _function(value if value in own else bare)
        if value == "hard_sigmoid":
            return _function(HARD_SIGMOID)
        if value in _RENAMED or value in _SAME:
            return _RENAMED.get(value, value)
    raise ModelError(
        f"{where} has the activation function {value!r:.60}, which is not part of Keras. Supply "
        "the Python file that defines it: --custom FILE.py (in Python, custom=...)."
    )


def _function(name: str) -> dict[str, Any]:
    return {
        "module": "builtins",
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def _layer(name: str, config: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in config.items() if key not in ("alpha", "dtype", "name")}
    if "alpha" in config:
        found["negative_slope" if name == "LeakyReLU" else "alpha"] = config["alpha"]
    return {
        "module": "keras.layers",
        "class_name": name,
        "config": found,
        "registered_name": None,
    }
