"""Activations on disk: .npz, .zarr or a folder of .npy, written batch by batch."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import InputError, MissingExtraError, OutputError
from layerscope.extract import Extraction, Progress, different_sizes
from layerscope.graph import Node
from layerscope.manifest import describe_run, write_json
from layerscope.outputs import is_own_manifest, new_file, new_folder, unique_names
from layerscope.statistics import Tally

_MANIFEST = "manifest.json"


def save(
    extraction: Extraction,
    target: str | Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Run an extraction and write its arrays; returns where they are.

    target: ends in ``.npz`` or ``.zarr``, or is a folder (of one ``.npy`` for each node).
    Beside ``x.npz`` stands its manifest, ``x.npz.json``; in a folder and in a .zarr it is
    ``manifest.json``. Memory holds one batch at a time. progress: called with (samples done,
    samples in all). Raises OutputError where it cannot be written.
    """
    path = Path(target)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        _save_npz(extraction, path, force, progress)
    elif suffix == ".zarr":
        _save_zarr(extraction, path, force, progress)
    elif suffix and not path.is_dir():
        raise OutputError(
            f"{path} ends in {path.suffix!r}. Expected a name that ends in .npz or .zarr, "
            "or a folder (a name without a suffix)."
        )
    else:
        with new_folder(path, force=force) as folder:
            names = unique_names([node.name for node in extraction.nodes])
            manifest = _write(extraction, _Npy(folder, names, len(extraction)), progress)
            for node in manifest["nodes"]:
                node["file"] = f"{names[node['name']]}.npy"
            write_json(folder / _MANIFEST, manifest)
    return path


def _save_npz(extraction: Extraction, path: Path, force: bool, progress: Progress | None) -> None:
    beside = path.with_name(path.name + ".json")
    own = is_own_manifest(beside)
    with (
        new_file(beside, force=force, own=own) as described,
        new_file(path, force=force, own=own) as temporary,
        tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder,
    ):
        names = {node.name: str(i) for i, node in enumerate(extraction.nodes)}
        manifest = _write(extraction, _Npy(Path(folder), names, len(extraction)), progress)
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, number in names.items():
                part = Path(folder, f"{number}.npy")
                archive.write(part, f"{name}.npy")
                part.unlink()
        write_json(described, manifest)


def _save_zarr(extraction: Extraction, path: Path, force: bool, progress: Progress | None) -> None:
    try:
        import zarr
    except ImportError:
        raise MissingExtraError(
            f'{path}: zarr is not installed. Install it with: pip install "layerscope[zarr]"'
        ) from None
    with new_folder(path, force=force) as folder:
        group = zarr.open_group(folder, mode="w")
        manifest = _write(extraction, _Zarr(group, len(extraction)), progress)
        write_json(folder / _MANIFEST, manifest)


class _Sink(Protocol):
    """Takes the arrays of each node, batch by batch; axis 0 is the batch where there is one."""

    def append(self, node: Node, values: NDArray[Any], batched: bool) -> None: ...


def _write(extraction: Extraction, sink: _Sink, progress: Progress | None) -> dict[str, Any]:
    """Run all batches into a sink; returns the manifest."""
    total, done = len(extraction), 0
    tallies = {node.name: Tally() for node in extraction.nodes}
    shapes: dict[str, tuple[int, ...]] = {}
    records: list[Any] = []
    for batch, activations in extraction:
        records.extend(batch.records)
        for node in extraction.nodes:
            activation = activations[node.name]
            tallies[node.name].add(activation.array, activation.axes)
            if activation.axes.batch is None and done:
                continue
            values = _batch_first(activation)
            first = shapes.setdefault(node.name, values.shape[1:])
            if values.shape[1:] != first:
                raise InputError(different_sizes(batch.labels[0], values.shape[1:], first))
            sink.append(node, values, activation.axes.batch is not None)
        done += len(batch)
        if progress:
            progress(done, total)
    statistics = {name: tally.statistics() for name, tally in tallies.items()}
    return describe_run(extraction.model.source, extraction.nodes, records, statistics)


def _batch_first(activation: Activation) -> NDArray[Any]:
    axis = activation.axes.batch
    return np.moveaxis(activation.array, axis, 0) if axis else activation.array


class _Npy:
    """One growing .npy file for each node."""

    def __init__(self, folder: Path, names: Mapping[str, str], total: int) -> None:
        self._folder, self._names, self._total = folder, names, total

    def append(self, node: Node, values: NDArray[Any], batched: bool) -> None:
        # Opened anew for each batch: a large network has more nodes than a process may have files.
        with open(self._folder / f"{self._names[node.name]}.npy", "ab") as file:
            if file.tell() == 0:
                shape = (self._total, *values.shape[1:]) if batched else values.shape
                dtype = np.lib.format.dtype_to_descr(values.dtype)
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_2_0(file, header)
            file.write(np.ascontiguousarray(values).data)


class _Zarr:
    """One array for each node in a zarr group, a chunk for each batch."""

    def __init__(self, group: Any, total: int) -> None:
        self._group, self._total = group, total
        self._arrays: dict[str, Any] = {}
        self._filled: dict[str, int] = {}

    def append(self, node: Node, values: NDArray[Any], batched: bool) -> None:
        if not values.shape:
            values = values.reshape(1)
        if node.name not in self._arrays:
            shape = (self._total, *values.shape[1:]) if batched else values.shape
            self._arrays[node.name] = self._group.create_array(
                name=node.name,
                shape=shape,
                chunks=tuple(max(1, size) for size in values.shape),
                dtype=values.dtype,
                attributes={"axes": str(node.axes)},
            )
        start = self._filled.get(node.name, 0)
        self._arrays[node.name][start : start + len(values)] = values
        self._filled[node.name] = start + len(values)
