"""Settling what was left open: size, range and colour, each with the reason to record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from layerscope.axes import Axes, Axis
from layerscope.errors import InputError, ShapeError
from layerscope.hints import Hints
from layerscope.inputs.ranges import needs_rgb
from layerscope.inputs.settings import Preprocessing
from layerscope.inputs.target import Target


@dataclass(frozen=True)
class Choice:
    """A setting and why it is so."""

    value: str
    reason: str


def settle_range(target: Target, asked: Preprocessing, hints: Hints, picture: bool) -> Choice:
    """The range of values to feed."""
    if asked.range is not None:
        if target.whole_numbers and asked.range not in ("0..255", "as-is"):
            raise InputError(
                f"range {asked.range} needs fractions, and input {target.node.name!r} takes "
                f"whole numbers ({target.node.dtype}): choose 0..255 or as-is"
            )
        return Choice(asked.range, "asked for")
    if not picture:
        return Choice("as-is", "auto: an array")
    if target.whole_numbers:
        return Choice("0..255", f"auto: the input takes {target.node.dtype}")
    if hints.range is not None:
        return Choice(hints.range, f"auto: {hints.reason or 'the model says so'}")
    if hints.doubt:
        return Choice("0..1", f"auto: {hints.doubt}; if trained on another one, give --range")
    return Choice("0..1", "auto: a picture, and the model has no rescaling layer")


def settle_color(
    target: Target, asked: Preprocessing, hints: Hints, range: str, picture: bool
) -> Choice | None:
    """The order of the channels or grey, or None where nothing is to be done."""
    channels = target.size(Axis.CHANNEL)
    if asked.color is None:
        if hints.color is None or not picture:
            return None
        choice = Choice(hints.color, f"auto: {hints.reason or 'the model says so'}")
    else:
        choice = Choice(asked.color, "asked for")
        if choice.value != "gray" and channels == 1:
            raise InputError(
                f"color {choice.value} gives 3 channels; {target}. Choose gray or leave it out"
            )
        if range == "caffe" and choice.value == "rgb":
            raise InputError("range caffe puts the channels in BGR order: leave color rgb out")
    if choice.value == "bgr" and range == "caffe":
        return None
    return choice


def check_range_fits(range: str, channels: int, target: Target) -> None:
    """Raise InputError where a range for RGB meets another number of channels."""
    if needs_rgb(range) and channels != 3:
        raise InputError(
            f"range {range} needs the 3 channels of RGB; {target}. Choose another range"
        )


def settle_size(
    target: Target, asked: Preprocessing, hints: Hints, own: tuple[int, int]
) -> tuple[int, int]:
    """The height and width to feed, in pixels."""
    fixed = (target.size(Axis.HEIGHT), target.size(Axis.WIDTH))
    if asked.size is not None:
        if any(f is not None and f != a for f, a in zip(fixed, asked.size, strict=True)):
            raise InputError(
                f"size {asked.size[0]}×{asked.size[1]} does not fit: {target}. Leave it out"
            )
        return asked.size
    fallback = hints.size or own
    return (fixed[0] or fallback[0], fixed[1] or fallback[1])


def as_maps(
    target: Target, asked: Preprocessing, own: tuple[int, int], what: str
) -> tuple[Target, str | None]:
    """An input that is no picture, seen as one, for a picture that is given to it.

    Two axes are taken as rows and columns, one as a picture laid out row by row; the sizes
    must agree unless a size was asked for. Also the step to record.
    """
    if target.is_maps:
        return target, None
    height, width = asked.size or own
    if len(target.letters) == 2:
        if asked.size is None and any(
            size not in (None, given) for size, given in zip(target.sizes, own, strict=True)
        ):
            raise _no_picture(target, own, what, "")
        words = " and ".join(axis.word for axis in target.letters)
        return _seen_as(target, target.sizes), f"its rows and columns given as {words}"
    if len(target.letters) == 1 and target.sizes[0] is not None:
        channels, rest = divmod(target.sizes[0], height * width)
        if rest == 0 and channels in (1, 3, 4):
            words = f"flattened row by row to {target.sizes[0]} values"
            return _seen_as(target, (height, width, channels)), words
        raise _no_picture(target, own, what, f" ({height}×{width} pixels)")
    raise _no_picture(target, own, what, "")


def _seen_as(target: Target, sizes: tuple[int | None, ...]) -> Target:
    axes = Axes.parse("NHWC"[: len(sizes) + 1])
    return Target(replace(target.node, shape=(None, *sizes), axes=axes), axes)


def _no_picture(target: Target, own: tuple[int, int], what: str, asked: str) -> ShapeError:
    return ShapeError(
        f"{what} is a picture, height {own[0]}, width {own[1]}{asked}; {target}, which is no "
        "picture. Give an array of that shape, or a size that makes as many values",
        *(what, own, target.node.name),
    )
