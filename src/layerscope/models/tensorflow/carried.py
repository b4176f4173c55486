"""Which operations carry the batch, what each shown one is fed by, and what cannot be reached."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from layerscope.models.tensorflow.shapes import batch_axis, plain_shape
from layerscope.models.tensorflow.wiring import SHAPES

FOLDED = frozenset(
    "Identity IdentityN StopGradient PreventGradient CheckNumerics CheckNumericsV2 Snapshot "
    "EnsureShape Print PlaceholderWithDefault GuaranteeConst RefIdentity".split()
)
_ONE_OUTPUT = frozenset(
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Switch RefSwitch Merge RefMerge "
    "MaxPoolWithArgmax SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits "
    "LSTMBlockCell BlockLSTM BlockLSTMV2 GRUBlockCell".split()
)
_SWITCHES, _MERGES = ("Switch", "RefSwitch"), ("Merge", "RefMerge")
_BACK = ("NextIteration", "RefNextIteration")
_ENTERS, _EXITS = ("Enter", "RefEnter"), ("Exit", "RefExit")

Context = tuple[tuple[str, str], ...]


@dataclass
class Carried:
    """What was found of a graph.

    shown: tensors that become nodes, in order of computation. sources: for every tensor that
    carries the batch, the shown tensors and inputs that it stands for. fed: for every shown
    tensor, the names of what feeds it. hidden: how many operations lie inside each loop or
    choice, by its name. odd: operations whose first dimension is not the batch. choosing:
    settings that decide which branch is there. derived: shown tensors that were made from what
    feeds them by way of operations that are not shown.
    """

    order: list[Any]
    shown: list[Any] = field(default_factory=list)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    odd: list[str] = field(default_factory=list)
    choosing: set[str] = field(default_factory=set)
    derived: set[str] = field(default_factory=set)


class Follower:
    """Follows the data through a graph.

    inputs: shown names by tensor name. decided: whether a predicate is known to be true or
    false, by tensor name, and which setting says so. batch: the fixed size of a batch, if any.
    folded: operations that a pattern has taken into another one. odd: operations that are known
    not to be laid out by sample.
    """

    def __init__(
        self,
        graph: Any,
        inputs: Mapping[str, str],
        decided: Mapping[str, tuple[bool, str]],
        batch: int | None,
        folded: frozenset[str],
        odd: frozenset[str] = frozenset(),
    ) -> None:
        self.inputs, self.decided, self.batch, self.folded = inputs, decided, batch, folded
        self.odd = odd
        self.operations = graph.get_operations()
        self.reached = _reached(graph, inputs)
        self.found = Carried(_ordered(self.operations))
        self.context: dict[str, Context] = {}
        self.dead: set[str] = set()
        # Tensors that were computed by operations that are no nodes.
        self.apart: set[str] = set()
        self.entered: dict[tuple[str, str], list[Any]] = defaultdict(list)

    def follow(self) -> Carried:
        """Go through every operation once."""
        for operation in self.found.order:
            for source in operation.outputs:
                if source.name in self.inputs:
                    self.found.sources[source.name] = (self.inputs[source.name],)
            if not any(output.name in self.inputs for output in operation.outputs):
                self._visit(operation)
        return self.found

    def _visit(self, operation: Any) -> None:
        kind = operation.type
        inputs = list(operation.inputs)
        context = max((self.context.get(i.name, ()) for i in inputs), key=len, default=())
        if kind in _MERGES:
            self._merge(operation, inputs, context)
            return
        if kind in _SWITCHES and self._decide(operation, inputs, context):
            return
        if inputs and any(i.name in self.dead for i in inputs):
            self.dead |= {o.name for o in operation.outputs}
            return
        if kind in _ENTERS:
            place = ("loop", operation.get_attr("frame_name").decode(errors="replace"))
            self.entered[place].append(inputs[0])
            context = (*context, place)
        elif kind in _EXITS:
            loop = next((c for c in reversed(context) if c[0] == "loop"), None)
            context = context[: context.index(loop)] if loop else context
            if loop:
                inputs = self.entered[loop]
        self._settle(operation, inputs, context)

    def _decide(self, operation: Any, inputs: list[Any], context: Context) -> bool:
        """A Switch: known which way, or the start of a choice that depends on the data."""
        data, predicate = inputs
        if predicate.op.type == "LoopCond":
            return False
        known = self.decided.get(predicate.name)
        if known is not None:
            taken, setting = known
            if self._carries(data) and setting:
                self.found.choosing.add(setting)
            self.dead.add(operation.outputs[0 if taken else 1].name)
            live = operation.outputs[1 if taken else 0]
            if data.name in self.dead:
                self.dead.add(live.name)
            self._pass_on(live, [data], context)
            return True
        place = ("choice", predicate.name.partition(":")[0])
        self.entered[place] += [data, predicate]
        for output in operation.outputs:
            self._pass_on(output, [data], (*context, place))
        return True

    def _merge(self, operation: Any, inputs: list[Any], context: Context) -> None:
        if any(i.op.type in _BACK for i in inputs):
            self._settle(operation, [inputs[0]], context)
            return
        alive = [i for i in inputs if i.name not in self.dead]
        if not alive:
            self.dead |= {o.name for o in operation.outputs}
        elif len(alive) < len(inputs):
            self._pass_on(operation.outputs[0], alive, context)
        else:
            inside = next((c for c in reversed(context) if c[0] == "choice"), None)
            if inside is not None:
                context = context[: context.index(inside)]
                inputs = [*inputs, *self.entered[inside]]
            self._settle(operation, inputs, context)

    def _settle(self, operation: Any, inputs: list[Any], context: Context) -> None:
        if operation.type in SHAPES:
            return
        carrying = operation.name in self.reached
        if carrying and context and operation.type not in FOLDED:
            self.found.hidden[context[0]] += 1
        outputs = operation.outputs
        for place, output in enumerate(outputs):
            if context:
                self.context[output.name] = context
            if not carrying:
                continue
            folded = operation.type in FOLDED or operation.name in self.folded
            hidden = bool(context) or folded or operation.name in self.odd
            if operation.type == "IdentityN":
                self._pass_on(output, [inputs[place]], context)
            elif hidden or (place and operation.type in _ONE_OUTPUT) or not self._fits(output):
                self._pass_on(output, inputs, context)
                if not folded:
                    self.apart.add(output.name)
            else:
                if any(i.name in self.apart for i in inputs):
                    self.found.derived.add(output.name)
                self.found.shown.append(output)
                sources = [name for i in inputs for name in self.found.sources.get(i.name, ())]
                self.found.sources[output.name] = (node_name(output),)
                self.found.fed[output.name] = tuple(sources)

    def _fits(self, output: Any) -> bool:
        """Whether a tensor is an array of numbers with a batch in it."""
        dtype = output.dtype
        if not (dtype.is_floating or dtype.is_integer or dtype.is_bool) or dtype._is_ref_dtype:
            return False
        shape = plain_shape(output)
        if shape is None:
            return True
        if not shape:
            return False
        if batch_axis(shape, self.batch) is None:
            self.found.odd.append(output.op.name)
            return False
        return True

    def _carries(self, tensor: Any) -> bool:
        return tensor.name in self.found.sources

    def _pass_on(self, output: Any, inputs: list[Any], context: Context) -> None:
        if context:
            self.context[output.name] = context
        if output.op.name not in self.reached:
            return
        if any(i.name in self.apart for i in inputs):
            self.apart.add(output.name)
        names = (name for i in inputs for name in self.found.sources.get(i.name, ()))
        self.found.sources[output.name] = tuple(dict.fromkeys(names))


def node_name(tensor: Any) -> str:
    """How a tensor is shown: its operation's name, with its place where it is not the first."""
    name, _, place = tensor.name.rpartition(":")
    return name if place == "0" else f"{name}[{place}]"


def _reached(graph: Any, inputs: Mapping[str, str]) -> set[str]:
    """Operations whose values depend on the inputs, around loops too."""
    found: set[str] = set()
    waiting = [graph.get_tensor_by_name(name) for name in inputs]
    while waiting:
        for operation in waiting.pop().consumers():
            if operation.name not in found and operation.type not in SHAPES:
                found.add(operation.name)
                waiting.extend(operation.outputs)
    return found


def _ordered(operations: list[Any]) -> list[Any]:
    """The operations in order of computation, each after what it needs, otherwise as stored."""
    place = {operation.name: i for i, operation in enumerate(operations)}
    missing: dict[int, int] = {}
    for i, operation in enumerate(operations):
        loop = operation.type in _MERGES
        needed = {j.op.name for j in operation.inputs if not (loop and j.op.type in _BACK)}
        missing[i] = len(needed)
    ready = [i for i, count in missing.items() if not count]
    heapq.heapify(ready)
    found: list[Any] = []
    while ready:
        operation = operations[heapq.heappop(ready)]
        found.append(operation)
        users = {place[u.name] for output in operation.outputs for u in output.consumers()}
        for i in users:
            if operation.type in _BACK and operations[i].type in _MERGES:
                continue
            missing[i] -= 1
            if not missing[i]:
                heapq.heappush(ready, i)
    return found
