"""Choice: which kind of explanation a node has, and what must be run for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from layerscope.activation import Activation
from layerscope.errors import ModelError, SelectionError
from layerscope.explain.affine import Weights
from layerscope.explain.applying import Applying
from layerscope.explain.chain import Chaining, chain_of
from layerscope.explain.contributions import Summation
from layerscope.explain.copies import is_copy
from layerscope.explain.copying import Copying
from layerscope.explain.explained import Explainer, Sample
from layerscope.explain.joining import Joining
from layerscope.explain.pooling import Pooling
from layerscope.explain.provenance import Places, Tracing, origins
from layerscope.explain.scaling import Scaling
from layerscope.explain.sizes import Sizes
from layerscope.graph import Graph, Node
from layerscope.operations import (
    Convolution,
    Dense,
    Elementwise,
    Input,
    Normalization,
    Submodel,
)
from layerscope.operations import Pooling as PoolingOperation

_METHODS = ("batch", "fixed", "layer", "group", "instance", "rms", "unit")
_NAMED = 5


@dataclass(frozen=True)
class Choice:
    """What is explained, and how.

    node, channel: that make what was asked for; channel is None for all. asked, asked_channel:
    what was asked for, where these are a copy of it; places: where its values lie in that
    channel. chain: the nodes that are taken as one. tracing: of a node that only moves values.
    """

    graph: Graph
    node: Node
    channel: int | None
    asked: Node
    asked_channel: int | None
    places: Places | None = None
    chain: tuple[Node, ...] = ()
    tracing: Tracing | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What must be run, by name."""
        names = [self.node.name, self.asked.name]
        layer = self.chain[0] if self.chain else self.node
        if isinstance(layer.operation, Convolution | Dense):
            names.append(f"{layer.name}:pre")
        names += [*layer.inputs, *(one.name for one in self.chain)]
        if self.tracing is not None:
            traced = origins(self.graph, self.node, self.tracing.sizes)
            names += [name for name, _ in traced]
        return tuple(dict.fromkeys(names))

    def explainer(
        self,
        activations: Mapping[str, Activation],
        weights: Callable[[str], Weights],
        sample: int,
    ) -> Explainer:
        """The node on one sample. weights: of a node, by role."""
        if self.chain:
            first = self.chain[0]
            samples = {one.name: Sample.of(activations[one.name], sample) for one in self.chain}
            held = {one.name: weights(one.name) for one in self.chain}
            summation = _summation(first, activations, held[first.name], sample)
            return Chaining(self.chain, summation, samples, held)
        node, operation = self.node, self.node.operation
        if isinstance(operation, Convolution | Dense):
            return _summation(node, activations, weights(node.name), sample)
        output = Sample.of(activations[node.name], sample)
        if self.tracing is not None:
            sources = {
                name: Sample.of(activation, sample) for name, activation in activations.items()
            }
            return Copying(output, sources, self.tracing)
        given = [Sample.of(activations[name], sample) for name in node.inputs]
        if isinstance(operation, PoolingOperation):
            return Pooling(given[0], output)
        if Joining.suits(node):
            return Joining(given, output)
        held_here = weights(node.name)
        if Scaling.suits(given[0], output, held_here):
            return Scaling(given[0], output, held_here)
        if Applying.suits(given[0], output):
            return Applying(given[0], output, held_here)
        raise SelectionError(_inexplicable(self.graph, node))


def choose(
    graph: Graph, node: Node, channel: int | None, sizes: Mapping[str, Sizes], *, chain: bool
) -> Choice:
    """What explains a channel of a node: the node itself, or the one that it copies.

    channel: None for all of them. sizes: shapes of all nodes, batch of one. chain: whether
    the convolution or dense layer behind the node is taken with it. Raises SelectionError where
    the node is none that can be explained.
    """
    found = None
    if isinstance(node.operation, Submodel) or is_copy(node.operation):
        found = _of_copy(graph, node, channel, sizes)
    if chain:
        end = node if found is None or found.tracing is not None else found.node
        chained = _one_input(chain_of(graph, end))
        choice = found if found is not None and end is not node else None
        choice = choice or Choice(graph, node, channel, node, channel)
        return replace(choice, chain=chained) if len(chained) > 1 else choice
    if found is not None:
        return found
    if not explicable(node):
        raise SelectionError(_inexplicable(graph, node))
    _one_input((node,))
    return Choice(graph, node, channel, node, channel)


def explicable(node: Node) -> bool:
    """Whether a node computes something that can be taken apart."""
    operation = node.operation
    if isinstance(operation, Convolution | Dense | PoolingOperation):
        return True
    if isinstance(operation, Normalization):
        return operation.method in _METHODS
    if Joining.suits(node):
        return True
    return isinstance(operation, Elementwise) and len(node.inputs) == 1


def _of_copy(
    graph: Graph, node: Node, channel: int | None, sizes: Mapping[str, Sizes]
) -> Choice | None:
    traced = origins(graph, node, sizes)
    if channel is None:
        if all(name == node.name for name, _ in traced):
            return None
        if isinstance(node.operation, Submodel):
            # The nested model's last node, with all that it is made of.
            return _of_whole(graph, node, traced)
        return Choice(graph, node, None, node, None, tracing=Tracing(graph, node, sizes))
    if not 0 <= channel < len(traced):
        raise SelectionError(
            f"{node.name} has channels 0 to {len(traced) - 1}, but channel {channel} was asked "
            "for. Choose one in that range."
        )
    name, own = traced[channel]
    if name == node.name:
        return None
    source, tracing = graph[name], Tracing(graph, node, sizes)
    places = tracing.channel(channel)
    if not explicable(source) or places is None:
        return Choice(graph, node, channel, node, channel, tracing=tracing)
    _one_input((source,))
    return Choice(graph, source, own, node, channel, places)


def _of_whole(graph: Graph, node: Node, traced: Sequence[tuple[str, int]]) -> Choice | None:
    """The one node whose channels a nested model's are, all of them and in their order."""
    names = {name for name, _ in traced}
    source = graph[names.pop()] if len(names) == 1 else None
    in_order = [channel for _, channel in traced] == list(range(len(traced)))
    if source is None or not in_order or not explicable(source):
        return None
    return Choice(graph, source, None, node, None)


def _one_input(nodes: Sequence[Node]) -> tuple[Node, ...]:
    first = nodes[0]
    if isinstance(first.operation, Convolution | Dense) and len(first.inputs) != 1:
        raise ModelError(
            f"expected {first.name} ({first.type}) to have one input but it has "
            f"{len(first.inputs)}, so its sums cannot be taken apart."
        )
    return tuple(nodes)


def _summation(
    node: Node, activations: Mapping[str, Activation], weights: Weights, sample: int
) -> Summation:
    return Summation(
        activations[node.inputs[0]],
        activations[f"{node.name}:pre"],
        activations[node.name],
        weights,
        sample,
    )


def _inexplicable(graph: Graph, node: Node) -> str:
    known = [one.name for one in graph if isinstance(one.operation, Convolution | Dense)]
    some = ", ".join(known[:_NAMED]) + (" …" if len(known) > _NAMED else "")
    if isinstance(node.operation, Input):
        what = "is the network's input, which nothing was made of"
    else:
        what = f"({node.type}) is not understood well enough to be taken apart"
    return (
        f"expected a layer to explain but {node.name} {what}. Convolutions and dense layers "
        f"here are: {some or 'none'}."
    )
