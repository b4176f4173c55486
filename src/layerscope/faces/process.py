"""Settings of the command's own process that a library must not touch."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next layer's maps; elsewhere nothing is done."""
    if sys.platform != "linux":
        return
    import ctypes

    mmap_max, trim_threshold, top_pad = -4, -1, -2
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**30)
        mallopt(top_pad, 2**26)


@contextmanager
def without_collection() -> Iterator[None]:
    """No garbage collection while millions of lasting objects are made: a framework, a model.

    What was made is not looked through again by later collections either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
