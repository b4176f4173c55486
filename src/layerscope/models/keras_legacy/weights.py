"""Giving every variable of a rebuilt network its stored array, and leaving none over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.classes import RENAMED_CLASSES
from layerscope.models.keras_legacy.layouts import gates, relaid
from layerscope.models.keras_legacy.network import Network, Part
from layerscope.models.keras_legacy.stored import Stored, Weights

_NOT_TRAINED = frozenset(
    ("moving_mean", "moving_variance", "mean", "variance", "count", "vector_u")
)


@dataclass(frozen=True)
class Unit:
    """A layer with variables: what the file says of it, and the live layer."""

    part: Part
    layer: Any
    keras_1: bool

    @property
    def kind(self) -> str:
        """The class by the name that Keras 2 gave it."""
        return RENAMED_CLASSES.get(self.part.kind, self.part.kind)

    def counts(self) -> tuple[int, int]:
        """How many arrays a file holds for it: trained ones, and others."""
        apart = gates(self.kind, self.part.config, self.keras_1)
        if apart is not None:
            return apart, 0
        others = sum(variable.name in _NOT_TRAINED for variable in self.layer.weights)
        return len(self.layer.weights) - others, others


@dataclass(frozen=True)
class _Alone:
    """A wrapper's own variables, without those of the layer inside."""

    weights: list[Any]


def units(part: Part, found: Mapping[int, Any], keras_1: bool) -> list[Unit]:
    """The layers with variables in a part, in the order of the file."""
    if part.network is not None:
        return [unit for inner in part.network.parts for unit in units(inner, found, keras_1)]
    if part.kind == "Bidirectional" and part.wrapped:
        live = found[id(part)]
        sides = (part.wrapped[0], part.wrapped[-1])
        layers = (live.forward_layer, live.backward_layer)
        return [Unit(side, layer, keras_1) for side, layer in zip(sides, layers, strict=True)]
    if part.wrapped:
        inner = units(part.wrapped[0], found, keras_1)
        if part.kind == "SpectralNormalization":
            inner.append(Unit(part, _Alone([found[id(part)].vector_u]), keras_1))
        return inner
    if part.function is not None or part.kind == "InputLayer":
        return []
    layer = found[id(part)]
    return [Unit(part, layer, keras_1)] if layer.weights else []


def matched(
    network: Network, weights: Weights, found: Mapping[int, Any], notes: list[str], whole: bool
) -> list[tuple[Unit, Sequence[Stored]]]:
    """The stored arrays of each layer. whole: architecture and weights come from one file.

    Raises ModelError, naming the difference, where layers and arrays do not correspond.
    """
    groups = {name: group for name, group in weights.groups.items() if group}
    wanted = {part.name: units(part, found, weights.keras_1) for part in network.parts}
    wanted = {name: mine for name, mine in wanted.items() if mine}
    if groups.keys() != wanted.keys():
        wanted = _by_leaf(groups, wanted)
    if groups.keys() != wanted.keys() and not whole and len(groups) == len(wanted):
        notes.append("weights taken in the order of the layers, whose names differ from the file's")
        groups = dict(zip(wanted, groups.values(), strict=True))
    missing = [name for name in wanted if name not in groups]
    unused = [name for name in groups if name not in wanted]
    if missing or unused:
        raise ModelError(_difference(missing, unused))
    return [pair for name, mine in wanted.items() for pair in _split(name, mine, groups[name])]


def _by_leaf(groups: Mapping[str, Any], wanted: Mapping[str, list[Unit]]) -> dict[str, list[Unit]]:
    """For nested models whose layers the file lists one by one: the layers by their own names."""
    found: dict[str, list[Unit]] = {}
    for name, mine in wanted.items():
        if name in groups:
            found[name] = mine
            continue
        for unit in mine:
            if unit.part.name in found:
                return dict(wanted)
            found[unit.part.name] = [unit]
    return found


def _difference(missing: list[str], unused: list[str]) -> str:
    parts = []
    if missing:
        parts.append(f"the file holds no weights for {_some(missing)}")
    if unused:
        parts.append(f"it holds weights for {_some(unused)}, which the network does not have")
    return (
        f"Architecture and weights do not belong together: {' and '.join(parts)}. Give the "
        "weights that were saved from this architecture."
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name[:60]) for name in names[:5]) + more


def _split(
    name: str, mine: list[Unit], arrays: Sequence[Stored]
) -> list[tuple[Unit, Sequence[Stored]]]:
    if len(mine) == 1:
        return [(mine[0], _by_role(mine[0], arrays))]
    total = sum(sum(unit.counts()) for unit in mine)
    if total != len(arrays):
        raise ModelError(
            f"Layer {name!r:.60} takes {total} arrays, but the file holds {len(arrays)} for it. "
            "Give the weights that were saved from this architecture."
        )
    for split in (_by_names(mine, arrays), _trained_first(mine, arrays), _in_turn(mine, arrays)):
        if split is not None and all(_fits(unit, given) for unit, given in split):
            return [(unit, _by_role(unit, given)) for unit, given in split]
    return _trained_first(mine, arrays)


def _by_names(
    mine: list[Unit], arrays: Sequence[Stored]
) -> list[tuple[Unit, Sequence[Stored]]] | None:
    """By the layers' names in the arrays' names, where these tell all."""
    given: list[list[Stored]] = [[] for _ in mine]
    for array in arrays:
        path = array.name.split("/")[:-1]
        owners = [i for i, unit in enumerate(mine) if unit.part.name in path]
        if len(owners) != 1:
            return None
        given[owners[0]].append(array)
    if any(len(g) != sum(u.counts()) for u, g in zip(mine, given, strict=True)):
        return None
    return list(zip(mine, given, strict=True))


def _trained_first(
    mine: list[Unit], arrays: Sequence[Stored]
) -> list[tuple[Unit, Sequence[Stored]]]:
    """Keras's own order: what is trained of every layer, and then the rest."""
    given: list[list[Stored]] = [[] for _ in mine]
    left = list(arrays)[::-1]
    for i, unit in enumerate(mine):
        if unit.part.trainable:
            given[i] += [left.pop() for _ in range(unit.counts()[0])]
    for i, unit in enumerate(mine):
        trained, others = unit.counts()
        given[i] += [left.pop() for _ in range(others + (0 if unit.part.trainable else trained))]
    return list(zip(mine, given, strict=True))


def _in_turn(mine: list[Unit], arrays: Sequence[Stored]) -> list[tuple[Unit, Sequence[Stored]]]:
    found, at = [], 0
    for unit in mine:
        count = sum(unit.counts())
        found.append((unit, arrays[at : at + count]))
        at += count
    return found


def _fits(unit: Unit, arrays: Sequence[Stored]) -> bool:
    """Whether roles (where told) and numbers of values agree."""
    roles = [array.role for array in arrays]
    names = [variable.name for variable in unit.layer.weights]
    if len(roles) == len(names) and all(roles) and Counter(roles) != Counter(names):
        return False
    sizes = sum(_size(array.shape) for array in arrays)
    expected = sum(_size(tuple(variable.shape)) for variable in unit.layer.weights)
    return sizes == expected or "CuDNN" in unit.part.kind or hasattr(unit.layer, "from_file")


def _size(shape: tuple[int, ...]) -> int:
    found = 1
    for size in shape:
        found *= size
    return found


def _by_role(unit: Unit, arrays: Sequence[Stored]) -> Sequence[Stored]:
    """In the order of the live layer's variables, where names tell each one's role."""
    names = [variable.name for variable in unit.layer.weights]
    roles = {array.role: array for array in arrays}
    if len(set(names)) == len(names) == len(arrays) and roles.keys() == set(names):
        return [roles[name] for name in names]
    return arrays


def assign(
    pairs: Sequence[tuple[Unit, Sequence[Stored]]], network_variables: Sequence[Any], turned: bool
) -> None:
    """Assign every array. Raises ModelError where a shape differs or a variable is left out."""
    given: Counter[int] = Counter()
    for unit, stored in pairs:
        arrays = [array.read() for array in stored]
        try:
            arrays = relaid(
                unit.kind,
                unit.part.config,
                arrays,
                keras_1=unit.keras_1,
                turned=turned,
                first=getattr(unit.layer, "data_format", None) or "",
            )
            if hasattr(unit.layer, "from_file"):
                arrays = unit.layer.from_file(arrays)
        except (ValueError, IndexError):
            arrays = []
        variables = unit.layer.weights
        if [a.shape for a in arrays] != [tuple(v.shape) for v in variables]:
            raise ModelError(
                f"Layer {unit.part.name!r:.60} ({unit.part.kind}) takes arrays of the shapes "
                f"{_shapes(v.shape for v in variables)}, but the file holds "
                f"{_shapes(a.shape for a in stored)}. Give the weights that were saved from this "
                "architecture."
            )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
            given[id(variable)] += 1
        if hasattr(unit.layer, "finalize_state"):
            unit.layer.finalize_state()
    left = [variable.path for variable in network_variables if given[id(variable)] != 1]
    if left:
        raise ModelError(
            f"The file holds no weights for {_some(left)}. Give the weights that were saved from "
            "this architecture."
        )


def _shapes(shapes: Any) -> str:
    return ", ".join(str(tuple(shape)).replace(" ", "") for shape in shapes) or "none"
