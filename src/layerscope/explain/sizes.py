"""Sizes: the shape of every node for inputs of a given size, where the network leaves it free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layerscope.errors import InputError
from layerscope.explain.copies import sliced_sizes
from layerscope.explain.reads import spatial_axes
from layerscope.explain.windows import output_size
from layerscope.graph import Graph, Node, Shape
from layerscope.operations import (
    Concatenation,
    Convolution,
    Dense,
    Elementwise,
    Gather,
    Normalization,
    Padding,
    Permutation,
    Pooling,
    Slice,
    Stack,
    Submodel,
    Upsampling,
)

Sizes = tuple[int, ...]


def sizes_of(
    graph: Graph, inputs: Mapping[str, Sequence[int | None]] | None = None
) -> dict[str, Sizes]:
    """Every node's shape with a batch of one.

    inputs: shapes of inputs (batch included) whose sizes the network leaves free. Nodes whose
    shape cannot be told are left out. Raises InputError where an input's size is lacking.
    """
    found: dict[str, Sizes] = {}
    for node in graph.inputs:
        given = (inputs or {}).get(node.name)
        shape: Shape = tuple(given) if given is not None else node.shape
        batch = node.axes.batch if node.axes.batch is not None else 0
        sizes = tuple(1 if axis == batch else size for axis, size in enumerate(shape))
        if any(size is None for size in sizes):
            raise InputError(
                f"expected the size of the input {node.name!r}, which the network leaves free "
                f"({node.axes.describe(node.shape)}). Give it: size=(height, width), --size HxW."
            )
        found[node.name] = tuple(size or 0 for size in sizes)
    for node in graph.nodes:
        if None not in node.shape[1:]:
            found[node.name] = tuple(size or 1 for size in node.shape)
            continue
        if isinstance(node.operation, Submodel):
            inner = result_of(graph, node)
            if len(inner) == 1 and inner[0] in found:
                found[node.name] = found[inner[0]]
            continue
        if all(name in found for name in node.inputs):
            made = _after(node, [found[name] for name in node.inputs])
            if made is not None and len(made) == len(node.shape):
                known = zip(node.shape[1:], made[1:], strict=True)
                found[node.name] = (1, *(new if size is None else size for size, new in known))
    return found


def sized(graph: Graph, size: Sequence[int] | None) -> dict[str, Shape] | None:
    """Every input's shape with the sizes given along its spatial axes, for ``sizes_of``."""
    if size is None:
        return None
    found = {}
    for node in graph.inputs:
        spatial = dict(zip(node.axes.spatial, size, strict=False))
        found[node.name] = tuple(spatial.get(axis, known) for axis, known in enumerate(node.shape))
    return found


def result_of(graph: Graph, node: Node) -> tuple[str, ...]:
    """The nodes inside a submodel that may be its output: those that feed none beside them."""
    first = node.name.removesuffix("]").rpartition("[")[0] if node.name.endswith("]") else node.name
    prefix = f"{first}/"
    inside = [
        other
        for other in graph.nodes
        if other.name.startswith(prefix) and "/" not in other.name[len(prefix) :]
    ]
    ends = [
        other.name
        for other in inside
        if other.shape == node.shape
        and not any(name.startswith(prefix) for name in graph.consumers[other.name])
    ]
    return tuple(ends)


def _after(node: Node, inputs: Sequence[Sizes]) -> tuple[int, ...] | None:
    operation, sizes = node.operation, list(inputs[0]) if inputs else []
    if isinstance(operation, Convolution | Pooling):
        if isinstance(operation, Pooling) and operation.everywhere:
            return None
        axes = spatial_axes(len(sizes), operation.data_format)
        for i, axis in enumerate(axes):
            sizes[axis] = output_size(operation, i, sizes[axis])
        if isinstance(operation, Convolution):
            sizes[1 if operation.data_format == "channels_first" else -1] = operation.filters
    elif isinstance(operation, Padding):
        axes = spatial_axes(len(sizes), operation.data_format)
        for axis, amounts in zip(axes, operation.amounts, strict=True):
            sizes[axis] += sum(amounts)
    elif isinstance(operation, Upsampling):
        axes = spatial_axes(len(sizes), operation.data_format)
        for axis, factor in zip(axes, operation.factors, strict=True):
            sizes[axis] *= factor
    elif isinstance(operation, Concatenation):
        sizes[operation.axis] = sum(given[operation.axis] for given in inputs)
    elif isinstance(operation, Permutation):
        sizes = [sizes[axis] for axis in operation.order]
    elif isinstance(operation, Slice):
        sizes = sliced_sizes(operation, sizes)
    elif isinstance(operation, Gather):
        sizes[operation.axis] = len(operation.indices)
    elif isinstance(operation, Stack):
        sizes.insert(operation.axis, len(inputs))
    elif isinstance(operation, Dense):
        sizes[-1] = operation.units
    elif isinstance(operation, Elementwise):
        rank = max(map(len, inputs))
        padded = [(1,) * (rank - len(given)) + given for given in inputs]
        sizes = [max(column) for column in zip(*padded, strict=True)]
    elif not isinstance(operation, Normalization):
        return None
    return tuple(sizes)
