"""A TensorFlow graph behind the Model protocol."""

from __future__ import annotations

import re
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
from layerscope.models.quiet import hush, quiet_import
from layerscope.models.tensorflow.freezing import Frozen
from layerscope.models.tensorflow.graph import Built, build
from layerscope.models.tensorflow.hints import scope_hints
from layerscope.models.tensorflow.runtime import load_tensorflow
from layerscope.models.tensorflow.turning import turned

_UNFED = re.compile(r"must feed a value for placeholder tensor '([^']{1,200})'")
_LONGEST = 300


class TensorFlowModel:
    """A graph of constants: listed without running it, and run as far as is asked for."""

    def __init__(self, frozen: Frozen, source: Source, hints: Hints | None = None) -> None:
        self._frozen = frozen
        self._given_hints = hints
        self._own_notes = source.notes
        self._told: dict[str, tuple[int, ...]] = {}
        self._lock = threading.RLock()
        self._built: Built | None = None
        self._session: Any = None
        self._warm = False
        self._hush = hush.get()
        self._turned = False
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
                self.source = replace(self.source, notes=(*self._own_notes, *self._built.notes))
            return self._built

    def _probe(
        self, feeds: Mapping[str, NDArray[Any]], tensors: Sequence[str]
    ) -> list[NDArray[Any]]:
        """Run tensors on arrays for the inputs, in the types that the graph takes."""
        graph = self._running().graph
        fed: dict[str, Any] = {}
        for entry in self._frozen.entries.inputs:
            kind = graph.get_tensor_by_name(entry.tensor).dtype.as_numpy_dtype
            fed[entry.tensor] = feeds[entry.name].astype(kind)
        return self._fetch(tensors, self._settings({}) | fed)

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
        arrays = self._fetch(fetches, self._settings(feeds) | fed)
        return dict(zip(names, arrays, strict=True))

    def _settings(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """The values of settings that were not given."""
        graph = self._running().graph
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

    def _fetch(self, fetches: Sequence[str], feeds: Mapping[str, Any]) -> list[NDArray[Any]]:
        tf = load_tensorflow()
        try:
            arrays = self._run(list(fetches), dict(feeds))
        except tf.errors.OpError as error:
            if self._turned or "NHWC" not in str(error):
                raise self._told_as(error) from error
            return self._fetch_turned(fetches, feeds)
        except (ValueError, TypeError) as error:
            raise self._told_as(error) from error
        return [_widened(np.asarray(array)) for array in arrays]

    def _run(self, fetches: list[str], feeds: dict[str, Any]) -> list[Any]:
        session = self._running()
        if self._warm:
            return session.run(fetches, feeds)  # type: ignore[no-any-return]
        # The thread that runs may be another one than that which was told to be quiet.
        token = hush.set(self._hush)
        try:
            with quiet_import():
                arrays: list[Any] = session.run(fetches, feeds)
        finally:
            hush.reset(token)
        self._warm = True
        return arrays

    def _fetch_turned(self, fetches: Sequence[str], feeds: Mapping[str, Any]) -> list[NDArray[Any]]:
        """The same on a TensorFlow that has no kernels for channels first: turned inside."""
        with self._lock:
            if not self._turned:
                self._session.close()
                self._session, self._turned, self._warm = None, True, False
        return self._fetch(fetches, feeds)

    def _told_as(self, error: Exception) -> ModelError:
        text = " ".join(str(getattr(error, "message", error)).split())
        unfed = _UNFED.search(text)
        if unfed:
            return ModelError(
                f"{self.source.name} needs a value for {unfed[1]}, which is not known. "
                f"Give it: {unfed[1]}=VALUE."
            )
        more = "…" if len(text) > _LONGEST else ""
        return ModelError(f"TensorFlow cannot run {self.source.name}: {text[:_LONGEST]}{more}")

    def _running(self) -> Any:
        """The session that runs the graph, made on first use."""
        with self._lock:
            if self._session is None:
                graph_def = self._frozen.graph_def
                try:
                    session = make_session(turned(graph_def) if self._turned else graph_def)
                    if self._frozen.first:
                        session.run(list(self._frozen.first))
                except (ValueError, TypeError, load_tensorflow().errors.OpError) as error:
                    raise self._told_as(error) from error
                self._session = session
            return self._session

    def weights(self, name: str) -> dict[str, NDArray[Any]]:
        """A node's weights by role, in TensorFlow's own layout."""
        built = self._build()
        meaning = built.meanings.get(name)
        if meaning is None or not meaning.weights:
            return {}
        roles = list(meaning.weights)
        tensors = [meaning.weights[role].name for role in roles]
        arrays = self._fetch(tensors, self._settings({}))
        return {
            role: array.T if role in meaning.turned else array
            for role, array in zip(roles, arrays, strict=True)
        }

    def __del__(self) -> None:
        session = getattr(self, "_session", None)
        if session is not None:
            session.close()


def make_session(graph_def: Any) -> Any:
    """A session on a graph of constants, which computes each operation as it is written.

    Operations are not fused or reordered, so that every node's values are its own.
    """
    tf = load_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto()
    config.gpu_options.allow_growth = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.compat.v1.Session(graph=graph, config=config)


def _widened(array: NDArray[Any]) -> NDArray[Any]:
    """bfloat16 and its like as float32, which numpy knows as floating."""
    if array.dtype.kind == "V" or str(array.dtype).startswith(("bfloat16", "float8")):
        return array.astype(np.float32)
    return array
