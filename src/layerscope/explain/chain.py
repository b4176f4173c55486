"""Chain: a convolution or dense layer with the nodes behind it, taken apart as one.

A normalisation with fixed numbers, a bias and a constant factor are the same for every place
of a channel, so that they can be folded into the layer before them: its partial maps are
multiplied by their scale, and its bias becomes bias × scale + shift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from layerscope.errors import ModelError, SelectionError
from layerscope.explain.affine import Weights
from layerscope.explain.applying import Applying
from layerscope.explain.contributions import Explanation, Summation
from layerscope.explain.copies import is_identity
from layerscope.explain.explained import Sample, agrees, checked
from layerscope.explain.scaling import Scaling
from layerscope.explain.sizes import result_of
from layerscope.graph import Graph, Node
from layerscope.operations import Convolution, Dense, Elementwise, Normalization, Submodel

_FIXED = ("batch", "fixed")
_AFFINE = frozenset(
    {"add", "add-bias", "divide", "layer_scale", "multiply", "rescaling", "subtract", "true_divide"}
)


@dataclass(frozen=True, eq=False, repr=False)
class Chained(Explanation):
    """One output channel of a chain, as an Explanation of all of it.

    node: the last of the chain. nodes: all of it, the convolution or dense layer first.
    kernel, contributions and bias hold the scale and shift of the nodes behind that layer.
    pre_activation: what the network computed before the chain's activation function. scale,
    shift: of all nodes behind the layer together. final: the name of the activation function.
    """

    nodes: tuple[Node, ...] = ()
    scale: float = 1.0
    shift: float = 0.0
    final: str = "linear"

    @property
    def function(self) -> str:
        """The name of the activation function; ``"linear"`` for none."""
        return self.final


def chain_of(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The nodes from a convolution or dense layer to the one given, both included.

    Between them are normalisations with fixed numbers, biases, constant factors, layers that
    pass their input on, and at most one activation function, which only such layers follow.
    Raises SelectionError where the node is not the end of such a chain.
    """
    found = [node]
    while not isinstance(found[-1].operation, Convolution | Dense):
        one = found[-1]
        sources = result_of(graph, one) if isinstance(one.operation, Submodel) else one.inputs
        single = len(sources) == 1 and sources[0] in graph
        if not single or not _continues(one):
            raise SelectionError(_no_chain(node, one))
        found.append(graph[sources[0]])
    layer, *behind = [one for one in reversed(found) if not isinstance(one.operation, Submodel)]
    assert isinstance(layer.operation, Convolution | Dense)
    curved = layer.operation.activation != "linear"
    for one in behind:
        if is_identity(one.operation):
            continue
        if curved:
            raise SelectionError(
                f"expected the activation function of a chain to be its last step but {one.name} "
                f"({one.type}) comes after it, so that the chain of {node.name} is no sum. Leave "
                "--chain out, or name the node before."
            )
        curved = not _is_affine(one)
    return (layer, *behind)


def _continues(node: Node) -> bool:
    operation = node.operation
    if isinstance(operation, Normalization):
        return operation.method in _FIXED
    return isinstance(operation, Elementwise | Submodel)


def _is_affine(node: Node) -> bool:
    operation = node.operation
    return isinstance(operation, Normalization) or (
        isinstance(operation, Elementwise) and operation.function in _AFFINE
    )


def _no_chain(node: Node, last: Node) -> str:
    found = "is none" if last is node else f"comes after {last.name} ({last.type})"
    return (
        "expected the end of a chain of a convolution or dense layer, then normalisations, biases "
        f"and an activation function, but {node.name} ({node.type}) {found}. Leave --chain out."
    )


def _check_identity(given: Sample, output: Sample) -> None:
    if not agrees(output.node, given.values.astype(np.float64), output.values)[0]:
        raise ModelError(
            f"expected {output.node.name} ({output.node.type}) to pass its input on but it "
            "changes it, so that its chain is no sum. Leave --chain out."
        )


class Chaining:
    """A chain on one sample, ready to have its channels taken apart.

    nodes: as ``chain_of`` gives them. summation: its first layer. samples: the outputs of all
    of them. weights: of each, by name and role.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        summation: Summation,
        samples: Mapping[str, Sample],
        weights: Mapping[str, Weights],
    ) -> None:
        self.nodes, self.node, self.summation = tuple(nodes), nodes[-1], summation
        layer = nodes[0]
        assert isinstance(layer.operation, Convolution | Dense)
        self.function = layer.operation.activation
        self.scalings: list[Scaling] = []
        self.applying: Applying | None = None
        # Without anything folded in, the layer's own value before its activation function counts.
        self.before: Sample | None = None
        self.output = samples[self.node.name]
        for previous, one in pairwise(nodes):
            given, output = samples[previous.name], samples[one.name]
            if _is_affine(one):
                self.scalings.append(Scaling(given, output, weights[one.name]))
                self.before = output
            elif is_identity(one.operation):
                _check_identity(given, output)
            else:
                self.applying = Applying(given, output, weights[one.name])
                self.function = self.applying.function

    @property
    def channels(self) -> int:
        """The number of output channels."""
        return self.summation.channels

    def largest(self, channel: int) -> float:
        """The largest magnitude of a channel's partial maps, their sum, and that with the bias."""
        e = self.explain(channel)
        total = e.sum
        every = (e.contributions, total, total + e.bias)
        return max(float(np.abs(values).max(initial=0)) for values in every)

    def explain(self, channel: int) -> Chained:
        """One output channel taken apart.

        Raises SelectionError for a channel that does not exist, ModelError where the sum is
        not what the network computed.
        """
        e = self.summation.explain(channel)
        scale, shift = 1.0, 0.0
        for scaling in self.scalings:
            one = scaling.explain(channel)
            if one.scale.shape or one.shift.shape:
                raise ModelError(
                    f"expected one scale and shift for channel {channel} of {scaling.node.name} "
                    f"({scaling.node.type}) but they differ from place to place, so that it "
                    "cannot be folded into the layer before it. Leave --chain out."
                )
            scale, shift = scale * float(one.scale), shift * float(one.scale) + float(one.shift)
        partial, bias = e.contributions * scale, e.bias * scale + shift
        before = e.pre_activation if self.before is None else self.before.plane(channel)
        most = float(np.abs(partial).sum(axis=0).max(initial=0)) + abs(bias) + abs(shift)
        residual = checked(
            self.node, channel, partial.sum(axis=0, dtype=np.float64) + bias, before,
            "the contributions and the bias of the chain", most,
        )  # fmt: skip
        if self.applying is not None:
            self.applying.explain(channel)
        stages = None if e.stages is None else (e.stages[0], e.stages[1] * scale)
        return Chained(
            node=self.node,
            channel=channel,
            source=e.source,
            inputs=e.inputs,
            maps=e.maps,
            kernel=e.kernel * scale,
            contributions=partial,
            bias=bias,
            pre_activation=before,
            output=self.output.plane(channel),
            residual=residual,
            windows=e.windows,
            stages=stages,
            nodes=self.nodes,
            scale=scale,
            shift=shift,
            final=self.function,
        )
