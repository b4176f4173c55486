"""Holding what a model's layers would allocate against what its file stores."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from layerscope.errors import ModelError

_LARGEST_GROWTH = 8
_SMALL = 64 * 2**20


@contextmanager
def no_more_than_stored(path: Path, stored: int) -> Iterator[None]:
    """Refuse layers whose weights are far larger than the file, before they take any memory.

    stored: bytes of the file that holds the weights. Raises ModelError within the block.
    """
    import keras

    limit = max(_SMALL, _LARGEST_GROWTH * stored)
    add_weight, thread = keras.layers.Layer.add_weight, threading.get_ident()
    declared = 0

    def counted(self: Any, shape: Any = None, *args: Any, **kwargs: Any) -> Any:
        nonlocal declared
        if threading.get_ident() == thread:
            declared += 4 * math.prod(_sizes(shape))
            if declared > limit:
                raise MemoryError
        return add_weight(self, shape, *args, **kwargs)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    except Exception:
        # Keras may have wrapped the error on its way here, so the count tells.
        if declared <= limit:
            raise
        raise ModelError(
            f"{path} declares layers with weights of {declared:,} bytes, but stores "
            f"{stored:,}. No Keras model looks like this; the file was not read."
        ) from None
    finally:
        keras.layers.Layer.add_weight = add_weight


def _sizes(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, int):
        return (shape,)
    return tuple(size for size in shape or () if isinstance(size, int))
