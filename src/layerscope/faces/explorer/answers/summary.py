"""A run's summary: figures of every channel, and one small picture of every node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.activation import Activation
from layerscope.faces.explorer.answers.container import pack
from layerscope.faces.explorer.answers.figures import ChannelFigures, figures_of
from layerscope.faces.explorer.answers.thumbnail import Thumbnail, thumbnail_of
from layerscope.faces.explorer.difference import sample_of
from layerscope.render import Limits
from layerscope.render.stack import numeric, stack_of
from layerscope.statistics import Statistics

_CHANNEL = ("min", "max", "mean", "energy", "zeros")


@dataclass(frozen=True)
class NodeSummary:
    """What is kept of one node's activation when its array is gone."""

    figures: ChannelFigures
    statistics: Statistics
    thumbnail: Thumbnail
    limits: Limits


def summarise(
    activation: Activation,
    sample: int,
    limits: Limits | None = None,
    statistics: Statistics | None = None,
) -> NodeSummary:
    """The figures and the small picture of one sample of a node's activation.

    limits: of the layer over all samples that share its colours; by default of this one.
    statistics: of the sample, where they are known.
    """
    plain = numeric(activation)
    figures = figures_of(stack_of(plain, sample, most_slices=None).values)
    limits = limits or Limits.over(figures.extremes)
    statistics = statistics or sample_of(plain, sample).stats()
    return NodeSummary(figures, statistics, thumbnail_of(plain, sample, figures, limits), limits)


@dataclass
class Summary:
    """The summaries of a run's inputs and nodes, in order."""

    nodes: list[NodeSummary] = field(default_factory=list)

    def statistics(self) -> bytes:
        """Figures of every channel and of every layer as a container."""
        counts = [len(node.figures.min) for node in self.nodes]
        offsets = np.cumsum([0, *counts])[:-1].tolist()
        channels = {
            name: _joined([getattr(node.figures, name) for node in self.nodes]) for name in _CHANNEL
        }
        layers = np.array(
            [
                [getattr(node.statistics, key) for key in ("min", "max", "mean", "std", "zeros")]
                for node in self.nodes
            ],
            np.float32,
        ).reshape(len(self.nodes), 5)
        header = {
            "offsets": offsets,
            "channels": counts,
            "dead": [len(node.statistics.dead) for node in self.nodes],
            "finite": [node.statistics.finite for node in self.nodes],
        }
        return pack(header, {**channels, "layers": layers})

    def thumbnails(self) -> bytes:
        """The small pictures of all nodes as a container."""
        tiles: list[dict[str, Any]] = []
        offset = 0
        for number, node in enumerate(self.nodes):
            tile = node.thumbnail
            tiles.append({"node": number, **tile.as_json(), "offset": offset})
            offset += tile.entries.size
        parts: Sequence[NDArray[np.uint8]] = [n.thumbnail.entries.ravel() for n in self.nodes]
        entries = np.concatenate([np.zeros(0, np.uint8), *parts])
        return pack({"tiles": tiles}, {"entries": entries})


def _joined(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    whole = np.concatenate([np.zeros(0), *parts])
    with np.errstate(over="ignore"):
        return whole.astype(np.float32)
