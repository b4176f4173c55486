"""A TensorFlow graph behind the Model protocol."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.graph import Graph
from layerscope.hints import Hints
from layerscope.models.protocol import Source
from layerscope.models.tensorflow.freezing import Frozen
from layerscope.models.tensorflow.graph import Built, build
from layerscope.models.tensorflow.hints import scope_hints
from layerscope.models.tensorflow.running import Runner

# Seconds for a run on zeros that shapes are told by: a loop in a hostile graph may have no end.
_PROBED = 20
_LATE = (
    f"a run on zeros, which tells the sizes after a loop, did not end within {_PROBED} s, so that "
    "they are not known"
)


class TensorFlowModel:
    """A graph of constants: listed without running it, and run as far as is asked for."""

    def __init__(self, frozen: Frozen, source: Source, hints: Hints | None = None) -> None:
        self._frozen = frozen
        self._given_hints = hints
        self._own_notes = source.notes
        self._told: dict[str, tuple[int, ...]] = {}
        self._lock = threading.RLock()
        self._built: Built | None = None
        self._runner = Runner(frozen, source.name)
        self._others: dict[tuple[tuple[str, float], ...], TensorFlowModel] = {}
        self.source = source
        try:
            self._build()
        except ModelError:
            # The sizes of an input may still be told; then the graph is built.
            if self._told_everything():
                raise

    def _told_everything(self) -> bool:
        from layerscope.models.tensorflow.shapes import input_shapes

        try:
            input_shapes(self._frozen, self._told)
        except ModelError:
            return False
        return True

    def _build(self) -> Built:
        with self._lock:
            if self._built is None:
                self._built = build(self._frozen, self._told, self._probe)
                late = (_LATE,) if self._runner.gave_up else ()
                notes = (*self._own_notes, *self._built.notes, *late)
                self.source = replace(self.source, notes=notes)
            return self._built

    def _probe(
        self, feeds: Mapping[str, NDArray[Any]], tensors: Sequence[str]
    ) -> list[NDArray[Any]]:
        """Run tensors on arrays for the inputs, in the types that the graph takes."""
        graph = self._runner.graph
        fed: dict[str, Any] = {}
        for entry in self._frozen.entries.inputs:
            kind = graph.get_tensor_by_name(entry.tensor).dtype.as_numpy_dtype
            fed[entry.tensor] = feeds[entry.name].astype(kind)
        return self._runner.fetch(tensors, self._settings({}) | fed, seconds=_PROBED)

    @property
    def graph(self) -> Graph:
        """The network. Raises ModelError where the input's shape must be known first."""
        return self._build().graph

    @property
    def hints(self) -> Hints:
        """What the network expects of its input, where its arithmetic or its scopes tell."""
        if self._given_hints is not None:
            return self._given_hints
        built = self._build()
        return built.hints or scope_hints(node.name for node in built.graph.nodes)

    def accept(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Tell the sizes of a batch of the inputs; the main input also as ``"input"``."""
        with self._lock:
            main = self._frozen.entries.main
            names = {entry.name for entry in self._frozen.entries.inputs}
            for name, shape in shapes.items():
                target = name if name in names else main
                if target is not None:
                    self._told[target] = self._arranged(target, tuple(map(int, shape)))
            self._built = None

    def _arranged(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape given with the channels last, as the input has it."""
        try:
            axes = self._build().graph[name].axes
        except ModelError:
            return shape
        if len(shape) == 4 and len(axes) == 4 and axes.data_format == "channels_first":
            return (shape[0], shape[3], shape[1], shape[2])
        return shape

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        names: Sequence[str],
        *,
        training: bool = False,
        stream: bool | None = False,
    ) -> dict[str, NDArray[Any]]:
        """The outputs of the nodes named, as arrays; see Model.run."""
        built = self._build()
        if training:
            raise ModelError(
                f"{self.source.name} is a graph, which cannot be turned to training as a whole. "
                f"Leave --training out{self._by_hand()}."
            )
        missing = [e.name for e in self._frozen.entries.inputs if e.name not in feeds]
        unknown = [name for name in feeds if name not in built.tensors]
        if missing or unknown:
            raise ModelError(
                f"{self.source.name} takes the inputs "
                f"{', '.join(e.name for e in self._frozen.entries.inputs)}, but was given "
                f"{', '.join(feeds) or 'none'}. Give an array for each."
            )
        names = tuple(dict.fromkeys(names))
        other = self._other_way(feeds, names)
        if other is not None:
            return other.run(feeds, names, stream=stream)
        # Activation functions are nodes of their own here, so that nothing is fused.
        fetches = [built.tensors.get(n) or built.tensors[n.removesuffix(":pre")] for n in names]
        fed = {built.tensors[name]: array for name, array in feeds.items()}
        arrays = self._runner.fetch(fetches, self._settings(feeds) | fed)
        return dict(zip(names, arrays, strict=True))

    def _settings(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The values of settings that were not given."""
        graph = self._runner.graph
        found = {}
        for setting in self._frozen.entries.settings:
            if setting.name not in feeds and setting.value is not None:
                tensor = graph.get_tensor_by_name(f"{setting.name}:0")
                found[tensor.name] = np.asarray(setting.value).astype(tensor.dtype.as_numpy_dtype)
        return found

    def _other_way(
        self, feeds: Mapping[str, NDArray[Any]], names: Sequence[str]
    ) -> TensorFlowModel | None:
        """The graph with the branches that settings take which were given otherwise, if any."""
        choosing = self._build().choosing
        wanted = {
            setting.name: float(np.asarray(feeds[setting.name]))
            for setting in self._frozen.entries.settings
            if setting.name in choosing
            and setting.name in feeds
            and bool(np.asarray(feeds[setting.name])) != bool(setting.value)
        }
        if not wanted or self._frozen.again is None:
            return None
        key = tuple(sorted(wanted.items()))
        with self._lock:
            if key not in self._others:
                self._others[key] = TensorFlowModel(self._frozen.again(wanted), self.source)
        other = self._others[key]
        if other._told != self._told:
            other._told, other._built = dict(self._told), None
        there = other._build().tensors
        missing = [name for name in names if name.removesuffix(":pre") not in there]
        if missing:
            told = ", ".join(f"{name}={bool(value)}" for name, value in wanted.items())
            raise ModelError(
                f"{missing[0]} is not there with {told}, by which the graph takes another branch: "
                f"{len(missing)} of the layers asked for are missing. Leave {told} out, or choose "
                "other layers."
            )
        return other

    def _by_hand(self) -> str:
        names = [s.name for s in self._frozen.entries.settings if s.value is not None]
        return f", and feed its placeholders by hand: {names[0]}=VALUE" if names else ""

    def weights(self, name: str) -> dict[str, NDArray[Any]]:
        """A node's weights by role, in TensorFlow's own layout."""
        built = self._build()
        meaning = built.meanings.get(name)
        if meaning is None or not meaning.weights:
            return {}
        roles = list(meaning.weights)
        tensors = [meaning.weights[role].name for role in roles]
        arrays = self._runner.fetch(tensors, self._settings({}))
        return {
            role: array.T if role in meaning.turned else array
            for role, array in zip(roles, arrays, strict=True)
        }

    def __del__(self) -> None:
        runner = getattr(self, "_runner", None)
        if runner is not None:
            runner.close()
