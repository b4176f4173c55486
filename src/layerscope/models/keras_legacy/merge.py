"""Keras 1's Merge layers, and Sequential models that start with one, in the words of Keras 2."""

from __future__ import annotations

from typing import Any

from layerscope.errors import ModelError, UntrustedError
from layerscope.models.keras_legacy.config import Config, as_config, as_layers, is_model

_MODES = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
    "dot": "Dot",
    "cos": "CosineMerge",
}


def merge_layer(layer: Config) -> dict[str, Any]:
    """A Merge layer as the layer that its mode became."""
    config = as_config(layer["config"])
    name, mode = config.get("name"), config.get("mode")
    if config.get("mode_type", "raw") != "raw":
        raise UntrustedError(
            f"Layer {name!r} is a Merge by Python code that is stored in the file. It is not run: "
            "build the network in code and open it as FILE.py:name --weights FILE."
        )
    if not isinstance(mode, str) or mode not in _MODES:
        raise ModelError(
            f"Layer {name!r} is a Merge of the mode {mode!r}. Expected one of {', '.join(_MODES)}."
        )
    found: dict[str, Any] = {"name": name, "trainable": config.get("trainable", True)}
    if mode == "concat":
        found["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        found["axes"] = config.get("dot_axes", -1)
    return {"class_name": _MODES[mode], "config": found}


def merged_sequential(name: str, layers: list[dict[str, Any]]) -> dict[str, Any]:
    """A Sequential model whose first layer merges branches, as a Functional model.

    layers: of Keras 2 already, but for the Merge with its branches.
    """
    first, *rest = layers
    config = as_config(first["config"])
    inputs: list[Any] = []
    found: dict[str, dict[str, Any]] = {}
    calls: list[list[Any]] = []
    for branch in as_layers(config.get("layers")):
        if not is_model(branch):
            raise ModelError(
                f"Layer {config.get('name')!r} merges a {branch.get('class_name')!r:.60}. "
                "Expected Sequential or Model branches."
            )
        own = str(branch.get("name") or branch["config"].get("name") or f"branch_{len(calls)}")
        fed = []
        for i, source in enumerate(_sources(branch)):
            given = f"{own}_input" + (f"_{i}" if i else "")
            while given in found:
                given += "_"
            found[given] = {**source, "name": given, "inbound_nodes": []}
            found[given]["config"] = {**source["config"], "name": given}
            fed.append([given, 0, 0, {}])
            inputs.append([given, 0, 0])
        entry = found.setdefault(own, {**branch, "name": own, "inbound_nodes": []})
        calls.append([own, len(entry["inbound_nodes"]), 0, {}])
        entry["inbound_nodes"].append(fed)
    merge = {**merge_layer(first), "name": str(config.get("name"))}
    found[merge["name"]] = {**merge, "inbound_nodes": [calls]}
    last = merge["name"]
    for layer in rest:
        own = str(layer.get("name") or layer["config"].get("name"))
        if own in found:
            raise ModelError(f"Two layers are called {own!r:.60}. Expected a name for each.")
        found[own] = {**layer, "name": own, "inbound_nodes": [[[last, 0, 0, {}]]]}
        last = own
    return {
        "class_name": "Functional",
        "config": {
            "name": name,
            "layers": list(found.values()),
            "input_layers": inputs,
            "output_layers": [[last, 0, 0]],
        },
    }


def _sources(branch: Config) -> list[dict[str, Any]]:
    """An InputLayer for every input of a branch."""
    config = as_config(branch["config"])
    layers = as_layers(config)
    if branch["class_name"] == "Sequential":
        names = [layers[0]["config"].get("name")] if layers else []
    else:
        names = [entry[0] for entry in config.get("input_layers") or [] if entry]
    found = []
    for layer in layers:
        own = as_config(layer["config"])
        if own.get("name") in names:
            if "batch_input_shape" not in own:
                raise ModelError(
                    f"The branch {config.get('name')!r:.60} of a Merge states no input shape. "
                    "Build the network in code and open it as FILE.py:name --weights FILE."
                )
            given = {"batch_input_shape": own["batch_input_shape"]}
            if own.get("input_dtype"):
                given["dtype"] = own["input_dtype"]
            found.append({"class_name": "InputLayer", "config": given})
    return found
