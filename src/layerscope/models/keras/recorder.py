"""Models whose code uses the backend directly: their calls are recorded from a real one.

Such a model cannot be called with Keras's symbolic tensors. Its layers' calls are seen while
the backend runs it; operations between them are no nodes, but the edges across them are
found from the backend's own record of what was computed from what.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree

from layerscope.models.keras.calls import Call, Trace, is_composite
from layerscope.models.keras.hooks import Original, watching
from layerscope.models.keras.lineage import History, observe
from layerscope.models.keras.naming import Namer, output_name
from layerscope.models.keras.program import variant
from layerscope.models.keras.signature import Signature


class _Enough(BaseException):
    """All that was asked for is there; the rest of the forward pass is left out."""


Seen = Callable[[str, bool, Any, Any, Any, list[Any], list[Any], bool], None]


@dataclass
class _Watcher:
    """Names the calls as they are made, and tells of each when it is complete."""

    root: Any
    seen: Seen
    pre: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()
    give: Callable[[str, Any], None] = lambda name, value: None
    namer: Namer = field(default_factory=Namer)
    quiet: bool = False

    def layer_call(self, layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet or layer is self.root:
            return call(layer, *args, **kwargs)
        name, repeated = self.namer.name(layer.name)
        composite = is_composite(layer)
        if composite:
            with self.namer.inside(name):
                outputs = call(layer, *args, **kwargs)
        else:
            outputs = self._quietly(name, layer, call, args, kwargs)
        inputs = _tensors((args, kwargs))
        self.seen(name, repeated, layer, args, kwargs, inputs, _tensors(outputs), composite)
        return outputs

    def _quietly(self, name: str, layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
        self.quiet = True
        try:
            if name in self.pre:
                linear = variant(layer, activation=keras.activations.linear)
                self.give(f"{name}:pre", call(linear, *args, **kwargs))
            if name in self.scores:
                asked = call(layer, *args, **{**kwargs, "return_attention_scores": True})
                self.give(f"{name}[1]", tree.flatten(asked)[1])
            return call(layer, *args, **kwargs)
        finally:
            self.quiet = False

    def operation_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet:
            return call(operation, *args, **kwargs)
        name, repeated = self.namer.name(operation.name)
        outputs = self._quietly(name, operation, call, args, kwargs)
        inputs = _tensors((args, kwargs))
        self.seen(name, repeated, operation, args, kwargs, inputs, _tensors(outputs), False)
        return outputs

    def symbolic_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        return call(operation, *args, **kwargs)


@dataclass(frozen=True)
class _Seen:
    name: str
    repeated: bool
    layer: Any
    args: Any
    kwargs: Any
    inputs: list[Any]
    outputs: list[Any]
    composite: bool


def record(model: Any, signature: Signature) -> Trace:
    """The calls of a model, from one call on zeros (on TensorFlow and JAX traced, not run)."""
    seen: list[_Seen] = []
    given: dict[str, Any] = {}
    final: list[Any] = []

    def run(tensors: list[Any]) -> list[Any]:
        seen.clear()
        given.update(zip(signature.names, tensors, strict=True))
        args, kwargs = signature.fill(given)
        with watching(_Watcher(model, lambda *details: seen.append(_Seen(*details)))):
            final[:] = _tensors(model(*args, **kwargs))
        return [*tensors, *(x for call in seen for x in (*call.inputs, *call.outputs)), *final]

    history = observe(run, signature)
    names = {history.key(tensor): name for name, tensor in given.items()}
    symbols = {history.key(tensor): signature.tensors[name] for name, tensor in given.items()}
    calls = [_call(one, history, names, symbols) for one in seen]
    outputs = dict.fromkeys(s for x in final for s in history.sources(x, names))
    return Trace(signature.tensors, tuple(calls), tuple(outputs))


def _call(
    seen: _Seen, history: History, names: dict[Hashable, str], symbols: dict[Hashable, Any]
) -> Call:
    sources = dict.fromkeys(s for x in seen.inputs for s in history.sources(x, names))
    for x in (*seen.inputs, *seen.outputs):
        symbols.setdefault(history.key(x), _symbol(x))
    symbolic = {id(x): symbols[history.key(x)] for x in (*seen.inputs, *seen.outputs)}
    args, kwargs = tree.map_structure(
        lambda x: symbolic.get(id(x), x), (tuple(seen.args), dict(seen.kwargs))
    )
    for i, x in enumerate(seen.outputs):
        # What is handed through unchanged keeps the name of the node that made it.
        if not any(x is y for y in seen.inputs):
            names[history.key(x)] = output_name(seen.name, i)
    return Call(
        seen.name,
        seen.layer,
        args,
        kwargs,
        tuple(symbolic[id(x)] for x in seen.outputs),
        tuple(sources),
        seen.composite,
        seen.repeated,
    )


def execute_recorded(
    model: Any,
    signature: Signature,
    found: Trace,
    tensors: Mapping[str, Any],
    names: tuple[str, ...],
    keep: Any,
    training: bool,
) -> dict[str, Any]:
    """Run a recorded model as far as needed, keeping the outputs of the nodes named."""
    wanted = set(names)
    kept = {name: keep(tensors[name]) for name in names if name in tensors}
    outputs = {name for call in found.calls for name in call.output_names}
    apart = wanted - outputs - set(tensors)

    def take(name: str, value: Any) -> None:
        kept[name] = keep(value)

    def seen(
        name: str,
        repeated: bool,
        layer: Any,
        args: Any,
        kwargs: Any,
        inputs: list[Any],
        made: list[Any],
        composite: bool,
    ) -> None:
        for i, value in enumerate(made):
            if output_name(name, i) in wanted:
                take(output_name(name, i), value)
        if len(kept) == len(wanted):
            raise _Enough

    watcher = _Watcher(
        model,
        seen,
        frozenset(n.removesuffix(":pre") for n in apart if n.endswith(":pre")),
        frozenset(n.removesuffix("[1]") for n in apart if n.endswith("[1]")),
        take,
    )
    args, kwargs = signature.fill(tensors)
    if getattr(model, "_call_has_training_arg", False):
        kwargs["training"] = training
    context: AbstractContextManager[Any] = watching(watcher)
    try:
        if len(kept) < len(wanted):
            with context:
                model(*args, **kwargs)
    except _Enough:
        pass
    return {name: kept[name] for name in names}


def _tensors(structure: Any) -> list[Any]:
    return [x for x in tree.flatten(structure) if keras.ops.is_tensor(x)]


def _symbol(tensor: Any) -> Any:
    shape = [None if i == 0 else size for i, size in enumerate(tensor.shape)]
    return keras.KerasTensor(shape, keras.backend.standardize_dtype(tensor.dtype))
