"""Whether Theano computed an old network: its kernels are convolutions, and not correlations."""

from __future__ import annotations

from collections.abc import Iterator

from layerscope.models.keras_legacy.network import Network, Part
from layerscope.models.keras_legacy.stored import Weights
from layerscope.models.keras_legacy.theano import differing

# The layers whose kernels Theano turned; its depthwise convolutions turned theirs twice.
TURNED = frozenset(("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"))


def by_theano(network: Network, weights: Weights, given: bool | None, notes: list[str]) -> bool:
    """Whether Theano computed the network: as given, or by what the file tells; noted.

    Then its kernels are to be turned by 180°. The weights that TensorFlow named end in ``:0``;
    Theano's do not. Keras 2 wrote its backend. False where it makes no difference.
    """
    parts = [part for part in leaves(network) if part.kind in TURNED and _has_extent(part)]
    places = list(differing(leaves(network)))
    if not parts and not places:
        return False
    decided, why = _decide(parts or places, weights)
    if given is not None:
        decided, why = given, "as asked for"
    if decided and parts:
        notes.append(f"kernels turned by 180°: written by Theano ({why})")
    elif parts and (weights.keras_1 or given is not None):
        notes.append(f"kernels as they are: not written by Theano ({why})")
    return decided


def placed_by_code(network: Network) -> Iterator[str]:
    """Notes on layers of the user's own code whose padding Theano placed otherwise."""
    for part in differing(leaves(network)):
        yield (
            f"{part.name}: padding 'same' is placed as the code given does; Theano began its "
            "windows earlier"
        )


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
