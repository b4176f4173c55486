"""Saving a trained network with what its input and its answers mean."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras

from layerscope.errors import OutputError
from layerscope.outputs import new_file

_MEMBER = "layerscope.json"


def describe_input(
    classes: tuple[str, ...], size: tuple[int, int], range: str, color: str
) -> dict[str, Any]:
    """What ``layerscope.json`` in a model's file says, and every command goes by."""
    return {"classes": list(classes), "input": {"size": list(size), "range": range, "color": color}}


def without_optimizer(model: Any) -> Any:
    """A network of the same layers and names that carries no optimizer; or the model itself.

    The latter where its classes cannot be made anew from its configuration.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
        twin = keras.saving.deserialize_keras_object({**config, "compile_config": None})
        twin.set_weights(model.get_weights())
    except Exception:  # the user's own classes may fail in any way
        return model
    return twin


def save_network(twin: Any, model: Any, path: Path, description: dict[str, Any]) -> None:
    """Write a network's file, whole or not at all. twin: of ``without_optimizer``."""
    if twin is not model:
        twin.set_weights(model.get_weights())
    with new_file(path, own=True) as temporary:
        # Keras goes by the suffix.
        beside = temporary.with_name(f"{temporary.name}.keras")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                twin.save(beside)
            with zipfile.ZipFile(beside, "a", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(_MEMBER, json.dumps(description, indent=2) + "\n")
            os.replace(beside, temporary)
        except (TypeError, NotImplementedError) as error:
            raise OutputError(f"{path}: Keras cannot save this network: {error}") from error
        finally:
            beside.unlink(missing_ok=True)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
