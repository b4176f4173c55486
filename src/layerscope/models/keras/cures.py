"""Right results from Keras on TensorFlow where channels come first.

Two faults are cured while a model runs. Keras's addition takes a bias that has the size of its
input's last dimension for one along that dimension, so that a convolution's bias is added along
the width. And TensorFlow without oneDNN has no convolutions with the channels first on a
processor, so that they are computed with the channels last.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, wraps
from typing import Any

import keras

from layerscope.graph import Graph, Node
from layerscope.models.keras.backends import to_array
from layerscope.operations import Convolution

_FIRST = "channels_first"
_lock = threading.Lock()
_users = 0
_originals: list[tuple[Any, str, Any]] = []


@contextmanager
def cured() -> Iterator[None]:
    """Keras with the faults cured, in this process, for as long as anyone is inside."""
    global _users
    if keras.backend.backend() != "tensorflow":
        yield
        return
    with _lock:
        if not _users:
            _originals.extend(_replace(*fault) for fault in _faults())
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            while not _users and _originals:
                setattr(*_originals.pop())


def with_faults(graph: Graph) -> Graph:
    """The graph with every convolution marked whose bias Keras itself would add along the width."""
    if keras.backend.backend() != "tensorflow" or not _adds_along_width():
        return graph
    fault = (
        f"its bias is added along the channels; Keras {keras.__version__} on TensorFlow would "
        "add it along the width, since both have the same size"
    )
    nodes = (replace(node, fault=fault) if _is_hit(node) else node for node in graph)
    return replace(graph, nodes=tuple(nodes))


def notes_of(graph: Graph) -> tuple[str, ...]:
    """A note for every node with a fault."""
    return tuple(f"{node.name}: {node.fault}" for node in graph if node.fault)


def _is_hit(node: Node) -> bool:
    return (
        isinstance(node.operation, Convolution)
        and node.operation.data_format == _FIRST
        and node.operation.use_bias
        and len(node.shape) > 2
        and node.shape[1] == node.shape[-1]
    )


def _replace(module: Any, name: str, cure: Callable[[Any], Any]) -> tuple[Any, str, Any]:
    original = getattr(module, name)
    setattr(module, name, cure(original))
    return module, name, original


@cache
def _faults() -> tuple[tuple[Any, str, Callable[[Any], Any]], ...]:
    backend = keras.src.backend
    found: list[tuple[Any, str, Callable[[Any], Any]]] = []
    if _adds_along_width():
        found.append((backend.numpy, "add", _adding_in_place))
    if not _convolves_channels_first():
        found += [(backend.nn, name, _channels_last) for name in ("conv", "conv_transpose")]
    return tuple(found)


@cache
def _adds_along_width() -> bool:
    """Whether Keras adds a bias of shape (1, 2, 1) along the last dimension, of size 2."""
    bias = keras.ops.reshape(keras.ops.convert_to_tensor([0.0, 1.0]), (1, 2, 1))
    added = keras.src.backend.numpy.add(keras.ops.zeros((1, 2, 2)), bias)
    return bool(to_array(added)[0, 0, 1])


@cache
def _convolves_channels_first() -> bool:
    try:
        keras.src.backend.nn.conv(
            keras.ops.zeros((1, 1, 2, 2)), keras.ops.zeros((1, 1, 1, 1)), data_format=_FIRST
        )
    except Exception:
        return False
    return True


def _adding_in_place(original: Any) -> Any:
    @wraps(original)
    def add(x1: Any, x2: Any) -> Any:
        shape = getattr(x2, "shape", ())
        rank = len(getattr(x1, "shape", ()))
        large = [i for i, size in enumerate(shape) if size != 1]
        if rank == len(shape) > 1 and len(large) == 1 and large[0] != rank - 1:
            import tensorflow as tf

            dtype = keras.backend.result_type(x1.dtype, x2.dtype)
            return tf.add(keras.ops.cast(x1, dtype), keras.ops.cast(x2, dtype))
        return original(x1, x2)

    return add


def _channels_last(original: Any) -> Any:
    arguments = inspect.signature(original)

    @wraps(original)
    def convolve(*args: Any, **kwargs: Any) -> Any:
        given = arguments.bind(*args, **kwargs).arguments
        if given.get("data_format") != _FIRST:
            return original(*args, **kwargs)
        inputs = given.pop("inputs")
        rank = len(inputs.shape)
        last = keras.ops.transpose(inputs, (0, *range(2, rank), 1))
        made = original(last, **{**given, "data_format": "channels_last"})
        return keras.ops.transpose(made, (0, rank - 1, *range(1, rank - 1)))

    return convolve
