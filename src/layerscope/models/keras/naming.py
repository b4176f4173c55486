"""Node names: the path of layer names, ``@1`` for a second call, ``[1]`` for a further output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


def output_name(call: str, index: int) -> str:
    """The node name of a call's output: ``lstm`` for the first, ``lstm[1]`` for the second."""
    return call if index == 0 else f"{call}[{index}]"


class Namer:
    """Gives every call its node name: the path of layer names, ``@1`` for a second call."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._calls: Counter[str] = Counter()

    def name(self, own: str, *, anonymous: bool = False) -> tuple[str, bool]:
        """The next call's name, and whether the same name was called before.

        An anonymous operation (made by an expression such as ``x + y``) is numbered as
        Keras numbers names: ``add``, ``add_1``.
        """
        path = "/".join((*self._path, own))
        if anonymous:
            base, number = path, 0
            while path in self._calls:
                number += 1
                path = f"{base}_{number}"
        count = self._calls[path]
        self._calls[path] += 1
        return (f"{path}@{count}" if count else path), count > 0

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Calls made meanwhile are below this call's name."""
        self._path.append(name.rpartition("/")[2])
        try:
            yield
        finally:
            self._path.pop()
