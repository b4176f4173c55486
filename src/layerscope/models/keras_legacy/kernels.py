"""Whether the kernels of an old file are convolutions (Theano) or correlations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerscope.models.keras_legacy.network import Network, Part
from layerscope.models.keras_legacy.stored import Weights

# The layers whose kernels Theano turned; its depthwise convolutions turned theirs twice.
TURNED = frozenset(("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"))


def turned(network: Network, weights: Weights, given: bool | None, notes: list[str]) -> bool:
    """Whether to turn the kernels by 180°: as given, or by what the file tells; noted.

    The weights that TensorFlow named end in ``:0``; Theano's do not. Keras 2 wrote its backend.
    """
    parts = [part for part in leaves(network) if part.kind in TURNED]
    if not parts or not any(_has_extent(part) for part in parts):
        return False
    decided, why = _decide(parts, weights)
    if given is not None:
        decided, why = given, "as asked for"
    if decided:
        notes.append(f"kernels turned by 180°: written by Theano ({why})")
        notes.extend(_padded(parts))
    elif weights.keras_1 or given is not None:
        notes.append(f"kernels as they are: not written by Theano ({why})")
    return decided


def _decide(parts: list[Part], weights: Weights) -> tuple[bool, str]:
    if not weights.keras_1:
        return weights.backend == "theano", f"the file names the backend {weights.backend}"
    names = [array.name for group in weights.groups.values() for array in group]
    named = [name for name in names if not name.startswith("param_")]
    if named:
        theano = not any(name.endswith(":0") for name in named)
        return theano, f"the names of its weights {'do not ' if theano else ''}end in ':0'"
    formats = {part.config.get("data_format") for part in parts}
    theano = formats == {"channels_first"}
    return theano, f"its weights have no names, its layers are {' and '.join(map(str, formats))}"


def _padded(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        strides = part.config.get("strides", 1)
        strides = strides if isinstance(strides, list) else [strides]
        if part.config.get("padding") == "same" and any(stride != 1 for stride in strides):
            yield (
                f"{part.name}: padding 'same' with strides is computed as TensorFlow does; "
                "Theano placed the windows otherwise"
            )


def _has_extent(part: Part) -> bool:
    size = part.config.get("kernel_size", 1)
    return any(s != 1 for s in (size if isinstance(size, list) else [size]))


def leaves(network: Network) -> Iterator[Part]:
    """Every layer that is no model and no wrapper, those inside included."""
    waiting = list(network.parts)[::-1]
    while waiting:
        part = waiting.pop()
        if part.network is not None:
            waiting.extend(part.network.parts[::-1])
        elif part.wrapped:
            waiting.extend(part.wrapped[::-1])
        else:
            yield part
