"""``layers --size``: the shape of an input, told to a model that does not know its own."""

from __future__ import annotations

import re
from dataclasses import replace

from layerscope.errors import ModelError
from layerscope.inputs import Preprocessing
from layerscope.models import Model

_WITH_CHANNELS = re.compile(r"(\d+[x×]\d+)[x×](\d+)", re.IGNORECASE)
_ASSUMED = 3


def tell_size(model: Model, size: str) -> tuple[int, int]:
    """Tell the size of the input, ``HxW`` or, with its channels, ``HxWxC``.

    Returns height and width. The model's notes say so where the channels are neither known nor
    given. Raises InputError where the size is not understood.
    """
    given = _WITH_CHANNELS.fullmatch(size)
    height, width = Preprocessing.parse(given[1] if given else size).size or (0, 0)
    guessed = given is None and not _knows_its_input(model)
    channels = int(given[2]) if given else _ASSUMED
    model.accept({"input": (1, height, width, channels)})
    if guessed:
        note = (
            f"input: {channels} channels are assumed, since the model does not say how many; "
            f"--size {height}x{width}x1 would tell it that there is one"
        )
        _ = model.graph
        model.source = replace(model.source, notes=(*model.source.notes, note))
    return height, width


def _knows_its_input(model: Model) -> bool:
    try:
        return all(node.shape[1:] and node.shape[-1] is not None for node in model.graph.inputs)
    except ModelError:
        return False
