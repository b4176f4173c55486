"""A Keras model as a list of calls, found by calling it once with symbolic tensors.

Nothing is computed, and the model is left as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import keras
from keras import tree

from layerscope.models.keras.calls import (
    Call,
    Trace,
    is_composite,
    symbolic_tensors,
    told_of_training,
)
from layerscope.models.keras.functions import snake_case
from layerscope.models.keras.hooks import Original, watching
from layerscope.models.keras.naming import Namer, output_name
from layerscope.models.keras.ordering import in_layer_order
from layerscope.models.keras.scopes import (
    WatchedVariables,
    autocast_dtype,
    call_context,
    own_name_counters,
)


class NotSymbolicError(Exception):
    """What a model computes cannot be told from symbolic tensors alone."""


def trace(
    model: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    names: tuple[str, ...],
    *,
    training: bool = False,
) -> Trace:
    """Call a model with symbolic tensors and list the calls inside it.

    args, kwargs: what the model is called with, holding one KerasTensor for each name in
    ``names``, in order. Raises NotSymbolicError, or whatever the model raises, where the
    model must be called with real tensors.
    """
    inputs = dict(zip(names, symbolic_tensors((args, kwargs)), strict=True))
    tracer = _Tracer(model, True if training else None, Namer(names))
    tracer.producer.update({id(tensor): name for name, tensor in inputs.items()})
    reads = WatchedVariables(tracer.variable_read)
    with own_name_counters(), call_context(None), reads, watching(tracer):
        outputs = symbolic_tensors(model(*args, **kwargs))
    calls = tuple(_alive(in_layer_order(model, tracer.groups), outputs))[::-1]
    return Trace(inputs, calls, tuple(tracer.producer[id(x)] for x in outputs))


@dataclass
class _Tracer:
    """Names and lists the calls as they are made.

    training: what models and blocks are told that their callers tell nothing. groups: for
    each call at the present level, the calls that it led to and then itself. producer: the
    node that gave a tensor. imposed: what the nearest block was told of training. quiet:
    the calls being made are a layer's own affair.
    """

    root: Any
    training: bool | None
    namer: Namer
    groups: list[list[Call]] = field(default_factory=list)
    producer: dict[int, str] = field(default_factory=dict)
    imposed: bool | None = None
    quiet: bool = False

    def layer_call(self, layer: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet:
            return call(layer, *args, **kwargs)
        if layer is self.root:
            return call(layer, *args, **self._with_training(layer, kwargs))
        name, composite = self.namer.name(layer.name), is_composite(layer)
        sources, autocast = self._sources((args, kwargs)), autocast_dtype()
        outer = self.groups, self.imposed
        self.groups = []
        with self.namer.inside(name):
            if composite:
                told = told_of_training(layer, kwargs)
                self.imposed = self.imposed if told is None else told
                outputs = call(layer, *args, **self._with_training(layer, kwargs))
            else:
                given_args, given_kwargs = _all_symbolic((args, kwargs))
                outputs = call(layer, *given_args, **given_kwargs)
        inside = in_layer_order(layer, self.groups) if composite else chain(*self.groups)
        self.groups, self.imposed = outer
        tensors = tuple(symbolic_tensors(outputs))
        own = Call(
            name, layer, tuple(args), dict(kwargs), tensors, sources, composite, autocast,
            self.imposed,
        )  # fmt: skip
        self._record([*inside, own])
        return outputs

    def _with_training(self, layer: Any, kwargs: Any) -> Any:
        """The keywords with ``training`` stated, lest the default of the layer's code stands in."""
        if not layer._call_has_training_arg:
            return kwargs
        told = told_of_training(layer, kwargs)
        return {**kwargs, "training": self.training if told is None else told}

    def operation_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        return call(operation, *args, **kwargs)

    def symbolic_call(self, operation: Any, call: Original, args: Any, kwargs: Any) -> Any:
        if self.quiet:
            return operation.compute_output_spec(*args, **kwargs)
        layer = isinstance(operation, keras.Layer)
        if layer and (operation is self.root or is_composite(operation)):
            return operation.call(*args, **kwargs)
        if not layer and _has_free_size(operation):
            raise NotSymbolicError(f"{operation.name} depends on a size that is free")
        self.quiet = True
        try:
            outputs = operation.compute_output_spec(*args, **kwargs)
        finally:
            self.quiet = False
        given = {id(x) for x in symbolic_tensors((args, kwargs))}
        # A specification that is the input itself would give two nodes one tensor.
        outputs = tree.map_structure(
            lambda x: keras.KerasTensor(x.shape, x.dtype) if id(x) in given else x, outputs
        )
        return outputs if layer else self._operation(operation, args, kwargs, outputs)

    def _operation(self, operation: Any, args: Any, kwargs: Any, outputs: Any) -> Any:
        tensors = tuple(symbolic_tensors(outputs))
        if type(operation).__name__ == "ConvertToTensor":
            (given,) = symbolic_tensors((args, kwargs))
            if given.dtype == tensors[0].dtype:
                return given
        anonymous = not operation._inbound_nodes
        own = snake_case(type(operation).__name__) if anonymous else operation.name
        name = self.namer.name(own, anonymous=anonymous)
        sources = self._sources((args, kwargs))
        autocast = autocast_dtype()
        self._record(
            [Call(name, operation, tuple(args), dict(kwargs), tensors, sources, False, autocast)]
        )
        return outputs

    def variable_read(self) -> None:
        """Told of every variable whose value is wanted."""
        if not self.quiet:
            raise NotSymbolicError("the model computes with a weight outside any layer")

    def _sources(self, structure: Any) -> tuple[str, ...]:
        tensors = symbolic_tensors(structure)
        return tuple(self.producer[id(x)] for x in tensors if id(x) in self.producer)

    def _record(self, group: list[Call]) -> None:
        self.groups.append(group)
        call = group[-1]
        given = {id(x) for x in call.tensors}
        for i, tensor in enumerate(call.outputs):
            if id(tensor) not in given:
                self.producer[id(tensor)] = output_name(call.name, i)


def _has_free_size(operation: Any) -> bool:
    sequences = (x for x in vars(operation).values() if isinstance(x, list | tuple))
    return any(size is None for sequence in sequences for size in sequence)


def _all_symbolic(structure: Any) -> Any:
    """A call's arguments with constants made symbolic where no argument is."""
    if symbolic_tensors(structure):
        return structure
    return tree.map_structure(
        lambda x: keras.KerasTensor(x.shape, x.dtype) if keras.ops.is_tensor(x) else x, structure
    )


def _alive(calls: list[Call], outputs: list[Any]) -> Iterator[Call]:
    """The calls, last first, but for operations that nobody uses, such as masks and casts.

    What serves as a mask alone is hidden.
    """
    used, shown = ({id(x) for x in outputs} for _ in range(2))
    for call in reversed(calls):
        made = {id(x) for x in call.outputs}
        layer = isinstance(call.operation, keras.Layer)
        if not layer and not made & used:
            continue
        hidden = not layer and not made & shown
        used.update(id(x) for x in call.tensors)
        if not hidden:
            shown.update({id(x) for x in call.tensors} - {id(x) for x in call.masks})
        yield replace(call, hidden=hidden)
