"""What is said of nodes that are no sums: in one line each, in pictures and on the terminal."""

from __future__ import annotations

import numpy as np

from layerscope.explain.applying import Applied
from layerscope.explain.copying import Copied
from layerscope.explain.explained import Explained
from layerscope.explain.joining import Joined
from layerscope.explain.partial import Values
from layerscope.explain.pooling import Pooled
from layerscope.explain.scaling import Scaled
from layerscope.operations import Normalization

_JOINS = {
    "add": "the sum",
    "subtract": "the difference",
    "multiply": "the product",
    "divide": "the quotient",
    "true_divide": "the quotient",
    "average": "the mean",
    "maximum": "the largest",
    "minimum": "the smallest",
    "concatenate": "one after the other",
}


def number(value: float) -> str:
    """A number in four figures, never −0."""
    return f"{value + 0.0:.4g}"


def spread(values: Values) -> str:
    """A number, or the ends of many."""
    if values.size == 1:
        return number(float(values.reshape(-1)[0]))
    if not values.size:
        return "nothing"
    low, high = float(values.min()), float(values.max())
    return f"{number(low)} everywhere" if low == high else f"{number(low)} to {number(high)}"


def headline(e: Explained) -> str:
    """The node, and its channel where it has several."""
    alone = e.node.axes.channel is None
    return e.node.name if alone else f"{e.node.name}, channel {e.channel}"


def summary(e: Explained) -> list[str]:
    """What the node does with this channel: the whole first, then its numbers."""
    if isinstance(e, Scaled):
        return _of_scaled(e)
    if isinstance(e, Pooled):
        return _of_pooled(e)
    if isinstance(e, Joined):
        names = ", ".join(source.name for source in e.sources[:4])
        more = f" and {len(e.sources) - 4} more" if len(e.sources) > 4 else ""
        return [f"{_JOINS[e.function]} of {len(e.parts)} inputs: {names}{more}"]
    if isinstance(e, Applied):
        if e.function in ("softmax", "log_softmax"):
            return [f"{e.function.replace('_', ' ')} of {e.source.name}, over its channels"]
        zeros = float((e.output == 0).mean()) if e.output.size else 0.0
        last = [f"{100 * zeros:.0f} % of the values are 0"] if zeros and e.output.size > 1 else []
        return [f"{e.function.replace('_', ' ')} of each value of {e.source.name}", *last]
    assert isinstance(e, Copied)
    moved = "" if e.places.still else ", each value at another place"
    return [f"a copy of {e.source.name}, channel {e.places.channel}{moved}"]


def _of_scaled(e: Scaled) -> list[str]:
    operation = e.node.operation
    method = f"{operation.method} normalisation: " if isinstance(operation, Normalization) else ""
    plain = not e.words and not e.scale.shape
    if plain and e.scale == 1:
        return [f"{method}{e.source.name} + shift", f"shift {spread(e.shift)}"]
    if plain and not e.shift.shape and e.shift == 0:
        return [f"{method}{e.source.name} × scale", f"scale {spread(e.scale)}"]
    lines = [f"{method}{e.source.name} × scale + shift"]
    if e.words:
        known = [f"{name} {spread(e.terms[name])}" for name in e.terms if name in e.words]
        lines.append(f"scale {spread(e.scale)} = {e.words}, with {', '.join(known)}")
    else:
        lines.append(f"scale {spread(e.scale)}")
    if "beta" in e.terms:
        known = [f"{name} {spread(e.terms[name])}" for name in ("beta", "mean")]
        lines.append(f"shift {spread(e.shift)} = beta - mean × scale, with {', '.join(known)}")
    else:
        lines.append(f"shift {spread(e.shift)}")
    if e.of_sample:
        lines.append("these depend on the input: its own mean and variance are used")
    return lines


def _of_pooled(e: Pooled) -> list[str]:
    taps = [axis.shape[1] for axis in e.positions]
    everywhere = getattr(e.node.operation, "everywhere", False)
    window = "of all positions" if everywhere else f"of each {'×'.join(map(str, taps))} window"
    if e.wins is None:
        return [f"the mean {window} of {e.source.name}: every value of it weighs the same"]
    winners, most = int((e.wins > 0).sum()), int(e.wins.max(initial=0))
    often = "once each" if most == 1 else f"up to {most} times each"
    return [
        f"the largest value {window} of {e.source.name}",
        f"{winners:,} of {e.wins.size:,} input values won, {often}",
    ]


def checked_words(e: Explained) -> str:
    """What was checked, and how well it agrees."""
    if not np.isfinite(e.residual):
        return f"not checked: what {e.node.type} computes is not known here"
    return f"checked: the output is what the network computed{how_well(e.residual)}"


def how_well(residual: float, whose: str = "its") -> str:
    """How well an output agrees with the network's, as the end of a sentence."""
    return f", to {residual:.1g} of {whose} largest value" if residual else ", to the last digit"
