"""Scales of a film: what a layer and its channels span over all epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import OutputError
from layerscope.render import Limits
from layerscope.render.scale import Extremes, Scale, parse_scale
from layerscope.training.outline import LayerOutline

EPOCHS, EPOCHS_CHANNEL = "epochs", "epochs-channel"
NAMES = (EPOCHS, EPOCHS_CHANNEL)
"""One range for the whole layer, or one for each channel, the same at all epochs."""


@dataclass(frozen=True, eq=False)
class Span:
    """What a layer spans over epochs.

    limits: of the whole layer. low, high: of each channel, NaN where it holds nothing finite;
    None for a layer whose channels are single values.
    """

    limits: Limits
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None

    @classmethod
    def over(cls, outlines: Sequence[LayerOutline]) -> Span | None:
        """The span of a layer over epochs, None where nothing is finite."""
        lows = [one.low for one in outlines if isfinite(one.low)]
        highs = [one.high for one in outlines if isfinite(one.high)]
        if not (lows and highs):
            return None
        limits = Limits(min(lows), max(highs))
        held = [one.channel_edges for one in outlines if one.channel_edges is not None]
        if len(held) < len(outlines) or len({edges[0].shape for edges in held}) != 1:
            return cls(limits)
        low = np.fmin.reduce([edges[0] for edges in held]).astype(np.float64)
        high = np.fmax.reduce([edges[1] for edges in held]).astype(np.float64)
        return cls(limits, low, high)

    def apart(self) -> Span:
        """What differences of two values may span: as much above 0 as below."""
        far = self.limits.high - min(self.limits.low, 0.0)
        if self.low is None or self.high is None:
            return Span(Limits(-far, far))
        each = self.high - np.minimum(self.low, 0.0)
        return Span(Limits(-far, far), -each, each)

    def options(self, scale: str) -> dict[str, Any]:
        """The options of ``draw`` for one of the scales of a film."""
        if scale == EPOCHS or self.low is None or self.high is None:
            return {"scale": "layer", "limits": self.limits}
        spans = Extremes(self.low, self.high)
        return {"scale": "channel", "limits": self.limits, "spans": spans}

    def as_json(self) -> dict[str, Any]:
        """What the page is told."""
        limits = self.limits
        told: dict[str, Any] = {
            "low": limits.low, "high": limits.high, "signed": limits.signed, "channels": None,
        }  # fmt: skip
        if self.low is not None and self.high is not None:
            told["channels"] = {"low": _short(self.low), "high": _short(self.high)}
        return told


def parse(scale: str) -> Scale:
    """Any other scale, as pictures have it. Raises OutputError for what is none."""
    try:
        return parse_scale(scale)
    except OutputError as error:
        also = f"of a record also {' or '.join(NAMES)}"
        raise OutputError(f"{str(error).removesuffix('.')}; {also}.") from None


def check_clip(scale: str, clip: float | None) -> None:
    """Raise OutputError where colours are to end at two places."""
    if scale in NAMES and clip is not None:
        raise OutputError(
            f"clip and the scale {scale} were both given, and both say where colours end. Give "
            "one of them."
        )


def _short(values: NDArray[np.float64]) -> list[float | None]:
    """Single precision in as few digits as tell it from its neighbours."""
    return [float(str(v)) if np.isfinite(v) else None for v in values.astype(np.float32)]
