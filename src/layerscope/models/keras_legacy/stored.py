"""The arrays of an old weights file, by layer, before any of them is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.network import Network, Part

_SMALL = 64 * 2**20
_LARGEST_GROWTH = 8
_MANY = 100_000
_LARGEST_NAMES = 128 * 2**20
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
_ATTENTION = ("_query_dense", "_key_dense", "_value_dense", "_output_dense")


@dataclass(frozen=True)
class Stored:
    """One array in a file. name: the variable's, as the file gives it."""

    name: str
    data: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.data.shape)

    @property
    def role(self) -> str:
        """``kernel`` of ``conv2d_1/kernel:0``; empty where the name does not tell."""
        return self.name.rpartition("/")[2].partition(":")[0] if "/" in self.name else ""

    def read(self) -> NDArray[Any]:
        """The values."""
        return np.asarray(self.data[()])


@dataclass(frozen=True)
class Weights:
    """What a weights file holds. keras_1: whether Keras 1 laid the arrays out."""

    groups: dict[str, tuple[Stored, ...]]
    keras_1: bool
    backend: str | None


def read_groups(path: Path, archive: Any) -> Weights:
    """The groups of an .h5 file of weights, or of a whole model. archive: open, and checked."""
    group = archive.get("model_weights", archive)
    if "layer_names" not in group.attrs and "layer_names0" not in group.attrs:
        raise ModelError(
            f"{path} holds no weights as Keras 1 and 2 write them. Expected the file that "
            "save_weights('NAME.h5') made."
        )
    found: dict[str, tuple[Stored, ...]] = {}
    for name in _names(path, group, "layer_names"):
        if name in found:
            raise ModelError(f"{path} lists the layer {name!r:.60} twice. The file is damaged.")
        found[name] = _arrays(path, group, name)
    if "top_level_model_weights" in group:
        found.setdefault("top_level_model_weights", _arrays(path, group, "top_level_model_weights"))
    _check_size(path, [stored for group in found.values() for stored in group])
    version, backend = group.attrs.get("keras_version"), group.attrs.get("backend")
    return Weights(found, version is None, None if backend is None else _text(backend))


def _arrays(path: Path, group: Any, name: str) -> tuple[Stored, ...]:
    import h5py

    inner = group.get(name)
    if not isinstance(inner, h5py.Group):
        raise ModelError(
            f"{path} lists the layer {name!r:.60} without weights of it. It is damaged."
        )
    found = []
    for weight in _names(path, inner, "weight_names"):
        data = inner.get(weight)
        if not isinstance(data, h5py.Dataset) or data.shape is None or data.dtype.kind not in "fiu":
            raise ModelError(
                f"{path} lists the weight {weight!r:.60} of the layer {name!r:.60}, but holds no "
                "array of it. Copy or download the file again."
            )
        found.append(Stored(weight, data))
    return tuple(found)


def _names(path: Path, group: Any, key: str) -> list[str]:
    """Names in an attribute, which Keras cuts into several where they are many."""
    keys, i = [key] if key in group.attrs else [], 0
    while f"{key}{i}" in group.attrs:
        keys.append(f"{key}{i}")
        i += 1
    found: list[str] = []
    for key in keys:
        stored = group.attrs.get_id(key)
        size, shared = prod(stored.shape or (0,)), stored.get_type().get_class() != 3
        # Names of varying length may all be the same place in the file, read once for each.
        grown = size * path.stat().st_size if shared else size * stored.dtype.itemsize
        if size > _MANY or (size > 1 and grown > _LARGEST_NAMES and size > 1000):
            raise ModelError(f"{path} holds {size:,} names. No Keras model looks like this.")
        value = group.attrs[key]
        found += [_text(name) for name in np.asarray(value).reshape(-1).tolist()]
    return found


def read_archive_arrays(path: Path, archive: Any, network: Network) -> dict[int, list[Stored]]:
    """The arrays in a .keras archive's weights for each layer that has some, by ``id``."""
    every: list[str] = []
    archive.visititems(lambda name, item: every.append(name) if _is_array(item) else None)
    places: dict[int, str] = {}
    _place(network, archive, "", places)
    by_folder: dict[str, list[str]] = {}
    for name in every:
        folder = name.rpartition("/vars/")[0]
        by_folder.setdefault(folder, []).append(name)
    found: dict[int, list[Stored]] = {}
    used: set[str] = set()
    for part, place in places.items():
        own, alone, _ = place.partition("/vars/")
        if alone:
            # A wrapper's own variable, beside which the kernel of the layer inside is repeated.
            beside = by_folder.get(own, [])
            found[part] = [Stored(name, archive[name]) for name in beside if name == place]
            used.update(beside)
            continue
        mine = [f for f in by_folder if f == place or f.startswith(f"{place}/")]
        folders = sorted(mine, key=lambda f: (_attention_order(f), _natural(f)))
        names = [name for folder in folders for name in sorted(by_folder[folder], key=_natural)]
        found[part] = [Stored(name, archive[name]) for name in names]
        used.update(names)
    unused = [n for n in every if n not in used and n.split("/")[0] in _CONTAINERS]
    if unused:
        raise ModelError(
            f"{path} holds the weights {', '.join(unused[:3])} ({len(unused)} in all), which no "
            "layer of its network takes. The file is damaged."
        )
    _check_size(path, [stored for group in found.values() for stored in group])
    return found


def _place(network: Network, archive: Any, prefix: str, places: dict[int, str]) -> None:
    folder = next((c for c in _CONTAINERS if f"{prefix}{c}" in archive), _CONTAINERS[0])
    used: dict[str, int] = {}
    for part in network.parts:
        name = snake_case(part.kind if part.network is None else _model_kind(part.network))
        number = used.get(name, -1) + 1
        used[name] = number
        _place_part(
            part, archive, f"{prefix}{folder}/{name}" + (f"_{number}" if number else ""), places
        )


def _place_part(part: Part, archive: Any, place: str, places: dict[int, str]) -> None:
    if part.network is not None:
        _place(part.network, archive, f"{place}/", places)
    elif part.kind == "Bidirectional":
        for side, key in zip(("forward_layer", "backward_layer"), (0, -1), strict=True):
            inner = part.wrapped[key]
            if key == 0 or len(part.wrapped) > 1:
                places[id(inner)] = f"{place}/{side}"
            else:
                places[-id(inner)] = f"{place}/{side}"
    elif part.wrapped:
        _place_part(part.wrapped[0], archive, f"{place}/layer", places)
        if part.kind == "SpectralNormalization":
            places[id(part)] = f"{place}/vars/1"
    elif part.kind != "InputLayer" and part.function is None:
        places[id(part)] = place


def _model_kind(network: Network) -> str:
    return "Sequential" if network.sequential else "Functional"


def snake_case(name: str) -> str:
    """``Conv2DTranspose`` as ``conv2d_transpose``, as Keras names the folders in an archive."""
    found = re.sub(r"\W+", "", name)
    found = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", found)
    return re.sub("([a-z])([A-Z])", r"\1_\2", found).lower()


def _attention_order(folder: str) -> int:
    last = folder.rpartition("/")[2]
    return _ATTENTION.index(last) if last in _ATTENTION else -1


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(p) if p.isdigit() else -1, p) for p in re.split(r"(\d+)", name)]


def _is_array(item: Any) -> bool:
    import h5py

    return (
        isinstance(item, h5py.Dataset)
        and "/vars/" in f"/{item.name}"
        and item.dtype.kind in "fiu"
        and item.shape is not None
    )


def _check_size(path: Path, arrays: list[Stored]) -> None:
    size, stored = sum(array.data.nbytes for array in arrays), path.stat().st_size
    if size > max(_SMALL, _LARGEST_GROWTH * stored):
        raise ModelError(
            f"{path} holds weights of {size:,} bytes in a file of {stored:,}. No Keras model "
            "looks like this; the file was not read."
        )


def _text(stored: Any) -> str:
    return stored.decode("utf-8", "replace") if isinstance(stored, bytes) else str(stored)
