"""Frame: a picture at an epoch, which the page takes for a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from layerscope.faces.explorer.answers.summary import Summary
from layerscope.inputs.record import Array

_ID = re.compile(r"p([0-9]{1,6})e([0-9]{1,9})")


def frame_id(picture: int, epoch: int) -> str:
    """The name of a frame as a run."""
    return f"p{picture}e{epoch}"


def parse_frame(id: str) -> tuple[int, int] | None:
    """The picture and the epoch that a run's name stands for, None for another name.

    >>> parse_frame("p0e12"), parse_frame("r3")
    ((0, 12), None)
    """
    match = _ID.fullmatch(id)
    return None if match is None else (int(match[1]), int(match[2]))


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture at an epoch.

    stamp: changes when the epoch is recorded anew. label: the picture's and the epoch's.
    records: how each input was made, as a manifest has it. summarise: makes the summary, or
    has it still.
    """

    picture: int
    epoch: int
    stamp: tuple[int, int]
    label: str
    records: tuple[Mapping[str, Any], ...]
    preview: Array | None
    summarise: Callable[[], Summary] = field(repr=False)

    @property
    def id(self) -> str:
        """Its name as a run."""
        return frame_id(self.picture, self.epoch)

    @property
    def original(self) -> None:
        """A record holds the picture only as the network saw it."""
        return None

    @property
    def summary(self) -> Summary:
        """Figures and a small picture of every layer."""
        return self.summarise()
