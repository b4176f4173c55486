"""TensorFlow functions that Keras 2 recorded as layers, by the operation that each one is."""

from __future__ import annotations

from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.config import Config

FUNCTION_LAYERS = frozenset(("TFOpLambda", "SlicingOpLambda"))
# TensorFlow's name → the name in operations.py.
_OPERATIONS = {
    **dict.fromkeys(("__operators__.add", "math.add", "add"), "add"),
    **dict.fromkeys(("math.subtract", "subtract"), "subtract"),
    **dict.fromkeys(("math.multiply", "multiply"), "multiply"),
    **dict.fromkeys(
        ("math.divide", "math.truediv", "truediv", "divide", "realdiv", "compat.v1.div"), "divide"
    ),
    **dict.fromkeys(("math.pow", "pow"), "power"),
    **dict.fromkeys(("math.maximum", "maximum"), "maximum"),
    **dict.fromkeys(("math.minimum", "minimum"), "minimum"),
    **dict.fromkeys(("linalg.matmul", "matmul"), "matmul"),
    **dict.fromkeys(("math.negative", "negative"), "negative"),
    **dict.fromkeys(("math.abs", "abs"), "absolute"),
    **dict.fromkeys(("math.exp", "exp"), "exp"),
    **dict.fromkeys(("math.log", "log"), "log"),
    **dict.fromkeys(("math.sqrt", "sqrt"), "sqrt"),
    **dict.fromkeys(("math.rsqrt",), "rsqrt"),
    **dict.fromkeys(("math.square", "square"), "square"),
    **dict.fromkeys(("math.squared_difference",), "squared_difference"),
    **dict.fromkeys(("math.sin", "sin"), "sin"),
    **dict.fromkeys(("math.cos", "cos"), "cos"),
    **dict.fromkeys(("math.tanh", "tanh", "nn.tanh"), "tanh"),
    **dict.fromkeys(("math.sigmoid", "sigmoid", "nn.sigmoid"), "sigmoid"),
    **dict.fromkeys(("nn.relu", "keras.activations.relu"), "relu"),
    **dict.fromkeys(("nn.relu6",), "relu6"),
    **dict.fromkeys(("nn.elu",), "elu"),
    **dict.fromkeys(("nn.selu",), "selu"),
    **dict.fromkeys(("nn.silu", "nn.swish"), "silu"),
    **dict.fromkeys(("nn.softplus", "math.softplus"), "softplus"),
    **dict.fromkeys(("nn.softsign", "math.softsign"), "softsign"),
    **dict.fromkeys(("nn.softmax",), "softmax"),
    **dict.fromkeys(("nn.leaky_relu",), "leaky_relu"),
    **dict.fromkeys(("math.reduce_mean", "reduce_mean"), "mean"),
    **dict.fromkeys(("math.reduce_sum", "reduce_sum"), "sum"),
    **dict.fromkeys(("math.reduce_max", "reduce_max"), "max"),
    **dict.fromkeys(("math.reduce_min", "reduce_min"), "min"),
    **dict.fromkeys(("concat",), "concatenate"),
    **dict.fromkeys(("stack",), "stack"),
    **dict.fromkeys(("reshape",), "reshape"),
    **dict.fromkeys(("transpose", "compat.v1.transpose"), "transpose"),
    **dict.fromkeys(("expand_dims", "compat.v1.expand_dims"), "expand_dims"),
    **dict.fromkeys(("squeeze", "compat.v1.squeeze"), "squeeze"),
    **dict.fromkeys(("cast",), "cast"),
    **dict.fromkeys(("clip_by_value",), "clip"),
    **dict.fromkeys(("identity", "stop_gradient"), "identity"),
    **dict.fromkeys(("pad", "compat.v1.pad"), "pad"),
    "__operators__.getitem": "slice",
}


def rewrite_function(name: str, config: Config) -> str:
    """The operation of a TFOpLambda or SlicingOpLambda layer. Raises ModelError for others."""
    function: Any = config.get("function")
    found = _OPERATIONS.get(function) if isinstance(function, str) else None
    if found is None:
        raise ModelError(
            f"layer {name!r:.60} is the TensorFlow function {function!r:.60}, which is not among "
            "those that open. Build the network in code and open it as FILE.py:name --weights FILE."
        )
    return found


def operations() -> frozenset[str]:
    """The names of every operation that a function may be."""
    return frozenset(_OPERATIONS.values())
