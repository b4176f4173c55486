"""Findings: what looks wrong with a network, its input or its activations."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""From worst to mildest: the result is wrong, is probably wrong, is good to know."""


@dataclass(frozen=True)
class Kind:
    """What the findings of one code are about.

    seen: what is looked for. needs: ``"model"`` where that suffices, ``"input"`` where one has
    to be given, ``"either"`` where an input tells more. levels: those that such findings have.
    """

    seen: str
    needs: Literal["model", "input", "either"]
    levels: tuple[Level, ...]


CODES: dict[str, Kind] = {
    "layout": Kind(
        "the input's shape has its channels first where the network reads them last, or the "
        "reverse: several signs are weighed, such as a picture one row high with as many "
        "channels as columns",
        "model",
        ("error", "warning"),
    ),
    "input-layout": Kind(
        "the array is laid out another way than the network reads it, or has a shape that does "
        "not fit; a picture is squeezed",
        "input",
        ("error", "warning", "note"),
    ),
    "input-range": Kind(
        "the input's values are not those that the network expects: 0 to 1 where it divides by "
        "255, pixels from 0 to 255 where it does not, no mean subtracted",
        "input",
        ("error", "warning", "note"),
    ),
    "input-channels": Kind(
        "the input has another number of channels; grey is fed to a network for colour, or the "
        "reverse",
        "input",
        ("error", "note"),
    ),
    "backend-bug": Kind(
        "the framework computes this layer wrongly, and layerscope puts it right",
        "model",
        ("warning",),
    ),
    "summed-channels": Kind(
        "a convolution has several input channels: why it makes as many maps as it has filters, "
        "and not filters × channels",
        "model",
        ("note",),
    ),
    "collapsed": Kind(
        "the maps have shrunk to nothing, or to one value each before a further convolution",
        "either",
        ("error", "note"),
    ),
    "kernel-larger-than-input": Kind(
        "a kernel is larger than the maps that it is applied to",
        "either",
        ("warning", "note"),
    ),
    "skipping-stride": Kind(
        "a stride is so large that some positions are never read",
        "model",
        ("warning", "note"),
    ),
    "dead": Kind(
        "channels are 0 everywhere behind a rectifier, or hold one number everywhere",
        "input",
        ("error", "warning", "note"),
    ),
    "saturated": Kind(
        "most values of a sigmoid or tanh are at its ends",
        "input",
        ("warning", "note"),
    ),
    "not-finite": Kind(
        "NaN or infinite values in the weights, in the input, or in the first layer that makes "
        "them",
        "either",
        ("error",),
    ),
    "scale-drift": Kind(
        "the standard deviation explodes or vanishes from layer to layer",
        "input",
        ("warning", "note"),
    ),
    "training-mode": Kind(
        "dropout or batch normalisation runs as in training because the model says so",
        "model",
        ("warning",),
    ),
    "untrained": Kind(
        "weights are all 0, or still as an initializer makes them",
        "model",
        ("warning",),
    ),
    "duplicate-filters": Kind(
        "filters of a layer are the same",
        "model",
        ("warning", "note"),
    ),
}  # fmt: skip
"""Every code that a finding can have."""


@dataclass(frozen=True)
class Finding:
    """One thing that looks wrong, or is good to know.

    level: ``"error"`` (the result is wrong), ``"warning"`` (it probably is) or ``"note"`` (good
    to know). code: one of a fixed list, for scripts. node: the name of the layer or input, None
    for the whole network. message: what is seen, in a sentence. remedy: what to do.
    """

    level: Level
    code: str
    node: str | None
    message: str
    remedy: str

    def __post_init__(self) -> None:
        assert self.level in CODES[self.code].levels, (self.code, self.level)

    def as_json(self) -> dict[str, Any]:
        """The finding as a manifest holds it."""
        return asdict(self)


def listed(numbers: tuple[int, ...] | list[int], most: int = 8) -> str:
    """The first few of many numbers.

    >>> listed([3, 5]), listed(list(range(20)), 3)
    ('3 and 5', '0, 1, 2 and 17 more')
    """
    return named([str(number) for number in numbers], most)


def named(names: list[str], most: int = 4) -> str:
    """The first few of many names.

    >>> named(["a"]), named(["a", "b", "c"]), named(["a", "b", "c"], 2)
    ('a', 'a, b and c', 'a, b and 1 more')
    """
    if len(names) == 1:
        return names[0]
    if len(names) <= most:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def times(sizes: tuple[int, ...] | list[int]) -> str:
    """``(3, 3)`` as ``3×3``."""
    return "×".join(map(str, sizes))


def share(part: float) -> str:
    """A share from 0 to 1 as a percentage; neither end is named unless it is exactly reached.

    >>> share(0.5), share(0.999), share(1.0), share(0.001)
    ('50 %', 'over 99 %', '100 %', 'under 1 %')
    """
    percent = round(100 * part)
    if percent == 100 and part < 1:
        return "over 99 %"
    return "under 1 %" if percent == 0 and part > 0 else f"{percent} %"
