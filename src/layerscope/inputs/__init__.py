"""Inputs: pictures, matrices, arrays and folders → batches for a network, every step noted."""

from layerscope.hints import Hints
from layerscope.inputs.feed import Feed, prepare
from layerscope.inputs.record import Batch, InputRecord
from layerscope.inputs.settings import Preprocessing

__all__ = ["Batch", "Feed", "Hints", "InputRecord", "Preprocessing", "prepare"]
