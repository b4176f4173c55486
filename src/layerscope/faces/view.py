"""``view``: every layer's maps of one or more pictures, as a folder with a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation, Activations
from layerscope.classes import imagenet_classes, predictions
from layerscope.errors import InputError
from layerscope.explain.checkup import Observation, observe
from layerscope.extract import Extraction, Progress, different_sizes, plan
from layerscope.faces.checking import FedWatch, findings_of
from layerscope.faces.explorer.notebook import opening_of
from layerscope.faces.explorer.report.collected import Collected, ReportLayer, report_layers
from layerscope.faces.explorer.report.page import render_report
from layerscope.faces.grouping import Grouping
from layerscope.faces.record_view import as_record, view_own
from layerscope.faces.viewed import View
from layerscope.graph import Graph, Node
from layerscope.inputs import Preprocessing
from layerscope.manifest import describe_run, write_json
from layerscope.models import Source, open_model
from layerscope.outputs import new_folder, safe_name, unique_names
from layerscope.render import Drawing, Limits, draw

_MOST_BYTES = 4 * 2**30


def view_extraction(
    extraction: Extraction,
    folder: Path,
    drawing: Drawing,
    *,
    classes: tuple[str, ...] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    report_limit: int = 30_000_000,
    within: Path | None = None,
) -> View:
    """Run an extraction, draw every node, and write the folder (whole, or not at all).

    report_limit: bytes that the report may take. within: files in this folder are told by
    their names alone.
    """
    seen = _run(extraction, progress)
    graph, source = extraction.model.graph, extraction.model.source
    classes = classes or extraction.model.hints.classes or _known_classes(graph)
    said = _predictions(seen.activations, graph, classes)
    with new_folder(folder, force=force) as temporary:
        drawn = _draw_all(graph, seen, drawing, classes, temporary)
        observed = {name: one.observed for name, one in drawn.items()}
        findings = findings_of(extraction.model, seen.watch, observed)
        manifest = describe_run(
            source,
            extraction.nodes,
            seen.watch.records,
            {name: one.statistics for name, one in observed.items()},
            {name: one.pictures for name, one in drawn.items()},
            [one.as_json() for one in findings],
        )
        if within is not None:
            _tell_names_alone(manifest, within)
        write_json(temporary / "manifest.json", manifest)
        collected = Collected(
            extraction.model, seen.fed, seen.activations, seen.labels, seen.watch.records,
            seen.inputs, said, classes, drawing,
        )  # fmt: skip
        layers = {name: one.layers for name, one in drawn.items()}
        page = render_report(collected.contents(manifest, layers), report_limit)
        (temporary / "report.html").write_bytes(page)
    return View(folder, manifest, said, tuple(seen.labels), opening_of(extraction))


@dataclass
class _Seen:
    activations: Activations
    watch: FedWatch
    fed: Activations
    inputs: list[Any] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        return self.watch.labels


@dataclass(frozen=True)
class _Drawn:
    observed: Observation
    pictures: list[dict[str, Any]]
    layers: list[ReportLayer]


def _run(extraction: Extraction, progress: Progress | None) -> _Seen:
    total = len(extraction)
    values = sum(math.prod(size or 1 for size in node.shape[1:]) for node in extraction.nodes)
    if 4 * values * total > _MOST_BYTES:
        most = max(1, _MOST_BYTES // (4 * values))
        raise InputError(
            f"{total} inputs through {len(extraction.nodes)} layers give "
            f"{4 * values * total / 2**30:,.0f} GiB of maps. Give at most {most} inputs at once, "
            "or choose layers with -l; `layerscope extract` writes any number."
        )
    batches: list[Activations] = []
    inputs = extraction.model.graph.inputs
    seen = _Seen(Activations({}), FedWatch(inputs), Activations({}))
    fed: list[Activations] = []
    for batch, activations in extraction:
        batches.append(activations)
        fed.append(_fed(inputs, batch.feeds))
        seen.watch.add(batch)
        seen.inputs.extend(batch.seen)
        if progress:
            progress(len(seen.labels), total)
    seen.activations, seen.fed = _joined(batches, seen.labels), _joined(fed, seen.labels)
    return seen


def _fed(nodes: Sequence[Node], feeds: dict[str, NDArray[Any]]) -> Activations:
    """What the inputs were fed; what the model set by itself is left out."""
    given = (node for node in nodes if node.name in feeds)
    return Activations({n.name: Activation(feeds[n.name], n.axes, n) for n in given})


def _joined(batches: Sequence[Activations], labels: Sequence[str]) -> Activations:
    if len(batches) == 1:
        return batches[0]
    held = {}
    for name, first in batches[0].items():
        axis = first.axes.batch
        parts = [batch[name].array for batch in batches]
        if axis is None:
            held[name] = first
            continue
        for part, label in zip(parts, labels, strict=False):
            if part.shape[1:] != parts[0].shape[1:]:
                raise InputError(different_sizes(label, part.shape[1:], parts[0].shape[1:]))
        held[name] = Activation(np.concatenate(parts, axis=axis), first.axes, first.node)
    return Activations(held)


def _draw_all(
    graph: Graph,
    seen: _Seen,
    drawing: Drawing,
    classes: tuple[str, ...] | None,
    folder: Path,
) -> dict[str, _Drawn]:
    (folder / "maps").mkdir()
    files = _file_names(list(seen.activations.values()), seen.labels, drawing.format)
    grouping = Grouping(graph, seen.activations)
    groups = {a.name: grouping.of(a, drawing.channels) for a in seen.activations.values()}
    last = graph.outputs[-1] if graph.outputs else None

    def one(activation: Activation) -> _Drawn:
        limits = Limits.of(activation)
        pictures = []
        for sample in range(len(seen.labels)):
            figure = draw(
                activation,
                sample=sample,
                groups=groups[activation.name],
                classes=classes if activation.name == last else None,
                limits=limits,
                **drawing.options(),
            )
            file = f"maps/{files[activation.name, sample]}"
            figure.save(folder / file, drawing.format)
            pictures.append(figure.as_json(file, sample))
        observed = observe(activation.array, activation.axes, activation.node)
        layers = report_layers(
            activation,
            len(seen.labels),
            limits,
            groups[activation.name] if drawing.channels is None else None,
            observed.statistics,
        )
        return _Drawn(observed, pictures, layers)

    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        drawn = pool.map(one, seen.activations.values())
        try:
            return dict(zip(seen.activations, drawn, strict=True))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _file_names(
    activations: Sequence[Activation], labels: Sequence[str], format: str
) -> dict[tuple[str, int], str]:
    """``<index>_<name>.png``; with several inputs the input's number and name follow."""
    names = unique_names([activation.name for activation in activations])
    tails = [f"__{i}_{safe_name(Path(label).stem)}" for i, label in enumerate(labels)]
    found = {}
    for activation in activations:
        index, name = activation.node.index, names[activation.name]
        base = name if index is None else f"{index:03d}_{name}"
        for sample, tail in enumerate(tails):
            found[activation.name, sample] = f"{base}{tail if len(tails) > 1 else ''}.{format}"
    return found


def _predictions(
    activations: Activations, graph: Graph, classes: tuple[str, ...] | None
) -> list[list[tuple[str, float]]]:
    outputs = [name for name in graph.outputs if name in activations]
    if len(outputs) != 1:
        return []
    return predictions(activations[outputs[0]], classes)


def _known_classes(graph: Graph) -> tuple[str, ...] | None:
    if len(graph.outputs) == 1 and graph[graph.outputs[0]].channels == 1000:
        return imagenet_classes()
    return None


def _tell_names_alone(manifest: dict[str, Any], folder: Path) -> None:
    for described in (manifest["model"], *manifest["inputs"]):
        if described["file"] is not None and Path(described["file"]).parent == folder:
            described["file"] = Path(described["file"]).name


def view(
    model: Any,
    inputs: Any = None,
    out: str | Path | None = None,
    *,
    layers: Any = None,
    size: tuple[int, int] | str | None = None,
    resize: str | None = None,
    range: str | None = None,
    color: str | None = None,
    allow_nan: bool = False,
    training: bool = False,
    force: bool = False,
    epochs: str | None = None,
    **drawing: Any,
) -> View:
    """Write every layer's maps of one or more inputs as a folder: report, pictures, manifest.

    Of a Record, or a path to one, which needs no inputs: the maps over the epochs of a
    training, the curves, and how the first kernels changed.

    model, inputs, layers, size … training: as ``extract`` has them. out: the folder, by
    default ``layerscope-MODEL`` in the present one. force: replace what layerscope did not
    write. drawing: ``channels``, ``colormap``, ``scale``, ``clip``, ``zoom``, ``columns`` and
    ``format``, as ``Drawing.parse`` has them. epochs: of a record, those whose maps are
    drawn, such as ``"0,10,best,last"``; its ``scale`` may also be ``"epochs"`` or
    ``"epochs-channel"``, one range over all epochs for a layer or for each channel.

    Returns a View with the folder, its manifest and the predictions.
    """
    wishes: dict[str, Any] = {"resize": resize, "range": range, "color": color}
    record = as_record(model)
    if record is not None:
        network_only = {
            "inputs": inputs, "layers": layers, "size": size, **wishes, "allow_nan": allow_nan,
            "training": training,
        }  # fmt: skip
        return view_own(record, out, network_only, force=force, epochs=epochs, **drawing)
    if inputs is None or epochs is not None:
        wrong = "inputs are missing" if inputs is None else "epochs were given"
        raise InputError(f"expected a network and its inputs, or a Record alone, but {wrong}")
    if isinstance(size, str):
        size = Preprocessing.parse(size=size).size
    opened = open_model(model)
    extraction = plan(
        opened,
        inputs,
        layers,
        Preprocessing(size=size, allow_nan=allow_nan, **wishes),
        training=training,
    )
    folder = Path(out) if out is not None else default_folder(opened.source)
    return view_extraction(extraction, folder, Drawing.parse(**drawing), force=force)


def default_folder(source: Source) -> Path:
    """``layerscope-MODEL`` in the present folder."""
    return Path(f"layerscope-{safe_name(source.name)}")
