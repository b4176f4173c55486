"""A graph with the functions that it calls written out, so that every operation has a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.tensorflow.wiring import Wiring, data_inputs, node_of

CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_FRAMES = frozenset({"Enter", "RefEnter", "Switch", "RefSwitch"})
_MOST_NODES = 400_000


def inlined(graph_def: Any, kept: Iterable[str], whole: Iterable[str] = ()) -> Any:
    """The graph with the functions that it calls written out; loops and choices stay.

    kept: nodes that are referred to from outside; where one of them is a call, its outputs keep
    their names. whole: calls among them that are made for what they do, and not for a value.
    Raises ModelError for a call that does not fit its function.
    """
    functions = {f.signature.name: f for f in graph_def.library.function}
    if not any(_called(node, functions) for node in graph_def.node):
        return graph_def
    from tensorflow.python.framework.convert_to_constants import disable_lower_using_switch_merge

    plain = disable_lower_using_switch_merge(graph_def)
    return _Inliner(plain, functions, frozenset(kept), frozenset(whole)).done()


def _called(node: Any, functions: Mapping[str, Any]) -> str | None:
    """The function that a node calls, if that is all it does."""
    name = node.attr["f"].func.name if node.op in CALLS else node.op
    return name if name in functions else None


class _Inliner:
    """Takes every call apart. values: where each output of a call comes from.

    ends: the nodes that a call has run once they have, for those that wait for it.
    """

    def __init__(
        self,
        graph_def: Any,
        functions: Mapping[str, Any],
        kept: frozenset[str],
        whole: frozenset[str],
    ) -> None:
        self.graph_def, self.functions, self.kept, self.whole = graph_def, functions, kept, whole
        self.taken = {node.name for node in graph_def.node}
        self.framed = any(node.op in _FRAMES for node in graph_def.node)
        self.values: dict[str, str] = {}
        self.ends: dict[str, list[str]] = {}
        self.nodes: list[Any] = []

    def done(self) -> Any:
        waiting = list(reversed(self.graph_def.node))
        while waiting:
            node = waiting.pop()
            name = _called(node, self.functions)
            if name is None:
                self.nodes.append(node)
            else:
                waiting += reversed(self._expanded(node, self.functions[name]))
            if len(self.nodes) + len(waiting) > _MOST_NODES:
                raise ModelError(f"The graph grows beyond {_MOST_NODES} nodes by its functions.")
        copy = type(self.graph_def)()
        copy.versions.CopyFrom(self.graph_def.versions)
        copy.library.CopyFrom(self.graph_def.library)
        for node in self.nodes:
            inputs = [end for name in node.input for end in self._resolved(name)]
            node.input[:] = dict.fromkeys(inputs) if node.op == "NoOp" else inputs
        copy.node.extend(self.nodes)
        ordered = type(copy)()
        ordered.CopyFrom(copy)
        del ordered.node[:]
        ordered.node.extend(Wiring(copy).in_branches())
        return ordered

    def _expanded(self, call: Any, function: Any) -> list[Any]:
        """The nodes of a call's function, under names of their own."""
        given = data_inputs(call)
        arguments = [argument.name for argument in function.signature.input_arg]
        if len(given) != len(arguments):
            raise ModelError(
                f"The node {call.name!r} gives {len(given)} values to a function of "
                f"{len(arguments)}: the graph is damaged."
            )
        sources: dict[str, str] = dict(zip(arguments, given, strict=True))
        inner = {node.name: node for node in function.node_def}
        prefix = self._prefix(call.name, inner)
        first = [name for name in call.input if name.startswith("^")]
        if self.framed and given:
            first.append(f"^{node_of(given[0])}")
        settings = call.attr["f"].func.attr if call.op in CALLS else call.attr

        def renamed(name: str) -> str:
            if name.startswith("^"):
                return f"^{prefix}/{name[1:]}"
            base, _, place = name.partition(":")
            if base in sources:
                return sources[base]
            return f"{prefix}/{base}:{self._place(inner.get(base), place)}"

        body = []
        for node in function.node_def:
            fresh = type(node)()
            fresh.CopyFrom(node)
            fresh.name = f"{prefix}/{node.name}"
            fresh.input[:] = [renamed(name) for name in node.input] or first
            _settle(fresh, settings)
            self.taken.add(fresh.name)
            body.append(fresh)
        returned = [renamed(function.ret[a.name]) for a in function.signature.output_arg]
        for place, source in enumerate(returned):
            self.values[f"{call.name}:{place}"] = source
        self.ends[call.name] = [f"{prefix}/{name}" for name in function.control_ret.values()]
        if call.name in self.kept:
            last = [f"^{name}" for name in self.ends[call.name]] if call.name in self.whole else []
            self.nodes.append(_identity(call, function, returned, last))
        return body

    def _prefix(self, name: str, inner: Iterable[str]) -> str:
        number, prefix = 0, name
        while any(f"{prefix}/{node}" in self.taken for node in inner):
            number += 1
            prefix = f"{name}_{number}"
        return prefix

    def _place(self, node: Any, place: str) -> int:
        """Which output of a node ``output:index`` is, counted over all of its outputs."""
        if node is None:
            raise ModelError("A function in the graph refers to a node that is not there.")
        word, _, index = place.partition(":")
        if not word or word.isdigit():
            return int(word or 0)
        start = 0
        for name, count in self._outputs(node):
            if name == word:
                return start + int(index if index.isdigit() else 0)
            start += count
        raise ModelError(
            f"A function in the graph takes the output {word!r} of {node.name!r}, which has none "
            "of that name: the graph is damaged."
        )

    def _outputs(self, node: Any) -> Iterable[tuple[str, int]]:
        """Names and numbers of a node's outputs."""
        from tensorflow.python.framework import op_def_registry

        function = self.functions.get(node.op)
        definition = function.signature if function else op_def_registry.get(node.op)
        for argument in definition.output_arg if definition else ():
            if argument.number_attr:
                yield argument.name, int(node.attr[argument.number_attr].i)
            elif argument.type_list_attr:
                yield argument.name, len(node.attr[argument.type_list_attr].list.type)
            else:
                yield argument.name, 1

    def _resolved(self, name: str) -> list[str]:
        """What stands for a tensor, or for a node to be waited for, once all calls are gone."""
        if name.startswith("^"):
            return [f"^{end}" for end in self._last(name[1:])]
        for _ in range(len(self.values) + 1):
            source = self.values.get(name if ":" in name else f"{name}:0")
            if source is None:
                return [name]
            name = source
        raise ModelError("The graph's functions give their values to each other in a circle.")

    def _last(self, name: str) -> list[str]:
        found: list[str] = []
        waiting = [name]
        while waiting and len(found) <= _MOST_NODES:
            current = waiting.pop()
            if current in self.ends and current not in found:
                waiting += self.ends[current]
            else:
                found.append(current)
        return found


def _settle(node: Any, settings: Mapping[str, Any]) -> None:
    """Give the attributes that the caller decides their values."""
    for name in [n for n, attr in node.attr.items() if attr.WhichOneof("value") == "placeholder"]:
        wanted = node.attr[name].placeholder
        if wanted in settings:
            node.attr[name].CopyFrom(settings[wanted])
        else:
            del node.attr[name]


def _identity(call: Any, function: Any, returned: Sequence[str], last: Sequence[str]) -> Any:
    """A node under a call's name that passes on what its function returned."""
    node = type(call)()
    node.name, node.op = call.name, "IdentityN" if returned else "NoOp"
    node.input[:] = [*returned, *last]
    if returned:
        types = list(call.attr["Tout"].list.type) if call.op in CALLS else []
        types = types or [argument.type for argument in function.signature.output_arg]
        node.attr["T"].list.type.extend(types)
    return node
