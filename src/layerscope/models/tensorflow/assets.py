"""The files of a SavedModel that its tables are filled from: where they lie on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import UntrustedError
from layerscope.models.tensorflow.wiring import node_of

_STRING = 7
_COLLECTION = "saved_model_assets"


def place_assets(folder: Path, meta: Any) -> dict[str, NDArray[Any]]:
    """Write the assets' paths into the graph, as loading does; those of variables are returned.

    Nothing is read. Raises UntrustedError for an asset outside of the SavedModel's folder.
    """
    home = (folder / "assets").resolve()
    paths: dict[str, bytes] = {}
    for asset in _stored(meta):
        path = (home / asset.filename).resolve()
        if not path.is_relative_to(home):
            raise UntrustedError(
                f"{folder} names the file {asset.filename[:80]!r}, which lies outside of its "
                "folder assets. Nothing was run."
            )
        paths[node_of(asset.tensor_info.name)] = str(path).encode()
    found: dict[str, NDArray[Any]] = {}
    for node in meta.graph_def.node:
        if node.name in paths:
            name, path_ = node.name, paths[node.name]
            node.Clear()
            node.name, node.op = name, "Const"
            node.attr["dtype"].type = _STRING
            tensor = node.attr["value"].tensor
            tensor.dtype = _STRING
            tensor.tensor_shape.Clear()
            tensor.string_val.append(path_)
        elif node.op == "AssignVariableOp" and len(node.input) > 1:
            source = node_of(node.input[1])
            if source in paths:
                found[node_of(node.input[0])] = np.array(paths[source], dtype=object)
    return found


def _stored(meta: Any) -> Iterator[Any]:
    """The assets as TensorFlow 2 lists them, and as TensorFlow 1 did."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import meta_graph_pb2

    yield from meta.asset_file_def
    if _COLLECTION in meta.collection_def:
        for packed in meta.collection_def[_COLLECTION].any_list.value:
            with suppress(DecodeError):
                yield meta_graph_pb2.AssetFileDef.FromString(packed.value)
