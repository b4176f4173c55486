"""Drawing: the options of a picture, read from a command line's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.errors import OutputError, SelectionError
from layerscope.render.colormap import parse_colormap
from layerscope.render.figure import parse_format
from layerscope.render.scale import Scale, parse_clip, parse_scale

Channels = Sequence[int | slice]


@dataclass(frozen=True)
class Drawing:
    """How pictures are drawn; the fields are those of ``draw``, and the file's format.

    >>> Drawing.parse(channels="6,15,20:24", scale="0,1").options()["channels"]
    (6, 15, slice(20, 24, None))
    """

    channels: tuple[int | slice, ...] | None = None
    colormap: str | None = None
    scale: Scale = "channel"
    clip: float | None = None
    zoom: int | None = None
    columns: int | None = None
    format: str = "png"

    @classmethod
    def parse(
        cls,
        channels: Channels | int | str | None = None,
        colormap: str | None = None,
        scale: str | tuple[float, float] | None = None,
        clip: float | str | None = None,
        zoom: int | None = None,
        columns: int | None = None,
        format: str | None = None,
    ) -> Drawing:
        """Options from words; what is None keeps its default.

        channels: a number, numbers and slices, or a text as in ``"6,15,20:24"``. scale:
        ``"channel"``, ``"layer"``, ``"symmetric"`` or ``"LO,HI"``. clip: a percentile. Raises
        SelectionError for channels, OutputError for the others; each names what is allowed.
        """
        chosen = parse_scale("channel" if scale is None else scale)
        return cls(
            channels=None if channels is None else tuple(as_channels(channels)),
            colormap=None if colormap is None else parse_colormap(colormap),
            scale=chosen,
            clip=parse_clip(_number(clip), chosen),
            zoom=parse_count(zoom, "zoom"),
            columns=parse_count(columns, "columns"),
            format="png" if format is None else parse_format(format),
        )

    def options(self) -> dict[str, Any]:
        """The options of ``draw``: all fields but the format."""
        return {
            "channels": self.channels,
            "colormap": self.colormap,
            "scale": self.scale,
            "clip": self.clip,
            "zoom": self.zoom,
            "columns": self.columns,
        }


def parse_channels(text: str) -> tuple[int | slice, ...]:
    """Channels from text: numbers and half-open ranges with commas between them."""
    try:
        parts = tuple(_channel(part.strip()) for part in text.split(","))
    except ValueError:
        raise SelectionError(
            f"expected channels but got {text!r}. Write numbers and half-open ranges with "
            "commas between them, such as 6,15,20:24."
        ) from None
    return parts


def parse_count(count: int | None, what: str) -> int | None:
    """A whole number from 1, or None. Raises OutputError for another."""
    if count is not None and (isinstance(count, bool) or int(count) != count or count < 1):
        raise OutputError(f"expected a whole number from 1 for {what} but got {count!r}.")
    return None if count is None else int(count)


def choose(channels: Channels | int | str | None, count: int, name: str) -> list[int]:
    """The channels asked for, out of ``count``; all of them for None.

    Raises SelectionError where one does not exist or none is left.
    """
    if channels is None:
        return list(range(count))
    chosen: list[int] = []
    for part in as_channels(channels):
        if isinstance(part, slice):
            chosen.extend(range(count)[part])
        elif -count <= part < count:
            chosen.append(int(part) % count)
        else:
            raise _no_channel(name, count, f"channel {part}")
    if not chosen:
        raise _no_channel(name, count, "none of them")
    return list(dict.fromkeys(chosen))


def as_channels(channels: Channels | int | str) -> Channels:
    """A channel, a text such as ``"6,20:24"``, or a sequence of numbers and slices."""
    if isinstance(channels, str):
        return parse_channels(channels)
    return (int(channels),) if isinstance(channels, int) else channels


def _no_channel(name: str, count: int, asked: str) -> SelectionError:
    has = f"channels 0 to {count - 1}" if count else "no channels"
    return SelectionError(f"{name!r} has {has}, but {asked} was asked for. Choose others.")


def _channel(part: str) -> int | slice:
    if ":" not in part:
        return int(part)
    start, stop = part.split(":")
    return slice(int(start) if start else None, int(stop) if stop else None)


def _number(clip: float | str | None) -> float | None:
    try:
        return None if clip is None else float(clip)
    except ValueError:
        raise OutputError(
            f"expected a percentile to clip at but got {clip!r}. Give a number above 50 and up "
            "to 100, such as 99."
        ) from None
