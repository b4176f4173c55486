"""Keras's own scopes, entered so that calls leave no trace on a model.

The rest of the package reaches into ``keras.src`` nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.layers.layer import CallContext

_CONTEXT = "current_call_ctx"
_COUNTERS = "object_name_uids"


@contextmanager
def call_context(training: bool | None) -> Iterator[None]:
    """Calls as if from inside an outer layer that was told this of training.

    An outermost call would forget the losses that the model holds.
    """
    outer = global_state.get_global_attribute(_CONTEXT)
    context = CallContext(entry_layer=None)
    context.training = training
    global_state.set_global_attribute(_CONTEXT, context)
    try:
        yield
    finally:
        global_state.set_global_attribute(_CONTEXT, outer)


@contextmanager
def own_name_counters() -> Iterator[None]:
    """Keep Keras's numbering of names as the user's own code left it."""
    saved = dict(global_state.get_global_attribute(_COUNTERS) or {})
    try:
        yield
    finally:
        counters = global_state.get_global_attribute(_COUNTERS)
        if counters is not None:
            counters.clear()
            counters.update(saved)


def autocast(dtype: Any) -> AbstractContextManager[Any]:
    """Variables are read in this dtype, as inside a layer that computes in it."""
    return nullcontext() if dtype is None else keras.src.backend.AutocastScope(dtype)


def autocast_dtype() -> Any:
    """The dtype that an enclosing layer has variables read in, or None."""
    scope = keras.src.backend.get_autocast_scope()
    return None if scope is None else scope.dtype


class WatchedVariables(keras.StatelessScope):  # type: ignore[misc]
    """Changes of variables are forgotten, and ``told`` is called whenever one is read."""

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__()
        self._told = told

    def get_current_value(self, variable: Any) -> Any:
        self._told()
        return super().get_current_value(variable)
