"""What an input of the network takes, and how an array's dimensions are read for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from layerscope.axes import Axes, Axis
from layerscope.errors import InputError, ShapeError
from layerscope.graph import Node


@dataclass(frozen=True)
class Target:
    """One input of the network, seen as what one sample of it must be.

    node: the input. axes: its axes; where the model leaves them open, the usual ones.
    """

    node: Node
    axes: Axes

    @classmethod
    def of(cls, node: Node) -> Target:
        """The target of an input; four unknown axes are taken for a batch of pictures."""
        if not node.axes.known and len(node.shape) == 4:
            return cls(node, Axes.usual(4))
        return cls(node, node.axes)

    @cached_property
    def letters(self) -> tuple[Axis, ...]:
        """The axes of one sample."""
        return tuple(axis for axis in self.axes.names if axis is not Axis.BATCH)

    @cached_property
    def sizes(self) -> tuple[int | None, ...]:
        """The sizes of one sample, None where free."""
        return tuple(
            size
            for axis, size in zip(self.axes.names, self.node.shape, strict=True)
            if axis is not Axis.BATCH
        )

    def size(self, axis: Axis) -> int | None:
        """The size along an axis: None where it is free, 1 where there is no such axis."""
        return self.sizes[self.letters.index(axis)] if axis in self.letters else 1

    @property
    def is_maps(self) -> bool:
        """Whether a sample is a picture: height, width and perhaps channel."""
        return self.axes.kind == "maps"

    @property
    def is_setting(self) -> bool:
        """Whether it takes one number for the whole batch, such as ``keep_prob``."""
        return self.node.shape == ()

    @property
    def takes_number(self) -> bool:
        """Whether a sample can be given as one number."""
        return all(size == 1 for size in self.sizes) and not self.is_maps

    @property
    def whole_numbers(self) -> bool:
        """Whether the input takes integers."""
        return self.dtype.kind in "iu"

    @cached_property
    def dtype(self) -> np.dtype[np.generic]:
        """The type to feed; float32 for types that NumPy does not have, such as bfloat16."""
        name = self.node.dtype
        if name in ("bfloat16", "") or name.startswith("float8"):
            return np.dtype(np.float32)
        try:
            dtype = np.dtype(name)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind not in "biuf":
            raise InputError(
                f"input {self.node.name!r} takes values of type {name}, and pictures and arrays "
                "are numbers: choose another input of the model"
            )
        return dtype

    def __str__(self) -> str:
        return f"input {self.node.name!r} takes {self.wanted}"

    @property
    def wanted(self) -> str:
        """One sample in words."""
        return self.in_words(self.sizes)

    def in_words(self, sizes: tuple[int | None, ...]) -> str:
        """Sizes of one sample, each after its axis."""
        return Axes(self.letters).describe(sizes) or "one number"


@dataclass(frozen=True)
class Reading:
    """How an array is read: a batch of ``count`` samples or one (None), channel axis to add."""

    count: int | None
    add_channel: bool = False


def read_dimensions(shape: tuple[int, ...], target: Target, what: str) -> Reading:
    """How an array of this shape stands for samples; raises InputError where it cannot.

    what: the file or array, for the message.
    """
    if not target.is_maps:
        return _exact(shape, target, what)
    rank, batch = len(target.letters), target.axes.batch
    if batch is not None and len(shape) == rank + 1:
        _check_channels(shape, target, what, target.axes)
        return Reading(shape[batch])
    if len(shape) == rank:
        _check_channels(shape, target, what, Axes(target.letters))
        return Reading(None)
    if len(shape) == 2 and rank == 3:
        if target.size(Axis.CHANNEL) not in (None, 1, 3):
            raise ShapeError(
                f"{what} has shape {shape}, a matrix; {target}. "
                "A matrix can become 1 or 3 channels",
                *(what, shape, target.node.name),
            )
        return Reading(None, add_channel=True)
    raise _wrong_rank(shape, target, what)


def _exact(shape: tuple[int, ...], target: Target, what: str) -> Reading:
    """Vectors, sequences and volumes are never stretched: sizes must agree."""
    rank, batch = len(target.letters), target.axes.batch
    batched = batch is not None and len(shape) == rank + 1
    if batch is not None and batched:
        if _agree((*shape[:batch], *shape[batch + 1 :]), target.sizes):
            return Reading(shape[batch])
    elif len(shape) == rank and _agree(shape, target.sizes):
        return Reading(None)
    if target.size(Axis.CHANNEL) in (1, None) and target.letters[-1:] == (Axis.CHANNEL,):
        if _agree(shape, target.sizes[:-1]):
            return Reading(None, add_channel=True)
        if batch == 0 and _agree(shape[1:], target.sizes[:-1]):
            return Reading(shape[0], add_channel=True)
    if batched or len(shape) == rank:
        axes = target.axes if batched else Axes(target.letters)
        raise ShapeError(
            f"{what} has shape {shape}, read as {axes.describe(shape)}; {target}. "
            "The sizes must agree: only pictures and matrices are resized",
            *(what, shape, target.node.name),
        )
    raise _wrong_rank(shape, target, what)


def _agree(shape: tuple[int, ...], sizes: tuple[int | None, ...]) -> bool:
    return len(shape) == len(sizes) and all(
        size is None or size == given for given, size in zip(shape, sizes, strict=True)
    )


def _wrong_rank(shape: tuple[int, ...], target: Target, what: str) -> ShapeError:
    dimensions = "1 dimension" if len(shape) == 1 else f"{len(shape)} dimensions"
    ways = f"{len(target.letters)} for one sample"
    if target.is_maps and len(target.letters) == 3:
        ways = f"2 (a matrix), {ways}"
    if target.axes.batch is not None:
        ways += f" or {len(target.letters) + 1} for a batch"
    return ShapeError(
        f"{what} has shape {shape}: {dimensions}; {target}. Give an array with {ways}",
        *(what, shape, target.node.name),
    )


def _check_channels(shape: tuple[int, ...], target: Target, what: str, axes: Axes) -> None:
    """Whether the channels of an array can become the network's; its size may differ.

    axes: those of the array, with or without a batch.
    """
    place = axes.channel
    if place is None:
        return
    has, wants = shape[place], target.size(Axis.CHANNEL)
    if wants is None or has == wants or (has, wants) in ((1, 3), (3, 1)):
        return
    raise ShapeError(
        f"{what} has shape {shape}, read as {axes.describe(shape)}; {target}. "
        + _channel_remedy(shape, target, axes),
        *(what, shape, target.node.name),
    )


def _channel_remedy(shape: tuple[int, ...], target: Target, axes: Axes) -> str:
    """What most likely went wrong with a layout."""
    wants = target.size(Axis.CHANNEL)
    batched = 0 if axes.batch is None else 1
    places = list(range(len(shape)))
    first, last = places[batched], places[-1]
    if axes.channel == last and shape[first] == wants:
        order = [*places[:batched], *places[batched + 1 :], first]
        return f"The array looks channels first: use array.transpose({_commas(order)})"
    if axes.channel == first and shape[last] == wants:
        order = [*places[:batched], last, *places[batched:-1]]
        return f"The array looks channels last: use array.transpose({_commas(order)})"
    plane = tuple(target.size(axis) for axis in target.letters if axis is not Axis.CHANNEL)
    if wants == 1 and not batched and _agree(shape[1:], plane):
        index = "[:, None]" if axes.channel == first else "[..., None]"
        return f"If these are {shape[0]} samples without a channel axis, use array{index}"
    return "The channels must agree"


def _commas(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)
