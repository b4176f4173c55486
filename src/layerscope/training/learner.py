"""The network that is trained: the usual one, code of the user's own, or a saved model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axis
from layerscope.errors import InputError, ModelError
from layerscope.models import open_model
from layerscope.models.keras.adapter import KerasModel
from layerscope.training.reading import USUAL_SIZE, Reader
from layerscope.training.recipe import compile_network, usual_network
from layerscope.training.settings import Settings


@dataclass(frozen=True)
class Learner:
    """A network with its reader of pictures. kind: how it answers (see ``batches.answers``).

    threshold: above it, a single answer means the second class. opened: the network as the
    other commands see it.
    """

    model: Any
    opened: KerasModel
    reader: Reader
    kind: str
    threshold: float

    def labels(self, outputs: NDArray[Any]) -> NDArray[np.int64]:
        """The classes that outputs stand for, by number."""
        if self.kind == "binary":
            return (outputs.reshape(len(outputs)) > self.threshold).astype(np.int64)
        labels: NDArray[np.int64] = outputs.argmax(axis=-1)
        return labels


def make_learner(
    settings: Settings,
    classes: tuple[str, ...],
    *,
    custom: Path | None = None,
    trust: bool = False,
) -> Learner:
    """Make the network, with weights as the present seed gives them, and compile it.

    Raises InputError or ModelError where it cannot learn to tell these classes.
    """
    asked = settings.preprocessing
    if settings.model is None:
        channels = 1 if asked.color == "gray" else 3
        model = usual_network(asked.size or USUAL_SIZE, channels, len(classes))
        opened = open_model(model)
    else:
        opened = open_model(settings.model, custom=custom, trust=trust)
    if not isinstance(opened, KerasModel):
        raise ModelError(
            f"{settings.model} is no Keras model, and only these can be trained: give a .keras "
            "file, or FILE.py:name"
        )
    name = settings.model or "the network"
    if len(opened.graph.inputs) != 1 or len(opened.graph.outputs) != 1:
        raise ModelError(f"{name} must have one input and one output to be trained on pictures")
    reader = Reader(opened.graph.inputs[0], asked, opened.hints)
    model = opened.keras_model
    width = _width(opened, name)
    if width != len(classes) and not (width == 1 and len(classes) == 2):
        raise ModelError(
            f"{name} answers with {width} number{'' if width == 1 else 's'}, but the data have "
            f"{len(classes)} classes: its last layer must have {len(classes)} outputs"
            + (" (or 1)" if len(classes) == 2 else "")
        )
    logits = _is_linear(model)
    kind = "binary" if width == 1 else "one-hot"
    if not getattr(model, "compiled", False):
        compile_network(
            model, kind, logits=logits,
            optimizer=settings.optimizer, learning_rate=settings.learning_rate,
        )  # fmt: skip
    elif settings.optimizer is not None or settings.learning_rate is not None:
        raise InputError(
            f"{name} comes compiled, with an optimizer of its own: leave --optimizer and "
            "--learning-rate out, or do not compile it in the code"
        )
    elif "sparse" in _loss_name(model):
        kind = "numbers"
    return Learner(model, opened, reader, kind, 0.0 if logits else 0.5)


def _width(opened: KerasModel, name: str) -> int:
    node = opened.graph[opened.graph.outputs[0]]
    width = node.shape[-1] if node.axes.find(Axis.BATCH) == 0 and len(node.shape) == 2 else None
    if width is None:
        raise ModelError(
            f"{name} gives outputs of shape {node.shape}: expected one number, or one for each "
            "class"
        )
    return width


def _is_linear(model: Any) -> bool:
    """Whether the last layer leaves its numbers as they are, so that they are no probabilities."""
    activation = getattr(model.layers[-1], "activation", None) if model.layers else None
    return getattr(activation, "__name__", "") == "linear"


def _loss_name(model: Any) -> str:
    loss = model.loss
    return (loss if isinstance(loss, str) else getattr(loss, "name", type(loss).__name__)).lower()
