"""Work that can be cancelled, and what it says of its progress."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_PATIENCE = 0.05


class UnwantedError(Exception):
    """Nobody waits for this work any more."""


@dataclass
class Ticket:
    """One piece of work: whether it is still wanted, and how far it is.

    phase, detail: in words, such as ``"running"`` and a picture's name. fraction: from 0 to 1,
    or None where it is not known. version: grows with every change.
    """

    phase: str = "waiting"
    detail: str = ""
    fraction: float | None = None
    version: int = 0
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Say that nobody waits any more."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise UnwantedError where nobody waits any more."""
        if self._cancelled.is_set():
            raise UnwantedError

    def tell(self, phase: str, detail: str = "", fraction: float | None = None) -> None:
        """Say how far the work is; raises UnwantedError where nobody waits any more."""
        self.check()
        self.phase, self.detail, self.fraction = phase, detail, fraction
        self.version += 1

    def as_json(self) -> dict[str, Any]:
        """What a page is told."""
        return {"phase": self.phase, "detail": self.detail, "fraction": self.fraction}


@contextmanager
def turn(lock: threading.Lock, ticket: Ticket) -> Iterator[None]:
    """Wait for a lock as long as the work is wanted, and hold it."""
    while not lock.acquire(timeout=_PATIENCE):
        ticket.check()
    try:
        ticket.check()
        yield
    finally:
        lock.release()
