"""A Keras 3 model behind the Model protocol."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.graph import Graph
from layerscope.hints import Hints
from layerscope.models.keras.backends import compiled, to_array, without_gradients
from layerscope.models.keras.calls import Trace, constants
from layerscope.models.keras.cures import cured, notes_of, with_faults
from layerscope.models.keras.graph import build_graph
from layerscope.models.keras.hints import find_hints
from layerscope.models.keras.program import Keep, execute, make_plan
from layerscope.models.keras.reasons import reason
from layerscope.models.keras.recorder import execute_recorded, record
from layerscope.models.keras.signature import Signature, find_signature
from layerscope.models.keras.trace import trace
from layerscope.models.protocol import Source

_EAGER_RUNS = 3


class KerasModel:
    """A Keras model: its graph traced once, its nodes run on demand.

    The model given is left as it was: its weights, moving statistics, activation functions
    and Keras's records of its calls do not change.
    """

    def __init__(self, model: Any, source: Source, hints: Hints | None = None) -> None:
        self.source = source
        self.keras_model = model
        self._given_hints = hints
        self._signature = find_signature(model)
        self._functions: dict[tuple[Any, ...], Callable[[list[Any]], list[Any]]] = {}
        self._runs: Counter[tuple[Any, ...]] = Counter()
        self._lock = threading.RLock()
        self._traces: dict[bool, Trace | None] = {}

    @property
    def signature(self) -> Signature:
        """How the model is called. Raises ModelError where its input's shape is not known."""
        if self._signature is None:
            raise ModelError(
                f"{self.source.name} has never been called, so the shape of its input is not "
                "known. Give an INPUT, or --size HxWxC to list its layers, or build the model "
                "before it is saved: model.build((None, height, width, channels))."
            )
        return self._signature

    def accept(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Tell a model that has never been called the shape of a batch of each input."""
        if self._signature is None:
            self._signature = Signature.from_shapes(
                {name: tuple(shape) for name, shape in shapes.items()}
            )

    @property
    def graph(self) -> Graph:
        """The network, traced on first use; nothing is run."""
        return self._graph

    @cached_property
    def _graph(self) -> Graph:
        calls = self._calls() or self._recorded
        graph = with_faults(build_graph(calls, self.keras_model.count_params()))
        notes = dict.fromkeys((*self.source.notes, *notes_of(graph)))
        self.source = replace(self.source, notes=tuple(notes))
        return graph

    @cached_property
    def hints(self) -> Hints:
        """What the model expects of its input, as far as its layers and file tell."""
        return find_hints(self.keras_model, self.graph, self._given_hints, self.weights)

    def _calls(self, training: bool = False) -> Trace | None:
        """The traced calls, or None where the model has to be recorded."""
        with self._lock:
            if training not in self._traces:
                self._traces[training] = self._trace(training)
            return self._traces[training]

    @cached_property
    def _recorded(self) -> Trace:
        """The calls of a model that cannot be traced."""
        with self._lock, without_gradients(), cured():
            try:
                return record(self.keras_model, self.signature)
            except Exception as error:
                raise ModelError(
                    f"{self.source.name} cannot be called on an input of shape "
                    f"{self.signature.shapes()}: {reason(error)}"
                ) from error

    def _trace(self, training: bool) -> Trace | None:
        self._build()
        args, kwargs = self.signature.symbolic()
        try:
            return trace(self.keras_model, args, kwargs, self.signature.names, training=training)
        except Exception:
            return None

    def _build(self) -> None:
        if self.keras_model.built:
            return
        args, kwargs = self.signature.zeros()
        try:
            with without_gradients(), cured():
                self.keras_model(*args, **kwargs)
        except Exception as error:
            raise ModelError(
                f"{self.source.name} cannot be called on an input of shape "
                f"{self.signature.shapes()}: {reason(error)}"
            ) from error

    def run(
        self,
        feeds: Mapping[str, NDArray[Any]],
        names: Sequence[str],
        *,
        training: bool = False,
        stream: bool | None = False,
    ) -> dict[str, NDArray[Any]]:
        """The outputs of the nodes named, as arrays; see Model.run."""
        names = tuple(names)
        if set(feeds) != set(self.signature.names):
            raise ModelError(
                f"{self.source.name} takes the inputs {', '.join(self.signature.names)}, but was "
                f"given {', '.join(feeds) or 'none'}. Give an array for each."
            )
        key = (names, tuple(feed.shape[0] for feed in feeds.values()) if _on_jax() else ())
        with self._lock:
            self._runs[key] += stream is not None
            often = _on_jax() or self._runs[key] > _EAGER_RUNS
            worthwhile = stream or (stream is not None and often)
        if training or keras.backend.backend() == "torch" or not worthwhile:
            tensors = dict(zip(feeds, self._tensors(feeds), strict=True))
            with keras.StatelessScope(), without_gradients(), cured():
                return self._execute(tensors, names, to_array, training)
        return self._compiled(key, feeds, names)

    def _execute(
        self, tensors: Mapping[str, Any], names: tuple[str, ...], keep: Keep, training: bool
    ) -> dict[str, Any]:
        calls = self._calls(training)
        if calls is None:
            return execute_recorded(
                self.keras_model, self.signature, tensors, names, keep, training
            )
        return execute(make_plan(calls, names), tensors, keep, training)

    def _compiled(
        self, key: tuple[Any, ...], feeds: Mapping[str, NDArray[Any]], names: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        inputs = tuple(feeds)

        def function(tensors: list[Any]) -> list[Any]:
            given = dict(zip(inputs, tensors, strict=True))
            kept = self._execute(given, names, lambda tensor: tensor, False)
            return [kept[name] for name in names]

        with self._lock:
            run = self._functions.get(key)
            if run is None:
                specs = [self.signature.tensors[name] for name in inputs]
                with cured():
                    run = self._functions[key] = compiled(function, self.keras_model, specs)
        outputs = run(self._tensors(feeds))
        return {name: to_array(outputs[i]) for i, name in enumerate(names)}

    def _tensors(self, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
        return [
            keras.ops.convert_to_tensor(array, dtype=self.signature.tensors[name].dtype)
            for name, array in feeds.items()
        ]

    def weights(self, name: str) -> dict[str, NDArray[Any]]:
        """A node's weights by role, in Keras's own layout."""
        calls = (self._calls() or self._recorded).calls
        call = next((call for call in calls if name in call.output_names), None)
        if call is None:
            return {}
        if not isinstance(call.operation, keras.Layer):
            return constants(call)
        layer = call.operation
        roles = Counter(variable.name for variable in layer.weights)
        # Copies: on torch an array would otherwise be the live weight itself.
        found = {
            (v.name if roles[v.name] == 1 else v.path): np.array(to_array(v.value))
            for v in layer.weights
        }
        if isinstance(layer, keras.layers.Normalization) and "mean" not in found:
            # Statistics that were given when the layer was made are no weights of Keras's.
            found |= {role: to_array(getattr(layer, role)) for role in ("mean", "variance")}
        if isinstance(layer, keras.layers.Rescaling):
            found |= {role: np.asarray(getattr(layer, role)) for role in ("scale", "offset")}
        return found


def _on_jax() -> bool:
    return bool(keras.backend.backend() == "jax")
