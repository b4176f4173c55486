"""A Network as a Keras 3 model."""

from __future__ import annotations

from typing import Any

import keras

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.calls import Call, Ref
from layerscope.models.keras_legacy.network import Network, Part
from layerscope.models.keras_legacy.operations import call_operation
from layerscope.models.keras_legacy.placed import mean_of

Layers = dict[str, Any]


def build(network: Network, trust: bool, found: dict[int, Any], name: str | None = None) -> Any:
    """The Keras 3 model of a network, without its weights.

    found: filled with the live layer of every part, by the part's ``id``. Keras's own errors
    pass through.
    """
    own = (name or network.name).replace("/", "_")
    if network.sequential:
        layers = [_layer(part, trust, found) for part in network.parts]
        return keras.Sequential(layers, name=own)
    return _functional(network, own, trust, found)


def _layer(part: Part, trust: bool, found: dict[int, Any]) -> Any:
    if part.network is not None:
        layer = build(part.network, trust, found, part.now)
    elif part.kind == "InputLayer":
        layer = keras.layers.InputLayer(**part.made)
    elif part.wrapped:
        layer = _wrapper(part, trust, found)
    else:
        layer = mean_of(part.made) or keras.saving.deserialize_keras_object(
            dict(part.made), safe_mode=not trust
        )
    found[id(part)] = layer
    return layer


def _wrapper(part: Part, trust: bool, found: dict[int, Any]) -> Any:
    inner = [_layer(wrapped, trust, found) for wrapped in part.wrapped]
    options = dict(part.made)
    if part.kind != "Bidirectional":
        return getattr(keras.layers, part.kind)(inner[0], **options)
    layer = keras.layers.Bidirectional(
        inner[0], backward_layer=inner[1] if len(inner) > 1 else None, **options
    )
    # Keras makes layers of its own from those given.
    found[id(part.wrapped[0])] = layer.forward_layer
    return layer


def _functional(network: Network, own: str, trust: bool, found: dict[int, Any]) -> Any:
    parts = {part.name: part for part in network.parts}
    outputs: dict[tuple[str, int], list[Any]] = {}
    for part in network.parts:
        if part.function is None:
            layer = _layer(part, trust, found)
            if part.kind == "InputLayer":
                outputs[part.name, 0] = [layer.output]
    waiting = [(part, i, call) for part in network.parts for i, call in enumerate(part.calls)]
    while waiting:
        later = []
        for part, i, call in waiting:
            if _ready(call, outputs) and (i == 0 or (part.name, i - 1) in outputs):
                outputs[part.name, i] = _flat(_called(part, call, outputs, found))
            else:
                later.append((part, i, call))
        if len(later) == len(waiting):
            part, _, call = later[0]
            raise ModelError(
                f"The call of layer {part.name!r:.60} needs outputs that the network does not "
                "compute. The file is damaged: copy or download it again."
            )
        waiting = later
    assert set(found) >= {id(part) for part in parts.values() if part.function is None}
    inputs, ends = (_filled(end, outputs) for end in (network.inputs, network.outputs))
    return keras.Model(inputs, ends, name=own)


def _called(part: Part, call: Call, outputs: Any, found: dict[int, Any]) -> Any:
    first = _filled(call.first, outputs)
    others = {key: _filled(value, outputs) for key, value in call.others.items()}
    if part.function is not None:
        return call_operation(part.function, part.now, first, others)
    layer = found[id(part)]
    others = {key: value for key, value in others.items() if value is not None}
    if isinstance(first, list) and isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
        # Keras 2 passed the initial state beside the sequence.
        first, *state = first
        if state:
            others["initial_state"] = state
    return layer(first, **others)


def _ready(call: Call, outputs: dict[tuple[str, int], list[Any]]) -> bool:
    return all((ref.layer, ref.call) in outputs for ref in _refs([call.first, dict(call.others)]))


def _refs(structure: Any) -> list[Ref]:
    if isinstance(structure, Ref):
        return [structure]
    if isinstance(structure, dict):
        return [ref for value in structure.values() for ref in _refs(value)]
    if isinstance(structure, list):
        return [ref for value in structure for ref in _refs(value)]
    return []


def _filled(structure: Any, outputs: dict[tuple[str, int], list[Any]]) -> Any:
    if isinstance(structure, Ref):
        made = outputs.get((structure.layer, structure.call), [])
        if structure.output >= len(made):
            raise ModelError(
                f"The network uses output {structure.output} of call {structure.call} of layer "
                f"{structure.layer!r:.60}, which there is not. The file is damaged: copy or "
                "download it again."
            )
        return made[structure.output]
    if isinstance(structure, dict):
        return {key: _filled(value, outputs) for key, value in structure.items()}
    if isinstance(structure, list):
        return [_filled(value, outputs) for value in structure]
    return structure


def _flat(outputs: Any) -> list[Any]:
    return list(keras.tree.flatten(outputs))
