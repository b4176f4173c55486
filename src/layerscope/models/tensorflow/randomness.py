"""Operations that use random numbers whatever they are fed, such as a dropout that stayed on."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

_RANDOM = frozenset(
    "RandomUniform RandomStandardNormal TruncatedNormal StatelessRandomUniform "
    "StatelessRandomUniformV2 StatelessRandomNormal StatelessRandomNormalV2".split()
)
_CHOOSING = frozenset(
    "Placeholder PlaceholderWithDefault Switch RefSwitch Merge RefMerge If StatelessIf "
    "While StatelessWhile".split()
)


def always_draws(operation: Any, shown: Container[str]) -> bool:
    """Whether random numbers reach an operation past no setting that could turn them off.

    shown: names of operations that are nodes; what feeds those is their own affair.
    """
    waiting, met, found = [operation], {operation.name}, False
    while waiting:
        for tensor in waiting.pop().inputs:
            before = tensor.op
            if before.name in met or before.name in shown:
                continue
            met.add(before.name)
            if before.type in _CHOOSING:
                return False
            if before.type in _RANDOM:
                found = True
            else:
                waiting.append(before)
    return found
