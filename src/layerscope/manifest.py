"""The manifest: what was opened, fed, computed and drawn, as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from layerscope.explain.fields import Field
from layerscope.graph import Graph, Node
from layerscope.models import Source
from layerscope.statistics import Statistics


def layerscope_version() -> str:
    """The version of the installed package."""
    try:
        return version("layerscope")
    except PackageNotFoundError:
        return "unknown"


def describe_graph(
    source: Source, graph: Graph, fields: Mapping[str, Field | None]
) -> dict[str, Any]:
    """What ``layerscope layers --json`` prints: the network alone.

    fields: every node's receptive field; empty where they cannot be told.
    """
    found = {name: field.as_json() for name, field in fields.items() if field is not None}
    return {
        "layerscope": layerscope_version(),
        "model": source.as_json(),
        "input_nodes": [node.as_json() for node in graph.inputs],
        "outputs": list(graph.outputs),
        "parameters": graph.parameters,
        "nodes": [
            {**node.as_json(), "receptive_field": found.get(node.name)} for node in graph.nodes
        ],
    }


def describe_run(
    source: Source,
    nodes: Sequence[Node],
    records: Sequence[Sequence[Any]],
    statistics: Mapping[str, Statistics],
    pictures: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    findings: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The manifest of a run. records: per sample, one InputRecord for every input."""
    return {
        "layerscope": layerscope_version(),
        "model": source.as_json(),
        "inputs": [record.as_json() for sample in records for record in sample],
        "nodes": [
            {
                **node.as_json(),
                "statistics": statistics[node.name].as_json(),
                "pictures": list((pictures or {}).get(node.name, ())),
            }
            for node in nodes
        ],
        "findings": list(findings),
    }


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document as UTF-8 JSON; NaN and infinite values are not allowed in it."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")
