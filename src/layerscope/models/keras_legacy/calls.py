"""Who is called on whose outputs: the calls in an old functional model's config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.config import Config, as_config, is_model, whole

_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Ref:
    """An output of a layer's call."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True)
class Call:
    """One call of a layer: its arguments, with a Ref in the place of each tensor."""

    first: Any
    others: Mapping[str, Any]


@dataclass(frozen=True)
class References:
    """Reads the calls of a model's layers, and references to their outputs.

    names: of its layers. offsets: the number of a layer's first call.
    """

    names: frozenset[str]
    offsets: Mapping[str, int]

    def call(self, node: Any) -> Call:
        """One call of a layer. Raises ModelError where it is not as Keras 2 writes it."""
        others: dict[str, Any] = {}
        if isinstance(node, dict) and node.keys() == {"args", "kwargs"}:
            raise ModelError("A call is written in Keras 3's form in a file of Keras 2.")
        if self._is_leaf(node):
            first = self._leaf(node, others)
        elif isinstance(node, list) and len(node) == 1 and self._is_leaf(node[0]):
            first = self._leaf(node[0], others)
        else:
            first = self._nested(node, others)
        return Call(first, {key: self._argument(value) for key, value in others.items()})

    def ends(self, structure: Any) -> Any:
        """The inputs or outputs of a model; a single one without a list around it."""
        if isinstance(structure, list) and len(structure) == 1 and self._is_end(structure[0]):
            return self._ref(structure[0])
        if self._is_end(structure):
            return self._ref(structure)
        if isinstance(structure, dict):
            return {key: self.ends(value) for key, value in structure.items()}
        if isinstance(structure, list) and structure:
            return [self.ends(value) for value in structure]
        raise ModelError(f"The model's inputs or outputs are {structure!r:.60}. Expected layers.")

    def _nested(self, value: Any, others: dict[str, Any]) -> Any:
        if self._is_leaf(value):
            return self._leaf(value, others)
        if isinstance(value, dict):
            return {key: self._nested(item, others) for key, item in value.items()}
        if isinstance(value, list) and value:
            return [self._nested(item, others) for item in value]
        raise ModelError(f"A layer is called on {value!r:.60}. Expected outputs of other layers.")

    def _is_leaf(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) in (3, 4)
            and isinstance(value[0], str)
            and (value[0] == _CONSTANT or all(isinstance(part, int) for part in value[1:3]))
        )

    def _leaf(self, value: list[Any], others: dict[str, Any]) -> Any:
        if len(value) == 4:
            others.update(as_config(value[3]))
        return value[2] if value[0] == _CONSTANT else self._ref(value)

    def _is_end(self, value: Any) -> bool:
        return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)

    def _ref(self, value: list[Any]) -> Ref:
        name = value[0]
        if name not in self.names:
            raise ModelError(
                f"The network uses the output of a layer {name!r:.60}, which it does not have. "
                "The file is damaged: copy or download it again."
            )
        call = whole(value[1]) - self.offsets.get(name, 0)
        return Ref(name, whole(call), whole(value[2]))

    def _argument(self, value: Any) -> Any:
        if (
            isinstance(value, list)
            and len(value) == 3
            and isinstance(value[0], str)
            and value[0] in self.names
            and isinstance(value[1], int)
        ):
            return self._ref(value)
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        if isinstance(value, dict):
            return {key: self._argument(item) for key, item in value.items()}
        return value


def first_calls(layers: list[dict[str, Any]], names: list[str], config: Config) -> dict[str, int]:
    """For nested models, whose calls later Keras 2 counts from 1: the number of the first."""
    nested = {
        name: len(layer.get("inbound_nodes") or ())
        for layer, name in zip(layers, names, strict=True)
        if is_model(layer)
    }
    if not nested:
        return {}
    used: dict[str, set[int]] = {name: set() for name in nested}
    ends = [config.get("input_layers"), config.get("output_layers")]
    for value in _lists([[layer.get("inbound_nodes") for layer in layers], ends]):
        if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
            used.get(value[0], set()).add(value[1])
    return {name: int(0 not in used[name]) for name, count in nested.items() if used[name]}


def _lists(value: Any) -> Iterator[list[Any]]:
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, list):
            yield here
            waiting.extend(here)
        elif isinstance(here, dict):
            waiting.extend(here.values())
