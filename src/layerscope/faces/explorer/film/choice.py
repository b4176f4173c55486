"""Choice: a few epochs out of many, evenly spread, with those that must be there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from layerscope.errors import SelectionError


def spread(epochs: Sequence[int], count: int, always: Collection[int] = ()) -> tuple[int, ...]:
    """At most ``count`` of the epochs, evenly spread, or as few as must be there.

    epochs: in order. always: the first and the last are there in any case, and so are these.

    >>> spread(range(31), 6, [26])
    (0, 8, 15, 22, 26, 30)
    """
    if count >= len(epochs):
        return tuple(epochs)
    held = {epochs[0], epochs[-1], *(epoch for epoch in always if epoch in set(epochs))}
    for even in range(count, 1, -1):
        places = np.linspace(0, len(epochs) - 1, even).round().astype(int)
        chosen = held | {epochs[place] for place in places.tolist()}
        if len(chosen) <= count:
            return tuple(sorted(chosen))
    return tuple(sorted(held))


def halved(epochs: Sequence[int], most: int, best: int | None = None) -> tuple[int, ...]:
    """At most ``most`` epochs and two more: every one, every second, every fourth …

    So that the choice stays as it is while epochs are added. The last and the best are there.

    >>> halved(range(10), 4)
    (0, 4, 8, 9)
    """
    stride = 1
    while len(epochs) > most * stride:
        stride *= 2
    always = {*epochs[-1:], *({best} & {*epochs} if stride > 1 else ())}
    return tuple(sorted({*epochs[::stride], *always}))


def parse_epochs(text: str, epochs: Sequence[int], best: int | None) -> tuple[int, ...]:
    """Epochs from text such as ``"0,10,best,last"``; each must be recorded.

    Raises SelectionError for one that is not.
    """
    named = {"first": epochs[0], "last": epochs[-1]} | ({} if best is None else {"best": best})
    chosen = set()
    for part in (part.strip() for part in text.split(",")):
        number = named.get(part, int(part) if part.isascii() and part.isdigit() else None)
        if number is None:
            words = ", ".join(named)
            raise SelectionError(
                f"expected recorded epochs but got {text!r}. Write numbers or {words}, with "
                "commas between them, such as 0,10,last."
            )
        if number not in epochs:
            raise SelectionError(f"epoch {number} is not recorded; there are: {told(epochs)}")
        chosen.add(number)
    return tuple(sorted(chosen))


def told(epochs: Sequence[int]) -> str:
    """Epochs in words, in brief where they are evenly spaced.

    >>> told([0, 2, 4, 6]), told([0, 1, 5])
    ('0 to 6, every 2nd', '0, 1, 5')
    """
    steps = {after - before for before, after in pairwise(epochs)}
    if len(epochs) > 3 and len(steps) == 1:
        step = steps.pop()
        every = "" if step == 1 else f", every {_ordinal(step)}"
        return f"{epochs[0]} to {epochs[-1]}{every}"
    brief = ", ".join(map(str, epochs[:12]))
    return brief if len(epochs) <= 12 else f"{brief} … {epochs[-1]}"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else ending}"
