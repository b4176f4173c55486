"""Explanations of layers that are no sums over channels, as containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.applying import Applied
from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained
from layerscope.explain.joining import Joined
from layerscope.explain.pooling import Pooled
from layerscope.explain.receptive_field import Box
from layerscope.explain.scaling import Scaled
from layerscope.faces.explained.node_text import node_json, node_text, value_json, value_text
from layerscope.faces.explorer.answers.container import pack
from layerscope.faces.explorer.answers.scales import own_scale, planes
from layerscope.faces.explorer.runs import Run
from layerscope.render.scale import Extremes, Limits


def other(
    e: Explained,
    header: Mapping[str, Any],
    numbers: Mapping[str, int],
    run: Run,
    at: tuple[int, ...] | None,
    found: Sequence[Box],
) -> bytes:
    """A channel that is a normalisation, pooling, join, function or copy of others.

    header: what explanations of all kinds begin with. numbers: of nodes, by name. at: one
    value's place. found: what it sees. Header: ``kind`` (``"scale"``, ``"pool"``, ``"join"``,
    ``"function"`` or ``"copy"``), ``told`` (as ``explain --json`` tells it) and ``text``;
    sections: ``maps``, the channel of each of the ``inputs`` (node and channel), and ``output``.
    """
    told = node_json(e) if at is None else value_json(e, at, found)
    text = node_text(e) if at is None else value_text(e, at, found)
    first = e.places.channel if isinstance(e, Copied) else e.channel
    parts, limits = [], []
    for source, part in zip(e.sources, _parts(e), strict=True):
        parts.append(part)
        limits.append(run.summary.nodes[numbers[source.name]].limits)
    after = planes(e.output[None])
    output, lo, hi = own_scale(after, Limits.over(Extremes.of(after, axis=0)), np.array([0]))
    document = {
        **header,
        "kind": told["kind"],
        "inputs": [[numbers[source.name], first] for source in e.sources],
        "at": None if at is None else list(at),
        "told": _plain(told),
        "text": text.split("\n"),
        "signed": [one.signed for one in limits],
        "output_limits": [_number(lo[0]), _number(hi[0])],
        "output_signed": bool(after.min(initial=0) < 0),
    }
    sections: dict[str, NDArray[Any]] = {"output": output}
    for i, (part, own) in enumerate(zip(parts, limits, strict=True)):
        entries, low, high = own_scale(planes(part[None]), own, np.array([0]))
        sections |= {f"map{i}": entries, f"map{i}_lo": low, f"map{i}_hi": high}
    return pack(document, sections)


def _parts(e: Explained) -> Sequence[NDArray[Any]]:
    """The channel of each source, in the order of the sources."""
    if isinstance(e, Joined):
        return e.parts
    assert isinstance(e, Scaled | Pooled | Applied | Copied)
    return (e.given,)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    """JSON without NaN and infinities, which become null."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _number(value) if isinstance(value, float) else value
