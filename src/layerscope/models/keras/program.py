"""Running a traced model: only the calls that are needed, keeping only what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from layerscope.errors import ModelError
from layerscope.models.keras.calls import Call, Trace, told_of_training
from layerscope.models.keras.reasons import reason
from layerscope.models.keras.scopes import autocast, call_context

Keep = Callable[[Any], Any]


@dataclass(frozen=True)
class Step:
    """One call to make.

    plain: whether its outputs are needed. pre: the name under which the values before the
    fused activation function are asked for. scores: the same for attention weights. wanted:
    the names asked for among the outputs, with their symbolic tensors. release: symbolic
    tensors that no later step needs.
    """

    call: Call
    plain: bool
    pre: str | None
    scores: str | None
    wanted: tuple[tuple[str, int], ...] = ()
    release: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What one selection of nodes needs: the inputs, those asked for themselves, and the steps."""

    names: tuple[str, ...]
    inputs: tuple[tuple[str, int], ...]
    at_once: tuple[tuple[str, int], ...]
    steps: tuple[Step, ...]


def make_plan(trace: Trace, names: Sequence[str]) -> Plan:
    """The least that must be computed to have these nodes (``:pre`` and scores included)."""
    tensors = {name: id(tensor) for name, tensor in trace.inputs.items()}
    for call in trace.calls:
        tensors.update(zip(call.output_names, map(id, call.outputs), strict=True))
    wanted = {name: tensors[name] for name in names if name in tensors}
    needed = set(wanted.values())
    chosen: list[Step] = []
    for call in reversed(trace.calls):
        pre, scores = f"{call.name}:pre", f"{call.name}[1]"
        step = Step(
            call,
            plain=any(id(x) in needed for x in call.outputs),
            pre=pre if pre in names and pre not in tensors else None,
            scores=scores if scores in names and scores not in tensors else None,
        )
        if not call.submodel and (step.plain or step.pre or step.scores):
            chosen.append(step)
            needed.update(map(id, call.tensors))
    apart = {name for step in chosen for name in (step.pre, step.scores)}
    missing = [name for name in names if name not in tensors and name not in apart]
    if missing:
        raise ModelError(f"The network does not compute {', '.join(missing)} in this forward pass.")
    inputs = tuple((name, id(tensor)) for name, tensor in trace.inputs.items())
    steps, at_once = _with_releases(chosen[::-1], wanted, dict(inputs))
    return Plan(tuple(names), inputs, at_once, steps)


def _with_releases(
    steps: list[Step], wanted: Mapping[str, int], inputs: Mapping[str, int]
) -> tuple[tuple[Step, ...], tuple[tuple[str, int], ...]]:
    """The steps with what to keep and what to let go after each, and the inputs asked for."""
    last_use = {id(x): i for i, step in enumerate(steps) for x in step.call.tensors}
    asked: dict[int, list[tuple[str, int]]] = {}
    for name, id_ in wanted.items():
        asked.setdefault(id_, []).append((name, id_))
    finished: list[Step] = []
    for i, step in enumerate(steps):
        made = dict.fromkeys(id(x) for x in step.call.outputs)
        touched = {*made, *(id(x) for x in step.call.tensors)}
        finished.append(
            Step(
                step.call,
                step.plain,
                step.pre,
                step.scores,
                tuple(pair for id_ in made for pair in asked.get(id_, ())),
                tuple(id_ for id_ in touched if last_use.get(id_, i) == i),
            )
        )
    at_once = tuple(pair for id_ in dict.fromkeys(inputs.values()) for pair in asked.get(id_, ()))
    return tuple(finished), at_once


def execute(plan: Plan, feeds: Mapping[str, Any], keep: Keep, training: bool) -> dict[str, Any]:
    """Make the plan's calls with backend tensors.

    feeds: a tensor for every input. keep: a function applied to every value asked for as
    soon as it is there. Returns what ``keep`` returned, by node name.
    """
    values = {id_: feeds[name] for name, id_ in plan.inputs}
    kept = {name: keep(values[id_]) for name, id_ in plan.at_once}
    for step in plan.steps:
        try:
            outputs = _make(step, values, kept, keep, training)
        except Exception as error:
            shapes = " and ".join(str(tuple(values[id(x)].shape)) for x in step.call.tensors)
            raise ModelError(
                f"{step.call.name} ({type(step.call.operation).__name__}) cannot be computed from "
                f"an input of shape {shapes or '()'}: {reason(error)}"
            ) from error
        values.update(zip(map(id, step.call.outputs), outputs, strict=False))
        del outputs
        for name, id_ in step.wanted:
            kept[name] = keep(values[id_])
        for id_ in step.release:
            values.pop(id_, None)
    return {name: kept[name] for name in plan.names}


def _make(
    step: Step, values: Mapping[int, Any], kept: dict[str, Any], keep: Keep, training: bool
) -> list[Any]:
    """Make one call, keep what is asked for beside its outputs, and return these."""
    call = step.call
    operation = call.operation
    args, kwargs = _filled(call.args, values), _filled(dict(call.kwargs), values)
    if isinstance(operation, keras.Layer) and told_of_training(operation, kwargs) is None:
        kwargs.pop("training", None)
    told = training if call.training is None else call.training
    with call_context(told), autocast(call.autocast):
        if step.scores:
            kept[step.scores] = keep(attention_scores(operation, args, kwargs))
        if step.pre:
            before = without_activation(operation)(*args, **kwargs)
            kept[step.pre] = keep(before)
            if step.plain and type(operation).__module__.startswith("keras."):
                return [_activated(operation, before)]
        if not step.plain:
            return []
        return [x for x in tree.flatten(operation(*args, **kwargs)) if keras.ops.is_tensor(x)]


def attention_scores(layer: Any, args: Any, kwargs: Any) -> Any:
    """The weights that an attention layer gives each key, for every query."""
    asked = {**kwargs, "return_attention_scores": True}
    return tree.flatten(layer(*args, **asked))[1]


def without_activation(layer: Any) -> Any:
    """A layer that shares all of the given one but its activation function; that one is kept."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__["activation"] = keras.activations.linear
    return twin


def _activated(layer: Any, before: Any) -> Any:
    """What one of Keras's own layers makes of the values before its activation function."""
    if layer.activation is None:
        return before
    with autocast(layer.compute_dtype):
        output = layer.activation(before)
    mask = keras.src.backend.get_keras_mask(before)
    if mask is not None:
        keras.src.backend.set_keras_mask(output, mask)
    return output


def _filled(structure: Any, values: Mapping[int, Any]) -> Any:
    """The arguments with values in the place of symbolic tensors."""
    return tree.map_structure(
        lambda x: values[id(x)] if isinstance(x, keras.KerasTensor) else x, structure
    )
