"""One sample of one input: from decoded values to the array that is fed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from layerscope.axes import Axis
from layerscope.errors import InputError, ShapeError
from layerscope.hints import Hints
from layerscope.inputs.decode import Picture
from layerscope.inputs.fit import resize_picture, resize_values, settle_alpha, to_channels
from layerscope.inputs.geometry import Geometry
from layerscope.inputs.ranges import full_scale, to_range
from layerscope.inputs.record import Array
from layerscope.inputs.settings import Preprocessing
from layerscope.inputs.settle import (
    as_maps,
    check_range_fits,
    settle_color,
    settle_range,
    settle_size,
)
from layerscope.inputs.target import Target
from layerscope.inputs.values import cast, check_finite, preview

_HWC = (Axis.HEIGHT, Axis.WIDTH, Axis.CHANNEL)


@dataclass(frozen=True)
class Sample:
    """One sample in the model's layout, without a batch axis; its steps, preview and geometry."""

    array: Array
    steps: tuple[str, ...]
    preview: NDArray[np.uint8] | None = None
    geometry: Geometry | None = None


@dataclass
class Fitter:
    """Makes samples fit one input of the network, noting each step.

    target: the input. what: the file or array, for messages. picture: whether the values are
    brightness from 0 to 255, and not numbers of a scale of their own.
    """

    target: Target
    asked: Preprocessing
    hints: Hints
    what: str
    picture: bool
    steps: list[str] = field(default_factory=list)

    def maps(self, values: Array, scale: int) -> Sample:
        """Values of shape (height, width, channels) for an input that takes pictures.

        scale: what white is in them, 255 or 1; used where a range is made.
        """
        were_whole = values.dtype.kind != "f"
        own = values.shape[:2]
        values, resized = self._resize(values)
        method = (self.asked.resize or "bilinear") if resized else None
        geometry = Geometry((own[0], own[1]), (values.shape[0], values.shape[1]), method)
        choice = settle_range(self.target, self.asked, self.hints, self.picture)
        color = settle_color(self.target, self.asked, self.hints, choice.value, self.picture)
        grey = color is not None and color.value == "gray"
        wants = self.target.size(Axis.CHANNEL)
        if color is not None and values.shape[-1] not in (1, 3, 4):
            raise InputError(
                f"color {color.value} is for 1, 3 or 4 channels, and {self.what} has "
                f"{values.shape[-1]}: leave it out"
            )
        if wants is None and self.asked.color in ("rgb", "bgr"):
            wants = 3
        values, more = to_channels(values, wants, grey)
        self.steps += more
        seen = preview(values, self.picture)
        check_range_fits(choice.value, values.shape[-1], self.target)
        values = self._range(values, scale)
        if color is not None and color.value == "bgr" and values.shape[-1] > 1:
            values = values[..., [2, 1, 0, 3][: values.shape[-1]]]
            self.steps.append(f"reversed from RGB to BGR ({color.reason})")
        values = self._cast(values, resized or were_whole or self.picture)
        return Sample(self._lay_out(values), tuple(self.steps), seen, geometry)

    def exact(self, values: Array, scale: int) -> Sample:
        """Values for an input that takes vectors, sequences or volumes."""
        asked = self.asked
        if asked.size is not None or asked.color is not None:
            flag = "size" if asked.size is not None else f"color {asked.color}"
            raise InputError(f"{flag} is for pictures; {self.target}. Leave it out")
        if asked.range is not None:
            check_range_fits(asked.range, 0, self.target)
        values = self._cast(self._range(values, scale), False)
        return Sample(values, tuple(self.steps))

    def _resize(self, values: Array) -> tuple[Array, bool]:
        own = (values.shape[0], values.shape[1])
        new = settle_size(self.target, self.asked, self.hints, own)
        free = None in (self.target.size(Axis.HEIGHT), self.target.size(Axis.WIDTH))
        if new == own:
            if free and self.asked.size is None:
                self.steps.append(f"kept its own size {_wxh(own)} (the network takes any)")
            return values, False
        method = self.asked.resize or "bilinear"
        if self.picture:
            values = resize_picture(values, *new, method)
            note = "" if new[0] == new[1] else " (width×height)"  # --size is height×width
            self.steps.append(f"resized {method} to {_wxh(new)}{note}")
        else:
            values = resize_values(values, *new, method)
            self.steps.append(f"interpolated {method} from {_hxw(own)} to {_hxw(new)}")
        if abs(own[0] * new[1] / (own[1] * new[0]) - 1) > 0.01:  # beyond rounding to pixels
            words = _wxh if self.picture else _hxw
            self.steps.append(f"squeezed {words(own)} → {words(new)} (aspect ratio not kept)")
        return values, True

    def _range(self, values: Array, scale: int) -> Array:
        choice = settle_range(self.target, self.asked, self.hints, self.picture)
        if not self.picture and choice.value != "as-is":
            self.steps.append(f"values taken as 0..{scale}")
        values, words = to_range(values, choice.value, scale)
        self.steps.append(f"{words} ({choice.reason})")
        return values

    def _cast(self, values: Array, made_whole: bool) -> Array:
        values, step = cast(values, self.target, self.what, made_whole)
        if step:
            self.steps.append(step)
        if not self.picture and not self.asked.allow_nan:
            check_finite(values, f"{self.what}, as {values.dtype},")
        return values

    def _lay_out(self, values: Array) -> Array:
        letters = self.target.letters
        if Axis.CHANNEL not in letters:
            values = values[..., 0]
        order = tuple(_HWC.index(axis) for axis in letters)
        if self.picture and letters and letters[0] is Axis.CHANNEL:
            self.steps.append("transposed to channels first (channel, height, width)")
        return np.ascontiguousarray(values.transpose(order))


def from_picture(
    picture: Picture, target: Target, asked: Preprocessing, hints: Hints, what: str
) -> Sample:
    """A decoded picture, made to fit an input of the network."""
    height, width, has = picture.pixels.shape
    maps, note = as_maps(target, asked, (height, width), what)
    wants = maps.size(Axis.CHANNEL)
    if wants not in (None, 1, 3, 4):
        raise ShapeError(
            f"{what} is a picture, height {height}, width {width}, channel {has}; {target}. "
            f"A picture has 1, 3 or 4 channels and cannot become {wants}: give an array",
            *(what, (height, width, has), target.node.name),
        )
    scale = 255
    if picture.measured:
        scale = white(picture.pixels, asked, what)
        if not asked.allow_nan:
            check_finite(picture.pixels[..., 0], what)
    else:
        picture = settle_alpha(picture, keep=wants == 4)
    fitter = Fitter(maps, asked, hints, what, not picture.measured, list(picture.steps))
    sample = fitter.maps(picture.pixels, scale)
    if note is None:
        return sample
    array = sample.array.reshape(-1) if len(target.letters) == 1 else sample.array
    return Sample(array, (*sample.steps, note), sample.preview)


def from_array(
    array: Array,
    target: Target,
    asked: Preprocessing,
    what: str,
    steps: list[str],
    *,
    add_channel: bool,
    scale: int,
) -> Sample:
    """One sample of an array in the model's own layout, made to fit an input of the network.

    add_channel: the array lacks the channel axis. scale: what white is in it, 255 or 1.
    """
    if not asked.allow_nan:
        check_finite(array, what)
    fitter = Fitter(target, asked, Hints(), what, False, steps)
    if add_channel:
        fitter.steps.append("a channel axis added")
    if not target.is_maps:
        return fitter.exact(array[..., None] if add_channel else array, scale)
    letters = tuple(a for a in target.letters if not (add_channel and a is Axis.CHANNEL))
    order = tuple(letters.index(axis) for axis in _HWC if axis in letters)
    values = array.transpose(order)
    return fitter.maps(values if values.ndim == 3 else values[..., None], scale)


def white(array: Array, asked: Preprocessing, what: str) -> int:
    """What white is in an array: 255 or 1; looked for only where a range was asked for."""
    if asked.range is None or asked.range == "as-is":
        return 255
    return full_scale(array, what, asked.range)


def _wxh(size: tuple[int, int]) -> str:
    return f"{size[1]}×{size[0]}"


def _hxw(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
