"""What an operation of TensorFlow does, and which tensors are its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layerscope.operations import Operation

Carries = Callable[[Any], bool]


@dataclass(frozen=True)
class Meaning:
    """What an operation does.

    weights: tensors by role. turned: roles that are transposed. training: it always computes
    as in training.
    """

    operation: Operation
    weights: Mapping[str, Any] = field(default_factory=dict)
    turned: frozenset[str] = frozenset()
    training: bool = False
