"""Opening TensorFlow's files: frozen graphs, MetaGraphs and SavedModels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.formats import CHECKPOINT, GRAPH, SAVED, Format
from layerscope.models.protocol import Source
from layerscope.models.tensorflow.allowed import FEEDING, FILLING, LOOKING, SAVING
from layerscope.models.tensorflow.checkpoint import read_variables
from layerscope.models.tensorflow.files import (
    checkpoint_in,
    no_graph,
    prefix_of,
    read_proto,
    sha256,
)
from layerscope.models.tensorflow.freezing import Frozen, freeze
from layerscope.models.tensorflow.runtime import framework, load_tensorflow
from layerscope.models.tensorflow.safety import check_operations, check_size
from layerscope.models.tensorflow.saved import freeze_saved

if TYPE_CHECKING:
    from layerscope.models.options import OpenOptions
    from layerscope.models.tensorflow.adapter import TensorFlowModel


def open_file(path: Path, found: Format, options: OpenOptions) -> TensorFlowModel:
    """Open a frozen graph, a MetaGraph with its checkpoint, or a SavedModel's folder."""
    load_tensorflow()
    if found == SAVED:
        return model_of(*freeze_saved(path if path.is_dir() else path.parent, path, options))
    if found == CHECKPOINT:
        return _open_checkpoint(path, options)
    assert found == GRAPH
    return _open_graph(path, options)


def _open_graph(path: Path, options: OpenOptions) -> TensorFlowModel:
    from tensorflow.core.framework import graph_pb2

    _no_signature(path, options, "a frozen graph")
    graph_def, size = read_proto(path, graph_pb2.GraphDef, "frozen graph")
    check_operations(str(path), graph_def, trust=options.trust, idle=LOOKING | FILLING | FEEDING)
    check_size(str(path), graph_def, size)

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        raise ModelError(
            f"{path} is a graph that is not frozen: it has variables ({names[0]!r} and others) "
            "without their values. Give the .meta file with its checkpoint, a SavedModel, or "
            "freeze the graph."
        )

    frozen = freeze(str(path), graph_def, values, trust=options.trust)
    return model_of(frozen, Source(path.stem, str(path), GRAPH.name, framework(), sha256(path)))


def _open_checkpoint(path: Path, options: OpenOptions) -> TensorFlowModel:
    from tensorflow.core.protobuf import meta_graph_pb2

    _no_signature(path, options, "a checkpoint")
    prefix = checkpoint_in(path) if path.is_dir() else prefix_of(path)
    file = prefix.with_name(prefix.name + ".meta")
    if not file.is_file():
        raise no_graph(path)
    meta, size = read_proto(file, meta_graph_pb2.MetaGraphDef, "MetaGraph")
    check_operations(
        str(file), meta.graph_def, trust=options.trust, idle=LOOKING | FILLING | FEEDING | SAVING
    )
    check_size(str(file), meta.graph_def, size)
    weights = prefix if options.weights is None else prefix_of(options.weights)
    frozen = freeze(
        str(file),
        meta.graph_def,
        lambda names: read_variables(meta.graph_def, meta.saver_def, names, weights),
        trust=options.trust,
    )
    source = Source(prefix.name, str(file), CHECKPOINT.name, framework(), sha256(file))
    return model_of(frozen, source)


def _no_signature(path: Path, options: OpenOptions, what: str) -> None:
    if options.signature is not None:
        raise ModelError(
            f"{path} is {what}, which has no signatures: leave --signature out. "
            "SavedModels have them."
        )


def model_of(frozen: Frozen, source: Source) -> TensorFlowModel:
    """A graph of constants as a Model."""
    from layerscope.models.tensorflow.adapter import TensorFlowModel

    return TensorFlowModel(frozen, source)
