"""An array or picture that cannot be fed: how it seems to be laid out, and the cure."""

from __future__ import annotations

from collections.abc import Iterator

from layerscope.axes import Axes
from layerscope.explain.checkup.finding import Finding
from layerscope.graph import Node


def misfit(node: Node, what: str, shape: tuple[int, ...], why: str) -> Finding:
    """The finding for an array or picture that cannot be fed to an input because of its shape.

    why: the message of the error that said so. The cure is worked out for this very array.
    """
    for axes, sizes in _readings(node, shape):
        moved = _moved(axes, sizes, shape)
        if moved is None:
            continue
        come, want = ("first", "last") if moved[1] == -1 else ("last", "first")
        return Finding(
            "error",
            "input-layout",
            node.name,
            f"{_named(what)} has the shape {shape}, which is laid out channels {come}, and the "
            f"input {node.name} takes {axes.describe(sizes)}: channels {want}.",
            f"Give numpy.moveaxis(array, {moved[0]}, {moved[1]}), of shape {moved[2]}.",
        )
    for axes, sizes in _readings(node, shape):
        if axes.kind != "maps" or axes.channel is None or sizes[axes.channel] is None:
            continue
        has, wants = shape[axes.channel], sizes[axes.channel]
        return Finding(
            "error",
            "input-channels",
            node.name,
            f"{_named(what)} has the shape {shape}, read as {axes.describe(shape)}, and the input "
            f"{node.name} takes {wants} {'channel' if wants == 1 else 'channels'}, not {has}.",
            _channel_cure(axes, sizes, shape),
        )
    seen, _, cure = why.rpartition(". ")
    if not seen:
        seen, cure = why, "Give an array of the shape that it takes"
    return Finding(
        "error",
        "input-layout",
        node.name,
        sentence(seen),
        sentence(cure),
    )


def sentence(text: str) -> str:
    """Words of ours as a sentence; the name of a file at the start stays as it is.

    >>> sentence("the array is empty"), sentence("cat.npy is empty.")
    ('The array is empty.', 'cat.npy is empty.')
    """
    return f"{_named(text).rstrip('.')}."


def _named(text: str) -> str:
    return f"The {text[4:]}" if text.startswith("the ") else text


def _readings(node: Node, shape: tuple[int, ...]) -> Iterator[tuple[Axes, tuple[int | None, ...]]]:
    """The input's axes and sizes with as many dimensions as the array has: a batch or one."""
    axes, sizes = node.axes, node.shape
    if not axes.known and len(sizes) == 4:
        axes = Axes.usual(4)
    if len(shape) == len(axes):
        yield axes, sizes
    elif len(shape) == len(axes) - 1 and axes.batch is not None:
        left = [i for i in range(len(axes)) if i != axes.batch]
        yield Axes(tuple(axes.names[i] for i in left)), tuple(sizes[i] for i in left)


def _moved(
    axes: Axes, sizes: tuple[int | None, ...], shape: tuple[int, ...]
) -> tuple[int, int, tuple[int, ...]] | None:
    """Where the channel axis is and where it must go, if moving it makes the array fit."""
    channel = axes.channel
    if channel is None or axes.spatial == () or sizes[channel] is None:
        return None
    first, last = (0 if axes.batch is None else 1), len(shape) - 1
    source = last if channel == first else first
    if source == channel or shape[source] != sizes[channel] or shape[channel] == sizes[channel]:
        return None
    order = [i for i in range(len(shape)) if i != source]
    order.insert(channel, source)
    made = tuple(shape[i] for i in order)
    # Pictures are resized, so that only other arrays must agree in every size.
    exact = axes.kind != "maps"
    if exact and any(size not in (None, has) for size, has in zip(sizes, made, strict=True)):
        return None
    return source, -1 if channel == last else channel, made


def _channel_cure(axes: Axes, sizes: tuple[int | None, ...], shape: tuple[int, ...]) -> str:
    channel = axes.channel
    assert channel is not None
    plane = tuple(size for i, size in enumerate(sizes) if i != channel)
    if axes.batch is None and sizes[channel] == 1 and shape[1:] == plane:
        index = "[:, None]" if channel == 0 else "[..., None]"
        return f"If these are {shape[0]} samples without a channel axis, give array{index}."
    return "Give an array with that many channels; a picture file is turned to 1, 3 or 4."
