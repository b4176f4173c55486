"""Opening files of Keras 1 and 2: config and weights are read apart, and put together here."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from layerscope.errors import LayerscopeError, ModelError
from layerscope.models.keras.archive import open_member
from layerscope.models.keras.declared import no_more_than_stored
from layerscope.models.keras.safety import check_config
from layerscope.models.keras_legacy.activations import HARD_SIGMOID
from layerscope.models.keras_legacy.classes import FORMATTED, OWN
from layerscope.models.keras_legacy.keras1 import as_keras_2, is_keras_1
from layerscope.models.keras_legacy.kernels import by_theano, leaves, placed_by_code
from layerscope.models.keras_legacy.network import Network, Part, Reader
from layerscope.models.keras_legacy.stored import Weights, read_archive_arrays, read_groups
from layerscope.models.keras_legacy.theano import placed

_WEIGHTS = "model.weights.h5"
_OLD = ("1", "2")
_READING = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError, OverflowError,
    MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What to open.

    path: the file with the architecture. written: the version of Keras in it, or empty. own:
    the user's classes and functions by name. weights: another file that holds the weights, or
    None. notes: where decisions are recorded.
    """

    path: Path
    written: str
    own: Mapping[str, Any]
    trust: bool
    theano_kernels: bool | None = None
    weights: Path | None = None
    notes: list[str] = field(default_factory=list)


def is_old(written: str) -> bool:
    """Whether a version of Keras, or none at all, is that of a file that is opened here."""
    return written.split(".")[0] in (*_OLD, "")


def is_old_weights(path: Path) -> bool:
    """Whether a file of weights, checked before, is one of Keras 1 or 2."""
    import h5py

    with h5py.File(path, "r") as archive:
        group = archive.get("model_weights", archive)
        version = group.attrs.get("keras_version", b"")
        text = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
        return "layer_names" in group.attrs and is_old(text)


def open_hdf5(request: Request, config: dict[str, Any]) -> Any:
    """The Keras 3 model of an architecture and the HDF5 file with its weights."""
    import h5py

    path = request.weights or request.path
    network = read_config(request, config)
    with h5py.File(path, "r") as archive, _told(path):
        weights = read_groups(path, archive)
        theano = by_theano(network, weights, request.theano_kernels, request.notes)
        if theano:
            network = placed(network, request.notes)
        model, found = _built(request, network, path.stat().st_size)
        _fill(request, network, model, found, weights, theano)
    return model


def open_archive(request: Request, config: dict[str, Any]) -> Any:
    """The Keras 3 model of a .keras archive that Keras 2 wrote."""
    import h5py

    network = read_config(request, config)
    path = request.path
    with zipfile.ZipFile(path) as archive:
        if _WEIGHTS not in archive.namelist():
            raise ModelError(f"{path} holds no {_WEIGHTS}. Copy or download it again.")
        with (
            open_member(path, archive, _WEIGHTS) as file,
            h5py.File(file, "r") as stored,
            _told(path),
        ):
            model, found = _built(request, network, path.stat().st_size)
            _fill_from_archive(request, network, model, found, stored)
    return model


def fill(model: Any, path: Path, request: Request) -> None:
    """Give a live model, made by the user's code, the weights of an old HDF5 file."""
    import h5py

    network, found = _network_of(model)
    with h5py.File(path, "r") as archive, _told(path):
        weights = read_groups(path, archive)
        theano = by_theano(network, weights, request.theano_kernels, request.notes)
        request.notes.extend(placed_by_code(network) if theano else ())
        _fill(request, network, model, found, weights, theano)


def read_config(request: Request, config: dict[str, Any]) -> Network:
    """A config of Keras 1 or 2 as a Network. Raises ModelError, naming file and layer."""
    first = request.written.split(".")[0] == "1" or (not request.written and is_keras_1(config))
    with _told(request.path):
        if first:
            config = as_keras_2(config)
        reader = Reader(
            request.own, request.trust, request.notes, _data_format(config), request.written
        )
        network = reader.network(config)
        made = [dict(part.made) for part in leaves(network) if "class_name" in part.made]
    known = frozenset((*request.own, *OWN, HARD_SIGMOID))
    check_config(request.path, made, trust=request.trust, known=known)
    return network


def _built(request: Request, network: Network, stored: int) -> tuple[Any, dict[int, Any]]:
    import keras

    from layerscope.models.keras_legacy.build import build
    from layerscope.models.keras_legacy.layers import OWN_OBJECTS
    from layerscope.models.keras_legacy.placed import PLACED_OBJECTS

    found: dict[int, Any] = {}
    with (
        no_more_than_stored(request.path, stored),
        keras.saving.custom_object_scope({**request.own, **OWN_OBJECTS, **PLACED_OBJECTS}),
    ):
        model = build(network, request.trust, found)
    if not model.built:
        raise ModelError(
            f"{request.path} does not state the shape of the network's input. Build the network "
            "in code and open it as FILE.py:name --weights FILE."
        )
    _check_deconvolutions(network, found)
    return model, found


def _fill(
    request: Request,
    network: Network,
    model: Any,
    found: dict[int, Any],
    weights: Weights,
    theano: bool,
) -> None:
    from layerscope.models.keras_legacy.weights import assign, matched

    whole = request.weights is None
    pairs = matched(network, weights, found, request.notes, whole)
    assign(pairs, model.weights, theano)


def _fill_from_archive(
    request: Request, network: Network, model: Any, found: dict[int, Any], stored: Any
) -> None:
    from layerscope.models.keras_legacy.weights import assign, units

    arrays = read_archive_arrays(request.path, stored, network)
    pairs = []
    for part in network.parts:
        for unit in units(part, found, False):
            mirrored = part.kind == "Bidirectional" and unit.layer is found[id(part)].backward_layer
            single = mirrored and len(part.wrapped) == 1
            key = -id(unit.part) if single else id(unit.part)
            pairs.append((unit, tuple(arrays.get(key, ()))))
    assign(pairs, model.weights, bool(request.theano_kernels))


def _network_of(model: Any) -> tuple[Network, dict[int, Any]]:
    """A live model as a Network, for the layers that its weights belong to."""
    import keras

    found: dict[int, Any] = {}

    def part_of(layer: Any) -> Part:
        inner = None
        wrapped: tuple[Part, ...] = ()
        if isinstance(layer, keras.Model):
            inner = Network(layer.name, tuple(map(part_of, layer.layers)), True)
        elif isinstance(layer, keras.layers.TimeDistributed):
            wrapped = (part_of(layer.layer),)
        elif isinstance(layer, keras.layers.Bidirectional):
            wrapped = (part_of(layer.forward_layer), part_of(layer.backward_layer))
        config = {} if inner else _config_of(layer)
        part = Part(
            layer.name, layer.name, type(layer).__name__, config, network=inner, wrapped=wrapped
        )
        found[id(part)] = layer
        return part

    return Network(model.name, tuple(map(part_of, model.layers)), True), found


def _config_of(layer: Any) -> dict[str, Any]:
    names = (
        "kernel_size", "pool_size", "filters", "data_format", "strides", "dilation_rate",
        "padding", "trainable",
    )  # fmt: skip
    found = {name: getattr(layer, name) for name in names if hasattr(layer, name)}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}


def _data_format(config: Any) -> str | None:
    """The data format that every layer with one states, or None where they differ or none does."""
    formats = set()
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            inner = value.get("config")
            if value.get("class_name") in FORMATTED and isinstance(inner, dict):
                formats.add(inner.get("data_format"))
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    formats.discard(None)
    return formats.pop() if len(formats) == 1 else None


def _check_deconvolutions(network: Network, found: dict[int, Any]) -> None:
    """Keras 1 stated the size that a deconvolution gives; Keras 3 must come to the same."""
    for part in leaves(network):
        stated = part.config.get("deconvolved")
        if stated is None:
            continue
        made = tuple(found[id(part)].output.shape)
        if tuple(stated[1:]) != made[1:]:
            raise ModelError(
                f"Layer {part.name!r:.60} is a deconvolution to {tuple(stated[1:])}, which Keras "
                f"3 computes as {made[1:]}. Build the network in code and open it as FILE.py:name "
                "--weights FILE."
            )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of a file's contents with the file's name before them."""
    try:
        yield
    except LayerscopeError as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}") from None
    except _READING as error:
        text = " ".join(str(error).split()).rpartition("Exception encountered: ")[2]
        more = "…" if len(text) > 200 else ""
        raise ModelError(
            f"{path} is not a network as Keras 1 and 2 write it ({type(error).__name__}: "
            f"{text[:200]}{more}). Copy or download it again, or build the network in code and "
            "open it as FILE.py:name --weights FILE."
        ) from error
