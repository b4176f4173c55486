"""How a Keras model is called: the structure, names, shapes and dtypes of its inputs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
from keras import tree


@dataclass(frozen=True)
class Signature:
    """The arguments of a model's call, with a symbolic tensor in the place of each array."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, tuple[int | None, ...]]) -> Signature:
        """A single positional input, or several by keyword, of these shapes (batch first)."""
        tensors = {n: keras.KerasTensor((None, *s[1:]), name=n) for n, s in shapes.items()}
        if len(tensors) == 1:
            return cls(tuple(tensors.values()), {}, tuple(tensors))
        return cls((), tensors, tuple(tensors))

    @cached_property
    def tensors(self) -> dict[str, Any]:
        """The symbolic tensor of every input, by name."""
        flat = tree.flatten((self.args, dict(self.kwargs)))
        return dict(zip(self.names, flat, strict=True))

    def fill(self, tensors: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The call's arguments with these tensors in their places."""
        names = {id(tensor): name for name, tensor in self.tensors.items()}
        args, kwargs = tree.map_structure(
            lambda x: tensors[names[id(x)]], (self.args, dict(self.kwargs))
        )
        return args, kwargs

    def symbolic(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with fresh symbolic tensors."""
        return self.fill(
            {n: keras.KerasTensor(t.shape, t.dtype, name=n) for n, t in self.tensors.items()}
        )

    def zeros(self, batch: int = 1, free: int = 32) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments filled with zeros; free sizes other than the batch's become ``free``."""
        return self.fill(
            {
                name: keras.ops.zeros(
                    (batch, *(free if size is None else size for size in tensor.shape[1:])),
                    dtype=tensor.dtype,
                )
                for name, tensor in self.tensors.items()
            }
        )

    def shapes(self) -> str:
        """The inputs' shapes, for messages."""
        return ", ".join(str(tuple(tensor.shape)) for tensor in self.tensors.values())


def find_signature(model: Any) -> Signature | None:
    """A model's signature from its inputs or from how it was built; None if it was never built."""
    graph = getattr(model, "_functional", None) or model
    struct = getattr(graph, "_inputs_struct", None)
    if struct is not None:
        flat = tree.flatten(struct)
        return Signature((struct,), {}, tuple(_name(tensor) for tensor in flat))
    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes or len(shapes) < _required(model):
        return None
    if len(shapes) > 1:
        named = {key.removesuffix("_shape"): _tensor(shape) for key, shape in shapes.items()}
        return Signature((), named, tuple(named))
    struct = _tensors(next(iter(shapes.values())))
    flat = tree.flatten(struct)
    if isinstance(struct, dict):
        return Signature((struct,), {}, tuple(sorted(struct)))
    names = ("input",) if len(flat) == 1 else tuple(f"input_{i}" for i in range(len(flat)))
    return Signature((struct,), {}, names)


def _name(tensor: Any) -> str:
    """An input's name, or its layer's where the tensor was never given one."""
    history = getattr(tensor, "_keras_history", None)
    unnamed = str(tensor.name).startswith("keras_tensor")
    return str(history.operation.name if unnamed and history else tensor.name)


def _required(model: Any) -> int:
    """How many arguments a call must have."""
    parameters = inspect.signature(model.call).parameters.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return sum(p.default is inspect.Parameter.empty and p.kind not in kinds for p in parameters)


def _tensors(shapes: Any) -> Any:
    if isinstance(shapes, dict):
        return {key: _tensors(shape) for key, shape in shapes.items()}
    if isinstance(shapes, list | tuple) and shapes and isinstance(shapes[0], list | tuple):
        return [_tensors(shape) for shape in shapes]
    return _tensor(shapes)


def _tensor(shape: Any) -> Any:
    # A name of its own keeps Keras's numbering of tensors as it was.
    return keras.KerasTensor((None, *shape[1:]), name="input")
