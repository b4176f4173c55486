"""The difference of two runs on one layer, exact before it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from layerscope.activation import Activation
from layerscope.errors import SelectionError
from layerscope.faces.explorer.runs import Run
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket
from layerscope.render import Limits
from layerscope.render.stack import numeric


def difference(
    explorer: Explorer, run: Run, other: Run, number: int, ticket: Ticket | None = None
) -> Activation:
    """One layer of a run minus the same layer of another, as a batch of one.

    number: of the node; the runs may be of two models of the same architecture. Raises
    SelectionError where the two have not the same shape.
    """
    minuend, subtrahend = (_sample(explorer, one, number, ticket) for one in (run, other))
    if minuend.array.shape != subtrahend.array.shape:
        sizes = [" × ".join(map(str, one.array.shape)) for one in (minuend, subtrahend)]
        raise SelectionError(
            f"{minuend.name} is {sizes[0]} for {run.label} but {sizes[1]} for {other.label}, so "
            "that there is no difference to show. Compare pictures of one size, or look at them "
            "side by side."
        )
    array = minuend.array
    if array.dtype.kind == "f":
        with np.errstate(all="ignore"):
            return replace(minuend, array=array - subtrahend.array)
    return replace(minuend, array=array.astype(np.float64) - subtrahend.array)


def around_zero(activation: Activation) -> Limits:
    """Limits that put 0 in the middle, whatever the values are."""
    reach = Limits.of(activation).magnitude or 1.0
    return Limits(-reach, reach)


def _sample(explorer: Explorer, run: Run, number: int, ticket: Ticket | None) -> Activation:
    node = explorer.node(number, run.made_by.model)
    activation = numeric(explorer.activation(run, node.name, ticket))
    batch = activation.axes.batch
    if batch is None:
        return activation
    return replace(activation, array=np.take(activation.array, [run.sample], axis=batch))
