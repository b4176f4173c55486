"""Node names: the path of layer names, ``@1`` for a second call, ``[1]`` for a further output."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def output_name(call: str, index: int) -> str:
    """The node name of a call's output: ``lstm`` for the first, ``lstm[1]`` for the second."""
    return call if index == 0 else f"{call}[{index}]"


class Namer:
    """Gives every call a node name of its own.

    taken: names that are given to other things already, such as the inputs.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._path = ""
        self._used = set(taken)

    def name(self, own: str, *, anonymous: bool = False) -> str:
        """The next call's name.

        An anonymous operation (made by an expression such as ``x + y``) is numbered as
        Keras numbers names: ``add``, ``add_1``.
        """
        path, mark = self._path + own, "_" if anonymous else "@"
        name, number = path, 0
        while name in self._used:
            number += 1
            name = f"{path}{mark}{number}"
        self._used.add(name)
        return name

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Calls made meanwhile are below this call's name."""
        outer, self._path = self._path, f"{name}/"
        try:
            yield
        finally:
            self._path = outer
