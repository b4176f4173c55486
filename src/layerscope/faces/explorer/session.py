"""Explorer: opened models, their runs, and the exact arrays behind what a page shows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from layerscope.activation import Activation
from layerscope.classes import predictions
from layerscope.extract import plan
from layerscope.faces.explorer.answers import blobs
from layerscope.faces.explorer.answers.documents import manifest_of
from layerscope.faces.explorer.cache import Cache
from layerscope.faces.explorer.difference import difference, sample_of
from layerscope.faces.explorer.look import Look, look
from layerscope.faces.explorer.networks import Networks
from layerscope.faces.explorer.originals import original_of
from layerscope.faces.explorer.runs import Pass, Run
from layerscope.faces.explorer.server.missing import ConflictError, NoSuchRunError
from layerscope.faces.explorer.work import Ticket, turn
from layerscope.faces.grouping import Grouping
from layerscope.graph import Node
from layerscope.inputs import Batch, Feed, Preprocessing
from layerscope.inputs.record import Array, InputRecord
from layerscope.models import Model
from layerscope.render import Group
from layerscope.render.options import Channels
from layerscope.render.scale import parse_scale

MEMORY = 2**30


@dataclass(eq=False)
class Explorer(Networks):
    """What a page looks through. Every method may be called from any thread.

    models: one, or two of the same architecture. preprocessing, training: as ``extract`` has
    them. classes: names for the entries of the last layer. memory: bytes of arrays and blobs
    that are kept; what is not is computed anew when it is asked for.
    """

    models: Sequence[Model]
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    classes: tuple[str, ...] | None = None
    training: bool = False
    memory: int = MEMORY
    runs: dict[str, Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cache = Cache(self.memory)
        self._locks = [threading.Lock() for _ in self.models]
        self._numbers = itertools.count()
        self._change = threading.Lock()

    def manifest(self) -> dict[str, Any]:
        """The manifest that a page begins with."""
        return manifest_of(self)

    def run(self, id: str) -> Run:
        """An open run. Raises NoSuchRunError."""
        try:
            return self.runs[id]
        except KeyError:
            raise NoSuchRunError(
                f"There is no run {id!r} (any more). Open the picture again."
            ) from None

    def add(
        self,
        inputs: Any,
        model: int = 0,
        ticket: Ticket | None = None,
        *,
        shown: Mapping[str, str] | None = None,
        uploaded: bool = False,
        id: str | None = None,
    ) -> list[Run]:
        """Run inputs through a model; one run for each sample.

        inputs: as ``extract`` takes them. label: a short name, by default the file's. id: of
        the first run. max_pixels: the largest picture that is decoded. Raises InputError or
        ModelError as ``extract`` does, UnwantedError where nobody waits any more.
        """
        ticket = ticket or Ticket()
        ticket.tell("preparing", ", ".join((shown or {}).values()))
        opened = self.models[model]
        extraction = plan(opened, inputs, None, self.preprocessing, training=self.training)
        return self.add_feed(extraction.feed, model, ticket, shown=shown, uploaded=uploaded, id=id)

    def add_feed(
        self,
        feed: Feed,
        model: int = 0,
        ticket: Ticket | None = None,
        *,
        shown: Mapping[str, str] | None = None,
        uploaded: bool = False,
        id: str | None = None,
    ) -> list[Run]:
        """Run prepared inputs through a model, as ``add`` does."""
        ticket = ticket or Ticket()
        names = shown or {}
        found: list[Run] = []
        total = len(feed)
        one: Pass | None = None
        try:
            for batch in feed.batches(1):
                first = id if id is not None and not found else self.new_id()
                one = Pass(first, model, batch.feeds, self.training)
                label = next(iter(names.values()), batch.labels[0])

                def advance(share: float, label: str = label, done: int = len(found)) -> None:
                    ticket.tell("running", label, (done + share) / total)

                seen = self._look(one, batch, ticket, advance)
                runs = self._runs_of(one, batch, seen, names)
                found += [replace(run, uploaded=uploaded) for run in runs]
        except BaseException:
            for own in {run.made_by.id for run in found} | ({one.id} if one else set()):
                self.cache.forget(own)
            raise
        with self._change:
            self.runs.update({run.id: run for run in found})
        return found

    def new_id(self) -> str:
        """A name for a run that no other one has had."""
        with self._change:
            return f"r{next(self._numbers)}"

    def remove(self, id: str) -> None:
        """Close an uploaded run and free what it holds.

        Raises NoSuchRunError, or ConflictError for a run that is there to stay.
        """
        run = self.run(id)
        if not run.uploaded:
            raise ConflictError(f"{run.label} was given when the explorer was started, and stays.")
        with self._change:
            self.runs.pop(id, None)
            shared = any(other.made_by is run.made_by for other in self.runs.values())
        if not shared:
            self.cache.forget(run.made_by.id)

    def activation(self, run: Run, name: str, ticket: Ticket | None = None) -> Activation:
        """A node's exact output for the whole batch of a run; from the cache, or computed."""
        node = self._node(run, name)
        if name in run.made_by.feeds:
            return Activation(run.made_by.feeds[name], node.axes, node)
        array = self.cache.get(
            (run.made_by.id, "array", name),
            lambda: self._compute(run.made_by, [name], ticket or Ticket())[name],
            lambda array: int(array.nbytes),
        )
        return Activation(array, node.axes, node)

    def arrays(
        self, run: Run, names: Sequence[str], ticket: Ticket | None = None
    ) -> dict[str, Activation]:
        """Several nodes' exact outputs (``:pre`` values too), from one pass where any is new."""
        missing = [
            name
            for name in names
            if name not in run.made_by.feeds and (run.made_by.id, "array", name) not in self.cache
        ]
        held: dict[str, Array] = {}
        if missing:
            held = self._compute(run.made_by, missing, ticket or Ticket())
            for name, array in held.items():
                self.cache.put((run.made_by.id, "array", name), array, int(array.nbytes))
        return {
            name: Activation(held[name], (node := self._node(run, name)).axes, node)
            if name in held
            else self.activation(run, name, ticket)
            for name in names
        }

    def shown(
        self, run: Run, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> Activation:
        """A node's exact output for one run, as a batch of one.

        minus: another run whose values are subtracted.
        """
        own = self.activation(run, self.node(number, run.made_by.model).name, ticket)
        one = sample_of(own, run.sample)
        if minus is None:
            return one
        other = self.run(minus)
        theirs = self.activation(other, self.node(number, other.made_by.model).name, ticket)
        return difference(one, sample_of(theirs, other.sample))

    def layer(
        self, run: Run, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> bytes:
        """Every map of a layer as a container. minus: another run, to show the difference."""
        self.node(number, run.made_by.model)
        known = run.summary.nodes[number] if minus is None else None
        key = (run.made_by.id, "layer", run.sample, number, minus)

        def make() -> bytes:
            shown = self.shown(run, number, ticket, minus)
            groups = self.groups(run, shown)
            if known is None:
                return blobs.layer_blob(shown, 0, None, groups)
            return blobs.layer_blob(shown, 0, known.limits, groups, known.figures.extremes)

        made: bytes = self.cache.get(key, make, len)
        return made

    def groups(
        self, run: Run, activation: Activation, chosen: Channels | None = None
    ) -> tuple[Group, ...] | None:
        """The branches that a node's channels come from. chosen: the channels that are drawn."""
        graph = self.graph(run.made_by.model)
        return Grouping.sized(graph, run.made_by.sizes).of(activation, chosen)

    def scaling(self, run: Run, number: int, scale: str, minus: str | None) -> dict[str, Any]:
        """The scale itself, by the limits of the whole layer; a difference has its own."""
        limits = None if minus else run.summary.nodes[number].limits
        return {"scale": parse_scale(scale), "limits": limits}

    def live(self) -> Explorer:
        """Itself."""
        return self

    def _node(self, run: Run, name: str) -> Node:
        graph = self.graph(run.made_by.model)
        return graph[name] if name in graph else graph[name.removesuffix(":pre")]

    def _compute(self, one: Pass, names: Sequence[str], ticket: Ticket) -> dict[str, Array]:
        with turn(self._locks[one.model], ticket):
            return self.models[one.model].run(
                one.feeds, list(names), training=one.training, stream=None
            )

    def _look(
        self, one: Pass, batch: Batch, ticket: Ticket, advance: Callable[[float], None]
    ) -> Look:
        """Compute every node once, keep the arrays that fit, and look at all of them."""

        def keep(name: str, array: Array) -> None:
            self.cache.put((one.id, "array", name), array, int(array.nbytes))

        def compute(names: Sequence[str]) -> dict[str, Array]:
            return self._compute(one, names, ticket)

        model = self.models[one.model]
        return look(model, one, batch, compute, keep, ticket, advance, self.memory // 2)

    def _runs_of(self, one: Pass, batch: Batch, seen: Look, names: Mapping[str, str]) -> list[Run]:
        """A run for each sample of a pass."""
        return [
            Run(
                id=one.id if sample == 0 else self.new_id(),
                made_by=one,
                sample=sample,
                label=next(iter(names.values()), batch.labels[sample]),
                records=tuple(_shown(record, names) for record in batch.records[sample]),
                previews=batch.seen[sample],
                originals=tuple(original_of(record) for record in batch.records[sample]),
                summary=summary,
                predictions=self._predictions(one, sample),
                findings=seen.findings,
            )
            for sample, summary in enumerate(seen.summaries)
        ]

    def _predictions(self, one: Pass, sample: int) -> Sequence[tuple[str, float]]:
        graph = self.graph(one.model)
        if len(graph.outputs) != 1:
            return ()
        name = graph.outputs[0]
        array = self.cache.get(
            (one.id, "array", name),
            lambda: self._compute(one, [name], Ticket())[name],
            lambda array: int(array.nbytes),
        )
        node = graph[name]
        said = predictions(Activation(array, node.axes, node), self.names_of_classes())
        return said[sample] if said else ()


def _shown(record: InputRecord, names: Mapping[str, str]) -> InputRecord:
    return replace(record, file=names.get(record.file or "", record.file))
