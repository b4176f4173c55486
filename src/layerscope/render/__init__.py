"""Exact pictures of activations: every value one square of one palette colour."""

from layerscope.render.drawing import draw
from layerscope.render.figure import Entry, Figure, Tile
from layerscope.render.options import Drawing
from layerscope.render.reading import read_figure
from layerscope.render.scale import Limits
from layerscope.render.sections import Group

__all__ = ["Drawing", "Entry", "Figure", "Group", "Limits", "Tile", "draw", "read_figure"]
