"""What a run of ``view`` gives to the report: manifests, summaries and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.activation import Activation, Activations
from layerscope.faces.explorer.answers import documents
from layerscope.faces.explorer.answers.blobs import layer_blob, preview_blob
from layerscope.faces.explorer.answers.summary import NodeSummary, Summary, summarise
from layerscope.faces.explorer.report.page import Contents
from layerscope.faces.explorer.report.room import deflated
from layerscope.graph import Node
from layerscope.inputs.record import Array, InputRecord
from layerscope.models import Model
from layerscope.render import Drawing, Group, Limits
from layerscope.statistics import Statistics


@dataclass(frozen=True)
class ReportLayer:
    """One sample of a node: its container, deflated, and its summary."""

    packed: bytes
    summary: NodeSummary


def report_layers(
    activation: Activation,
    samples: int,
    limits: Limits,
    groups: Sequence[Group] | None = None,
    statistics: Statistics | None = None,
) -> list[ReportLayer]:
    """A node's maps for each sample.

    limits: of the layer over all of them. groups: the branches that its channels come from.
    statistics: over all samples, to save finding them anew where there is one.
    """
    found = []
    for sample in range(samples):
        summary = summarise(activation, sample, limits, statistics if samples == 1 else None)
        extremes = summary.figures.extremes
        blob = layer_blob(activation, sample, limits, groups, extremes)
        found.append(ReportLayer(deflated(blob), summary))
    return found


@dataclass(frozen=True)
class Collected:
    """A run of ``view``: everything but the layers of its nodes.

    fed: what the inputs were fed. seen: for each sample each input as the network sees it.
    said: for each sample what the classifier says.
    """

    model: Model
    fed: Activations
    activations: Activations
    labels: Sequence[str]
    records: Sequence[Sequence[InputRecord]]
    seen: Sequence[Sequence[Array | None]]
    said: Sequence[Sequence[tuple[str, float]]]
    classes: tuple[str, ...] | None
    drawing: Drawing

    def contents(
        self, described: Mapping[str, Any], layers: Mapping[str, Sequence[ReportLayer]]
    ) -> Contents:
        """What the report is made of. described: the manifest.json. layers: by node."""
        samples = range(len(self.labels))
        shown = self._shown()
        every = [
            layers[one.name]
            if one.name in layers
            else report_layers(one, len(samples), Limits.of(one))
            for one in shown
        ]
        answers: dict[str, bytes] = {}
        for i in samples:
            summary = Summary([layer[i].summary for layer in every])
            for number, preview in enumerate(self.seen[i]):
                which = f"?input={number}" if len(self.seen[i]) > 1 else ""
                answers[f"runs/r{i}/preview{which}"] = preview_blob(preview, None, None)
            answers[f"runs/r{i}/statistics"] = summary.statistics()
            answers[f"runs/r{i}/thumbnails"] = summary.thumbnails()
        return Contents(
            described=described,
            page=self._page([one.node for one in shown], described),
            answers=answers,
            layers={
                f"runs/r{i}/layers/{number}": layer[i].packed
                for i in samples
                for number, layer in enumerate(every)
            },
            labels=self.labels,
            predictions=self.said,
        )

    def _shown(self) -> list[Activation]:
        """The inputs, and the nodes that were chosen, which may be inputs too."""
        given = [self.activations.get(name, one) for name, one in self.fed.items()]
        rest = (one for name, one in self.activations.items() if name not in self.fed)
        return [*given, *rest]

    def _page(self, shown: Sequence[Node], described: Mapping[str, Any]) -> dict[str, Any]:
        graph = self.model.graph
        network = documents.network(shown, graph.outputs, graph.parameters)
        pictures = {node["name"]: node["pictures"] for node in described["nodes"]}
        for told in (*network["inputs"], *network["nodes"]):
            told["pictures"] = [
                {"run": f"r{picture['input']}", "file": picture["file"]}
                for picture in pictures.get(told["name"], ())
            ]
        scale = self.drawing.scale
        initial = {
            "colormap": self.drawing.colormap,
            "scale": scale if isinstance(scale, str) else ",".join(map(str, scale)),
        }
        page = documents.document(
            [documents.model_document(0, self.model)], network, self.classes,
            self._runs(described), described["findings"], documents.NOTHING, initial,
        )  # fmt: skip
        page["models"][0]["file"] = described["model"]["file"]
        return page

    def _runs(self, described: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The runs, with files called as the manifest calls them."""
        told = described["inputs"]
        each = len(told) // max(1, len(self.labels))
        runs = []
        for i, label in enumerate(self.labels):
            said = self.said[i] if i < len(self.said) else ()
            run = documents.told_run(f"r{i}", label, self.records[i], said)
            runs.append({**run, "inputs": told[i * each : (i + 1) * each]})
        return runs
