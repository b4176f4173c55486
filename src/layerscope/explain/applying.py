"""Applying: a function of each value, such as an activation function that is a node of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from layerscope.explain.affine import Weights
from layerscope.explain.explained import Explained, Sample, agrees, checked, largest
from layerscope.explain.functions import evaluate
from layerscope.explain.kernels import Floats
from layerscope.operations import Elementwise

# Far below zero these are small differences of numbers as large as their input.
_CANCELLING = frozenset({"gelu", "mish"})


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Applied(Explained):
    """One channel of a node that puts each value of its input through a function.

    function: its name. given: (\\*spatial), the input channel. known: whether layerscope knows
    the function, so that the output is checked; where it does not, residual is NaN.
    """

    function: str
    given: Floats
    known: bool = True


class Applying:
    """A node that applies a function to its only input, on one sample.

    given, output: its input and output. weights: by role.
    """

    def __init__(self, given: Sample, output: Sample, weights: Weights) -> None:
        operation = output.node.operation
        assert isinstance(operation, Elementwise)
        self.node, self.given, self.output = output.node, given, output
        self.function = operation.function
        made = evaluate(operation, given.values, weights)
        results = np.asarray(output.values, np.float64)
        fitting = (one for one in made if agrees(self.node, one, results)[0])
        self.made = next(fitting, made[0] if made else None)

    @staticmethod
    def suits(given: Sample, output: Sample) -> bool:
        """Whether a node is a function of each value of its only input."""
        operation = output.node.operation
        one = isinstance(operation, Elementwise) and len(output.node.inputs) == 1
        return one and given.values.shape == output.values.shape

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.output.channels

    def explain(self, channel: int) -> Applied:
        """One channel before and after."""
        self.output.check_channel(channel)
        output = self.output.plane(channel)
        residual = float("nan")
        if self.made is not None:
            made = self.output.plane(channel, self.made)
            added = largest(self.given.plane(channel)) if self.function in _CANCELLING else 0.0
            what = f"{self.function} of its input"
            residual = checked(self.node, channel, made, output, what, added)
        return Applied(
            node=self.node,
            channel=channel,
            sources=(self.given.node,),
            output=output,
            residual=residual,
            function=self.function,
            given=self.given.plane(channel),
            known=self.made is not None,
        )
