"""Opening models: the protocol every adapter keeps, and the way from a file to an adapter."""

from layerscope.models.opening import open_model
from layerscope.models.protocol import Model, Source

__all__ = ["Model", "Source", "open_model"]
