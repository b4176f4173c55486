"""Which recorded tensors a tensor was computed from, by each backend's own means."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from layerscope.models.keras.signature import Signature

Run = Callable[[list[Any]], list[Any]]


@dataclass(frozen=True)
class History:
    """key: a tensor's identity. parents: the identities that one was computed from."""

    key: Callable[[Any], Hashable]
    parents: Callable[[Hashable], Iterable[Hashable]]

    def sources(self, tensor: Any, names: dict[Hashable, str]) -> list[str]:
        """The nearest named ancestors of a tensor, itself included, in the order of use."""
        found: dict[str, None] = {}
        waiting, visited = [self.key(tensor)], set()
        while waiting:
            key = waiting.pop()
            if key in visited:
                continue
            visited.add(key)
            if key in names:
                found[names[key]] = None
            else:
                waiting.extend(reversed(list(self.parents(key))))
        return list(found)


def observe(run: Run, signature: Signature) -> History:
    """Call ``run`` once with a tensor for each input, in a way that keeps their history.

    run: returns every tensor that will be asked about, the inputs included. On TensorFlow
    and JAX the call is traced; on torch it is made, with zeros.
    """
    ways = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    return ways[keras.backend.backend()](run, signature)


def _tensorflow(run: Run, signature: Signature) -> History:
    import tensorflow as tf

    tensors: dict[Hashable, Any] = {}

    def parents(key: Hashable) -> list[Hashable]:
        inputs = list(tensors[key].op.inputs)
        tensors.update({id(x): x for x in inputs})
        return [id(x) for x in inputs]

    def key(tensor: Any) -> Hashable:
        tensors[id(tensor)] = tensor
        return id(tensor)

    def function(*given: Any) -> Any:
        for tensor in run(list(given)):
            key(tensor)
        return given[0]

    specs = [tf.TensorSpec((None, *t.shape[1:]), t.dtype) for t in signature.tensors.values()]
    tf.function(function, autograph=False).get_concrete_function(*specs)
    return History(key, parents)


def _torch(run: Run, signature: Signature) -> History:
    import torch
    from torch.overrides import TorchFunctionMode

    history: dict[int, list[Any]] = {}
    alive: list[Any] = []

    class Follow(TorchFunctionMode):  # type: ignore[misc,unused-ignore]
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = function(*args, **(kwargs or {}))
            given = [x for x in tree.flatten((args, kwargs)) if isinstance(x, torch.Tensor)]
            for x in tree.flatten(made):
                if isinstance(x, torch.Tensor) and not any(x is y for y in given):
                    history[id(x)] = [id(y) for y in given]
                    alive.append((x, given))
            return made

    with torch.no_grad(), Follow():
        alive.append(run(tree.flatten(signature.zeros())))
    return History(lambda tensor: (alive, id(tensor))[1], lambda key: history.get(key, []))  # type: ignore[call-overload]


def _jax(run: Run, signature: Signature) -> History:
    import jax

    tensors: list[Any] = []

    def function(*given: Any) -> list[Any]:
        tensors[:] = run(list(given))
        return tensors

    jaxpr = jax.make_jaxpr(function)(*tree.flatten(signature.zeros())).jaxpr
    keys = {id(tensor): id(var) for tensor, var in zip(tensors, jaxpr.outvars, strict=True)}
    parents = {id(out): [id(x) for x in eqn.invars] for eqn in jaxpr.eqns for out in eqn.outvars}
    return History(lambda t: (jaxpr, keys.get(id(t)))[1], lambda key: parents.get(key, []))  # type: ignore[call-overload]
