"""Sizes that shrink to nothing, kernels that are too large, strides that skip."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from layerscope.explain.checkup.evidence import Evidence
from layerscope.explain.checkup.finding import Finding, named, share, times
from layerscope.explain.checkup.layout import first_reader
from layerscope.graph import Node
from layerscope.operations import Convolution, Pooling


def shapes(evidence: Evidence) -> Iterator[Finding]:
    """What the sizes of the maps tell."""
    yield from _collapsed(evidence)
    yield from _kernels(evidence)
    for node in evidence.graph:
        if not node.shared:
            yield from _stride(node)


def _collapsed(evidence: Evidence) -> Iterator[Finding]:
    graph = evidence.graph
    for node in graph:
        sizes = _spatial(evidence, node)
        if sizes and min(sizes) <= 0:
            source = graph[node.inputs[0]] if node.inputs else node
            before = _spatial(evidence, source)
            yield Finding(
                "error",
                "collapsed",
                node.name,
                f"Nothing is left of the maps at {node.name}: it is fed {times(before)}"
                f"{_too_large(node)}.",
                'Give a larger input, pool or stride less before it, or pad with padding="same".',
            )
            return
    for node in graph:
        sizes, before = _spatial(evidence, node), ()
        if node.inputs:
            before = _spatial(evidence, graph[node.inputs[0]])
        if len(sizes) < 2 or max(sizes) > 1 or not before or max(before) == 1:
            continue
        later = [n.name for n in graph.nodes[node.index or 0 :] if _is_wide(evidence, n)]
        if later:
            yield Finding(
                "note",
                "collapsed",
                node.name,
                f"From {node.name} on the maps are {times(sizes)}, one value each, and "
                f"{_works_on(later)}.",
                "A larger input keeps more of where things are.",
            )
            return


def _too_large(node: Node) -> str:
    operation = node.operation
    if isinstance(operation, Convolution):
        return f", and its kernel of {times(operation.kernel_size)} does not fit in there"
    if isinstance(operation, Pooling) and operation.window:
        return f", and its window of {times(operation.window)} does not fit in there"
    return ""


def _works_on(later: list[str]) -> str:
    if len(later) == 1:
        return f"a layer with a larger kernel still follows ({later[0]})"
    return f"{len(later)} layers with larger kernels still follow ({named(later)})"


def _is_wide(evidence: Evidence, node: Node) -> bool:
    """Whether a node slides a kernel of more than one value over maps of one value."""
    operation = node.operation
    if not isinstance(operation, Convolution) or max(operation.kernel_size) == 1:
        return False
    before = _spatial(evidence, evidence.graph[node.inputs[0]]) if node.inputs else ()
    return bool(before) and max(before) == 1


def _kernels(evidence: Evidence) -> Iterator[Finding]:
    graph = evidence.graph
    first = {reader.name for given in graph.inputs if (reader := first_reader(graph, given.name))}
    for node in graph:
        operation = node.operation
        if node.shared or not node.inputs or not isinstance(operation, Convolution | Pooling):
            continue
        if isinstance(operation, Pooling):
            kernel, reach = operation.window, operation.window
        else:
            kernel = operation.kernel_size
            reach = tuple(
                (size - 1) * step + 1 for size, step in zip(kernel, operation.dilation, strict=True)
            )
        before = _spatial(evidence, graph[node.inputs[0]])
        if isinstance(operation, Convolution) and operation.transposed:
            continue
        if len(before) != len(reach) or min(before) <= 0:
            continue
        if all(size <= given for size, given in zip(reach, before, strict=True)):
            continue
        dilated = "" if reach == kernel else f" ({times(reach)} with its dilation)"
        yield Finding(
            "warning" if node.name in first else "note",
            "kernel-larger-than-input",
            node.name,
            f"{node.name} has a kernel of {times(kernel)}{dilated}, larger than the maps of "
            f"{times(before)} that it is fed, so that part of it only ever sees padding.",
            "Look at the sizes before it (layerscope layers): a larger input or fewer strides "
            "keep the maps larger; or take a smaller kernel.",
        )


def _stride(node: Node) -> Iterator[Finding]:
    """Positions that no tap ever reads: taps at t·dilation, repeated every stride."""
    operation = node.operation
    if isinstance(operation, Pooling) and not operation.everywhere:
        sizes, dilation = operation.window, (1,) * len(operation.window)
    elif isinstance(operation, Convolution) and not operation.transposed:
        sizes, dilation = operation.kernel_size, operation.dilation
    else:
        return
    strides = operation.strides
    read = prod(
        len({tap * step % stride for tap in range(size)}) / stride
        for size, step, stride in zip(sizes, dilation, strides, strict=True)
    )
    if read < 1:
        alone = max(sizes) == 1
        spread = f" and a dilation of {times(dilation)}" if max(dilation) > 1 else ""
        yield Finding(
            "note" if alone else "warning",
            "skipping-stride",
            node.name,
            f"{node.name} has a stride of {times(strides)} with a kernel of {times(sizes)}"
            f"{spread}, so that {share(1 - read)} of the positions before it are never read"
            + (" (as shortcuts of residual networks have it)." if alone else "."),
            "If that is not meant, take a stride that is at most the kernel's size, or pool first.",
        )


def _spatial(evidence: Evidence, node: Node) -> tuple[int, ...]:
    """The spatial sizes of a node's output; none where they are not known or not maps."""
    sizes = evidence.sizes.get(node.name)
    if sizes is None or len(sizes) != len(node.axes) or node.axes.channel is None:
        return ()
    return tuple(sizes[axis] for axis in node.axes.spatial)
