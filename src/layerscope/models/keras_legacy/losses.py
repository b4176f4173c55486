"""Losses that Keras 2 recorded in a functional network, taken out of it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerscope.models.keras_legacy.classes import OF_LOSSES
from layerscope.models.keras_legacy.config import Config


def without_losses(
    layers: list[dict[str, Any]], config: Config, notes: list[str]
) -> list[dict[str, Any]]:
    """The layers without AddLoss and AddMetric, and without what is computed for these alone.

    config: the network's. Where an output of the network passes through one, it stays.
    """
    named = {str(_name(layer)): layer for layer in layers}
    losses = [name for name, layer in named.items() if layer.get("class_name") in OF_LOSSES]
    if not losses or len(named) != len(layers):
        return layers
    ends = [config.get("input_layers"), config.get("output_layers")]
    needed = _before(named, _names(ends, named))
    left_out = _before(named, losses) - needed
    if not left_out:
        return layers
    notes.append(
        f"left out, since only losses and metrics are computed from them: {_some(left_out, named)}"
    )
    return [layer for name, layer in named.items() if name not in left_out]


def _before(named: dict[str, dict[str, Any]], ends: Any) -> set[str]:
    """These layers, and all that they are computed from."""
    found: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_names(named[name].get("inbound_nodes"), named))
    return found


def _names(structure: Any, named: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The layers that a part of a config names as sources: ``[name, call, output]``."""
    waiting = [structure]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            if len(here) >= 3 and isinstance(here[0], str) and here[0] in named:
                yield here[0]
            waiting.extend(here)
        elif isinstance(here, dict):
            waiting.extend(here.values())


def _name(layer: Config) -> Any:
    config = layer.get("config")
    return layer.get("name") or (config.get("name") if isinstance(config, dict) else None)


def _some(names: set[str], named: dict[str, Any]) -> str:
    ordered = [name for name in named if name in names]
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(f"{name:.60}" for name in ordered[:5]) + more
