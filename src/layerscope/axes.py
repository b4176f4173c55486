"""Axes: which dimension of an array is batch, height, width, channel, step and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Axis(StrEnum):
    """The meaning of one dimension; the value is its letter in tables and manifests."""

    BATCH = "N"
    CHANNEL = "C"
    HEIGHT = "H"
    WIDTH = "W"
    DEPTH = "D"
    STEP = "T"
    HEAD = "A"
    QUERY = "Q"
    KEY = "K"
    OTHER = "?"

    @property
    def word(self) -> str:
        """The axis in words: ``"channel"`` for ``C``."""
        return _WORDS[self]


_WORDS = {
    Axis.BATCH: "batch",
    Axis.CHANNEL: "channel",
    Axis.HEIGHT: "height",
    Axis.WIDTH: "width",
    Axis.DEPTH: "depth",
    Axis.STEP: "step",
    Axis.HEAD: "head",
    Axis.QUERY: "query",
    Axis.KEY: "key",
    Axis.OTHER: "axis",
}
_SPATIAL = (Axis.DEPTH, Axis.HEIGHT, Axis.WIDTH, Axis.STEP)
_SPATIAL_OF_RANK: dict[int, tuple[Axis, ...]] = {
    1: (Axis.STEP,),
    2: (Axis.HEIGHT, Axis.WIDTH),
    3: (Axis.DEPTH, Axis.HEIGHT, Axis.WIDTH),
}


@dataclass(frozen=True)
class Axes:
    """The meaning of every dimension of an array, in order.

    >>> axes = Axes.parse("NHWC")
    >>> axes.channel, axes.spatial, axes.kind
    (3, (1, 2), 'maps')
    >>> axes.describe((None, 148, 148, 32))
    'batch ?, height 148, width 148, channel 32'
    """

    names: tuple[Axis, ...]

    @classmethod
    def parse(cls, letters: str) -> Axes:
        """Axes from their letters, such as ``"NHWC"``, ``"NCHW"``, ``"NTC"`` or ``"NC"``."""
        return cls(tuple(Axis(letter) for letter in letters))

    @classmethod
    def of_convolution(cls, spatial_rank: int, data_format: str) -> Axes:
        """Axes of a convolution's input and output.

        spatial_rank: 1, 2 or 3. data_format: ``"channels_last"`` or ``"channels_first"``.
        """
        spatial = _SPATIAL_OF_RANK[spatial_rank]
        if data_format == "channels_first":
            return cls((Axis.BATCH, Axis.CHANNEL, *spatial))
        return cls((Axis.BATCH, *spatial, Axis.CHANNEL))

    @classmethod
    def unknown(cls, rank: int) -> Axes:
        """A batch axis, and nothing known of the others."""
        return cls((Axis.BATCH, *(Axis.OTHER,) * (rank - 1))[:rank])

    @classmethod
    def usual(cls, rank: int, data_format: str = "channels_last") -> Axes:
        """What an array of this rank most often is: vectors, sequences, maps or volumes."""
        if rank in (3, 4, 5):
            return cls.of_convolution(rank - 2, data_format)
        if rank == 2:
            return cls((Axis.BATCH, Axis.CHANNEL))
        return cls.unknown(rank)

    def __str__(self) -> str:
        return "".join(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def find(self, axis: Axis) -> int | None:
        """The position of an axis, or None."""
        return self.names.index(axis) if axis in self.names else None

    @property
    def batch(self) -> int | None:
        """The position of the batch axis, or None."""
        return self.find(Axis.BATCH)

    @property
    def channel(self) -> int | None:
        """The position of the channel axis, or None."""
        return self.find(Axis.CHANNEL)

    @property
    def spatial(self) -> tuple[int, ...]:
        """Positions of height, width, depth and step axes, in order."""
        return tuple(i for i, name in enumerate(self.names) if name in _SPATIAL)

    @property
    def data_format(self) -> str:
        """``"channels_first"`` where the channel axis precedes a spatial one, else the other."""
        channel, spatial = self.channel, self.spatial
        if channel is not None and spatial and channel < spatial[0]:
            return "channels_first"
        return "channels_last"

    @property
    def known(self) -> bool:
        """Whether every axis has a meaning."""
        return Axis.OTHER not in self.names

    @property
    def kind(self) -> str:
        """What one sample is.

        ``"maps"`` (height, width and perhaps channel), ``"volume"``, ``"sequence"`` (steps),
        ``"vector"`` (channels alone), ``"attention"`` (queries × keys), ``"scalar"``, or
        ``"array"`` for everything else.
        """
        inner = frozenset(self.names) - {Axis.BATCH}
        if Axis.OTHER in inner or len(inner) != len(self.names) - (Axis.BATCH in self.names):
            return "array"
        if {Axis.QUERY, Axis.KEY} <= inner:
            return "attention"
        return _KINDS.get(inner - {Axis.CHANNEL} if len(inner) > 1 else inner, "array")

    def describe(self, shape: Sequence[int | None]) -> str:
        """A shape in words, each size after its axis; ``?`` stands for a free size."""
        sizes = ("?" if size is None else str(size) for size in shape)
        return ", ".join(
            f"{axis.word} {size}" for axis, size in zip(self.names, sizes, strict=True)
        )


_KINDS: dict[frozenset[Axis], str] = {
    frozenset(): "scalar",
    frozenset({Axis.CHANNEL}): "vector",
    frozenset({Axis.STEP}): "sequence",
    frozenset({Axis.HEIGHT, Axis.WIDTH}): "maps",
    frozenset({Axis.DEPTH, Axis.HEIGHT, Axis.WIDTH}): "volume",
    frozenset({Axis.STEP, Axis.HEIGHT, Axis.WIDTH}): "volume",
}
