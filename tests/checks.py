"""Short ways to ask for findings in tests."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

import layerscope as ls
from layerscope.explain.checkup import Finding

layers = keras.layers


def found(model: Any, inputs: Any = None, *codes: str, **options: Any) -> list[Finding]:
    """The findings of these codes; of all without any."""
    return [one for one in ls.check(model, inputs, **options) if not codes or one.code in codes]


def only(model: Any, inputs: Any, code: str, **options: Any) -> Finding:
    """The one finding of a code."""
    (one,) = found(model, inputs, code, **options)
    return one


def stack(shape: tuple[int | None, ...], *body: Any, name: str | None = None) -> Any:
    """A Sequential model on inputs of this shape, named ``x``."""
    return keras.Sequential([keras.Input(shape, name="x"), *body], name=name)


def trained(model: Any) -> Any:
    """The model with weights and statistics that no initializer makes."""
    random = np.random.default_rng(5)
    for layer in model.layers:
        values = [w + 0.1 * np.abs(random.normal(size=w.shape)) for w in layer.get_weights()]
        if values:
            layer.set_weights(values)
    return model


def noise(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Values from 0 to 1."""
    return np.random.default_rng(seed).random(shape, np.float32)
