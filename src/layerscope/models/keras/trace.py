"""A Keras model as a list of calls, found by calling it once with symbolic tensors.

Nothing is computed, and the model is left as it was: Keras's own book-keeping of symbolic
calls is undone call by call.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from layerscope.models.keras.calls import Call, Trace, is_composite, symbolic_tensors
from layerscope.models.keras.hooks import Original, watching
from layerscope.models.keras.naming import Namer, output_name
from layerscope.models.keras.translate import snake_case


@dataclass
class _Tracer:
    root: Any
    namer: Namer = field(default_factory=Namer)
    calls: list[Call] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    producer: dict[int, str] = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    quiet: bool = False

    def layer_call(self, layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if not symbolic_tensors((args, kwargs)):
            return call(layer, *args, **kwargs)
        if self.quiet or layer is self.root:
            return _without_node(layer, call, args, kwargs)
        name, repeated = self.namer.name(layer.name)
        sources = self._sources((args, kwargs))
        composite = is_composite(layer)
        mark, seen = len(self.calls), Counter(self.namer._calls)
        if composite:
            try:
                with self.namer.inside(name):
                    outputs = _without_node(layer, call, args, kwargs)
            except Exception:
                del self.calls[mark:], self.starts[mark:]
                self.namer._calls = seen
                self.opaque.append(name)
                composite = False
        if not composite:
            self.quiet = True
            try:
                outputs = _without_node(layer, call, args, kwargs)
            finally:
                self.quiet = False
        if composite:
            self.reorder(layer, mark)
        else:
            mark = len(self.calls)
        self._record(name, layer, args, kwargs, outputs, sources, composite, repeated, mark)
        return outputs

    def reorder(self, model: Any, mark: int) -> None:
        """Put the calls since ``mark`` into the order of a functional model's layer list."""
        graph = getattr(model, "_functional", None) or model
        operations = getattr(graph, "operations", None)
        if not operations:
            return
        rank = {id(operation): i for i, operation in enumerate(operations)}
        calls, starts = self.calls[mark:], [start - mark for start in self.starts[mark:]]
        segments: list[range] = []
        end = len(calls)
        while end > 0:
            segments.append(range(starts[end - 1], end))
            end = starts[end - 1]
        segments.reverse()
        owner = {
            output: i
            for i, part in enumerate(segments)
            for j in part
            for output in calls[j].output_names
        }
        waiting = [
            {owner[name] for name in calls[part[-1]].inputs if name in owner} for part in segments
        ]
        order: list[int] = []
        ready = [
            (rank.get(id(calls[p[-1]].operation), -1), i)
            for i, p in enumerate(segments)
            if not waiting[i]
        ]
        heapq.heapify(ready)
        while ready:
            i = heapq.heappop(ready)[1]
            order.append(i)
            for k, needs in enumerate(waiting):
                if i in needs:
                    needs.discard(i)
                    if not needs:
                        heapq.heappush(
                            ready, (rank.get(id(calls[segments[k][-1]].operation), -1), k)
                        )
        if len(order) != len(segments):
            return
        del self.calls[mark:], self.starts[mark:]
        for i in order:
            base = len(self.calls)
            for j in segments[i]:
                self.starts.append(base + starts[j] - segments[i][0])
                self.calls.append(calls[j])

    def operation_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        return call(operation, *args, **kwargs)

    def symbolic_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if isinstance(operation, keras.Layer):
            inside = operation is self.root or (not self.quiet and is_composite(operation))
            run = operation.call if inside else operation.compute_output_spec
            return run(*args, **kwargs)
        outputs = operation.compute_output_spec(*args, **kwargs)
        if type(operation).__name__ == "ConvertToTensor" and outputs.dtype == args[0].dtype:
            return args[0]
        if not self.quiet:
            anonymous = not operation._inbound_nodes
            own = snake_case(type(operation).__name__) if anonymous else operation.name
            name, repeated = self.namer.name(own, anonymous=anonymous)
            sources = self._sources((args, kwargs))
            mark = len(self.calls)
            self._record(name, operation, args, kwargs, outputs, sources, False, repeated, mark)
        return outputs

    def _sources(self, structure: Any) -> tuple[str, ...]:
        tensors = symbolic_tensors(structure)
        return tuple(self.producer[id(x)] for x in tensors if id(x) in self.producer)

    def _record(
        self,
        name: str,
        operation: Any,
        args: Any,
        kwargs: Any,
        outputs: Any,
        sources: tuple[str, ...],
        submodel: bool,
        repeated: bool,
        start: int,
    ) -> None:
        tensors = tuple(symbolic_tensors(outputs))
        scope = keras.src.backend.get_autocast_scope()
        given = {id(x) for x in symbolic_tensors((args, kwargs))}
        self.starts.append(start)
        self.calls.append(
            Call(
                name,
                operation,
                tuple(args),
                dict(kwargs),
                tensors,
                sources,
                submodel,
                repeated,
                None if scope is None else scope.dtype,
            )
        )
        for i, tensor in enumerate(tensors):
            if id(tensor) not in given:
                self.producer[id(tensor)] = output_name(name, i)


def trace(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], names: list[str]) -> Trace:
    """Call a model with symbolic tensors and list the calls inside it.

    args, kwargs: what the model is called with, holding one KerasTensor for each name in
    ``names``, in order.
    """
    tracer = _Tracer(model)
    inputs = dict(zip(names, symbolic_tensors((args, kwargs)), strict=True))
    tracer.producer.update({id(tensor): name for name, tensor in inputs.items()})
    with watching(tracer), _own_name_counters():
        outputs = model(*args, **kwargs)
    tracer.reorder(model, 0)
    calls = _without_dead_operations(tracer.calls, outputs)
    finals = tuple(tracer.producer[id(x)] for x in symbolic_tensors(outputs))
    return Trace(inputs, calls, finals, tuple(tracer.opaque))


def _without_dead_operations(calls: list[Call], outputs: Any) -> tuple[Call, ...]:
    """Drop operations that nobody uses: masks and casts that the layers make for themselves."""
    used = {id(x) for x in symbolic_tensors(outputs)}
    kept: list[Call] = []
    for call in reversed(calls):
        alive = isinstance(call.operation, keras.Layer) or any(id(x) in used for x in call.outputs)
        if alive:
            kept.append(call)
            used.update(id(x) for x in symbolic_tensors((call.args, dict(call.kwargs))))
    return tuple(reversed(kept))


def _without_node(layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
    """Call a layer and take back the record that Keras keeps of a symbolic call."""
    before = len(layer._inbound_nodes)
    try:
        return call(layer, *args, **kwargs)
    finally:
        for node in layer._inbound_nodes[before:]:
            for tensor in node.input_tensors:
                source = getattr(getattr(tensor, "_keras_history", None), "operation", None)
                if source is not None and node in source._outbound_nodes:
                    source._outbound_nodes.remove(node)
        del layer._inbound_nodes[before:]


@contextmanager
def _own_name_counters() -> Iterator[None]:
    """Keep Keras's numbering of names as the user's own code left it."""
    from keras.src.backend.common import global_state

    counters = global_state.get_global_attribute("object_name_uids")
    saved = None if counters is None else dict(counters)
    try:
        yield
    finally:
        counters = global_state.get_global_attribute("object_name_uids")
        if counters is not None:
            counters.clear()
            counters.update(saved or {})
