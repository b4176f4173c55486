"""Copying: a channel whose values are another's, moved or not, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from layerscope.errors import ModelError
from layerscope.explain.copies import NOTHING
from layerscope.explain.explained import Explained, Sample, checked
from layerscope.explain.kernels import Floats
from layerscope.explain.provenance import Places, Tracing


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Copied(Explained):
    """One channel that is a copy of another node's.

    given: (\\*spatial of the source), the channel that it is a copy of. places: where each value
    lies in it.
    """

    given: Floats
    places: Places


class Copying:
    """A node that only moves values, on one sample.

    output: its output. sources: the nodes that its channels come from, by name. tracing: the
    way back to them.
    """

    def __init__(self, output: Sample, sources: Mapping[str, Sample], tracing: Tracing) -> None:
        self.node, self.output = output.node, output
        self.sources, self.tracing = sources, tracing

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.output.channels

    def explain(self, channel: int) -> Copied:
        """One channel and where its values come from."""
        self.output.check_channel(channel)
        places = self.tracing.channel(channel)
        if places is None:
            raise ModelError(
                f"expected channel {channel} of {self.node.name} ({self.node.type}) to come from "
                "one channel, but its values come from several, or from one whose place is not "
                "known. Choose a layer before it."
            )
        source = self.sources[places.node]
        given = source.plane(places.channel)
        output = self.output.plane(channel)
        residual = checked(
            self.node, channel, carried(places, given, output), output,
            f"the values of {places.node}:{places.channel}",
        )  # fmt: skip
        return Copied(
            node=self.node,
            channel=channel,
            sources=(source.node,),
            output=output,
            residual=residual,
            given=given,
            places=places,
        )


def carried(places: Places, given: Floats, output: Floats) -> Floats:
    """The copy that the source's channel gives; padding is what the output says it is."""
    if places.shape != given.shape or places.flat.shape != output.shape:
        return np.full((), np.nan)
    copy = given.reshape(-1)[places.flat.clip(0)]
    return np.where(places.flat == NOTHING, output, copy)
