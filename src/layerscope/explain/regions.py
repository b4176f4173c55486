"""Regions: the elements of one array that are wanted, as products of one mask for each axis."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from layerscope.explain.reads import Masks

_MOST = 16


@dataclass
class Regions:
    """Products of masks, none of which holds another, whose union is what is wanted.

    One for a plain network; more where branches take parts of one array that differ along more
    than one axis, such as a few channels at one place and others around it. exact: whether the
    union is no larger than what was added.
    """

    held: list[Masks] = field(default_factory=list)
    exact: bool = True

    def add(self, masks: Masks) -> None:
        """Want these elements too; what is empty along an axis is nothing."""
        if not all(mask.any() for mask in masks):
            return
        while True:
            if any(_within(masks, other) for other in self.held):
                return
            self.held = [other for other in self.held if not _within(other, masks)]
            beside = next((i for i, other in enumerate(self.held) if _apart(masks, other) == 1), -1)
            if beside < 0:
                break
            masks = _joined(masks, self.held.pop(beside))
        self.held.append(masks)
        if len(self.held) > _MOST:
            self.exact = False
            whole = self.held[0]
            for other in self.held[1:]:
                whole = _joined(whole, other)
            self.held = [whole]

    def hull(self, axis: int) -> tuple[int, int]:
        """The first and last wanted place along an axis, half-open; (0, 0) for none."""
        places = [np.flatnonzero(masks[axis]) for masks in self.held]
        if not places:
            return 0, 0
        return min(int(at[0]) for at in places), max(int(at[-1]) for at in places) + 1


def _within(masks: Masks, other: Masks) -> bool:
    return not any((own & ~theirs).any() for own, theirs in zip(masks, other, strict=True))


def _apart(masks: Masks, other: Masks) -> int:
    """Along how many axes two regions differ."""
    pairs = zip(masks, other, strict=True)
    return sum(not np.array_equal(own, theirs) for own, theirs in pairs)


def _joined(masks: Masks, other: Masks) -> Masks:
    return tuple(own | theirs for own, theirs in zip(masks, other, strict=True))
