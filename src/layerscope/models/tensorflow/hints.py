"""What a graph's own arithmetic on its input, or its scopes, tell of the input it expects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from layerscope.hints import Hints, Numbers, Range, range_of
from layerscope.models.tensorflow.constants import behind, value
from layerscope.models.tensorflow.meaning import Carries, Meaning
from layerscope.models.tensorflow.translate import translate
from layerscope.models.tensorflow.wiring import SHAPES
from layerscope.operations import Normalization

_SCALED = re.compile(
    r"(Inception(V[1-4]|ResnetV2)|Mobilenet(V[1-3])?|NASNet|nasnet|MobilenetEdgeTPU)/"
)
_PASSING = frozenset(
    "Identity IdentityN StopGradient CheckNumerics Snapshot EnsureShape Cast ExpandDims Squeeze "
    "PlaceholderWithDefault Reshape Transpose Pad PadV2 MirrorPad ResizeBilinear ResizeBicubic "
    "ResizeArea ResizeNearestNeighbor CropAndResize".split()
)
_PARTING = frozenset("Split SplitV Unpack Slice StridedSlice Reverse ReverseV2".split())
_ARITHMETIC = {
    "Sub": "subtracts", "RealDiv": "divides by", "Div": "divides by", "Mul": "multiplies by",
    "Add": "adds", "AddV2": "adds", "BiasAdd": "adds",
}  # fmt: skip
_FUSED = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_MOST_STEPS = 24
# What networks that were converted from Caffe subtract, blue first (in whole or exact numbers).
_CAFFE = (103.939, 116.779, 123.68)


def scope_hints(names: Iterable[str]) -> Hints:
    """What the scopes tell: the families of tf.slim were trained on -1..1."""
    for name in names:
        found = _SCALED.match(name)
        if found:
            reason = f"the graph is a {found[1]} of tf.slim's"
            return Hints(range="-1..1", reason=reason, guessed=True)
    return Hints()


def arithmetic_hints(
    start: Any, carries: Carries, patterns: Mapping[str, Meaning], folded: frozenset[str]
) -> Hints | None:
    """What the constants tell that a graph scales its input with, before any weights.

    start: the tensor that is fed. patterns, folded: normalisations that are several operations.
    """
    walk = _Walk(carries, patterns, folded)
    walk.follow(start)
    range_ = walk.range
    if range_ is None:
        return None
    return Hints(range=range_, color=walk.color, reason=", ".join(walk.words) + " in the graph")


class _Walk:
    """The input as ``scale · input + shift``, as far as it can be followed."""

    def __init__(
        self, carries: Carries, patterns: Mapping[str, Meaning], folded: frozenset[str]
    ) -> None:
        self.carries, self.patterns, self.folded = carries, patterns, folded
        self.scale: Numbers = np.ones(1)
        self.shift: Numbers = np.zeros(1)
        self.words: list[str] = []
        self.parted = False

    def follow(self, tensor: Any) -> None:
        """Go on from a tensor as long as one operation of a known kind takes it."""
        for _ in range(_MOST_STEPS):
            users = [user for user in tensor.consumers() if user.type not in SHAPES]
            if len({user.name for user in users}) != 1:
                return
            user = users[0]
            if user.name in self.folded or user.type in _FUSED:
                self._normalise(user)
                return
            if user.type in _PARTING:
                # The order of the channels after this is not the input's.
                self.parted = self.parted or not self.words
            elif user.type not in _PASSING and not self._calculate(user, tensor):
                return
            tensor = user.outputs[0]

    def _calculate(self, user: Any, tensor: Any) -> bool:
        if user.type not in _ARITHMETIC or len(user.inputs) != 2:
            return False
        place = 1 if user.inputs[0].name == tensor.name else 0
        if self.carries(user.inputs[place]):
            return False
        number = _by_channel(user.inputs[place])
        if number is None or not np.isfinite(number).all():
            return False
        if user.type in ("RealDiv", "Div"):
            if place == 0 or not number.all():
                return False
            self.scale, self.shift = self.scale / number, self.shift / number
        elif user.type == "Mul":
            if not number.all():
                return False
            self.scale, self.shift = self.scale * number, self.shift * number
        elif user.type == "Sub":
            sign = 1 if place else -1
            self.scale, self.shift = sign * self.scale, sign * (self.shift - number)
        else:
            self.shift = self.shift + number
        self.words.append(f"{user.name!r} {_ARITHMETIC[user.type]} {_told(number)}")
        return True

    def _normalise(self, user: Any) -> None:
        """A batch normalisation of the input: what it takes for the mean tells the range."""
        ends = [user, *(later for output in user.outputs for later in output.consumers())]
        for end in ends:
            meaning = self.patterns.get(end.name)
            if meaning is None and end.type in _FUSED:
                meaning = translate(end, self.carries)
            if meaning is None or not isinstance(meaning.operation, Normalization):
                continue
            mean = _by_channel(meaning.weights["moving_mean"])
            variance = _by_channel(meaning.weights["moving_variance"])
            if mean is not None and variance is not None and (variance > 0).all():
                deviation = np.sqrt(variance)
                self.scale = self.scale / deviation
                self.shift = (self.shift - mean) / deviation
                self.words.append(f"{end.name!r} normalises values around {_told(mean)}")
            return

    @property
    def middle(self) -> Numbers:
        """The input that becomes 0, by channel."""
        found: Numbers = -self.shift / self.scale
        return found

    @property
    def range(self) -> Range | None:
        """The range that all this is made for, if there is one."""
        return range_of(self.scale, self.shift) if self.words else None

    @property
    def color(self) -> str | None:
        """Blue first, where Caffe's means are subtracted in that order."""
        means = self.middle
        if self.parted or means.size != 3:
            return None
        means = means * (255 if means.max() <= 1 else 1)
        return "bgr" if np.abs(means - _CAFFE).max() < 1.5 else None


def _by_channel(tensor: Any) -> Numbers | None:
    """A constant as one number, or as one for each channel; a mean picture by its means."""
    tensor = behind(tensor)
    while tensor.op.type in ("Reshape", "ExpandDims", "Squeeze"):
        tensor = behind(tensor.op.inputs[0])
    found = value(tensor)
    if found is None or found.dtype.kind not in "fiu" or not found.size:
        return None
    numbers = np.asarray(found, dtype=np.float64)
    if numbers.size <= 4:
        flat: Numbers = numbers.reshape(-1)
        return flat
    if numbers.ndim < 3 or numbers.shape[-1] > 4:
        return None
    mean: Numbers = numbers.reshape(-1, numbers.shape[-1]).mean(0)
    return mean


def _told(numbers: Numbers) -> str:
    same = np.ptp(numbers) == 0
    return ", ".join(f"{number:.5g}" for number in (numbers[:1] if same else numbers))
