"""SavedModels: which graph, which signature, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.formats import SAVED
from layerscope.models.protocol import Source
from layerscope.models.tensorflow.allowed import FEEDING, FILLING, LOOKING, SAVING
from layerscope.models.tensorflow.assets import place_assets
from layerscope.models.tensorflow.checkpoint import read_variables
from layerscope.models.tensorflow.files import read_proto, sha256
from layerscope.models.tensorflow.freezing import Frozen, Signature, freeze
from layerscope.models.tensorflow.runtime import framework
from layerscope.models.tensorflow.safety import check_operations, check_size

if TYPE_CHECKING:
    from layerscope.models.options import OpenOptions

_DEFAULT = "serving_default"


def freeze_saved(folder: Path, given: Path, options: OpenOptions) -> tuple[Frozen, Source]:
    """One signature of a SavedModel as a graph of constants, and where it came from."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = next(f for f in (folder / "saved_model.pb", folder / "saved_model.pbtxt") if f.is_file())
    saved, size = read_proto(file, saved_model_pb2.SavedModel, "SavedModel")
    if not saved.meta_graphs:
        raise ModelError(f"{file} holds no graph. Expected a SavedModel.")
    for one in saved.meta_graphs:
        check_operations(
            str(file), one.graph_def, trust=options.trust, idle=LOOKING | FILLING | FEEDING | SAVING
        )
    check_size(str(file), saved.meta_graphs[0].graph_def, size)
    meta = _serving(saved)
    signature, note = _choose(folder, meta, options.signature)
    paths = place_assets(folder, meta)
    prefix = folder / "variables" / "variables"

    def values(names: Sequence[str]) -> Mapping[str, NDArray[Any]]:
        stored = [name for name in names if name not in paths]
        return {**paths, **read_variables(meta.graph_def, meta.saver_def, stored, prefix)}

    frozen = freeze(
        str(folder),
        meta.graph_def,
        values,
        signature=signature,
        trust=options.trust,
    )
    stem = folder.resolve().name
    notes = (note,) if note else ()
    source = Source(stem, str(given), SAVED.name, framework(), sha256(file), notes=notes)
    return frozen, source


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

    return Signature(tensors(stored.inputs), tensors(stored.outputs), dict(stored.inputs))
