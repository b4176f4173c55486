"""Groups of channels, such as the branches of a concatenation, as sections of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layerscope.errors import SelectionError


@dataclass(frozen=True)
class Group:
    """Channels that belong together.

    label: the heading. channels: their numbers. sources: for each of them where it comes
    from, as ``"<node>:<channel>"``, or None where that is not known.
    """

    label: str
    channels: range | tuple[int, ...]
    sources: tuple[str | None, ...] | None = None


@dataclass(frozen=True)
class Section:
    """The channels of one group that are drawn, and their sources."""

    label: str
    channels: tuple[int, ...]
    sources: tuple[str | None, ...] | None = None


def sections_of(
    groups: Sequence[Group] | None, chosen: Sequence[int], name: str
) -> tuple[Section, ...]:
    """The chosen channels by group, in the groups' order; those in no group come last.

    Raises SelectionError where a group's sources do not match its channels.
    """
    if not groups:
        return (Section("", tuple(chosen)),)
    wanted, sections = dict.fromkeys(chosen), []
    for group in groups:
        if group.sources is not None and len(group.sources) != len(group.channels):
            raise SelectionError(
                f"group {group.label!r} of {name!r} has {len(group.channels)} channels but "
                f"{len(group.sources)} sources. Give one source for each channel."
            )
        pairs = [
            (channel, source)
            for channel, source in zip(
                group.channels, group.sources or (None,) * len(group.channels), strict=True
            )
            if channel in wanted
        ]
        for channel, _ in pairs:
            del wanted[channel]
        if pairs:
            channels, sources = zip(*pairs, strict=True)
            sections.append(Section(group.label, channels, sources if group.sources else None))
    if wanted:
        sections.append(Section("other channels", tuple(wanted)))
    return tuple(sections)
