"""The manifest that a page begins with: the network, the runs, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerscope.faces.explorer.runs import Run
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.strip import strip
from layerscope.graph import Graph, Node
from layerscope.manifest import layerscope_version
from layerscope.models import Model
from layerscope.render.colormap import names

UPLOAD_BYTES = 64 * 2**20
UPLOAD_PIXELS = 50_000_000
EVERYTHING = {"run": True, "exact": True, "explain": True, "field": True, "export": True}


def manifest_of(
    explorer: Explorer,
    can: Mapping[str, bool] | None = None,
    left_out: str | None = None,
) -> dict[str, Any]:
    """The manifest. can: what is possible here. left_out: a sentence on what is not there."""
    graph = explorer.graph()
    classes = explorer.names_of_classes()
    return {
        "layerscope": layerscope_version(),
        "models": [_model(number, model) for number, model in enumerate(explorer.models)],
        **network(graph),
        "classes": None if classes is None else list(classes),
        "runs": [run_document(run) for run in list(explorer.runs.values())],
        "findings": [finding for run in explorer.runs.values() for finding in run.findings],
        "settings": {
            "colormaps": list(names()),
            "limits": {"upload_bytes": UPLOAD_BYTES, "upload_pixels": UPLOAD_PIXELS},
        },
        "can": dict(EVERYTHING if can is None else can),
        "left_out": left_out,
    }


def network(graph: Graph) -> dict[str, Any]:
    """The inputs, nodes and outputs."""
    inputs, nodes = [_node(node) for node in graph.inputs], [_node(node) for node in graph.nodes]
    return {
        "inputs": inputs,
        "nodes": nodes,
        "strip": strip([*inputs, *nodes]),
        "outputs": list(graph.outputs),
        "parameters": graph.parameters,
    }


def run_document(run: Run) -> dict[str, Any]:
    """One run, without its pixels."""
    size = None if run.original is None else run.original[1]
    return {
        "id": run.id,
        "model": run.made_by.model,
        "label": run.label,
        "inputs": [record.as_json() for record in run.records],
        "original": None if size is None else {"height": size[0], "width": size[1]},
        "predictions": [[name, _number(value)] for name, value in run.predictions],
        "removable": run.uploaded,
    }


def _node(node: Node) -> dict[str, Any]:
    return {
        **node.as_json(),
        "summary": node.operation.summary(),
        "block": node.block,
        "kind": node.operation.kind,
        "channels": node.channels,
    }


def _model(number: int, model: Model) -> dict[str, Any]:
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
