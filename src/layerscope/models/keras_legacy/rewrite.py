"""One layer of Keras 2 as a Keras 3 object: a pure function on plain dicts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from layerscope.errors import ModelError, UntrustedError
from layerscope.models.keras_legacy.activations import activation
from layerscope.models.keras_legacy.classes import (
    CELLS,
    DIMENSIONLESS,
    DROPPED,
    FORMATTED,
    HARMLESS,
    OWN,
    REFUSED,
    RENAMED_CLASSES,
    SHARED,
)
from layerscope.models.keras_legacy.config import CHANNELS_LAST, Config, as_config, text_of

_OF_TRAINING = ("_regularizer", "_constraint")
_SHAPES = frozenset(
    "batch_input_shape batch_shape input_shape input_dtype dynamic consume_less".split()
)


def rewrite_layer(
    layer: Config, name: str, default_format: str | None, own: Collection[str], trust: bool
) -> dict[str, Any]:
    """The Keras 3 object for a layer that is neither a model nor a wrapper.

    name: what the layer is to be called. default_format: the network's data format, for layers
    that state none. own: names of classes and functions that the user supplies. Raises
    ModelError or UntrustedError, naming the layer, where Keras 3 has no counterpart.
    """
    kind, config = text_of(layer.get("class_name")), as_config(layer.get("config"))
    where = f"layer {str(config.get('name') or name)!r}"
    if kind in own:
        return _object(kind, {**_plain(config), "name": name}, None)
    if kind == "Lambda":
        return _lambda(config, name, where, own, trust)
    kind = RENAMED_CLASSES.get(kind, kind)
    if kind in REFUSED:
        raise ModelError(
            f"{where} is a {kind}, which {REFUSED[kind]}. Build the network in code without it "
            "and open it as FILE.py:name --weights FILE."
        )
    if kind not in SHARED and kind not in OWN and kind not in CELLS:
        raise ModelError(
            f"{where} is of the class {kind!r:.100}, which is not known among the layers of Keras "
            "1 and 2. Supply the Python file that defines it: --custom FILE.py (in Python, "
            "custom=...)."
        )
    found = _known(kind, _plain(config), where, default_format, own)
    found["name"] = name
    return _object(kind, found, f"layerscope>{kind}" if kind in OWN else "")


def _object(kind: str, config: dict[str, Any], registered: str | None) -> dict[str, Any]:
    if registered == "":
        return {
            "module": "keras.layers",
            "class_name": kind,
            "config": config,
            "registered_name": None,
        }
    return {
        "module": None,
        "class_name": kind,
        "config": config,
        "registered_name": registered or kind,
    }


def _plain(config: Config) -> dict[str, Any]:
    """The config without what concerns input shapes, with plain numbers and Keras 3's dtype."""
    found = {key: _number(value) for key, value in config.items() if key not in _SHAPES}
    if "dtype" in found:
        found["dtype"] = policy(found["dtype"])
    return found


def _number(value: Any) -> Any:
    """A number that an old Keras wrote as an array."""
    if isinstance(value, dict) and value.get("type") == "ndarray":
        return value.get("value")
    return value


def policy(dtype: Any) -> Any:
    """The name of a dtype or of a mixed-precision policy."""
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, dict) else None
    if dtype in (None, "infer", "_infer"):
        return None
    return text_of(dtype)


def _known(
    kind: str, config: dict[str, Any], where: str, default_format: str | None, own: Collection[str]
) -> dict[str, Any]:
    dropped, harmless = DROPPED.get(kind, frozenset()), HARMLESS.get(kind, {})
    found: dict[str, Any] = {}
    for key, value in config.items():
        if key in harmless:
            if value not in harmless[key]:
                raise ModelError(
                    f"{where} has the option {key}={value!r:.60}, which Keras 3 has no "
                    "counterpart for. Build the network in code and open it as FILE.py:name "
                    "--weights FILE."
                )
        elif key in dropped or key.endswith(_OF_TRAINING):
            continue
        elif key.endswith("_initializer"):
            found[key] = "zeros"
        elif key in ("activation", "recurrent_activation"):
            found[key] = activation(value, where, own)
        else:
            found[key] = value
    if kind in FORMATTED and found.get("data_format") is None:
        found["data_format"] = default_format or CHANNELS_LAST
    elif kind in DIMENSIONLESS and found.get("data_format") is None:
        found["data_format"] = CHANNELS_LAST
    _settle(kind, found, where)
    if kind in ("RNN", "StackedRNNCells"):
        _cells(found, own)
    return found


def _settle(kind: str, found: dict[str, Any], where: str) -> None:
    if kind == "Embedding" and str(found.get("dtype")).startswith(("int", "uint")):
        # The dtype of its input, which some versions wrote there.
        del found["dtype"]
    if kind == "LeakyReLU" and "alpha" in found:
        found["negative_slope"] = found.pop("alpha")
    if kind == "BatchNormalization" and isinstance(found.get("axis"), list):
        if len(found["axis"]) != 1:
            raise ModelError(
                f"{where} normalises over the axes {found['axis']!r:.60} together, which Keras 3 "
                "has no counterpart for. Build the network in code and open it as FILE.py:name "
                "--weights FILE."
            )
        found["axis"] = found["axis"][0]
    if kind == "GRU":
        # Keras 3 sets the other default; files from before the option existed mean this one.
        found.setdefault("reset_after", False)
    if kind in ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"):
        found["stateful"] = False
    if kind in ("LSTM", "GRU", "ConvLSTM2D"):
        found.setdefault("recurrent_activation", activation("hard_sigmoid", where, ()))


def _cells(found: dict[str, Any], own: Collection[str]) -> None:
    key = "cell" if "cell" in found else "cells"
    cells = found.get(key)
    rewritten = []
    for cell in cells if isinstance(cells, list) else [cells]:
        config = as_config(cell)
        inner = as_config(config.get("config"))
        name = str(inner.get("name") or "cell").replace("/", "_")
        rewritten.append(rewrite_layer(config, name, None, own, False))
    found[key] = rewritten if isinstance(cells, list) else rewritten[0]


def _lambda(
    config: Config, name: str, where: str, own: Collection[str], trust: bool
) -> dict[str, Any]:
    function = config.get("function")
    if isinstance(function, dict):
        function = function.get("config")
        if isinstance(function, dict):
            function = [function.get(key) for key in ("code", "defaults", "closure")]
    found = {"name": name, "arguments": config.get("arguments") or {}}
    if isinstance(function, str) and function in own:
        given = {"module": "builtins", "class_name": "function", "config": function}
        found["function"] = {**given, "registered_name": function}
        return _object("Lambda", found, "")
    if isinstance(function, str):
        raise ModelError(
            f"{where} is a Lambda layer of the function {function!r:.60}, which is not in the "
            "file. Supply the Python file that defines it: --custom FILE.py (in Python, "
            "custom=...)."
        )
    if not trust:
        raise UntrustedError(
            f"{where} is a Lambda layer, whose Python code is stored in the file. It runs only "
            "if you trust the file: pass --trust (in Python, trust=True). Code of another Python "
            "version does not run at all: then build the network in code and open it as "
            "FILE.py:name --weights FILE."
        )
    code = function if isinstance(function, list) else [None, None, None]
    keys = ("code", "defaults", "closure")
    found["function"] = {"class_name": "__lambda__", "config": dict(zip(keys, code, strict=False))}
    return _object("Lambda", found, "")
