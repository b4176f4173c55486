"""What a Keras model tells of the input it expects: its own preprocessing, and its family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.graph import Graph, Node
from layerscope.hints import Hints

# How keras.applications were trained (keras.applications.imagenet_utils.preprocess_input):
# name pattern, first node with weights, range.
_FAMILIES = (
    (r"vgg(16|19)", r"block1_conv1", "caffe"),
    (r"resnet(50|101|152)", r"conv1_conv", "caffe"),
    (r"resnet(50|101|152)v2", r"conv1_conv", "-1..1"),
    (r"mobilenet_[\d.]+_\d+", r"conv1", "-1..1"),
    (r"mobilenetv2_[\d.]+_\d+", r"Conv1", "-1..1"),
    (r"inception_v3|inception_resnet_v2", r"conv2d(_\d+)?", "-1..1"),
    (r"xception", r"block1_conv1", "-1..1"),
    (r"nasnet(_mobile|_large)?", r"stem_conv1", "-1..1"),
    (r"densenet(121|169|201)", r"conv1[_/]conv", "imagenet"),
)
_BEFORE_THE_FIRST_WEIGHTS = re.compile(
    "Random.*|Resizing|CenterCrop|Rescaling|Normalization|Cast|Pipeline|Permute|ZeroPadding2D"
)


def find_hints(
    model: Any,
    graph: Graph,
    given: Hints | None,
    weights: Callable[[str], Mapping[str, NDArray[Any]]],
) -> Hints:
    """The model's hints: those stored with the file first, then its layers, then its family."""
    found = _from_layers(graph, weights) or _from_family(model, graph) or Hints()
    if given is None:
        return found
    if given.range is None:
        return replace(given, range=found.range, reason=found.reason, guessed=found.guessed)
    return given


def _from_layers(
    graph: Graph, weights: Callable[[str], Mapping[str, NDArray[Any]]]
) -> Hints | None:
    for node in _first_nodes(graph):
        if node.type == "Rescaling":
            return Hints(range="0..255", reason=f"layer {node.name!r} rescales inside the model")
        if node.type == "Normalization":
            stored = weights(node.name)
            mean = next((v for k, v in stored.items() if k.endswith("mean")), None)
            if mean is None:
                continue
            small = float(np.max(np.abs(mean))) <= 1.0
            return Hints(
                range="0..1" if small else "0..255",
                reason=f"layer {node.name!r} normalises inside the model",
            )
    return None


def _first_nodes(graph: Graph) -> list[Node]:
    """The nodes that see the input before any weight of the network proper does."""
    found: list[Node] = []
    reached = {node.name for node in graph.inputs}
    for node in graph.nodes:
        if node.inputs and set(node.inputs) <= reached:
            if _BEFORE_THE_FIRST_WEIGHTS.fullmatch(node.type):
                found.append(node)
                reached.add(node.name)
            elif node.operation.kind == "submodel":
                reached.add(node.name)
    return found


def _from_family(model: Any, graph: Graph) -> Hints | None:
    names = [str(model.name), *(n.layer for n in graph.nodes if n.operation.kind == "submodel")]
    for name in names:
        for pattern, first, range_ in _FAMILIES:
            if re.fullmatch(pattern, name, re.IGNORECASE) and _has_first(graph, first):
                reason = f"the network is keras.applications' {name}"
                return Hints(range=range_, reason=reason, guessed=True)
    return None


def _has_first(graph: Graph, pattern: str) -> bool:
    weighted = (node for node in graph.nodes if node.operation.kind == "convolution")
    first = next(weighted, None)
    return first is not None and re.fullmatch(pattern, first.layer) is not None
