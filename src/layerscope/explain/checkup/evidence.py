"""Evidence: everything that findings are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from layerscope.errors import InputError
from layerscope.explain.checkup.observing import Observation
from layerscope.explain.sizes import Sizes, sizes_of
from layerscope.graph import Graph, Node
from layerscope.hints import Hints
from layerscope.operations import Convolution, Dense

Weights = Callable[[str], Mapping[str, NDArray[Any]]]


@dataclass(frozen=True)
class Fed:
    """What one input of the network was fed.

    node: the input. shape: of one sample, with a batch of one. observation: over all samples.
    labels: a name of each sample. steps: per sample, what was done to it.
    """

    node: Node
    shape: tuple[int, ...]
    observation: Observation
    labels: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]

    def samples_with(self, *beginnings: str) -> dict[str, str]:
        """The samples with a step that begins so: the step by the sample's name."""
        return {
            label: step
            for label, steps in zip(self.labels, self.steps, strict=True)
            for step in steps
            if step.startswith(beginnings)
        }


@dataclass(frozen=True)
class Evidence:
    """A network, and what is known of one run of it.

    weights: a node's weights by role, as a Model gives them. fed: by input. seen: by node, what
    was observed over all samples. samples: how many there were; 0 for the network alone.
    """

    graph: Graph
    hints: Hints
    weights: Weights
    fed: Mapping[str, Fed] = field(default_factory=dict)
    seen: Mapping[str, Observation] = field(default_factory=dict)
    samples: int = 0

    @cached_property
    def sizes(self) -> Mapping[str, Sizes]:
        """The shape of every node and input as far as it can be told, with a batch of one."""
        try:
            return sizes_of(self.graph, {name: fed.shape for name, fed in self.fed.items()})
        except InputError:
            nodes = (*self.graph.inputs, *self.graph.nodes)
            known = (node for node in nodes if None not in node.shape[1:])
            return {node.name: tuple(size or 1 for size in node.shape) for node in known}

    def channels_into(self, node: Node) -> int | None:
        """The number of channels that a node is fed, None where that is not known."""
        source = self.graph[node.inputs[0]] if node.inputs else None
        operation = node.operation
        if source is None or not isinstance(operation, Convolution | Dense):
            return None
        first = isinstance(operation, Convolution) and operation.data_format == "channels_first"
        axis = 1 if first else -1
        sizes = self.sizes.get(source.name, source.shape)
        return sizes[axis] if len(sizes) > 1 else None

    def rests_on(self) -> str:
        """How much the figures rest on: ``1 picture``, ``12 pictures``."""
        return "1 sample" if self.samples == 1 else f"{self.samples} samples"
