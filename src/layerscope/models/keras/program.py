"""Running a traced model: only the calls that are needed, keeping only what is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from layerscope.models.keras.calls import Call, Trace


@dataclass(frozen=True)
class Step:
    """One call to make. release: symbolic tensors that no later step needs.

    pre: the call's fused activation function is applied apart, so that the values before it
    can be kept. scores: attention weights are asked for. wanted: (request, symbolic tensor)
    pairs that are complete after this step.
    """

    call: Call
    release: tuple[int, ...]
    pre: str | None = None
    scores: str | None = None
    only_pre: bool = False
    wanted: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Plan:
    """What one selection of nodes needs: the inputs by name, and the steps in order."""

    names: tuple[str, ...]
    inputs: tuple[tuple[str, int], ...]
    at_once: tuple[tuple[str, int], ...]
    steps: tuple[Step, ...]


def has_fused_activation(operation: Any) -> bool:
    """Whether a layer ends in an activation function that can be taken apart from it."""
    kinds = {kind.__name__ for kind in type(operation).__mro__}
    fused = {"BaseConv", "BaseConvTranspose", "BaseDepthwiseConv", "BaseSeparableConv"}
    return bool(kinds & (fused | {"Dense", "EinsumDense"})) and isinstance(operation, keras.Layer)


def make_plan(trace: Trace, names: Sequence[str]) -> Plan:
    """The least that must be computed to have these nodes (``:pre`` and scores included)."""
    tensors = {name: id(tensor) for name, tensor in trace.inputs.items()}
    for call in trace.calls:
        tensors.update(zip(call.output_names, map(id, call.outputs), strict=True))
    pre = {name.removesuffix(":pre") for name in names if name.endswith(":pre")} - set(tensors)
    pre = {base for base in pre if f"{base}:pre" in names and f"{base}:pre" not in tensors}
    calls = {call.name: call for call in trace.calls}
    scores = {
        name.removesuffix("[1]") for name in names if name not in tensors and name.endswith("[1]")
    }
    wanted = {name: tensors[name] for name in names if name in tensors}

    needed = set(wanted.values())
    for base in scores:
        needed.update(_tensor_ids(calls[base]))
    chosen: list[Call] = []
    for call in reversed(trace.calls):
        useful = any(id(x) in needed for x in call.outputs)
        if call.submodel or not (useful or call.name in pre or call.name in scores):
            continue
        chosen.append(call)
        needed.update(_tensor_ids(call))
    chosen.reverse()
    return _with_releases(tuple(names), trace, chosen, wanted, pre, scores, needed)


def _with_releases(
    names: tuple[str, ...],
    trace: Trace,
    chosen: list[Call],
    wanted: Mapping[str, int],
    pre: set[str],
    scores: set[str],
    needed: set[int],
) -> Plan:
    last_use = {id_: i for i, call in enumerate(chosen) for id_ in _tensor_ids(call)}
    steps: list[Step] = []
    given = {id(tensor) for tensor in trace.inputs.values()}
    for i, call in enumerate(chosen):
        made = {id(x) for x in call.outputs}
        ended = {id_ for id_ in _tensor_ids(call) if last_use[id_] == i}
        ended |= {id_ for id_ in made if id_ not in last_use}
        steps.append(
            Step(
                call,
                tuple(ended),
                f"{call.name}:pre" if call.name in pre else None,
                f"{call.name}[1]" if call.name in scores else None,
                call.name in pre and not made & needed,
                tuple((name, id_) for name, id_ in wanted.items() if id_ in made - given),
            )
        )
    inputs = tuple((name, id(tensor)) for name, tensor in trace.inputs.items())
    return Plan(names, inputs, tuple((n, i) for n, i in wanted.items() if i in given), tuple(steps))


def execute(plan: Plan, feeds: Mapping[str, Any], keep: Any, training: bool) -> dict[str, Any]:
    """Make the plan's calls with backend tensors.

    feeds: a tensor for every input. keep: a function applied to every value asked for as
    soon as it is there. Returns what ``keep`` returned, by node name.
    """
    values = {id_: feeds[name] for name, id_ in plan.inputs}
    kept = {name: keep(values[id_]) for name, id_ in plan.at_once}
    for step in plan.steps:
        outputs = _make(step, values, kept, keep, training)
        for symbolic, value in zip(step.call.outputs, outputs, strict=False):
            values[id(symbolic)] = value
        del outputs
        for name, id_ in step.wanted:
            kept[name] = keep(values[id_])
        for id_ in step.release:
            values.pop(id_, None)
    return {name: kept[name] for name in plan.names}


def _make(
    step: Step, values: Mapping[int, Any], kept: dict[str, Any], keep: Any, training: bool
) -> list[Any]:
    call = step.call
    args, kwargs = _filled(call.args, values), _filled(call.kwargs, values)
    operation = call.operation
    if isinstance(operation, keras.Layer):
        if kwargs.get("training") is None and operation._call_has_training_arg:
            kwargs["training"] = training
        if getattr(operation, "activity_regularizer", None) is not None:
            operation = variant(operation, activity_regularizer=None)
    if step.scores:
        asked = {**kwargs, "return_attention_scores": True}
        kept[step.scores] = keep(tree.flatten(operation(*args, **asked))[1])
    with _autocast(call.autocast):
        if step.pre is None:
            return _tensors(operation(*args, **kwargs))
        before = variant(operation, activation=keras.activations.linear)(*args, **kwargs)
        kept[step.pre] = keep(before)
        if step.only_pre:
            return []
        with _autocast(operation.compute_dtype):
            return [operation.activation(before) if operation.activation else before]


def _tensors(outputs: Any) -> list[Any]:
    return [x for x in tree.flatten(outputs) if hasattr(x, "shape")]


def _filled(structure: Any, values: Mapping[int, Any]) -> Any:
    if isinstance(structure, tuple) and len(structure) == 1 and id(structure[0]) in values:
        return (values[id(structure[0])],)
    if not structure:
        return structure if isinstance(structure, tuple) else dict(structure)
    return tree.map_structure(
        lambda x: values[id(x)] if isinstance(x, keras.KerasTensor) else x, structure
    )


def _tensor_ids(call: Call) -> list[int]:
    flat = tree.flatten((call.args, dict(call.kwargs)))
    return [id(x) for x in flat if isinstance(x, keras.KerasTensor)]


def variant(layer: Any, **changes: Any) -> Any:
    """A layer that shares everything with the given one but these attributes; that one is kept."""
    twin = object.__new__(type(layer))
    twin.__dict__.update(layer.__dict__)
    twin.__dict__.update(changes)
    return twin


class _autocast:  # noqa: N801
    """Keras's automatic casts of variables as they stood where the call was traced."""

    def __init__(self, dtype: Any) -> None:
        self._scope = None if dtype is None else keras.src.backend.AutocastScope(dtype)

    def __enter__(self) -> None:
        if self._scope is not None:
            self._scope.__enter__()

    def __exit__(self, *details: Any) -> None:
        if self._scope is not None:
            self._scope.__exit__(*details)
