"""What a Keras model tells of the input it expects: its own preprocessing, and its family."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.graph import Graph, Node
from layerscope.hints import Hints, Numbers, Range, range_of

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
    found = _from_layers(graph, weights)
    if found.range is None:
        found = _from_family(model, graph) or found
    if given is None:
        return found
    if given.range is None:
        return replace(
            given, range=found.range, reason=found.reason, guessed=found.guessed, doubt=found.doubt
        )
    return given


@dataclass(frozen=True)
class _Start:
    """What layers make of an input x on the way: ``scale · x + shift``, by channel.

    first: of the layers that change values, the first. middle, spread: of the inputs that a
    Normalization layer was adapted to, with what comes before it undone.
    """

    scale: Numbers
    shift: Numbers
    first: Node | None = None
    middle: Numbers | None = None
    spread: Numbers | None = None

    def after(self, node: Node, weights: Mapping[str, NDArray[Any]]) -> _Start:
        """The same behind one more layer."""
        if self.middle is not None:
            # The statistics tell more than what is done to the normalised values.
            return self
        if node.type == "Rescaling":
            scale, shift = (np.ravel(weights[role]).astype(float) for role in ("scale", "offset"))
            if (scale == 1).all() and (shift == 0).all():
                return self
            first = self.first or node
            with np.errstate(invalid="ignore", over="ignore"):
                return _Start(self.scale * scale, self.shift * scale + shift, first)
        if node.type == "Normalization" and {"mean", "variance"} <= weights.keys():
            mean, variance = (_by_channel(weights[role]) for role in ("mean", "variance"))
            if (mean == 0).all() and (variance == 1).all():
                # Never adapted, so that it leaves values as they are.
                return self
            with np.errstate(divide="ignore", invalid="ignore"):
                middle, spread = (mean - self.shift) / self.scale, np.sqrt(variance / self.scale**2)
            return replace(self, first=self.first or node, middle=middle, spread=spread)
        return self

    @property
    def range(self) -> Range | None:
        """The range that all this is made for, if there is one."""
        if self.middle is None or self.spread is None:
            return range_of(self.scale, self.shift) if self.scale.all() else None
        if not np.isfinite(self.middle).all():
            return None
        low, high = self.middle.min(), self.middle.max()
        if low <= 0:
            return "-1..1" if max(-low, high, self.spread.max()) <= 1 else None
        if high <= 1:
            return "0..1"
        return "0..255" if high <= 255 else None

    def hints(self) -> Hints:
        """What is to be fed, or why this cannot be told."""
        assert self.first is not None
        name, range_ = self.first.name, self.range
        does = "rescales" if self.first.type == "Rescaling" else "normalises"
        if range_ is None:
            return Hints(doubt=f"the way layer {name!r} {does} fits no usual range")
        return Hints(range=range_, reason=f"layer {name!r} {does} inside the model")


def _from_layers(graph: Graph, weights: Callable[[str], Mapping[str, NDArray[Any]]]) -> Hints:
    """What the layers tell that see the input before any weight of the network proper does."""
    starts = {node.name: _Start(np.ones(1), np.zeros(1)) for node in graph.inputs}
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] not in starts:
            continue
        start = starts[node.inputs[0]]
        if node.operation.kind == "submodel":
            inner = [name for name in starts if name.startswith(f"{node.name}/")]
            starts[node.name] = starts[inner[-1]] if inner else start
        elif _BEFORE_THE_FIRST_WEIGHTS.fullmatch(node.type):
            starts[node.name] = start.after(node, weights(node.name))
    told = [start for start in starts.values() if start.first is not None]
    if not told:
        return Hints()
    # The last of those that begin alike: a network may have several inputs.
    return [start for start in told if start.first == told[0].first][-1].hints()


def _by_channel(values: NDArray[Any]) -> Numbers:
    """Statistics as one number for each channel; those of places by their means."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim and numbers.size > numbers.shape[-1]:
        numbers = np.asarray(numbers.reshape(-1, numbers.shape[-1]).mean(axis=0))
    return numbers.ravel()


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
