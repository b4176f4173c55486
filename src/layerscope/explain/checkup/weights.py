"""Weights that were never trained, or that are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.checkup.evidence import Evidence
from layerscope.explain.checkup.finding import Finding, listed, named
from layerscope.explain.checkup.initial import looks_initial
from layerscope.graph import Graph, Node
from layerscope.operations import Convolution, Dense, Elementwise, Normalization

_KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")
_ENOUGH_ALONE, _NEARLY_ALL = 512, 0.9
_SAME, _NOTHING, _ROWS = 1e-5, 1e-4, 64


def weights(evidence: Evidence, most: int | None = None) -> Iterator[Finding]:
    """Findings on the weights alone. most: layers with more parameters are left out."""
    judged: dict[str, str] = {}
    for node in evidence.graph:
        if node.shared or not node.parameters or (most and node.parameters > most):
            continue
        if not isinstance(node.operation, Convolution | Dense):
            continue
        held = evidence.weights(node.name)
        yield from _broken(node, held)
        verdict = _verdict(evidence, node, held)
        if verdict is not None:
            judged[node.name] = verdict
        if verdict != "zero":
            yield from _duplicates(node, held)
    yield from _untrained(judged)


def _broken(node: Node, held: Mapping[str, NDArray[Any]]) -> Iterator[Finding]:
    for role, values in held.items():
        if values.dtype.kind == "f" and not np.isfinite(_sum(values)):
            yield Finding(
                "error",
                "not-finite",
                node.name,
                f"{int((~np.isfinite(values)).sum()):,} of the {values.size:,} numbers in the "
                f"{role} of {node.name} are NaN or infinite.",
                "The training that wrote these weights diverged: take an earlier checkpoint.",
            )
            return


def _sum(values: NDArray[Any]) -> float:
    with np.errstate(all="ignore"):
        return float(values.sum(dtype=np.float64))


def _verdict(evidence: Evidence, node: Node, held: Mapping[str, NDArray[Any]]) -> str | None:
    """What a layer's weights look like; None where it cannot be told.

    ``zero``, ``initial``, ``perhaps`` (only the kernel says so), ``odd`` (all but the kernel says
    so), ``trained``.
    """
    kernels = [held[role] for role in _KERNELS if role in held]
    if not kernels or any(kernel.dtype.kind != "f" for kernel in kernels):
        return None
    if not any(kernel.any() for kernel in kernels):
        return "zero"
    beside = _beside(evidence, node, held)
    if beside is False:
        return "trained"
    if beside is None and sum(kernel.size for kernel in kernels) < _ENOUGH_ALONE:
        return None
    told = [looks_initial(kernel) for kernel in kernels]
    if False in told:
        return "odd" if beside else "trained"
    if True not in told:
        return None
    return "initial" if beside else "perhaps"


def _beside(evidence: Evidence, node: Node, held: Mapping[str, NDArray[Any]]) -> bool | None:
    """Whether the bias and the batch normalisation that go with a kernel are as made.

    None where there are neither.
    """
    told: bool | None = None
    if "bias" in held:
        if held["bias"].any():
            return False
        told = True
    for name in _followers(evidence.graph, node):
        follower = evidence.graph[name]
        roles = evidence.weights(name)
        if isinstance(follower.operation, Normalization):
            made = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}
        else:
            made = {"bias": 0}
        for role, value in made.items():
            if role in roles:
                if (roles[role] != value).any():
                    return False
                told = True
    return told


def _followers(graph: Graph, node: Node) -> list[str]:
    """A bias and a batch normalisation that are nodes of their own, right behind a node."""
    found: list[str] = []
    while len(graph.consumers[node.name]) == 1:
        node = graph[graph.consumers[node.name][0]]
        operation = node.operation
        bias = isinstance(operation, Elementwise) and operation.function == "add-bias"
        normal = isinstance(operation, Normalization) and operation.method == "batch"
        if not (bias or normal):
            break
        found.append(node.name)
    return found


def _untrained(judged: Mapping[str, str]) -> Iterator[Finding]:
    initial = [name for name, verdict in judged.items() if verdict == "initial"]
    zero = [name for name, verdict in judged.items() if verdict == "zero"]
    fresh = sum(verdict in ("initial", "perhaps") for verdict in judged.values())
    load = "Load the trained weights (--weights FILE, model.load_weights), or train it."
    # Chance lets a kernel in some thousands look otherwise.
    if judged and fresh >= _NEARLY_ALL * len(judged) and "trained" not in judged.values():
        alone = len(judged) == 1
        which = "The only layer with weights" if alone else "All layers with weights"
        count = "" if alone else f" ({len(judged)} that can be told)"
        verb = "holds" if alone else "hold"
        yield Finding(
            "warning",
            "untrained",
            next(iter(judged)) if alone else None,
            f"{which}{count} {verb} random numbers as an initializer makes them: the network has "
            "not been trained, or its weights were not loaded.",
            load,
        )
        return
    for name in initial:
        yield Finding(
            "warning",
            "untrained",
            name,
            f"{name} holds random numbers as an initializer makes them, unlike "
            f"{named([n for n, verdict in judged.items() if verdict != 'initial'], 2)}: "
            "it has not been trained, or its weights were not loaded.",
            load,
        )
    for name in zero:
        yield Finding(
            "warning",
            "untrained",
            name,
            f"All weights of {name} are 0, so that what it gives does not depend on its input.",
            load,
        )


def _duplicates(node: Node, held: Mapping[str, NDArray[Any]]) -> Iterator[Finding]:
    """Filters whose weights and bias are the same; those that are all 0 are not compared."""
    operation = node.operation
    kernel = held.get("pointwise_kernel", held.get("kernel"))
    if kernel is None or kernel.dtype.kind != "f" or kernel.ndim < 2:
        return
    if isinstance(operation, Convolution):
        if operation.depthwise:
            return
        if operation.transposed:
            kernel = np.swapaxes(kernel, -1, -2)
    filters = kernel.shape[-1]
    groups = operation.groups if isinstance(operation, Convolution) else 1
    rows = kernel.reshape(-1, filters)
    bias = held.get("bias")
    each = filters // groups
    twins: list[tuple[int, ...]] = []
    for start in range(0, filters, each):
        own = slice(start, start + each)
        found = same_columns(rows[:, own], None if bias is None else bias[own])
        twins += [tuple(start + i for i in twin) for twin in found]
    if not twins:
        return
    count = sum(map(len, twins))
    many = count == filters > 1
    shown = "; ".join(listed(twin) for twin in twins[:3])
    more = f"; and {len(twins) - 3} more groups" if len(twins) > 3 else ""
    yield Finding(
        "warning" if many else "note",
        "duplicate-filters",
        node.name,
        f"{'All' if many else count} {'' if many else 'of '}{filters} filters of {node.name} "
        f"{'have a twin' if many and len(twins) > 1 else 'are the same'}: {shown}{more}.",
        "Filters that start the same stay the same: use a random initializer."
        if many
        else "Each gives the same map as its twin: one of them suffices.",
    )


def same_columns(columns: NDArray[Any], bias: NDArray[Any] | None) -> list[tuple[int, ...]]:
    """Groups of equal columns, to 1e-5 of the largest value; those of almost 0 are left out.

    columns: (values, filters). bias: (filters,), compared too. Columns that are equal have equal
    projections, so that only neighbours in the order of one projection are looked at, where
    another agrees too. The projections are of 64 rows, so that large layers cost little.
    """
    some = columns[:: max(1, len(columns) // _ROWS)]
    directions = np.random.default_rng(0).standard_normal((2, len(some)))
    places = directions.astype(columns.dtype) @ some
    order = np.argsort(places[0], kind="stable")
    near = np.abs(np.diff(places[:, order], axis=1)) <= _SAME * np.abs(places).max(initial=0)
    candidates = np.flatnonzero(near.all(axis=0))
    if not candidates.size:
        return []
    largest = float(np.abs(columns).max())
    found: list[list[int]] = []
    for k in candidates:
        i, j = int(order[k]), int(order[k + 1])
        if not _are_twins(columns[:, i], columns[:, j], largest):
            continue
        if bias is not None and not _are_twins(bias[i : i + 1], bias[j : j + 1], largest, 0):
            continue
        if found and found[-1][-1] == i:
            found[-1].append(j)
        else:
            found.append([i, j])
    return sorted(tuple(sorted(group)) for group in found)


def _are_twins(
    one: NDArray[Any], other: NDArray[Any], largest: float, least: float = _NOTHING
) -> bool:
    """Whether two filters are the same and more than nothing. largest: magnitude in the layer."""
    strength = float(np.abs(one).max(initial=0))
    same = float(np.abs(one - other).max(initial=0)) <= _SAME * max(largest, strength)
    return same and strength >= least * largest
