"""Film: the record of a training as what a page looks through."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.errors import InputError, SelectionError
from layerscope.faces.explorer.answers import blobs
from layerscope.faces.explorer.answers.summary import NodeSummary, Summary, summarise
from layerscope.faces.explorer.cache import Cache
from layerscope.faces.explorer.difference import difference
from layerscope.faces.explorer.film import documents, scales
from layerscope.faces.explorer.film.choice import halved
from layerscope.faces.explorer.film.exact import with_exact
from layerscope.faces.explorer.film.frame import Frame, parse_frame
from layerscope.faces.explorer.film.kernels import arranged, kernels_blob
from layerscope.faces.explorer.film.scales import Span
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.server.missing import ConflictError, NoSuchRunError
from layerscope.faces.explorer.work import Ticket
from layerscope.graph import Node
from layerscope.render import Group
from layerscope.render.options import Channels
from layerscope.training import storage
from layerscope.training.outline import Outline
from layerscope.training.quantized import Quantized
from layerscope.training.record import Record, as_activation

if TYPE_CHECKING:
    from layerscope.faces.explorer.session import Explorer

MEMORY = 2**29
_SMALL = 5000
_MOST_RUNS, _FEWEST = 4000, 100


@dataclass(eq=False)
class Film(Opened[Frame]):
    """A record, read as it is asked for, while it may still grow.

    memory: bytes of maps, summaries and answers that are kept.
    """

    record: Record
    memory: int = MEMORY

    def __post_init__(self) -> None:
        self.cache = Cache(self.memory)
        self._outlines: dict[tuple[int, tuple[int, int]], Outline] = {}
        self._lock = threading.Lock()
        self.previews = self.record.previews

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The recorded layers, in the order in which the page numbers them."""
        return tuple(self.record.layers.values())

    def node(self, number: int) -> Node:
        """The layer of a number. Raises SelectionError."""
        nodes = self.nodes
        if not 0 <= number < len(nodes):
            raise SelectionError(
                f"There are layers 0 to {len(nodes) - 1}, but layer {number} was asked for."
            )
        return nodes[number]

    def manifest(
        self, epochs: Collection[int] | None = None, *, growing: bool | None = None
    ) -> dict[str, Any]:
        """The manifest that a page begins with.

        epochs: those that the page has, all by default. growing: whether it may ask for more.
        """
        told = self._told(epochs, growing)
        return documents.manifest_of(self.record, self.runs(told["epochs"]), told)

    def fresh(self) -> dict[str, Any]:
        """What all epochs come to by now, and the runs."""
        told = self._told(None, None)
        return {"record": told, "runs": self.runs(told["epochs"])}

    def _told(self, epochs: Collection[int] | None, growing: bool | None) -> dict[str, Any]:
        growing = self.record.growing if growing is None else growing
        return documents.record_document(self.record, self.outlines(), epochs, growing=growing)

    @property
    def kernel_numbers(self) -> tuple[int, ...]:
        """The layers whose kernels are recorded."""
        held = self.record.kernel_layers
        return tuple(i for i, name in enumerate(self.record.layers) if name in held)

    def runs(self, epochs: Sequence[int]) -> list[dict[str, Any]]:
        """Every picture at every epoch, as runs of a manifest."""
        labels = self.record.inputs
        return [
            documents.run_document(picture, epoch, label, self._records(picture), epochs[0])
            for picture, label in enumerate(labels)
            for epoch in epochs
        ]

    def outlines(self) -> dict[int, Outline]:
        """What each recorded epoch comes to; one that is left out meanwhile is passed over."""
        found: dict[int, Outline] = {}
        with self._lock:
            held = self._outlines
            self._outlines = {}
            for epoch in self.epochs:
                try:
                    key = epoch, self._stamp(epoch)
                    self._outlines[key] = found[epoch] = (
                        held[key] if key in held else self.record.outline(epoch)
                    )
                except (NoSuchRunError, SelectionError):
                    continue
        return found

    @property
    def epochs(self) -> tuple[int, ...]:
        """The epochs that a page is told of: of a great many every second, every fourth …"""
        best, pictures = self.record.best, len(self.record.inputs)
        return halved(self.record.epochs, max(_FEWEST, _MOST_RUNS // pictures), best)

    def span(self, number: int) -> Span | None:
        """What a layer spans over all epochs, None where nothing is finite."""
        name = self.node(number).name
        return Span.over([one.layers[name] for one in self.outlines().values()])

    def kernels(self, number: int, epoch: int) -> bytes:
        """A convolution's kernels at an epoch, on a scale that is the same for all epochs."""
        return kernels_blob(self.kernel(number, epoch), epoch, self.reach(number))

    def kernel(self, number: int, epoch: int) -> NDArray[np.float32]:
        """A convolution's kernels at an epoch: (outputs, inputs of a group, height, width)."""
        node = self.node(number)
        kernel = self.record.kernel(epoch, node.name)
        try:
            return arranged(node, kernel)
        except InputError as error:
            file = storage.epoch_file(self.record.folder, epoch)
            raise InputError(f"{file} is a damaged part of a record: {error}") from None

    def reach(self, number: int) -> float:
        """The largest magnitude in a convolution's kernels over all epochs."""
        name = self.node(number).name
        return max((one.layers[name].reach or 0.0 for one in self.outlines().values()), default=0.0)

    def run(self, id: str) -> Frame:
        """A picture at an epoch. Raises NoSuchRunError."""
        found = parse_frame(id)
        labels = self.record.inputs
        if found is None or found[0] >= len(labels):
            raise NoSuchRunError(f"There is no run {id!r} in this record.")
        picture, epoch = found
        stamp = self._stamp(epoch)
        frame = Frame(
            picture, epoch, stamp, documents.frame_label(labels[picture], epoch),
            self._records(picture), self.previews[picture], lambda: self._summary(frame),
        )  # fmt: skip
        return frame

    def shown(
        self, run: Frame, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> Activation:
        """A layer's maps as they were recorded. minus: a run that is subtracted."""
        node = self.node(number)
        one = as_activation(self._held(run, node).of_sample(run.picture), node)
        if minus is None:
            return one
        other = self.run(minus)
        theirs = as_activation(self._held(other, node).of_sample(other.picture), node)
        return difference(one, theirs)

    def layer(
        self, run: Frame, number: int, ticket: Ticket | None = None, minus: str | None = None
    ) -> bytes:
        """Every map of a layer as a container. minus: another run, to show the difference."""
        other = None if minus is None else self.run(minus)
        against = None if other is None else (other.id, other.stamp)
        made: bytes = self.cache.get(
            ("layer", run.id, run.stamp, number, against),
            lambda: blobs.layer_blob(self.shown(run, number, ticket, minus), 0),
            len,
        )
        return made

    def scaling(self, run: Frame, number: int, scale: str, minus: str | None) -> dict[str, Any]:
        """The options of ``draw`` for a scale; those over all epochs need the whole record."""
        if scale not in scales.NAMES:
            return {"scale": scales.parse(scale)}
        span = self.span(number)
        if span is None:
            return {}
        return (span if minus is None else span.apart()).options(scale)

    def groups(
        self, run: Frame, activation: Activation, chosen: Channels | None = None
    ) -> tuple[Group, ...] | None:
        """None: where channels come from is not recorded."""
        return None

    def classes_of(self, run: Frame, activation: Activation) -> Sequence[str] | None:
        """None: the names of classes are not recorded."""
        return None

    def live(self) -> Explorer:
        """Raise ConflictError: nothing can be run."""
        raise ConflictError(
            "A record holds maps, and no network that could run. Open the network itself: "
            "layerscope serve MODEL."
        )

    def film(self) -> Film:
        """Itself."""
        return self

    def _records(self, picture: int) -> tuple[dict[str, Any], ...]:
        records, count = self.record.records, len(self.record.inputs)
        each = len(records) // max(1, count)
        return tuple(dict(one) for one in records[picture * each : (picture + 1) * each])

    def _stamp(self, epoch: int) -> tuple[int, int]:
        try:
            told = storage.epoch_file(self.record.folder, epoch).stat()
        except OSError:
            raise NoSuchRunError(
                f"Epoch {epoch} is not recorded, or was left out to keep the record small."
            ) from None
        return told.st_mtime_ns, told.st_size

    def _held(self, run: Frame, node: Node) -> Quantized:
        """A layer's maps at an epoch, of all pictures, as they are stored."""
        held: Quantized = self.cache.get(
            ("maps", run.epoch, run.stamp, node.name),
            lambda: self.record.quantized(run.epoch, node.name),
            lambda held: int(held.levels.nbytes + 2 * held.low.nbytes),
        )
        return held

    def _summary(self, run: Frame) -> Summary:
        def make() -> Summary:
            return Summary([self._summarised(run, i) for i in range(len(self.nodes))])

        made: Summary = self.cache.get(("summary", run.id, run.stamp), make, _size)
        return made

    def _summarised(self, run: Frame, number: int) -> NodeSummary:
        node = self.node(number)
        kept = self.record.statistics(run.epoch, node.name)
        made = summarise(self.shown(run, number), 0)
        return with_exact(made, self._held(run, node), kept, run.picture)


def _size(summary: Summary) -> int:
    return sum(8 * 7 * node.figures.min.size + _SMALL for node in summary.nodes)
