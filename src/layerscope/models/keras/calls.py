"""The calls of a Keras model, as the symbolic trace or the recorder finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from layerscope.models.keras.naming import output_name


@dataclass(frozen=True)
class Call:
    """One call: ``outputs[i] = operation(*args, **kwargs)``, tensors being symbolic.

    submodel: the calls inside are in the trace themselves, and this one only names their
    result. autocast: the dtype of an enclosing layer's automatic casts, or None.
    """

    name: str
    operation: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Any, ...]
    inputs: tuple[str, ...]
    submodel: bool = False
    repeated: bool = False
    autocast: Any = None

    @property
    def output_names(self) -> tuple[str, ...]:
        """The node name of each output."""
        return tuple(output_name(self.name, i) for i in range(len(self.outputs)))


@dataclass(frozen=True)
class Trace:
    """All calls of a model in order. opaque: composite layers whose inside could not be traced."""

    inputs: Mapping[str, Any]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
    opaque: tuple[str, ...] = ()


def is_composite(layer: Any) -> bool:
    """Whether the calls inside a layer are nodes of their own: models, and users' own blocks.

    Keras's own layers that hold others (RNN, Bidirectional, MultiHeadAttention …) are one
    node each.
    """
    if isinstance(layer, keras.Model):
        return True
    own = type(layer).__module__.split(".")[0] != "keras"
    return own and isinstance(layer, keras.Layer) and bool(getattr(layer, "_layers", None))


def symbolic_tensors(structure: Any) -> list[Any]:
    """The Keras tensors in a nested structure, in order."""
    return [x for x in tree.flatten(structure) if isinstance(x, keras.KerasTensor)]
