"""Routes: the addresses whose answers are computed, and what refusals are called."""

from __future__ import annotations

from collections.abc import Mapping

from layerscope.errors import SelectionError
from layerscope.faces.explorer.server import handlers
from layerscope.faces.explorer.server.endpoints import Endpoint, Parameter
from layerscope.faces.explorer.server.missing import (
    ConflictError,
    NoSuchRunError,
    NotReadyError,
    RequestError,
)
from layerscope.faces.explorer.work import UnwantedError

RUN = Parameter("run", "id", "a run", "path")
_LAYER = Parameter("layer", "number", "a layer's place among inputs and nodes", "path")
_MINUS = Parameter("minus", "id", "another run, whose values are subtracted")
_CHANNEL = Parameter("channel", "number", "a channel", "path")
_SLICE = Parameter("slice", "number", "a slice of a volume", default=0)
_ROW = Parameter("row", "number", "a row", required=True)
_COLUMN = Parameter("column", "number", "a column", required=True)
_ANY_ROW = Parameter("row", "number", "a row")
_ANY_COLUMN = Parameter("column", "number", "a column")
_ONE = "/api/runs/{run}/layers/{layer}/channels/{channel}"

COMPUTED = (
    Endpoint("GET", "/api/manifest", handlers.manifest, "The network and the runs.",
             "application/json"),
    Endpoint("GET", "/api/runs/{run}/preview", handlers.preview, "The input.",
             parameters=(RUN, Parameter("input", "number", "which of several inputs"))),
    Endpoint("GET", "/api/runs/{run}/statistics", handlers.statistics,
             "Figures of every channel and layer.", parameters=(RUN,)),
    Endpoint("GET", "/api/runs/{run}/thumbnails", handlers.thumbnails,
             "One small picture of every node.", parameters=(RUN,)),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}", handlers.layer,
             "Every map of a layer.", parameters=(RUN, _LAYER, _MINUS)),
    Endpoint("GET", _ONE, handlers.exact, "The exact values of a channel.",
             parameters=(RUN, _LAYER, _CHANNEL, _MINUS)),
    Endpoint("GET", f"{_ONE}/value", handlers.value, "One exact value, as text.",
             "application/json", (RUN, _LAYER, _CHANNEL, _SLICE, _ROW, _COLUMN, _MINUS)),
    Endpoint("GET", f"{_ONE}/explain", handlers.explain, "What a channel is summed from.",
             parameters=(RUN, _LAYER, _CHANNEL, _SLICE, _ANY_ROW, _ANY_COLUMN,
                         Parameter("all", "flag", "every input channel", default=False))),
    Endpoint("GET", f"{_ONE}/field", handlers.receptive_field, "What a neuron sees.",
             "application/json", (RUN, _LAYER, _CHANNEL, _SLICE, _ANY_ROW, _ANY_COLUMN)),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}/picture.png", handlers.picture,
             "A layer's maps as a PNG.", "image/png",
             (RUN, _LAYER, _MINUS, Parameter("channels", "text", "such as 6,15,20:24"),
              Parameter("colormap", "text", "a colour map's name"),
              Parameter("scale", "text", "channel, layer, symmetric or LO,HI"),
              Parameter("clip", "text", "a percentile where colours end"),
              Parameter("zoom", "number", "pixels per value"),
              Parameter("columns", "number", "maps side by side"))),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}/array.npy", handlers.array,
             "A layer's exact values.", parameters=(RUN, _LAYER, _MINUS)),
    Endpoint("GET", "/api/record", handlers.record, "What a training has come to.",
             "application/json"),
    Endpoint("GET", "/api/kernels/{layer}/{epoch}", handlers.kernels,
             "A convolution's kernels at an epoch of a training.",
             parameters=(_LAYER, Parameter("epoch", "number", "a recorded epoch", "path"))),
)  # fmt: skip


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The computed endpoint of a path and the parameters in it, or None."""
    parts = path.split("/")
    for endpoint in COMPUTED:
        wanted = endpoint.path.split("/")
        if endpoint.method != method or len(wanted) != len(parts):
            continue
        pairs = list(zip(wanted, parts, strict=True))
        if all(name == part or name.startswith("{") for name, part in pairs):
            return endpoint, {name[1:-1]: part for name, part in pairs if name.startswith("{")}
    return None


def refusal(error: Exception) -> tuple[int, str]:
    """The status and message that stand for an error."""
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return status, str(error) or "Cancelled."
    return 422, str(error)


_STATUSES: Mapping[type[Exception], int] = {
    RequestError: 400,
    SelectionError: 404,
    NoSuchRunError: 404,
    NotReadyError: 503,
    ConflictError: 409,
    UnwantedError: 499,
}
