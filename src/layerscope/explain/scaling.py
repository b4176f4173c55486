"""Scaling: normalisations, biases and the like, as one scale and one shift for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from layerscope.errors import ModelError
from layerscope.explain.affine import Affine, Weights, affines
from layerscope.explain.explained import Explained, Sample, agrees, checked, largest
from layerscope.explain.kernels import Floats


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Scaled(Explained):
    """One channel of a node that computes input × scale + shift.

    given: (\\*spatial), the input channel. scale, shift: a number each, with the shape (), or
    (\\*spatial) where they differ from place to place. of_sample: whether they depend on the
    sample, as in layer normalisation. words: the formula of the scale, ``""`` where it is a
    constant of the network. terms: the numbers in that formula, as scale has them.
    """

    given: Floats
    scale: Floats
    shift: Floats
    of_sample: bool = False
    words: str = ""
    terms: Mapping[str, Floats] = field(default_factory=dict)


class Scaling:
    """A node that scales and shifts its input, on one sample.

    given, output: its input and output. weights: by role. Raises ModelError where no scale and
    shift that the node may have give what the network computed.
    """

    def __init__(self, given: Sample, output: Sample, weights: Weights) -> None:
        self.node, self.given, self.output = output.node, given, output
        self.affine = self._found(weights)

    @staticmethod
    def suits(given: Sample, output: Sample, weights: Weights) -> bool:
        """Whether a node has a scale and a shift."""
        found = next(iter(affines(output.node, given, weights)), None)
        return found is not None and given.values.shape == output.values.shape

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.output.channels

    def explain(self, channel: int) -> Scaled:
        """One channel's scale and shift."""
        self.output.check_channel(channel)
        given, output = self.given.plane(channel), self.output.plane(channel)
        scale, shift = self._at(self.affine.scale, channel), self._at(self.affine.shift, channel)
        residual = checked(
            self.node, channel, given * scale + shift, output, "the input × scale + shift",
            largest(given * scale) + largest(shift),
        )  # fmt: skip
        return Scaled(
            node=self.node,
            channel=channel,
            sources=(self.given.node,),
            output=output,
            residual=residual,
            given=given,
            scale=scale,
            shift=shift,
            of_sample=self.affine.of_sample,
            words=self.affine.words,
            terms={name: self._at(term, channel) for name, term in self.affine.terms.items()},
        )

    def _at(self, values: Floats, channel: int) -> Floats:
        """One channel of what broadcasts to the input: a number where it is the same everywhere."""
        whole = np.broadcast_to(values, self.given.values.shape)
        plane = self.given.plane(channel, whole)
        same = plane.size and (plane == plane.flat[0]).all()
        return np.asarray(plane.flat[0]) if same else plane

    def _found(self, weights: Weights) -> Affine:
        given = np.asarray(self.given.values, np.float64)
        output = np.asarray(self.output.values, np.float64)
        candidates = list(affines(self.node, self.given, weights))
        for affine in candidates:
            scaled = given * affine.scale
            added = largest(scaled) + largest(affine.shift)
            if agrees(self.node, scaled + affine.shift, output, added)[0]:
                return affine
        if not candidates:
            raise ModelError(
                f"expected to know what {self.node.name} ({self.node.type}) multiplies its input "
                "by or adds to it, but the network does not say. Choose another layer."
            )
        # None fits: the check of a channel says by how much.
        return candidates[0]
