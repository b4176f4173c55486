"""Scalar placeholders such as ``is_training`` and ``keep_prob``, and their values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from layerscope.models.tensorflow.wiring import Wiring, data_inputs, node_of

_TRAINING = re.compile(
    r"(.*[/_])?(is_?train(ing)?|train(ing)?(_phase|_mode|_flag)?|phase(_?train(ing)?)?|train_?phase"
    r"|(keras_)?learning_phase)(_?\d+)?",
    re.IGNORECASE,
)
_TESTING = re.compile(r"(.*[/_])?(is_?test(ing)?|is_?infer(ence)?|inference_mode)(_?\d+)?", re.I)
_KEEPING = re.compile(r".*keep.*", re.IGNORECASE)
_DROPPING = re.compile(r"(.*[/_])?(drop(out)?_?(rate|prob)|rate_?drop(out)?)(_?\d+)?", re.I)
_RANDOM = frozenset({"RandomUniform", "StatelessRandomUniformV2", "StatelessRandomUniform"})


@dataclass(frozen=True)
class Setting:
    """A placeholder that takes one number.

    value: what it is set to for inference, or None where it must be given. meaning: why.
    """

    name: str
    value: float | None
    meaning: str

    @property
    def note(self) -> str | None:
        """What is recorded of it."""
        if self.value is None:
            return None
        told = {0.0: "0", 1.0: "1"}.get(self.value, f"{self.value:g}")
        return f"{self.name} is set to {told} ({self.meaning})"


def is_scalar(node: Any, legacy: bool) -> bool | None:
    """Whether a placeholder takes one number; None where its shape is not stated.

    legacy: the graph is of a time when a scalar's shape and an unknown shape were written alike.
    """
    shape = node.attr["shape"].shape
    if "shape" not in node.attr or shape.unknown_rank:
        return None
    if shape.dim:
        return False
    return None if legacy and node.op == "Placeholder" else True


def find_setting(wiring: Wiring, node: Any, default: float | bool | None) -> Setting:
    """What a scalar placeholder is to be for inference. default: the value in the graph."""
    name = node.name.rpartition("/")[2]
    if _TRAINING.fullmatch(name):
        return Setting(node.name, 0.0, "inference")
    if _TESTING.fullmatch(name):
        return Setting(node.name, 1.0, "inference")
    use = _use(wiring, node.name)
    if use == "keep" or (use is None and _KEEPING.fullmatch(name)):
        return Setting(node.name, 1.0, "inference: everything is kept")
    if use == "rate" or (use is None and _DROPPING.fullmatch(name)):
        return Setting(node.name, 0.0, "inference: nothing is dropped")
    if default is not None:
        return Setting(node.name, float(default), "the graph's own default")
    return Setting(node.name, None, "not known")


def is_known(wiring: Wiring, node: Any) -> bool:
    """Whether its name or its use says that a placeholder is a setting."""
    name = node.name.rpartition("/")[2]
    named = any(p.fullmatch(name) for p in (_TRAINING, _TESTING, _KEEPING, _DROPPING))
    return named or _use(wiring, node.name) is not None


def _use(wiring: Wiring, start: str) -> str | None:
    """Whether dropout takes the number as the share kept or dropped, by how it is computed with."""
    waiting, seen = [(start, False)], set()
    while waiting:
        name, complement = waiting.pop()
        if (name, complement) in seen:
            continue
        seen.add((name, complement))
        for user in wiring.consumers.get(name, ()):
            inputs = [node_of(i) for i in data_inputs(user)]
            others = [i for i in inputs if i != name]
            if user.op in ("Identity", "Switch", "Cast"):
                waiting.append((user.name, complement))
            elif user.op == "Sub" and len(inputs) == 2 and inputs[1] == name:
                waiting.append((user.name, not complement))
            elif user.op == "GreaterEqual" and len(inputs) == 2 and inputs[1] == name:
                return "keep" if complement else "rate"
            elif user.op in ("Add", "AddV2") and any(_random(wiring, i) for i in others):
                return "rate" if complement else "keep"
    return None


def _random(wiring: Wiring, name: str) -> bool:
    """Whether a node is a uniform random number, perhaps scaled."""
    for _ in range(4):
        node = wiring.nodes.get(name)
        if node is None:
            return False
        if node.op in _RANDOM:
            return True
        if node.op not in ("Add", "AddV2", "Mul", "Identity") or not node.input:
            return False
        name = node_of(node.input[0])
    return False
