"""Padding ``same`` where Theano placed it, in networks that Theano computed.

Theano pads a convolution by half its reach on both sides, and Keras cut off what was too much.
Keras padded the pooling windows by their size less one, or less two where the size is odd. The
first window begins there whatever the stride; TensorFlow's place depends on the input's size.
(``conv2d`` and ``pool2d`` in Keras 1.2 and 2's theano_backend.py.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from layerscope.models.keras_legacy.classes import RENAMED_CLASSES
from layerscope.models.keras_legacy.config import Config
from layerscope.models.keras_legacy.network import Network, Part

_RANKS = ("1D", "2D", "3D")
POOLINGS = frozenset(f"{kind}Pooling{rank}" for kind in ("Max", "Average") for rank in _RANKS)
TRANSPOSED = frozenset(("Conv2DTranspose", "Conv3DTranspose"))
CONVOLUTIONS = frozenset(
    (*(f"Conv{rank}" for rank in _RANKS), "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
)
_RECURRENT = frozenset(("ConvLSTM2D",))
PLACED = POOLINGS | TRANSPOSED | CONVOLUTIONS

Amounts = list[tuple[int, int]]
# No window, stride or dilation is larger; what is added to the input takes memory.
_LARGEST = 10_000


def placed(network: Network, notes: list[str]) -> Network:
    """The network with explicit padding wherever Theano's place is not TensorFlow's; noted."""
    return replace(network, parts=tuple(_placed(part, notes) for part in network.parts))


def _placed(part: Part, notes: list[str]) -> Part:
    if part.network is not None:
        return replace(part, network=placed(part.network, notes))
    if part.wrapped:
        return replace(part, wrapped=tuple(_placed(inner, notes) for inner in part.wrapped))
    kind = _kind(part)
    amounts = amounts_of(kind, part.config)
    if amounts is None or "class_name" not in part.made:
        return part
    if kind in _RECURRENT or (kind.startswith("Separable") and _is_even(part.config)):
        notes.append(
            f"{part.name}: padding 'same' is placed as TensorFlow does; Theano began its windows "
            "earlier"
        )
        return part
    places = " × ".join(f"{before}+{after}" for before, after in amounts)
    does = "cuts off" if kind in TRANSPOSED else "adds"
    notes.append(f"{part.name}: padding 'same' {does} {places}, as Theano did")
    config = {**part.made["config"], "padding": "valid", "amounts": [list(a) for a in amounts]}
    if kind in TRANSPOSED:
        sizes, strides, _ = _sizes(kind, part.config)
        config["output_padding"] = [
            max(0, stride + size // 2 - size) for size, stride in zip(sizes, strides, strict=True)
        ]
    made = {
        "module": None,
        "class_name": kind,
        "config": config,
        "registered_name": f"layerscope>Placed{kind}",
    }
    return replace(part, made=made)


def differing(parts: Iterator[Part]) -> Iterator[Part]:
    """The layers whose padding Theano placed elsewhere."""
    return (part for part in parts if amounts_of(_kind(part), part.config) is not None)


def amounts_of(kind: str, config: Config) -> Amounts | None:
    """What Theano adds before and after each axis; None where TensorFlow does the same.

    For a transposed convolution, what is cut off the whole result.
    """
    if config.get("padding") != "same" or kind not in PLACED | _RECURRENT:
        return None
    sizes, strides, dilation = _sizes(kind, config)
    found: Amounts = []
    differs = False
    for size, stride, step in zip(sizes, strides, dilation, strict=True):
        reach = (size - 1) * step + 1
        before = reach // 2
        if kind in POOLINGS:
            before = reach - 2 if reach > 2 and reach % 2 else reach - 1
        after = reach - 1 - before
        if kind in TRANSPOSED:
            after = size - stride + max(0, stride + size // 2 - size) - size // 2
        found.append((before, after))
        differs |= before != (reach - 1) // 2 or (stride != 1 and reach > 1)
        if kind in TRANSPOSED:
            differs |= stride != 1
    return found if differs else None


def _sizes(kind: str, config: Config) -> tuple[list[int], list[int], list[int]]:
    rank = int(kind.rstrip("D")[-1]) if kind.endswith("D") else int(kind[kind.index("D") - 1])
    size = config.get("pool_size" if kind in POOLINGS else "kernel_size")
    sizes = _each(2 if size is None and kind in POOLINGS else size, rank)
    strides = config.get("strides")
    if strides is None:
        strides = sizes if kind in POOLINGS else 1
    return sizes, _each(strides, rank), _each(config.get("dilation_rate") or 1, rank)


def _each(value: Any, rank: int) -> list[int]:
    values = value if isinstance(value, list | tuple) else [value] * rank
    if len(values) != rank or not all(type(one) is int and 0 < one < _LARGEST for one in values):
        raise ValueError(f"expected {rank} sizes, but got {value!r:.40}")
    return list(values)


def _is_even(config: Config) -> bool:
    size: Any = config.get("kernel_size")
    return any(one % 2 == 0 for one in (size if isinstance(size, list | tuple) else [size]))


def _kind(part: Part) -> str:
    return RENAMED_CLASSES.get(part.kind, part.kind)
