"""Models whose code uses the backend directly: their calls are recorded from a real one.

Such a model cannot be called with Keras's symbolic tensors. Its layers' calls are seen while
the backend runs it; operations between them are no nodes, but the edges across them are
found from the backend's own record of what was computed from what.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import tree

from layerscope.errors import ModelError
from layerscope.models.keras.calls import Call, Trace, is_composite
from layerscope.models.keras.hooks import Original, watching
from layerscope.models.keras.lineage import History, observe
from layerscope.models.keras.naming import Namer, output_name
from layerscope.models.keras.program import Keep, attention_scores, without_activation
from layerscope.models.keras.reasons import reason
from layerscope.models.keras.scopes import call_context, own_name_counters
from layerscope.models.keras.signature import Signature


@dataclass(frozen=True)
class _Made:
    """A call that is complete."""

    name: str
    operation: Any
    args: Any
    kwargs: Any
    outputs: list[Any]
    composite: bool

    @property
    def inputs(self) -> list[Any]:
        return _tensors((self.args, self.kwargs))


class _Enough(BaseException):
    """All that was asked for is there; the rest of the forward pass is left out."""


@dataclass
class _Watcher:
    """Names the calls as they are made, and tells of each when it is complete.

    before: called with the name, operation and arguments of each call that is to be made.
    """

    root: Any
    namer: Namer
    complete: Callable[[_Made], None]
    before: Callable[[str, Any, Any, Any], None] = lambda name, layer, args, kwargs: None
    quiet: bool = False

    def layer_call(self, layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet or layer is self.root:
            return call(layer, *args, **kwargs)
        name, composite = self.namer.name(layer.name), is_composite(layer)
        if composite:
            with self.namer.inside(name):
                outputs = call(layer, *args, **kwargs)
        else:
            outputs = self._quietly(name, layer, call, args, kwargs)
        self.complete(_Made(name, layer, args, kwargs, _tensors(outputs), composite))
        return outputs

    def operation_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet:
            return call(operation, *args, **kwargs)
        name = self.namer.name(operation.name)
        outputs = self._quietly(name, operation, call, args, kwargs)
        self.complete(_Made(name, operation, args, kwargs, _tensors(outputs), False))
        return outputs

    def symbolic_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        return call(operation, *args, **kwargs)

    def _quietly(self, name: str, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        self.quiet = True
        try:
            self.before(name, operation, args, kwargs)
            return call(operation, *args, **kwargs)
        finally:
            self.quiet = False


def record(model: Any, signature: Signature) -> Trace:
    """The calls of a model, from one call on zeros (on TensorFlow and JAX traced, not run)."""
    made: list[_Made] = []
    given: dict[str, Any] = {}
    final: list[Any] = []

    def run(tensors: list[Any]) -> list[Any]:
        made.clear()
        given.update(zip(signature.names, tensors, strict=True))
        args, kwargs = signature.fill(given)
        with watching(_Watcher(model, Namer(signature.names), made.append)):
            final[:] = _tensors(model(*args, **kwargs))
        return [*tensors, *(x for call in made for x in (*call.inputs, *call.outputs)), *final]

    with own_name_counters(), call_context(False), keras.StatelessScope():
        history = observe(run, signature)
        found = _Found(history)
        for name, tensor in given.items():
            found.names[history.key(tensor)] = name
            found.symbols[history.key(tensor)] = signature.tensors[name]
        calls = tuple(found.call(one) for one in made)
        return Trace(signature.tensors, calls, found.sources(final))


@dataclass
class _Found:
    """Recorded calls made symbolic. names, symbols: of the tensors met so far."""

    history: History
    names: dict[Hashable, str] = field(default_factory=dict)
    symbols: dict[Hashable, Any] = field(default_factory=dict)

    def sources(self, tensors: Iterable[Any]) -> tuple[str, ...]:
        """The nearest nodes that these tensors were computed from, each once."""
        return tuple(
            dict.fromkeys(name for x in tensors for name in self.history.sources(x, self.names))
        )

    def call(self, made: _Made) -> Call:
        key = self.history.key
        sources = self.sources(made.inputs)
        derived = any(key(x) not in self.names for x in self._taken(made))
        for x in (*made.inputs, *made.outputs):
            if key(x) not in self.symbols:
                self.symbols[key(x)] = _symbol(x)
        symbolic = {id(x): self.symbols[key(x)] for x in (*made.inputs, *made.outputs)}
        args, kwargs = tree.map_structure(
            lambda x: symbolic.get(id(x), x), (tuple(made.args), dict(made.kwargs))
        )
        for i, x in enumerate(made.outputs):
            # What is handed through unchanged keeps the name of the node that made it.
            if not any(x is y for y in made.inputs):
                self.names[key(x)] = output_name(made.name, i)
        outputs = tuple(symbolic[id(x)] for x in made.outputs)
        return Call(
            made.name, made.operation, args, kwargs, outputs, sources, made.composite,
            derived=derived,
        )  # fmt: skip

    @staticmethod
    def _taken(made: _Made) -> list[Any]:
        """What a call takes as it is: its arguments, or of a submodel the results inside."""
        return made.outputs if made.composite else made.inputs


def execute_recorded(
    model: Any,
    signature: Signature,
    feeds: Mapping[str, Any],
    names: tuple[str, ...],
    keep: Keep,
    training: bool,
) -> dict[str, Any]:
    """Run a recorded model as far as needed, keeping the outputs of the nodes named."""
    wanted = set(names)
    kept = {name: keep(feeds[name]) for name in names if name in feeds}

    def take(name: str, value: Any) -> None:
        if name in wanted and name not in kept:
            kept[name] = keep(value)

    def before(name: str, layer: Any, args: Any, kwargs: Any) -> None:
        if f"{name}:pre" in wanted:
            take(f"{name}:pre", without_activation(layer)(*args, **kwargs))
        if f"{name}[1]" in wanted and isinstance(layer, _ATTENTIONS):
            take(f"{name}[1]", attention_scores(layer, args, kwargs))

    def complete(made: _Made) -> None:
        for i, value in enumerate(made.outputs):
            take(output_name(made.name, i), value)
        if len(kept) == len(wanted):
            raise _Enough

    watcher = _Watcher(model, Namer(signature.names), complete, before)
    args, kwargs = signature.fill(feeds)
    try:
        if len(kept) < len(wanted):
            with call_context(training), watching(watcher):
                model(*args, **kwargs)
    except _Enough:
        pass
    except Exception as error:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in feeds.values())
        raise ModelError(
            f"{model.name} cannot be called on an input of shape {shapes}: {reason(error)}"
        ) from error
    missing = [name for name in names if name not in kept]
    if missing:
        raise ModelError(f"The network does not compute {', '.join(missing)} in this forward pass.")
    return {name: kept[name] for name in names}


_ATTENTIONS = (
    keras.layers.Attention,
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
)


def _tensors(structure: Any) -> list[Any]:
    return [x for x in tree.flatten(structure) if keras.ops.is_tensor(x)]


def _symbol(tensor: Any) -> Any:
    shape = [None if i == 0 else size for i, size in enumerate(tensor.shape)]
    return keras.KerasTensor(shape, keras.backend.standardize_dtype(tensor.dtype))
