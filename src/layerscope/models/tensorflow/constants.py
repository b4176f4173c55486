"""Values in a graph that depend on no input: small ones at once, weights when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PASSING = frozenset({"Identity", "StopGradient", "Snapshot", "GuaranteeConst"})
_VIEWS = frozenset({"Reshape", "Squeeze", "ExpandDims", "Cast"})


def behind(tensor: Any) -> Any:
    """The tensor that a chain of identities passes on."""
    while tensor.op.type in _PASSING:
        tensor = tensor.op.inputs[0]
    return tensor


def value(tensor: Any) -> NDArray[Any] | None:
    """A tensor's value where it shows without running anything, or None."""
    from tensorflow.python.framework import tensor_util

    tensor = behind(tensor)
    found = tensor_util.constant_value(tensor)
    return None if found is None else np.asarray(found)


def whole_numbers(tensor: Any) -> tuple[int, ...] | None:
    """A tensor's value as whole numbers, row by row, or None."""
    found = value(tensor)
    return None if found is None else tuple(int(v) for v in found.reshape(-1))


def stored_count(tensor: Any) -> int:
    """How many numbers the constant behind a tensor holds; 0 where there is none."""
    tensor = behind(tensor)
    while tensor.op.type in _VIEWS:
        tensor = behind(tensor.op.inputs[0])
    if tensor.op.type != "Const":
        return 0
    return int(tensor.shape.num_elements())


def predicates(graph: Any, settings: Mapping[str, float]) -> dict[str, tuple[bool, str]]:
    """The predicates of choices that are known: true or false, and by which setting."""
    found: dict[str, tuple[bool, str]] = {}
    for operation in graph.get_operations():
        if operation.type not in ("Switch", "RefSwitch"):
            continue
        tensor, invert = behind(operation.inputs[1]), False
        while tensor.op.type == "LogicalNot":
            tensor, invert = behind(tensor.op.inputs[0]), not invert
        known = settings.get(tensor.op.name)
        if known is not None:
            found[operation.inputs[1].name] = (bool(known) != invert, tensor.op.name)
        elif tensor.op.type == "Const":
            stored = value(tensor)
            if stored is not None and stored.ndim == 0:
                found[operation.inputs[1].name] = (bool(stored) != invert, "")
    return found
