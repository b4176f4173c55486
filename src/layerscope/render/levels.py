"""Levels: one sample of an activation as the palette entries that ``draw`` gives by default."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.render.quantize import quantize
from layerscope.render.scale import Extremes, Limits, Ranges, choose_colormap, ranges_of
from layerscope.render.stack import Stack, numeric, stack_of


@dataclass(frozen=True, eq=False)
class Levels:
    """Palette entries of every channel, and what they stand for.

    entries: (channels, slices, height, width). ranges: what the levels of each channel span.
    stack: the values. limits: those of the whole layer, by which the scale was chosen.
    """

    entries: NDArray[np.uint8]
    ranges: Ranges
    stack: Stack
    limits: Limits


def levels_of(
    activation: Activation,
    sample: int = 0,
    limits: Limits | None = None,
    extremes: Extremes | None = None,
) -> Levels:
    """Every channel of one sample on its own scale, as palette entries without a layout.

    limits: ``Limits.of(activation)``; by default those of the sample alone. extremes:
    of all values of the sample's channels, to save finding them anew. Raises SelectionError
    where the sample does not exist.
    """
    activation = numeric(activation)
    stack = stack_of(activation, sample)
    if extremes is None or stack.notes:
        # Of a tall volume some slices are drawn, and colours span what is drawn.
        extremes = Extremes.of(stack.values, axis=0)
    limits = limits or Limits.over(extremes)
    strip = stack.arrangement == "strip"
    ranges = ranges_of(
        stack.values,
        extremes.joined() if strip else extremes,
        limits,
        "layer" if strip else "channel",
        choose_colormap(limits, "channel"),
        activation.array,
        None,
    )
    return Levels(quantize(stack.values, ranges), ranges, stack, limits)
