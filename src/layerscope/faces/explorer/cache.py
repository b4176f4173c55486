"""A cache bounded in bytes: what was used longest ago leaves first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

Key = tuple[Hashable, ...]


class Cache:
    """Values under keys, up to a number of bytes; each is made once however many ask for it.

    limit: bytes that all values together may take; one that is larger is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self._held: OrderedDict[Key, tuple[Any, int]] = OrderedDict()
        self._making: dict[Key, list[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """The value under a key, made where it is not there. size: its bytes."""
        found, value = self._find(key)
        if found:
            return value
        with self._lock:
            waiting = self._making.setdefault(key, [threading.Lock(), 0])
            waiting[1] += 1
        try:
            with waiting[0]:
                found, value = self._find(key)
                if not found:
                    value = make()
                    self.put(key, value, size(value))
                return value
        finally:
            with self._lock:
                waiting[1] -= 1
                if not waiting[1]:
                    self._making.pop(key, None)

    def put(self, key: Key, value: Any, size: int) -> None:
        """Keep a value, at the cost of those not used for longest."""
        with self._lock:
            self._drop(key)
            if size > self.limit:
                return
            self._held[key] = value, size
            self.bytes += size
            while self.bytes > self.limit:
                self._drop(next(iter(self._held)))

    def forget(self, owner: Hashable) -> None:
        """Drop everything under keys that begin with ``owner``."""
        with self._lock:
            for key in [key for key in self._held if key[0] == owner]:
                self._drop(key)

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def _find(self, key: Key) -> tuple[bool, Any]:
        with self._lock:
            if key not in self._held:
                return False, None
            self._held.move_to_end(key)
            return True, self._held[key][0]

    def _drop(self, key: Key) -> None:
        if key in self._held:
            self.bytes -= self._held.pop(key)[1]
