"""Seeing every call of a Keras layer or operation that the present thread makes.

The methods are patched while at least one watcher is at work, hand on to the original in
every thread that is not watching, and are put back when the last watcher ends.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import keras

Original = Callable[..., Any]


class Watcher(Protocol):
    """What is told of the calls; each method makes the call itself and returns its result."""

    def layer_call(self, layer: Any, original: Original, args: Any, kwargs: Any) -> Any:
        """``layer(*args, **kwargs)`` was called."""

    def operation_call(self, operation: Any, original: Original, args: Any, kwargs: Any) -> Any:
        """An operation that is no layer was called."""

    def symbolic_call(self, operation: Any, original: Original, args: Any, kwargs: Any) -> Any:
        """A layer or operation works out what symbolic tensors it gives."""


_active = threading.local()
_lock = threading.Lock()
_watching = 0
_originals: list[tuple[Any, str, Any]] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Send the calls that this thread makes meanwhile to a watcher."""
    global _watching
    with _lock:
        if _watching == 0:
            _patch()
        _watching += 1
    previous = getattr(_active, "watcher", None)
    _active.watcher = watcher
    try:
        yield
    finally:
        _active.watcher = previous
        with _lock:
            _watching -= 1
            if _watching == 0:
                _restore()


def _patch() -> None:
    layer, operation = keras.Layer, keras.Operation
    records = sys.modules[layer.__module__]
    for owner, name in (
        (layer, "__call__"),
        (layer, "symbolic_call"),
        (operation, "__call__"),
        (operation, "symbolic_call"),
        (records, "Node"),
    ):
        _originals.append((owner, name, vars(owner)[name]))
    layer.__call__ = _sent_on(layer.__call__, "layer_call")
    layer.symbolic_call = _sent_on(layer.symbolic_call, "symbolic_call")
    operation.__call__ = _sent_on(operation.__call__, "operation_call", but_not=layer)
    operation.symbolic_call = _sent_on(operation.symbolic_call, "symbolic_call")
    records.Node = _unless_watching(records.Node)  # type: ignore[attr-defined]


def _sent_on(original: Original, event: str, but_not: type | tuple[()] = ()) -> Original:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        watcher = getattr(_active, "watcher", None)
        if watcher is None or isinstance(self, but_not):
            return original(self, *args, **kwargs)
        return getattr(watcher, event)(self, original, args, kwargs)

    return call


def _unless_watching(original: Original) -> Original:
    """Keras's record of a symbolic call, not made (and the layer not changed) while watching."""

    def record(*args: Any, **kwargs: Any) -> Any:
        watched = getattr(_active, "watcher", None) is not None
        return None if watched else original(*args, **kwargs)

    return record


def _restore() -> None:
    while _originals:
        owner, name, original = _originals.pop()
        setattr(owner, name, original)
