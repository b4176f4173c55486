"""Settings of the command's own process that a library must not touch."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


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


@contextmanager
def told_to_end() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, so that nothing half-written stays behind.

    The exit status is 143, as a shell says it of a process that SIGTERM ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        # What is tidied up now is not to be ended too.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
