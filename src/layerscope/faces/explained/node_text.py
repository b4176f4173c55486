"""Nodes that are no sums, explained for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.applying import Applied
from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained, checked_place
from layerscope.explain.joining import Joined
from layerscope.explain.kernels import Floats
from layerscope.explain.pooling import Pooled
from layerscope.explain.provenance import numbers_words
from layerscope.explain.receptive_field import Box
from layerscope.explain.scaling import Scaled
from layerscope.faces.explained.text import box_lines, boxes_json, ranges, rows_of
from layerscope.faces.explained.words import headline, how_well, number, spread, summary

_SHOWN = 16
_MOST_VALUES = 400


def node_json(e: Explained) -> dict[str, Any]:
    """One channel of a node that is no sum, as JSON holds it."""
    told: dict[str, Any] = {"node": e.node.name, "channel": e.channel, "kind": _kind(e)}
    if isinstance(e, Joined):
        shares = e.shares or (None,) * len(e.parts)
        told["function"] = e.function
        told["inputs"] = [
            {"node": source.name, "share": share, **_ends(part)}
            for source, part, share in zip(e.sources, e.parts, shares, strict=True)
        ]
    else:
        assert isinstance(e, Scaled | Pooled | Applied | Copied)
        told["source"] = e.source.name
        told["input"] = _ends(e.given)
    if isinstance(e, Scaled):
        told |= {"scale": _ends(e.scale), "shift": _ends(e.shift), "of_sample": e.of_sample}
        told["terms"] = {name: _ends(term) for name, term in e.terms.items()}
    elif isinstance(e, Pooled | Applied):
        told["function"] = e.function
    if isinstance(e, Pooled) and e.wins is not None:
        told["winners"] = int((e.wins > 0).sum())
    if isinstance(e, Copied):
        told["from"] = f"{e.source.name}:{e.places.channel}"
        told["energy"] = float(np.square(e.output).sum())
    return told | {"output": _ends(e.output), "residual": _residual(e)}


def _kind(e: Explained) -> str:
    names: dict[type[Explained], str] = {
        Scaled: "scale", Pooled: "pool", Joined: "join", Applied: "function", Copied: "copy"
    }  # fmt: skip
    return names[type(e)]


def _residual(e: Explained) -> float | None:
    return e.residual if np.isfinite(e.residual) else None


def _ends(values: Floats) -> dict[str, float | None]:
    if not values.size:
        return {"min": None, "max": None}
    return {"min": float(values.min()), "max": float(values.max())}


def node_text(e: Explained) -> str:
    """What ``explain`` prints of one channel."""
    lines = [headline(e), *summary(e)]
    if isinstance(e, Joined):
        named = "share of wins" if e.winners is not None else "share of energy"
        shares = e.shares
        head = f"{'min':>10}  {'max':>10}  "
        lines.append(f"{named if shares else '':>15}  {head}input")
        for i, (source, part) in enumerate(zip(e.sources, e.parts, strict=True)):
            share = f"{100 * shares[i]:.1f} %" if shares else ""
            ends = (number(float(part.min())), number(float(part.max()))) if part.size else ("", "")
            lines.append(f"{share:>15}  {ends[0]:>10}  {ends[1]:>10}  {source.name}")
    else:
        assert isinstance(e, Scaled | Pooled | Applied | Copied)
        lines.append(f"input {spread(e.given)}, output {spread(e.output)}")
    return "\n".join([*lines, _checked(e)])


def _checked(e: Explained) -> str:
    if not np.isfinite(e.residual):
        return f"What {e.node.type} computes is not known here, so the output is not checked."
    return f"The output is what the network computed{how_well(e.residual)}."


def all_text(told: dict[str, Any]) -> str:
    """What ``explain`` prints of all channels of a node that is no sum."""
    each = told["channels"]
    first = each[0]
    lines = [f"{told['node']}: {len(each)} channels"]
    if first["kind"] == "scale":
        lines.append(f"{'channel':>9}  {'scale':>23}  {'shift':>23}")
        lines += [
            f"{one['channel']:>9}  {_told(one['scale']):>23}  {_told(one['shift']):>23}"
            for one in each[:_SHOWN]
        ]
    elif first["kind"] == "join":
        lines[0] += f", {first['function'].replace('_', ' ')} of {len(first['inputs'])} inputs"
        for i, given in enumerate(first["inputs"]):
            shares = [one["inputs"][i]["share"] for one in each]
            mean = "" if None in shares else f"{100 * sum(shares) / len(shares):>5.1f} % on average"
            lines.append(f"  {given['node']}  {mean}".rstrip())
    elif first["kind"] == "pool":
        what = "largest" if first["function"] == "max" else "mean"
        lines[0] += f", each the {what} of windows of {first['source']}"
    elif first["kind"] == "function":
        lines[0] += f", {first['function'].replace('_', ' ')} of {first['source']}"
    elif first["kind"] == "copy":
        lines += [f"  {line}" for line in _told_branches(each)]
    if len(each) > _SHOWN and first["kind"] == "scale":
        lines.append(f"{len(each) - _SHOWN} more: --json")
    residuals = [one["residual"] for one in each]
    if None in residuals:
        lines.append("What it computes is not known here, so the outputs are not checked.")
    else:
        said = how_well(max(residuals), "their")
        lines.append(f"The outputs are what the network computed{said}.")
    return "\n".join(lines)


def _told_branches(channels: list[dict[str, Any]]) -> list[str]:
    """Where channels come from, and what share of the energy comes from there."""
    total = sum(one["energy"] for one in channels)
    held: dict[str, list[dict[str, Any]]] = {}
    for one in channels:
        held.setdefault(one["source"], []).append(one)
    lines = []
    for name, own in held.items():
        numbers = numbers_words([one["channel"] for one in own])
        share = sum(one["energy"] for one in own) / total if total else 0.0
        lines.append(f"{numbers}: {name}, {100 * share:.1f} % of the energy")
    return lines


def _told(ends: dict[str, float]) -> str:
    low, high = ends["min"], ends["max"]
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def value_json(e: Explained, at: Sequence[int], found: Sequence[Box]) -> dict[str, Any]:
    """One value of a node that is no sum, as JSON holds it."""
    place = checked_place(e.node, e.output.shape, at)
    told: dict[str, Any] = {
        "node": e.node.name, "channel": e.channel, "kind": _kind(e), "at": list(place)
    }  # fmt: skip
    if isinstance(e, Scaled):
        told["source"] = e.source.name
        told |= _scaled(e, place)
    elif isinstance(e, Pooled):
        values, inside = e.window(place)
        winner = e.winner(place)
        told |= {
            "source": e.source.name,
            "function": e.function,
            "place": [list(pair) for pair in e.place(place)],
            "window": _with_gaps(values, inside),
            "winner": None if winner is None else list(winner),
        }
    elif isinstance(e, Joined):
        told["function"] = e.function
        told["inputs"] = [
            {"node": source.name, "value": value} for source, value in _joined(e, place)
        ]
        if e.winners is not None:
            told["winner"] = e.sources[int(e.winners[place])].name
    elif isinstance(e, Applied):
        told |= {"source": e.source.name, "function": e.function, "input": float(e.given[place])}
    else:
        assert isinstance(e, Copied)
        source = e.places.at(place)
        told |= {
            "from": f"{e.source.name}:{e.places.channel}",
            "from_at": None if source is None else list(source),
        }
    return told | {
        "value": float(e.output[place]),
        "residual": _residual(e),
        "receptive_field": boxes_json(found, e.records),
    }


def _with_gaps(values: Floats, inside: NDArray[np.bool_]) -> Any:
    """Nested lists, with None for padding."""
    if values.ndim:
        return [_with_gaps(one, held) for one, held in zip(values, inside, strict=True)]
    return float(values) if inside else None


def value_text(e: Explained, at: Sequence[int], found: Sequence[Box]) -> str:
    """One value of a node that is no sum, for the terminal."""
    place = checked_place(e.node, e.output.shape, at)
    where = ",".join(map(str, place))
    lines = [f"{headline(e)}{f', at {where}' if where else ''}"]
    value = f"{float(e.output[place]) + 0.0:.6g}"
    if isinstance(e, Pooled):
        lines.append(f"reads {e.source.name}: {ranges(e.source.axes, e.place(place))}")
    lines += box_lines(found, e.records)
    lines.append("")
    if isinstance(e, Scaled):
        own = _scaled(e, place)
        lines.append(
            f"{own['input']:.6g} × scale {own['scale']:.6g} + shift {own['shift']:.6g} = {value}"
        )
    elif isinstance(e, Pooled):
        values, inside = e.window(place)
        if values.size <= _MOST_VALUES:
            lines += rows_of(values, inside)
        else:
            lines.append(f"{inside.sum():,} values from {spread(values[inside])}")
        winner = e.winner(place)
        if winner is None:
            lines.append(f"mean {value}")
        else:
            lines.append(f"largest {value}, at {','.join(map(str, winner))} of {e.source.name}")
    elif isinstance(e, Joined):
        lines += [f"{number_:>12.6g}  {source.name}" for source, number_ in _joined(e, place)]
        won = "" if e.winners is None else f", of {e.sources[int(e.winners[place])].name}"
        lines.append(f"{e.function.replace('_', ' ')} {value}{won}")
    elif isinstance(e, Applied):
        lines.append(f"{e.function.replace('_', ' ')} of {float(e.given[place]):.6g} = {value}")
    else:
        assert isinstance(e, Copied)
        source_at = e.places.at(place)
        shown = "padding" if source_at is None else ",".join(map(str, source_at))
        where = f", at {shown}" if shown else ""
        lines.append(f"{value}, from {e.source.name}, channel {e.places.channel}{where}")
    return "\n".join(lines)


def _scaled(e: Scaled, place: tuple[int, ...]) -> dict[str, float]:
    def at(values: Floats) -> float:
        return float(values[place] if values.shape else values)

    return {"input": at(e.given), "scale": at(e.scale), "shift": at(e.shift)}


def _joined(e: Joined, place: tuple[int, ...]) -> list[tuple[Any, float]]:
    """The number of each input at a place; of a concatenation the one input that holds it."""
    if e.axis is None:
        pairs = zip(e.sources, e.parts, strict=True)
        return [(source, float(part[place])) for source, part in pairs]
    left = place[e.axis]
    for source, part in zip(e.sources, e.parts, strict=True):
        if left < part.shape[e.axis]:
            own = (*place[: e.axis], left, *place[e.axis + 1 :])
            return [(source, float(part[own]))]
        left -= part.shape[e.axis]
    return []
