"""Choosing Keras's backend, and moving arrays in and out of it."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import LayerscopeError, MissingExtraError
from layerscope.models.quiet import quiet_import

BACKENDS = ("tensorflow", "jax", "torch")


def load_keras(backend: str | None = None) -> Any:
    """Import Keras on the backend asked for, or on the first that is configured or installed.

    Raises MissingExtraError where no backend, or not the one asked for, is installed.
    """
    if backend is not None and backend not in BACKENDS:
        raise LayerscopeError(f"--backend must be tensorflow, jax or torch, but is {backend!r}.")
    if "keras" in sys.modules:
        import keras

        if backend not in (None, keras.backend.backend()):
            raise LayerscopeError(
                f"Keras already runs on {keras.backend.backend()} in this process, so the "
                f"backend cannot become {backend}. Set KERAS_BACKEND={backend} before "
                "Keras is first imported."
            )
        return keras
    chosen = backend or os.environ.get("KERAS_BACKEND") or _configured()
    if chosen is None or (backend is None and not _installed(chosen)):
        chosen = next((name for name in BACKENDS if _installed(name)), chosen or "tensorflow")
    if not _installed(chosen):
        wanted = f"The backend {chosen} is not" if backend else "No backend for Keras is"
        raise MissingExtraError(
            f'{wanted} installed. Install one with: pip install "layerscope[{chosen}]"'
            + ("" if backend else " (or [jax], or [torch])")
        )
    os.environ["KERAS_BACKEND"] = chosen
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_import():
        import keras
    return keras


def _installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _configured() -> str | None:
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        found = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    return found if found in BACKENDS else None


def to_array(tensor: Any) -> NDArray[Any]:
    """A backend tensor as a numpy array, without a copy where that can be; bfloat16 is widened."""
    import keras

    if keras.backend.standardize_dtype(tensor.dtype) == "bfloat16":
        tensor = keras.ops.cast(tensor, "float32")
    if keras.backend.backend() == "torch":
        return np.asarray(tensor.detach().cpu().numpy())
    if keras.backend.backend() == "jax":
        return np.asarray(tensor)
    if hasattr(tensor, "_numpy") and tensor.shape.rank:
        return np.asarray(memoryview(tensor))
    return np.asarray(tensor.numpy())


def computes_in_32_bits() -> bool:
    """Whether the backend gives 32 bits where 64 are asked for."""
    import keras

    if keras.backend.backend() != "jax":
        return False
    import jax

    return not jax.config.jax_enable_x64


def without_gradients() -> AbstractContextManager[Any]:
    """A scope in which the backend records nothing for differentiation."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()  # type: ignore[no-any-return]
    return nullcontext()


def compute_alike() -> None:
    """Have the backend give the same numbers each time, where it must be told to."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True, warn_only=True)


def compiled(
    function: Callable[[list[Any]], list[Any]], model: Any, specs: list[Any]
) -> Callable[[list[Any]], list[Any]]:
    """A function of a list of tensors, compiled once for every batch size.

    specs: a symbolic tensor for each input. The model's variables are read at each call,
    so that later training is seen. On torch the function comes back as it is.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec((None, *spec.shape[1:]), spec.dtype) for spec in specs]

        def stateless(tensors: list[Any]) -> list[Any]:
            with keras.StatelessScope():
                return function(tensors)

        traced = tf.function(stateless, input_signature=[signature], autograph=False)
        return traced.get_concrete_function()  # type: ignore[no-any-return]
    if keras.backend.backend() == "jax":
        import jax

        variables = model.variables

        def pure(state: list[Any], tensors: list[Any]) -> list[Any]:
            with keras.StatelessScope(state_mapping=list(zip(variables, state, strict=True))):
                return function(tensors)

        run = jax.jit(pure)
        return lambda tensors: run([v.value for v in variables], tensors)
    return function
