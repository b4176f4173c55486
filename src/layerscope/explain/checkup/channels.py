"""What convolutions do with channels, and what the model itself has its layers do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from layerscope.explain.checkup.evidence import Evidence
from layerscope.explain.checkup.finding import Finding, times
from layerscope.graph import Node
from layerscope.operations import Convolution, Elementwise, Normalization, Submodel


def summed_channels(evidence: Evidence) -> Iterator[Finding]:
    """For every convolution with several input channels: why it has as many maps as filters."""
    for node in evidence.graph:
        operation = node.operation
        if node.shared or not isinstance(operation, Convolution) or operation.depthwise:
            continue
        channels = evidence.channels_into(node)
        if channels is None or channels % operation.groups:
            continue
        each = channels // operation.groups
        if operation.separable:
            each *= operation.depth_multiplier
        if each < 2:
            continue
        filters = operation.filters
        maps = f"{filters} map" if filters == 1 else f"{filters} maps"
        partial, size = filters * each, times(operation.kernel_size)
        parts = f"{filters} × {each} = {partial:,} partial maps, summed to {filters}"
        if operation.separable:
            how = f"its {each} depthwise maps are weighed anew for each filter ({parts})"
        elif operation.groups > 1:
            how = (
                f"each filter has {each} kernels of {size}, one for each input channel of its "
                f"group, and sums what they give ({parts})"
            )
        else:
            how = (
                f"each filter has {each} kernels of {size}, one for each input channel, and sums "
                f"what they give ({parts})"
            )
        yield Finding(
            "note",
            "summed-channels",
            node.name,
            f"{node.name} gives {maps} and not {partial:,}: {how}.",
            f"To see the partial maps: layerscope explain MODEL INPUT -l "
            f"{shlex.quote(node.name)} -c all",
        )


def backend_bug(evidence: Evidence) -> Iterator[Finding]:
    """Layers that the framework computes wrongly."""
    for node in evidence.graph:
        if node.fault:
            yield Finding(
                "warning",
                "backend-bug",
                node.name,
                f"{node.name}: {node.fault}.",
                "What layerscope shows is right, but the model's own predict() gives other "
                "numbers: use a size at which the channels and the width differ, channels_last, "
                "or another backend.",
            )


def training_mode(evidence: Evidence) -> Iterator[Finding]:
    """Layers that run as in training because the model says so."""
    for node in evidence.graph:
        if not node.training or isinstance(node.operation, Submodel):
            continue
        yield Finding(
            "warning",
            "training-mode",
            node.name,
            f"{node.name} ({node.type}) runs as in training because the model itself says so: "
            f"{_consequence(node)}.",
            "If that is not meant, do not write training=True where the layer is called (or "
            "is_training=True when the graph is written), and save the model again.",
        )


def _consequence(node: Node) -> str:
    if isinstance(node.operation, Normalization) or "BatchNorm" in node.type:
        return (
            "it normalises by the statistics of the batch that it is fed, and what it gives for "
            "a picture depends on the pictures beside it"
        )
    if isinstance(node.operation, Elementwise) or "Dropout" in node.type:
        return "what it gives is partly random"
    return "what it gives may be partly random"
