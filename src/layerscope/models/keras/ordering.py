"""The calls inside a functional model in the order of its own list of layers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import chain
from typing import Any

from layerscope.models.keras.calls import Call


def in_layer_order(model: Any, groups: Sequence[Sequence[Call]]) -> list[Call]:
    """The calls of all groups, the groups sorted as a functional model lists its layers.

    groups: the calls that each call in the model led to, that call itself last. A group
    never comes before one that it depends on. Other models' groups stay in their order.
    """
    graph = getattr(model, "_functional", None) or model
    operations = getattr(graph, "operations", None) or ()
    rank = {id(operation): i for i, operation in enumerate(operations)}
    if not rank:
        return list(chain.from_iterable(groups))
    keys = [(rank.get(id(group[-1].operation), -1), i) for i, group in enumerate(groups)]
    maker = {id(x): i for i, group in enumerate(groups) for call in group for x in call.outputs}
    users: list[list[int]] = [[] for _ in groups]
    missing = [0] * len(groups)
    for i, group in enumerate(groups):
        needed = {maker.get(id(x), i) for call in group for x in call.tensors} - {i}
        missing[i] = len(needed)
        for other in needed:
            users[other].append(i)
    ready = [key for i, key in enumerate(keys) if not missing[i]]
    heapq.heapify(ready)
    ordered: list[Call] = []
    while ready:
        i = heapq.heappop(ready)[1]
        ordered.extend(groups[i])
        for user in users[i]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, keys[user])
    return ordered
