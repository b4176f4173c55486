"""Plain dicts of old configs, read with care: whatever is not as Keras writes it is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerscope.errors import ModelError

Config = Mapping[str, Any]
CHANNELS_LAST, CHANNELS_FIRST = "channels_last", "channels_first"
MODELS = ("Sequential", "Functional", "Model")


def as_config(value: Any) -> dict[str, Any]:
    """A dict with names as keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ModelError(f"A layer's config is {value!r:.60}. Expected names and values.")
    return value


def as_layers(value: Any) -> list[dict[str, Any]]:
    """The layers in a model's config: in a list, as in old Sequential models, or under a name."""
    found = value.get("layers") if isinstance(value, dict) else value
    if not isinstance(found, list) or not all(isinstance(layer, dict) for layer in found):
        raise ModelError(f"A model's config lists its layers as {found!r:.60}. Expected a list.")
    return found


def is_model(layer: Config) -> bool:
    """Whether a layer is a model with layers of its own."""
    return layer.get("class_name") in MODELS


def text_of(value: Any) -> str:
    """A class or layer name."""
    if not isinstance(value, str):
        raise ModelError(f"A layer's name or class is {value!r:.60}. Expected a text.")
    return value


def whole(value: Any, least: int = 0) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ModelError(f"A layer's call names {value!r:.60}. Expected a whole number.")
    return value
