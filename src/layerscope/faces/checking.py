"""``check``: what looks wrong with a network, its input or its activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os import cpu_count
from typing import Any

from layerscope.axes import Axes
from layerscope.errors import ModelError, ShapeError, ValuesError
from layerscope.explain.checkup import (
    Evidence,
    Fed,
    Finding,
    Observation,
    Observer,
    checkup,
    in_order,
    misfit,
    sentence,
)
from layerscope.extract import Extraction, Progress, plan
from layerscope.graph import Node
from layerscope.inputs import Batch, Preprocessing
from layerscope.models import Model, open_model

_LARGEST = 2**20
_FIRST_THE_MODEL = "Mend the shape of the network's own input first, as the finding layout says."
_NOTES = ("summed-channels", "input-channels", "input-range", "scale-drift")

__all__ = ["Checked", "FedWatch", "Finding", "check", "check_model", "findings_of"]


@dataclass(frozen=True)
class Checked:
    """What ``check`` found. samples: how many inputs it rests on. records: how they were made."""

    model: Model
    findings: tuple[Finding, ...]
    samples: int = 0
    records: tuple[Any, ...] = ()


class FedWatch:
    """Gathers what the inputs of a network were fed, batch by batch."""

    def __init__(self, inputs: Sequence[Node]) -> None:
        self._nodes = {node.name: node for node in inputs}
        self._observers = {name: Observer(node) for name, node in self._nodes.items()}
        self.records: list[Any] = []
        self.labels: list[str] = []

    def add(self, batch: Batch) -> None:
        """Add a batch as it is fed."""
        for record in batch.records[0] if batch.records else ():
            self._observers[record.name].add(batch.feeds[record.name], Axes.parse(record.axes))
        self.records.extend(batch.records)
        self.labels.extend(batch.labels)

    def fed(self) -> dict[str, Fed]:
        """By input, what it was fed."""
        found = {}
        for place, record in enumerate(self.records[0] if self.records else ()):
            node = replace(self._nodes[record.name], axes=Axes.parse(record.axes))
            steps = tuple(sample[place].steps for sample in self.records)
            seen = self._observers[record.name].observation()
            found[record.name] = Fed(node, record.shape, seen, tuple(self.labels), steps)
        return found


@dataclass
class _Watched:
    """One run as far as it came. refused: findings on what could not be fed or run."""

    fed: FedWatch
    seen: dict[str, Observation] = field(default_factory=dict)
    refused: list[Finding] = field(default_factory=list)


def check(
    model: Any,
    inputs: Any = None,
    *,
    size: tuple[int, int] | str | None = None,
    resize: str | None = None,
    range: str | None = None,
    color: str | None = None,
) -> tuple[Finding, ...]:
    """What looks wrong with a network, with its input, or with what its layers make of it.

    model: whatever ``open_model`` takes. inputs, size, resize, range, color: as for ``extract``;
    without inputs the network alone is looked at. With them, all layers are run once. An input
    that cannot be fed because of its shape or values is a finding, and no error.

    Returns findings, the worst first, each with its ``level`` (``"error"``: the result is wrong,
    ``"warning"``: it probably is, ``"note"``: good to know), ``code``, ``node``, ``message`` and
    ``remedy``. Raises ModelError where the model cannot be opened, InputError where a file
    cannot be read.

    >>> import keras
    >>> conv = keras.layers.Conv2D(10, 8, padding="same", data_format="channels_last")
    >>> [found, *_] = check(keras.Sequential([keras.Input((1, 32, 32)), conv]))
    >>> found.level, found.code
    ('error', 'layout')
    """
    if isinstance(size, str):
        size = Preprocessing.parse(size=size).size
    wishes: dict[str, Any] = {"resize": resize, "range": range, "color": color}
    return check_model(open_model(model), inputs, Preprocessing(size=size, **wishes)).findings


def check_model(
    model: Model,
    inputs: Any = None,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> Checked:
    """Run an opened model on its inputs, if there are any, and look at everything."""
    asked = replace(preprocessing or Preprocessing(), allow_nan=True)
    if inputs is None:
        evidence = Evidence(model.graph, model.hints, model.weights)
        return Checked(model, checkup(evidence))
    watched = _watch(model, inputs, asked, progress)
    fed, samples = watched.fed.fed(), len(watched.fed.labels) if watched.seen else 0
    evidence = Evidence(model.graph, model.hints, model.weights, fed, watched.seen, samples)
    found = list(checkup(evidence))
    refused = watched.refused
    if any(one.code == "collapsed" and one.level == "error" for one in found):
        # A size that shrinks to nothing says why the network could not be run.
        refused = [one for one in refused if one.code != "input-layout"]
    if any(one.code == "layout" for one in found):
        refused = [replace(one, remedy=_FIRST_THE_MODEL) for one in refused]
    found += refused
    return Checked(model, in_order(found, evidence), samples, tuple(watched.fed.records))


def findings_of(
    model: Model, watch: FedWatch, seen: Mapping[str, Observation]
) -> tuple[Finding, ...]:
    """What a report tells: what looks wrong, and the notes that its figures do not show.

    Very large layers' weights are left out, since looking at them takes a while.
    """
    evidence = Evidence(
        model.graph, model.hints, model.weights, watch.fed(), seen, len(watch.labels)
    )
    found = checkup(evidence, largest=_LARGEST)
    return tuple(
        one
        for one in found
        if one.level != "note" or (one.code in _NOTES and one.node in {*seen, *watch.fed(), None})
    )


def _watch(model: Model, inputs: Any, asked: Preprocessing, progress: Progress | None) -> _Watched:
    """Run everything that can be fed; what cannot becomes findings."""
    try:
        return _run(plan(model, inputs, None, asked), progress)
    except (ShapeError, ValuesError) as error:
        if not _are_samples(model, inputs):
            return _Watched(FedWatch(model.graph.inputs), refused=[_refusal(model, error)])
    fit, refused = [], []
    for item in inputs:
        try:
            next(plan(model, [item], None, asked).feed.batches(1))
            fit.append(item)
        except (ShapeError, ValuesError) as error:
            refused.append(_refusal(model, error))
    watched = _Watched(FedWatch(model.graph.inputs))
    if fit:
        watched = _run(plan(model, fit, None, asked), progress)
    watched.refused += refused
    return watched


def _are_samples(model: Model, inputs: Any) -> bool:
    """Whether each of the things given is fed by itself, so that the others can do without it."""
    several = isinstance(inputs, list | tuple) and len(inputs) > 1
    fed = [node for node in model.graph.inputs if node.shape != ()]
    named = several and any(isinstance(item, str) and "=" in item for item in inputs)
    return several and len(fed) == 1 and not named


def _refusal(model: Model, error: ShapeError | ValuesError) -> Finding:
    if isinstance(error, ShapeError):
        return misfit(model.graph[error.input], error.what, error.shape, str(error))
    seen, _, cure = str(error).rpartition(": ")
    main = model.graph.main_input or model.graph.inputs[0].name
    if not seen:
        seen, cure = cure, "Give an array of numbers that the network takes"
    return Finding(
        "error", "input-range", main, sentence(seen), sentence(cure[:1].upper() + cure[1:])
    )


def _run(extraction: Extraction, progress: Progress | None) -> _Watched:
    model = extraction.model
    watched = _Watched(FedWatch(model.graph.inputs))
    observers = {node.name: Observer(node) for node in extraction.nodes}
    names, total = list(observers), len(extraction)
    stream = total > 2 * extraction.batch_size
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        for batch in extraction.feed.batches(extraction.batch_size):
            watched.fed.add(batch)
            try:
                arrays = model.run(batch.feeds, names, stream=stream)
            except ModelError as error:
                watched.refused.append(_failure(extraction, error))
                return watched
            list(
                pool.map(
                    lambda node, held=arrays: observers[node.name].add(held[node.name], node.axes),
                    extraction.nodes,
                )
            )
            if progress:
                progress(len(watched.fed.labels), total)
    watched.seen = {name: observer.observation() for name, observer in observers.items()}
    return watched


def _failure(extraction: Extraction, error: ModelError) -> Finding:
    graph = extraction.model.graph
    return Finding(
        "error",
        "input-layout",
        graph.main_input or (graph.inputs[0].name if graph.inputs else None),
        f"The network cannot be run on this input: {error}",
        "Give an input of another shape or size (--size HxW).",
    )
