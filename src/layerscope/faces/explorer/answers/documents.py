"""The manifest that a page begins with: the network, the runs, and what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerscope.faces.explorer.answers.strip import strip
from layerscope.faces.explorer.runs import Run
from layerscope.graph import Node
from layerscope.inputs.record import InputRecord
from layerscope.manifest import layerscope_version
from layerscope.models import Model
from layerscope.render.colormap import names

if TYPE_CHECKING:
    from layerscope.faces.explorer.session import Explorer

UPLOAD_BYTES = 64 * 2**20
UPLOAD_PIXELS = 50_000_000
_ABLE = ("run", "exact", "explain", "field", "export")
EVERYTHING = dict.fromkeys(_ABLE, True)
NOTHING = dict.fromkeys(_ABLE, False)


def manifest_of(explorer: Explorer) -> dict[str, Any]:
    """The manifest of what a server shows."""
    graph = explorer.graph()
    runs = list(explorer.runs.values())
    return document(
        [model_document(number, model) for number, model in enumerate(explorer.models)],
        network((*graph.inputs, *graph.nodes), graph.outputs, graph.parameters),
        explorer.names_of_classes(),
        [run_document(run) for run in runs],
        _each_once(finding for run in runs for finding in run.findings),
        EVERYTHING,
    )


def document(
    models: Sequence[Mapping[str, Any]],
    network: Mapping[str, Any],
    classes: Sequence[str] | None,
    runs: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
    can: Mapping[str, bool],
    initial: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A manifest from its parts.

    models: of ``model_document``. can: what is possible. initial: settings to begin with.
    """
    return {
        "layerscope": layerscope_version(),
        "models": list(models),
        **network,
        "classes": None if classes is None else list(classes),
        "runs": list(runs),
        "findings": list(findings),
        "settings": {
            "colormaps": list(names()),
            "limits": {"upload_bytes": UPLOAD_BYTES, "upload_pixels": UPLOAD_PIXELS},
            "initial": dict(initial or {}),
        },
        "can": dict(can),
        "left_out": None,
    }


def network(shown: Sequence[Node], outputs: Sequence[str], parameters: int) -> dict[str, Any]:
    """The network. shown: its inputs and the nodes of the page, in order."""
    inputs = [_node(node) for node in shown if node.index is None]
    nodes = [_node(node) for node in shown if node.index is not None]
    return {
        "inputs": inputs,
        "nodes": nodes,
        "strip": strip([*inputs, *nodes]),
        "outputs": list(outputs),
        "parameters": parameters,
    }


def run_document(run: Run) -> dict[str, Any]:
    """One run, without its pixels."""
    size = None if run.original is None else run.original[1]
    told = told_run(run.id, run.label, run.records, run.predictions)
    original = None if size is None else {"height": size[0], "width": size[1]}
    return {
        **told,
        "model": run.made_by.model,
        "original": original,
        "removable": run.uploaded,
        "findings": list(run.findings),
    }


def told_run(
    id: str,
    label: str,
    records: Sequence[InputRecord],
    predictions: Sequence[tuple[str, float]],
) -> dict[str, Any]:
    """A run of the first model, as far as it is known without its pixels."""
    return {
        "id": id,
        "model": 0,
        "label": label,
        "inputs": [record.as_json() for record in records],
        "original": None,
        "predictions": [[name, _number(value)] for name, value in predictions],
        "removable": False,
    }


def _each_once(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return list({tuple(finding.values()): finding for finding in findings}.values())


def _node(node: Node) -> dict[str, Any]:
    return {
        **node.as_json(),
        "summary": node.operation.summary(),
        "block": node.block,
        "kind": node.operation.kind,
        "channels": node.channels,
    }


def model_document(number: int, model: Model) -> dict[str, Any]:
    """A model as a manifest has it."""
    source = model.source
    return {
        "id": number,
        "title": Path(source.file).name if source.file else source.name,
        "file": source.file,
        "format": source.format,
        "framework": source.framework,
        "notes": list(source.notes),
        "parameters": model.graph.parameters,
    }


def _number(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
