"""What was done to the pictures that were fed: squeezed, turned to grey or to colour."""

from __future__ import annotations

import re
from collections.abc import Iterator

from layerscope.explain.checkup.evidence import Evidence, Fed
from layerscope.explain.checkup.finding import Finding, named

_SQUEEZED = re.compile(r"squeezed (\d+)×(\d+) → (\d+)×(\d+)")
_STRONGLY = 4.0


def inputs(evidence: Evidence) -> Iterator[Finding]:
    """Findings on how the pictures were made to fit."""
    for fed in evidence.fed.values():
        if fed.node.axes.kind == "maps":
            yield from _squeezed(fed)
            yield from _colours(fed)


def _squeezed(fed: Fed) -> Iterator[Finding]:
    """Pictures whose aspect ratio was not kept."""
    found: dict[str, tuple[float, str]] = {}
    for label, step in fed.samples_with("squeezed").items():
        match = _SQUEEZED.match(step)
        if match:
            a, b, c, d = map(int, match.groups())
            ratio = (a * d) / (b * c)
            found[label] = max(ratio, 1 / ratio), f"{a}×{b} to {c}×{d}"
    if not found:
        return
    worst = max(found, key=lambda label: found[label][0])
    ratio, change = found[worst]
    who = worst if len(found) == 1 else f"{len(found)} of {len(fed.labels)} samples, {worst} most,"
    verb = "is" if len(found) == 1 else "are"
    yield Finding(
        "warning" if ratio >= _STRONGLY else "note",
        "input-layout",
        fed.node.name,
        f"{who} {verb} squeezed from {change}: one side by {ratio:.2g} times more than the other.",
        "Is the array laid out as the network reads it? If so, cut it to the network's "
        "proportions first."
        if ratio >= _STRONGLY
        else "If the network was trained on uncut pictures, that is right; if not, crop them to "
        "the network's proportions first.",
    )


def _colours(fed: Fed) -> Iterator[Finding]:
    for beginning, said, cure in (
        (
            "grey repeated",
            "grey, and the network takes colour: the grey is fed as red, green and blue alike",
            "A network that goes by colour sees less in it; give a colour picture if there is one.",
        ),
        (
            "RGB to grey",
            "in colour, and the network takes one channel: the brightness is fed",
            "Another way to grey is yours to choose: give the array.",
        ),
    ):
        found = list(fed.samples_with(beginning))
        if found:
            who = f"{found[0]} is" if len(found) == 1 else f"{named(found, 2)} are"
            yield Finding("note", "input-channels", fed.node.name, f"{who} {said}.", cure)
