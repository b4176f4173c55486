"""Keras's layers with padding at places of its own, as theano.py has found them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from layerscope.models.keras_legacy.theano import CONVOLUTIONS, POOLINGS, TRANSPOSED


class _Placed:
    """padding_amounts: (before, after) for every spatial axis; ``padding`` is then ``valid``."""

    value = 0.0

    def __init__(self, *args: Any, amounts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.padding_amounts = tuple((int(before), int(after)) for before, after in amounts)

    @property
    def _first(self) -> bool:
        return bool(getattr(self, "data_format", None) == "channels_first")

    def _padded(self, inputs: Any) -> Any:
        plain = ((0, 0),)
        spatial = (*plain, *self.padding_amounts) if self._first else self.padding_amounts
        widths = (*plain, *spatial) if self._first else (*plain, *spatial, *plain)
        return ops.pad(inputs, widths, constant_values=self.value)

    def _padded_shape(self, shape: Any) -> tuple[int | None, ...]:
        sizes = list(shape)
        for axis, amounts in enumerate(self.padding_amounts, 2 if self._first else 1):
            sizes[axis] = None if sizes[axis] is None else sizes[axis] + sum(amounts)
        return tuple(sizes)

    def call(self, inputs: Any) -> Any:
        return super().call(self._padded(inputs))  # type: ignore[misc]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return super().compute_output_shape(self._padded_shape(input_shape))  # type: ignore[misc]


class _Largest(_Placed):
    """What is added is never the largest."""

    value = float("-inf")


class _Mean(_Placed):
    """What is added does not count."""

    def call(self, inputs: Any) -> Any:
        return super().call(inputs) / super().call(ops.ones_like(inputs))


class _MeanInside:
    """Padding ``same`` as TensorFlow does it, which does not count what is added.

    Keras 3 on torch repeats the values at the border where it adds more on one side.
    """

    def call(self: Any, inputs: Any) -> Any:
        first = self.data_format == "channels_first"
        sizes = inputs.shape[2:] if first else inputs.shape[1:-1]
        lacking = [
            max(0, (-(-n // stride) - 1) * stride + window - n)
            for n, stride, window in zip(sizes, self.strides, self.pool_size, strict=True)
        ]
        amounts = tuple((n // 2, n - n // 2) for n in lacking)
        widths = ((0, 0), (0, 0), *amounts) if first else ((0, 0), *amounts, (0, 0))

        def pooled(x: Any) -> Any:
            return ops.average_pool(
                ops.pad(x, widths), self.pool_size, self.strides, "valid", self.data_format
            )

        return pooled(inputs) / pooled(ops.ones_like(inputs))


class _Transposed(_Placed):
    """padding_amounts: what is cut off the whole result."""

    def call(self, inputs: Any) -> Any:
        whole = super(_Placed, self).call(inputs)  # type: ignore[misc]
        cut = [slice(before, -after or None) for before, after in self.padding_amounts]
        return whole[(slice(None), slice(None), *cut) if self._first else (slice(None), *cut)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        whole = super(_Placed, self).compute_output_shape(input_shape)  # type: ignore[misc]
        sizes = list(whole)
        for axis, amounts in enumerate(self.padding_amounts, 2 if self._first else 1):
            sizes[axis] = None if sizes[axis] is None else sizes[axis] - sum(amounts)
        return tuple(sizes)


def _family(kind: str) -> type:
    if kind in TRANSPOSED:
        return _Transposed
    if kind in POOLINGS:
        return _Largest if kind.startswith("Max") else _Mean
    return _Placed


# By their own names, so that they are listed and chosen as what they are.
PLACED_OBJECTS: dict[str, type] = {
    f"layerscope>Placed{kind}": type(kind, (_family(kind), getattr(keras.layers, kind)), {})
    for kind in sorted(CONVOLUTIONS | POOLINGS | TRANSPOSED)
}
_MEANS: dict[str, Any] = {
    kind: type(kind, (_MeanInside, getattr(keras.layers, kind)), {})
    for kind in sorted(POOLINGS)
    if kind.startswith("Average")
}


def mean_of(made: Any) -> Any:
    """The layer in the place of Keras's own average pooling, where that errs; None elsewhere."""
    kind, config = made.get("class_name"), made.get("config")
    own = made.get("registered_name") is not None
    if keras.backend.backend() != "torch" or own or kind not in _MEANS:
        return None
    return _MEANS[kind].from_config(config) if config.get("padding") == "same" else None
