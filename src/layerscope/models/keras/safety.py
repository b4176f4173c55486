"""Looking through a model's config before Keras reads it: nothing in it may run code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError, UntrustedError

_RUNS_CODE = {
    "Lambda": "a Lambda layer, whose Python code is stored in the file",
    "__lambda__": "Python code stored in the file",
    "TorchModuleWrapper": "a pickled PyTorch module",
    "TFSMLayer": "a TensorFlow SavedModel, which may run operations when it is loaded",
    "JaxLayer": "JAX code stored in the file",
    "FlaxLayer": "Flax code stored in the file",
}
_NAMES_FILES = {"vocabulary", "vocabulary_file", "filepath", "file_path"}
_OF_A_NETWORK = frozenset(
    "keras layers models initializers regularizers constraints activations losses metrics "
    "optimizers ops random dtype_policies quantizers legacy _legacy".split()
)

_LAYERS_OF_APPLICATIONS = ("CustomScaleLayer", "LayerScale", "StochasticDepth")


def check_config(path: Path, config: Any, *, trust: bool, known: frozenset[str]) -> None:
    """Hold every object that a model config would make against what Keras itself offers.

    known: names of classes that the user supplies. Raises UntrustedError for what would run
    code or read other files, and ModelError for classes that nobody supplied.
    """
    for layer, found in _objects(config):
        name = found["class_name"]
        where = f"layer {layer!r}" if layer else "its config"
        if name in _RUNS_CODE and name not in known:
            if not trust:
                raise UntrustedError(
                    f"{path}: {where} is {_RUNS_CODE[name]}. It runs only if you trust the "
                    "file: pass --trust (in Python, trust=True)."
                )
        elif _is_no_layer(found):
            raise UntrustedError(
                f"{path}: {where} names {found['module']}.{name}, which is no part of a network. "
                "The file was not opened."
            )
        elif _is_foreign(found) and not _supplied(found, known):
            raise ModelError(
                f"{path}: {where} is of the class {name!r}, which is not part of Keras. Supply "
                "the Python file that defines it: --custom FILE.py (in Python, custom=...)."
            )
        files = _named_files(found.get("config"))
        if files and not trust:
            raise UntrustedError(
                f"{path}: {where} reads another file, {files!r}. It does so only if you trust "
                "the file: pass --trust (in Python, trust=True)."
            )


def _objects(config: Any, layer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every serialised object in a config, with the name of the layer it belongs to."""
    waiting: list[tuple[str, Any]] = [(layer, config)]
    while waiting:
        owner, value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            inner = value.get("config")
            if isinstance(name, str):
                own = inner.get("name") if isinstance(inner, dict) else None
                owner = str(own or value.get("name") or owner)
                yield owner, value
            waiting.extend((owner, item) for item in reversed(list(value.values())))
        elif isinstance(value, list):
            waiting.extend((owner, item) for item in reversed(value))


def _is_foreign(found: dict[str, Any]) -> bool:
    """Whether Keras would look for a class outside itself."""
    name, module = str(found["class_name"]), found.get("module")
    if module == "builtins":
        return name == "function"
    if module is None:
        # Keras writes no module for classes of the user's own; Keras 2 wrote none at all.
        return found.get("registered_name") is not None or ">" in name
    return str(module).split(".")[0] != "keras"


def _is_no_layer(found: dict[str, Any]) -> bool:
    """Whether an object is of a part of Keras that networks are not made of."""
    module = str(found.get("module") or "keras")
    part = module.removeprefix("keras.").removeprefix("src.").split(".")[0]
    if part == "applications":
        return found["class_name"] not in _LAYERS_OF_APPLICATIONS
    return module.split(".")[0] == "keras" and part not in _OF_A_NETWORK


def _supplied(found: dict[str, Any], known: frozenset[str]) -> bool:
    names = {found["class_name"], str(found.get("registered_name"))}
    if found["class_name"] == "function":
        names = {str(found.get("config"))}
    return bool({name.rpartition(">")[2] for name in names} & known)


def _named_files(config: Any) -> str | None:
    if not isinstance(config, dict):
        return None
    for key in _NAMES_FILES & config.keys():
        if isinstance(config[key], str) and config[key]:
            return str(config[key])
    return None
