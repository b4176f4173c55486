"""Graph and Node: the network as framework-free, frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from layerscope.axes import Axes
from layerscope.operations import Operation

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Node:
    """One call of a layer or operation (or one input of the network).

    name: the layer's path, ``/`` between nested models, ``@1`` for a second call, ``[1]``
    for a further output. index: its number, or None for an input. layer: the layer's own
    name. type: the framework's class name. inputs: names of the nodes that feed it. shape:
    the output's shape, None where a size is free. parameters: how many numbers the layer
    holds, as the framework counts them. shared: whether an earlier node counted them. hides:
    whether it may do more than its operation says: it is computed by code of a person's own,
    or from its inputs by operations that are no nodes. training: the model itself has it run
    as in training, whatever it is told. fault: what the framework computes wrongly here and
    layerscope puts right; ``""`` for nothing.
    """

    name: str
    index: int | None
    layer: str
    type: str
    operation: Operation
    inputs: tuple[str, ...]
    shape: Shape
    axes: Axes
    parameters: int = 0
    dtype: str = "float32"
    shared: bool = False
    hides: bool = False
    training: bool = False
    fault: str = ""

    @property
    def channels(self) -> int | None:
        """The number of channels, or None where there is no channel axis or it is free."""
        return None if self.axes.channel is None else self.shape[self.axes.channel]

    @property
    def block(self) -> str:
        """The path of the nested model or block that the node is in; ``""`` at the top."""
        return self.name.rpartition("/")[0]

    def as_json(self) -> dict[str, Any]:
        """The node as a manifest holds it."""
        return {
            "index": self.index,
            "name": self.name,
            "layer": self.layer,
            "type": self.type,
            "operation": self.operation.as_json(),
            "inputs": list(self.inputs),
            "shape": list(self.shape),
            "axes": str(self.axes),
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Graph:
    """A network: its inputs, its nodes in order of computation, and which of them it returns.

    parameters: the numbers in the whole network, each weight counted once. main_input: the
    input that takes what is not named, where the network has several.
    """

    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    parameters: int = 0
    main_input: str | None = None

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in (*self.inputs, *self.nodes)}

    @cached_property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """For every node's name, the names of the nodes that it feeds."""
        found: dict[str, list[str]] = {name: [] for name in self._by_name}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found[source].append(node.name)
        return {name: tuple(names) for name, names in found.items()}
