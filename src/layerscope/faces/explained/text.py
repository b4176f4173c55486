"""Explanations in words and numbers: for the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.chain import Chained
from layerscope.explain.contributions import Explanation
from layerscope.explain.kernels import Floats
from layerscope.explain.neuron import Neuron
from layerscope.explain.receptive_field import Box
from layerscope.inputs.record import InputRecord

_SHOWN = 16


def channel_json(e: Explanation) -> dict[str, Any]:
    """One channel's sum as JSON holds it."""
    shares = e.shares
    return {
        "node": e.node.name,
        "channel": e.channel,
        "source": e.source.name,
        "contributions": [
            {
                "channel": channel,
                "share": float(shares[i]),
                "min": float(e.contributions[i].min(initial=np.inf)),
                "max": float(e.contributions[i].max(initial=-np.inf)),
            }
            for i, channel in enumerate(e.inputs)
        ],
        "bias": e.bias,
        "function": e.function,
        "output": {"min": float(e.output.min()), "max": float(e.output.max())},
        "residual": e.residual,
        **_chain_json(e),
    }


def channel_text(told: dict[str, Any]) -> str:
    """What ``explain`` prints of one channel, or of all of them."""
    if "channels" in told:
        each = told["channels"]
        count = len(each[0]["contributions"])
        worst = max(channel["residual"] for channel in each)
        return (
            f"{told['node']}: {len(each)} channels, each the sum of {count} partial maps of "
            f"{each[0]['source']} and a bias: {len(each) * count} partial maps, {len(each)} "
            f"outputs.\nThe sums are what the network computed, to {worst:.1g} of their largest "
            "value."
        )
    parts = sorted(told["contributions"], key=lambda part: -part["share"])
    lines = [
        f"{told['node']}, channel {told['channel']}: the sum of {len(parts)} partial "
        f"map{'' if len(parts) == 1 else 's'} of "
        f"{told['source']}",
        *([_told_chain(told)] if "chain" in told else []),
        f"{'channel':>9}  {'share':>7}  {'min':>10}  {'max':>10}",
    ]
    lines += [
        f"{part['channel']:>9}  {100 * part['share']:>5.1f} %  {part['min']:>10.4g}  "
        f"{part['max']:>10.4g}"
        for part in parts[:_SHOWN]
    ]
    if len(parts) > _SHOWN:
        rest = sum(part["share"] for part in parts[_SHOWN:])
        lines.append(f"{f'{len(parts) - _SHOWN} more':>9}  {100 * rest:>5.1f} %")
    lines.append(f"bias {told['bias']:.6g}, then {told['function']}")
    lines.append(
        f"The sum is what the network computed, to {told['residual']:.1g} of its largest value."
    )
    return "\n".join(lines)


def neuron_json(one: Neuron, found: Sequence[Box]) -> dict[str, Any]:
    """One value taken apart as JSON holds it."""
    e = one.explanation
    return {
        "node": e.node.name,
        "channel": e.channel,
        "at": list(one.at),
        "source": e.source.name,
        "place": [list(pair) for pair in one.place],
        "contributions": [
            {
                "channel": channel,
                "patch": one.patch[i].tolist(),
                "kernel": one.kernel[i].tolist(),
                "sum": float(one.sums[i]),
            }
            for i, channel in enumerate(e.inputs)
        ],
        "bias": one.bias,
        "pre_activation": one.pre_activation,
        "function": e.function,
        "value": one.value,
        "residual": e.residual,
        "receptive_field": boxes_json(found, e.records),
        **_chain_json(e),
    }


def boxes_json(found: Sequence[Box], records: Sequence[InputRecord]) -> list[dict[str, Any]]:
    """What a neuron sees of every input, as JSON holds it. records: of the inputs."""
    told = []
    for box in found:
        picture = _in_picture(box, records)
        told.append(
            {
                "input": box.input,
                "axes": box.axes,
                "ranges": [list(pair) for pair in box.ranges],
                "status": box.status,
                "notes": list(box.notes),
                "picture": picture and [list(pair) for pair in picture[0].ranges],
            }
        )
    return told


def box_lines(found: Sequence[Box], records: Sequence[InputRecord]) -> list[str]:
    """What a neuron sees of every input, a line each, and of a picture that was resized."""
    lines = []
    for box in found:
        lines.append(f"sees of the input {box.input}: {_box_words(box)} ({box.status})")
        picture = _in_picture(box, records)
        if picture is not None and picture[0].ranges != box.ranges:
            inside, record = picture
            height, width = record.original or (0, 0)
            name = Path(record.file).name if record.file else "what was given"
            size = f"height {height}, width {width}"
            lines.append(f"sees of {name} ({size}): {_box_words(inside)}")
    return lines


def _in_picture(box: Box, records: Sequence[InputRecord]) -> tuple[Box, InputRecord] | None:
    """A box in the picture that the input was made from, and how that was made."""
    for record in records:
        inside = box.in_picture(record) if record.name == box.input else None
        if inside is not None:
            return inside, record
    return None


def _box_words(box: Box) -> str:
    return ", ".join(
        f"{_WORDS.get(letter, letter)} {start}:{stop}"
        for letter, (start, stop) in zip(box.axes, box.ranges, strict=True)
    )


def _chain_json(e: Explanation) -> dict[str, Any]:
    if not isinstance(e, Chained):
        return {}
    names = [node.name for node in e.nodes]
    return {"chain": {"nodes": names, "scale": e.scale, "shift": e.shift}}


def _told_chain(told: dict[str, Any]) -> str:
    chain = told["chain"]
    return chain_words(chain["nodes"], chain["scale"], chain["shift"])


def chain_words(names: Sequence[str], scale: float, shift: float) -> str:
    """The nodes that were taken as one, and what was folded in."""
    parts = [f"scale {scale:.6g}"] if scale != 1 else []
    parts += [f"shift {shift:.6g}"] if shift != 0 else []
    folded = f", with {' and '.join(parts)} folded in" if parts else ""
    return f"{' > '.join(names)} as one{folded}"


def neuron_text(one: Neuron, found: Sequence[Box], *, every: bool = False) -> str:
    """One value taken apart: patch × kernel for each input channel, and their sum."""
    e = one.explanation
    where = ",".join(map(str, one.at))
    lines = [f"{e.node.name}, channel {e.channel}{f', at {where}' if where else ''}"]
    if one.place and e.windows:
        lines.append(f"reads {e.source.name}: {ranges(e.source.axes, one.place)}")
    if isinstance(e, Chained):
        lines.append(_told_chain(_chain_json(e)))
    lines += box_lines(found, e.records)
    order = np.argsort(-np.abs(one.sums), kind="stable")
    shown = order if every else order[:_SHOWN]
    for i in (int(i) for i in shown):
        lines += ["", f"input channel {e.inputs[i]}: {_one(one, i)}"]
    rest = order[len(shown) :]
    if len(rest):
        lines += ["", f"{len(rest)} more input channels: {one.sums[rest].sum():.6g}"]
    function = "" if e.function == "linear" else f"\n{e.function} → {one.value:.6g}"
    lines += ["", f"sum {one.sums.sum():.6g} + bias {one.bias:.6g} = {one.pre_activation:.6g}"]
    return "\n".join(lines) + function


_WORDS = {"H": "rows", "W": "columns", "T": "steps", "D": "slices"}


def ranges(axes: Any, place: Sequence[tuple[int, int]]) -> str:
    """A box in words, such as ``rows 0:2, columns 3:6``."""
    letters = [axes.names[axis].value for axis in axes.spatial]
    if len(letters) != len(place):
        letters = ["places"] * len(place)
    return ", ".join(
        f"{_WORDS.get(letter, letter)} {start}:{stop}"
        for letter, (start, stop) in zip(letters, place, strict=True)
    )


def _one(one: Neuron, i: int) -> str:
    """Patch × kernel = sum, as rows of numbers; ``.`` stands for padding."""
    patch, kernel = one.patch[i], one.kernel[i]
    if patch.ndim == 0:
        return f"{patch:.6g} × {kernel:.6g} = {one.sums[i]:.6g}"
    rows = [
        left + "   ×" + "".join(f"{w:>11.4g}" for w in weights)
        for left, weights in zip(
            rows_of(patch, one.inside), kernel.reshape(-1, kernel.shape[-1]), strict=True
        )
    ]
    return "\n".join([f"{one.sums[i]:.6g}", *rows])


def rows_of(patch: Floats, inside: NDArray[np.bool_]) -> list[str]:
    """A patch as rows of numbers; ``.`` stands for padding."""
    columns = patch.shape[-1] if patch.ndim else 1
    return [
        "".join(f"{f'{v:.4g}' if seen else '.':>11}" for v, seen in zip(own, held, strict=True))
        for own, held in zip(patch.reshape(-1, columns), inside.reshape(-1, columns), strict=True)
    ]
