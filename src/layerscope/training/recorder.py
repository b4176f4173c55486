"""FeatureMapRecorder: a Keras callback that records feature maps while a network is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from layerscope.activation import Activation
from layerscope.errors import InputError, LayerscopeError, ModelError, OutputError
from layerscope.extract import Selectors
from layerscope.graph import Node
from layerscope.inputs import Batch, Preprocessing, prepare
from layerscope.manifest import layerscope_version, write_json
from layerscope.models import Model, open_model
from layerscope.models.keras.backends import load_keras
from layerscope.operations import Convolution
from layerscope.outputs import is_own_manifest, new_file
from layerscope.selection import select
from layerscope.training import storage
from layerscope.training.channels import ChannelStatistics
from layerscope.training.description import read_about
from layerscope.training.history import Row, read_history, write_history
from layerscope.training.nodes import node_as_json
from layerscope.training.quantized import quantize

keras = load_keras()

_MOST_PICTURES = 32
_LARGEST_KERNEL = 2**16
_FEWEST_KEPT = 4


class FeatureMapRecorder(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
    """A Keras callback that records what layers make of pictures as a network is trained.

    inputs: up to 32 pictures or arrays, as ``extract`` takes them. layers: selectors, as there;
    None is every node. every: record after every so many epochs; the state before training
    (epoch 0) and the last epoch are always recorded. output: the folder to write; ``Record``
    reads it, also while training runs. limit: bytes that it may take: beyond, every second
    epoch is left out. size, range, color: as ``Preprocessing`` has them. force: replace a
    folder that layerscope did not write.

    A folder that holds the same record already goes on where ``fit(initial_epoch=…)`` does,
    and is replaced otherwise. A second ``fit`` with the same recorder goes on counting.

    In a loop of your own, on any backend, call ``set_model(model)`` and ``on_train_begin()``,
    then ``on_epoch_begin(epoch)`` and ``on_epoch_end(epoch, {"loss": …})`` around each epoch,
    counted from 0, and ``on_train_end()``. On JAX, assign the weights to the model before an
    epoch ends.

    Raises InputError, SelectionError or OutputError as training begins, before the first step.
    """

    def __init__(
        self,
        inputs: Any,
        layers: Selectors = None,
        every: int = 1,
        *,
        output: str | Path = "layerscope-record",
        limit: int = 500_000_000,
        size: tuple[int, int] | str | None = None,
        range: str | None = None,
        color: str | None = None,
        force: bool = False,
    ) -> None:
        super().__init__()
        if every < 1:
            raise InputError(f"every must be at least 1 epoch, and is {every}")
        if isinstance(size, str):
            size = Preprocessing.parse(size=size).size
        wishes: dict[str, Any] = {"range": range, "color": color}
        self.folder = Path(output)
        self._inputs, self._layers = inputs, layers
        self._preprocessing = Preprocessing(size=size, **wishes)
        self._stride, self._limit, self._force = every, limit, force
        self._every = every
        self._opened: Model | None = None
        self._batch: Batch | None = None
        self._nodes: tuple[Node, ...] = ()
        self._kernels: tuple[str, ...] = ()
        self._history: list[Row] = []
        self._begun = self._fresh = self._ended = False
        self._offset = self._done = 0
        self._written = -1

    def prepare(self, model: Any) -> None:
        """Settle what is recorded of a model, and read the pictures; nothing is written.

        Called as training begins; calling it before finds mistakes earlier.
        """
        self._opened = open_model(model)
        graph = self._opened.graph
        self._nodes = select(graph, self._layers)
        feed = prepare(
            self._inputs, graph.inputs, self._preprocessing, self._opened.hints,
            main=graph.main_input,
        )  # fmt: skip
        if not 1 <= len(feed) <= _MOST_PICTURES:
            raise InputError(
                f"{len(feed)} pictures are given to record the maps of: expected 1 to "
                f"{_MOST_PICTURES}"
            )
        batches = list(feed.batches(_MOST_PICTURES))
        if len(batches) > 1:
            raise InputError(
                "the pictures to record the maps of differ in size, and the network takes any: "
                "give one size for all with size=(height, width)"
            )
        self._batch = batches[0]
        self._kernels = tuple(node.name for node in self._nodes if self._has_small_kernel(node))

    def on_train_begin(self, logs: Any = None) -> None:
        self._fresh = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not self._fresh:
            return
        self._fresh = False
        if self._begun:
            self._offset = max(0, self._done - epoch)
            self._tell_ended(False)
            return
        if self._opened is None:
            self.prepare(self.model)
        self._begin(epoch)
        self._begun, self._done = True, epoch
        if epoch not in storage.epochs_in(self.folder):
            self._record(epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._begun:
            raise LayerscopeError(
                "an epoch ended before the recorder was told of its begin: in a loop of your own, "
                "call on_train_begin() once and on_epoch_begin(epoch) before each epoch, after "
                "set_model(model)"
            )
        self._done = done = epoch + 1 + self._offset
        figures = {name: float(value) for name, value in sorted((logs or {}).items())}
        self._history.append({"epoch": done, **figures})
        if done % self._stride == 0:
            self._record(done)
        write_history(self.folder / storage.HISTORY, self._history)

    def on_train_end(self, logs: Any = None) -> None:
        if self._begun and self._written < self._done:
            self._record(self._done)
        if self._begun:
            self._tell_ended(True)

    def _tell_ended(self, ended: bool) -> None:
        """Let readers know whether more epochs are to come."""
        if ended != self._ended:
            self._ended = ended
            self._write_about()

    def _begin(self, epoch: int) -> None:
        """Go on with the record in the folder, or begin a new one."""
        about = self._about()
        path = self.folder / storage.ABOUT
        own = is_own_manifest(path)
        if own and epoch and self._is_same(about):
            self._history = [row for row in self._read_history() if row["epoch"] <= epoch]
            for number in storage.epochs_in(self.folder):
                if number > epoch:
                    storage.epoch_file(self.folder, number).unlink()
            held = read_about(self.folder)
            self._stride = int(held.get("every", self._every))
            self._ended = bool(held.get("ended"))
            self._tell_ended(False)
            return
        if self.folder.exists() and not own and not self._force and self._is_occupied():
            raise OutputError(
                f"{self.folder} exists and layerscope did not write it: choose another output, "
                "or pass force=True to replace it"
            )
        try:
            if self.folder.is_dir():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise OutputError(
                f"{self.folder} cannot be written: {error.strerror or error}. Choose another output"
            ) from error
        self._write_about()
        previews = {str(i): p for i, p in enumerate(self._ready()[0].previews) if p is not None}
        storage.write_arrays(self.folder / storage.PICTURES, previews)

    def _is_occupied(self) -> bool:
        # A process that was killed as it began leaves its description under another name.
        left = f".{storage.ABOUT}-"
        return not self.folder.is_dir() or any(
            not path.name.startswith(left) for path in self.folder.iterdir()
        )

    def _is_same(self, about: dict[str, Any]) -> bool:
        try:
            held = read_about(self.folder)
        except InputError:
            return False
        about = json.loads(json.dumps(about))
        return all(held.get(name) == about[name] for name in ("nodes", "labels", "kernels"))

    def _read_history(self) -> list[Row]:
        path = self.folder / storage.HISTORY
        return list(read_history(path)) if path.exists() else []

    def _about(self) -> dict[str, Any]:
        batch, opened = self._ready()
        return {
            "layerscope": layerscope_version(),
            "record": storage.VERSION,
            "model": opened.source.as_json(),
            "every": self._stride,
            "ended": self._ended,
            "labels": list(batch.labels),
            "inputs": [record.as_json() for sample in batch.records for record in sample],
            "previews": [preview is not None for preview in batch.previews],
            "nodes": [node_as_json(node) for node in self._nodes],
            "kernels": list(self._kernels),
        }

    def _write_about(self) -> None:
        with new_file(self.folder / storage.ABOUT, own=True) as temporary:
            write_json(temporary, self._about())

    def _ready(self) -> tuple[Batch, Model]:
        assert self._batch is not None
        assert self._opened is not None
        return self._batch, self._opened

    def _record(self, epoch: int) -> None:
        """Write what the layers make of the pictures now."""
        batch, opened = self._ready()
        # Keras's JAX trainer brings the variables up to date when it is asked for the model.
        _ = self.model
        # Compiled from the first time on, so that an epoch's values do not depend on how many
        # were recorded before it in this process.
        found = opened.run(batch.feeds, [node.name for node in self._nodes], stream=True)
        arrays: dict[str, Any] = {}
        for place, node in enumerate(self._nodes):
            planes = Activation(found[node.name], node.axes, node).planes()
            held, figures = quantize(planes), ChannelStatistics.of(planes)
            arrays |= {f"maps/{place}": held.levels, f"low/{place}": held.low}
            arrays |= {f"high/{place}": held.high, f"mean/{place}": figures.mean}
            arrays |= {f"std/{place}": figures.std, f"zeros/{place}": figures.zeros}
            if node.name in self._kernels:
                arrays[f"kernel/{place}"] = opened.weights(node.name)["kernel"]
        storage.write_arrays(storage.epoch_file(self.folder, epoch), arrays)
        self._written = epoch
        self._keep_small(epoch)

    def _keep_small(self, latest: int) -> None:
        """Leave out every second epoch while the record is larger than it may be."""
        sizes = {
            epoch: storage.epoch_file(self.folder, epoch).stat().st_size
            for epoch in storage.epochs_in(self.folder)
        }
        if sizes[latest] * _FEWEST_KEPT > self._limit:
            storage.epoch_file(self.folder, latest).unlink()
            raise OutputError(
                f"one epoch of these {len(self._nodes)} layers takes {sizes[latest] / 1e6:.1f} MB, "
                f"and the whole record may take {self._limit / 1e6:.1f} MB: record fewer layers or "
                "pictures, or raise limit"
            )
        stride = self._stride
        while sum(sizes.values()) > self._limit and len(sizes) > _FEWEST_KEPT // 2:
            stride *= 2
            for epoch in [e for e in sizes if e % stride and e != latest]:
                storage.epoch_file(self.folder, epoch).unlink()
                del sizes[epoch]
        if stride != self._stride:
            self._stride = stride
            self._write_about()

    def _has_small_kernel(self, node: Node) -> bool:
        if not isinstance(node.operation, Convolution) or self._opened is None:
            return False
        try:
            kernel = self._opened.weights(node.name).get("kernel")
        except ModelError:
            return False
        return kernel is not None and kernel.size <= _LARGEST_KERNEL
