"""Casts to 64 bits where the backend computes in 32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from layerscope.models.keras.backends import computes_in_32_bits
from layerscope.models.keras_legacy.calls import Call

_NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32", "complex128": "complex64"}


def within_backend(name: str, calls: Iterable[Call], notes: list[str]) -> Iterator[Call]:
    """The calls of a cast, with 32 bits for 64 where JAX has these switched off."""
    for call in calls:
        wanted = call.others.get("dtype")
        narrow = _NARROW.get(wanted) if isinstance(wanted, str) and computes_in_32_bits() else None
        if narrow is None:
            yield call
        else:
            notes.append(
                f"{name}: cast to {narrow} and not {wanted}, since JAX computes in 32 bits "
                "(set JAX_ENABLE_X64=1 for 64)"
            )
            yield replace(call, others={**call.others, "dtype": narrow})
