"""Opening TensorFlow models: frozen graphs, MetaGraphs, SavedModels, sessions and functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.formats import CHECKPOINT, GRAPH, SAVED, Format
from layerscope.models.protocol import Source
from layerscope.models.tensorflow.checkpoint import read_variables
from layerscope.models.tensorflow.files import checkpoint_in, no_graph, prefix_of, read_proto
from layerscope.models.tensorflow.freezing import Frozen, Signature, freeze
from layerscope.models.tensorflow.runtime import framework, load_tensorflow
from layerscope.models.tensorflow.safety import check_operations, check_size

if TYPE_CHECKING:
    from layerscope.models.options import OpenOptions
    from layerscope.models.tensorflow.adapter import TensorFlowModel

_DEFAULT = "serving_default"


def open_file(path: Path, found: Format, options: OpenOptions) -> TensorFlowModel:
    """Open a frozen graph, a MetaGraph with its checkpoint, or a SavedModel's folder."""
    load_tensorflow()
    if found == SAVED:
        return _open_saved(path if path.is_dir() else path.parent, path, options)
    if found == CHECKPOINT:
        return _open_checkpoint(path, options)
    assert found == GRAPH
    return _open_graph(path, options)


def _open_graph(path: Path, options: OpenOptions) -> TensorFlowModel:
    from tensorflow.core.framework import graph_pb2

    _no_signature(path, options, "a frozen graph")
    graph_def, size = read_proto(path, graph_pb2.GraphDef, "frozen graph")
    check_operations(str(path), graph_def, trust=options.trust, saver=False)
    check_size(str(path), graph_def, size)

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        raise ModelError(
            f"{path} is a graph that is not frozen: it has variables ({names[0]!r} and others) "
            "without their values. Give the .meta file with its checkpoint, a SavedModel, or "
            "freeze the graph."
        )

    frozen = freeze(str(path), graph_def, values, trust=options.trust)
    return _model(frozen, Source(path.stem, str(path), GRAPH.name, framework(), _sha256(path)))


def _open_checkpoint(path: Path, options: OpenOptions) -> TensorFlowModel:
    from tensorflow.core.protobuf import meta_graph_pb2

    _no_signature(path, options, "a checkpoint")
    prefix = checkpoint_in(path) if path.is_dir() else prefix_of(path)
    file = prefix.with_name(prefix.name + ".meta")
    if not file.is_file():
        raise no_graph(path)
    meta, size = read_proto(file, meta_graph_pb2.MetaGraphDef, "MetaGraph")
    check_operations(str(file), meta.graph_def, trust=options.trust, saver=True)
    check_size(str(file), meta.graph_def, size)
    weights = prefix if options.weights is None else prefix_of(options.weights)
    frozen = freeze(
        str(file),
        meta.graph_def,
        lambda names: read_variables(meta.graph_def, meta.saver_def, names, weights),
        trust=options.trust,
    )
    source = Source(prefix.name, str(file), CHECKPOINT.name, framework(), _sha256(file))
    return _model(frozen, source)


def _open_saved(folder: Path, given: Path, options: OpenOptions) -> TensorFlowModel:
    from tensorflow.core.protobuf import saved_model_pb2

    file = next(f for f in (folder / "saved_model.pb", folder / "saved_model.pbtxt") if f.is_file())
    saved, size = read_proto(file, saved_model_pb2.SavedModel, "SavedModel")
    if not saved.meta_graphs:
        raise ModelError(f"{file} holds no graph. Expected a SavedModel.")
    for one in saved.meta_graphs:
        check_operations(str(file), one.graph_def, trust=options.trust, saver=True)
    check_size(str(file), saved.meta_graphs[0].graph_def, size)
    meta = _serving(saved)
    signature, note = _choose(folder, meta, options.signature)
    prefix = folder / "variables" / "variables"
    frozen = freeze(
        str(folder),
        meta.graph_def,
        lambda names: read_variables(meta.graph_def, meta.saver_def, names, prefix),
        signature=signature,
        trust=options.trust,
    )
    stem = folder.resolve().name
    notes = (note,) if note else ()
    source = Source(stem, str(given), SAVED.name, framework(), _sha256(file), notes=notes)
    return _model(frozen, source)


def _serving(saved: Any) -> Any:
    """The MetaGraph that is tagged for serving, or the first."""
    tagged = (m for m in saved.meta_graphs if "serve" in m.meta_info_def.tags)
    return next(tagged, saved.meta_graphs[0])


def _choose(folder: Path, meta: Any, wanted: str | None) -> tuple[Signature, str | None]:
    """The signature asked for, the default one, or the only one."""
    found = {
        name: signature
        for name, signature in sorted(meta.signature_def.items())
        if not name.startswith("__") and signature.inputs and signature.outputs
    }
    listed = ", ".join(found)
    if not found:
        raise ModelError(
            f"{folder} has no signature, so its inputs and outputs are not known. Save it again "
            "with signatures, or open it in your own code: FILE.py:name."
        )
    if wanted is not None and wanted not in found:
        raise ModelError(f"{folder} has no signature {wanted!r}. It has: {listed}.")
    if wanted is None and len(found) > 1 and _DEFAULT not in found:
        raise ModelError(f"{folder} has several signatures: choose one with --signature: {listed}.")
    name = wanted or (_DEFAULT if _DEFAULT in found else next(iter(found)))
    note = None
    if len(found) > 1:
        note = f"the signature {name} is shown; the model has {listed} (--signature NAME)"
    return _signature(folder, name, found[name]), note


def _signature(folder: Path, name: str, stored: Any) -> Signature:
    def tensors(table: Any) -> dict[str, str]:
        found = {key: info.name for key, info in sorted(table.items())}
        if not all(found.values()):
            raise ModelError(
                f"The signature {name} of {folder} has sparse or composite tensors, and only "
                "plain arrays are fed. Choose another: --signature NAME."
            )
        return found

    return Signature(tensors(stored.inputs), tensors(stored.outputs))


def _no_signature(path: Path, options: OpenOptions, what: str) -> None:
    if options.signature is not None:
        raise ModelError(
            f"{path} is {what}, which has no signatures: leave --signature out. "
            "SavedModels have them."
        )


def wrap_session(session: Any) -> TensorFlowModel:
    """A live tf.compat.v1.Session as a Model; the session and its graph are left as they are."""
    graph_def = session.graph.as_graph_def(add_shapes=True)

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        tensors = [_reading(session.graph.get_operation_by_name(name)) for name in names]
        try:
            arrays = session.run(tensors)
        except Exception as error:
            text = " ".join(str(getattr(error, "message", error)).split())[:200]
            raise ModelError(
                f"The session's variables cannot be read: {text}. Initialise or restore them first."
            ) from error
        return dict(zip(names, arrays, strict=True))

    frozen = freeze("The session's graph", graph_def, values, trust=True)
    return _model(frozen, Source("session", None, "session", framework()))


def _reading(operation: Any) -> Any:
    """A tensor with a variable's value that the graph has already."""
    output = operation.outputs[0]
    if operation.type != "VarHandleOp":
        return output
    for user in output.consumers():
        if user.type == "ReadVariableOp":
            return user.outputs[0]
    raise ModelError(
        f"The session's graph never reads the variable {operation.name!r} as a whole. "
        "Add one tf.identity of it to the graph."
    )


def wrap_function(function: Any) -> TensorFlowModel:
    """A ConcreteFunction as a Model."""
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    try:
        constant = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except Exception as error:
        text = " ".join(str(error).split())[:300]
        raise ModelError(f"The function cannot be made one graph by TensorFlow: {text}") from error
    inputs = {tensor.op.name: tensor.name for tensor in constant.inputs}
    outputs = {tensor.name: tensor.name for tensor in constant.outputs}
    graph_def = constant.graph.as_graph_def(add_shapes=True)
    where = f"The function {function.name}"
    frozen = freeze(
        where, graph_def, lambda names: {}, signature=Signature(inputs, outputs), trust=True
    )
    name = getattr(function, "name", b"function")
    text = name.decode() if isinstance(name, bytes) else str(name)
    return _model(frozen, Source(text, None, "function", framework()))


def _model(frozen: Frozen, source: Source) -> TensorFlowModel:
    from layerscope.models.tensorflow.adapter import TensorFlowModel

    return TensorFlowModel(frozen, source)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
