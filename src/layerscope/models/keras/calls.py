"""The calls of a Keras model, as the symbolic trace or the recorder finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import tree
from numpy.typing import NDArray

from layerscope.models.keras.naming import output_name

_ONE_NODE = (
    keras.layers.RNN,
    keras.layers.Bidirectional,
    keras.layers.TimeDistributed,
    keras.layers.MultiHeadAttention,
)


@dataclass(frozen=True)
class Call:
    """One call: ``outputs[i] = operation(*args, **kwargs)``, tensors being symbolic.

    submodel: the calls inside are in the trace themselves, and this one only names their
    result. autocast: the dtype of an enclosing layer's automatic casts, or None. training:
    what an enclosing layer was told of training, or None. hidden: no node, since it only
    makes masks that Keras passes on by itself. derived: its arguments (of a submodel, its
    outputs) were made from those of other calls by operations that are no calls.
    """

    name: str
    operation: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Any, ...]
    inputs: tuple[str, ...]
    submodel: bool = False
    autocast: Any = None
    training: bool | None = None
    hidden: bool = False
    derived: bool = False

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The node name of each output."""
        return tuple(output_name(self.name, i) for i in range(len(self.outputs)))

    @cached_property
    def tensors(self) -> list[Any]:
        """The symbolic tensors among the arguments."""
        return symbolic_tensors((self.args, dict(self.kwargs)))

    @cached_property
    def masks(self) -> list[Any]:
        """Those of the tensors that are masks as Keras passes them on."""
        arguments = getattr(self.operation, "call_signature_parameters", ())
        return symbolic_tensors(
            [
                value
                for key, value in self.kwargs.items()
                if key == "mask" or key.removesuffix("_mask") in {*arguments} - {key}
            ]
        )


@dataclass(frozen=True)
class Trace:
    """All calls of a model in order, with its inputs by name and its outputs' names."""

    inputs: Mapping[str, Any]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]


def is_composite(layer: Any) -> bool:
    """Whether the calls inside a layer are nodes of their own: models, and users' own blocks.

    Keras's own layers that hold others (RNN, Bidirectional, MultiHeadAttention …) are one
    node each, and so are layers derived from them that leave their ``call`` to Keras.
    """
    if isinstance(layer, keras.Model):
        return True
    if not getattr(layer, "_layers", None) or isinstance(layer, _ONE_NODE):
        return False
    caller = next(kind for kind in type(layer).__mro__ if "call" in vars(kind))
    return caller.__module__.split(".")[0] != "keras"


def symbolic_tensors(structure: Any) -> list[Any]:
    """The Keras tensors in a nested structure, in order."""
    return [x for x in tree.flatten(structure) if isinstance(x, keras.KerasTensor)]


def constants(call: Call) -> dict[str, NDArray[Any]]:
    """The number or array that an operation of two joins to its input, as ``constant``."""
    given = [*call.args, *call.kwargs.values()]
    others = [x for x in given if not isinstance(x, keras.KerasTensor)]
    if len(given) != 2 or len(others) != 1:
        return {}
    constant = others[0]
    if keras.ops.is_tensor(constant):
        constant = keras.ops.convert_to_numpy(constant)
    if not isinstance(constant, int | float | np.ndarray | np.generic):
        return {}
    return {"constant": np.asarray(constant)}


def told_of_training(layer: Any, kwargs: Mapping[str, Any]) -> bool | None:
    """What a call says of training, or None.

    Keras writes the default of a layer's code (True for augmentation) into a functional
    model as if it had been said.
    """
    told = kwargs.get("training")
    default = layer._call_signature.parameters.get("training")
    return None if told is None or (default and default.default is True) else bool(told)
