"""Keras 2's layers that give pictures a random size in training; here they run at inference."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from layerscope.errors import ModelError


def _only_at_inference(layer: Any, training: bool) -> None:
    if training:
        raise ModelError(
            f"Layer {layer.name!r} changes the size of its input at random in training, which "
            "is not computed. Run the network without --training."
        )


class _Resized(keras.layers.Identity):  # type: ignore[misc]
    """Of a random size in training; otherwise what it is given."""

    def __init__(
        self, factor: Any = 0.0, interpolation: str = "bilinear", seed: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        _only_at_inference(self, training)
        return inputs

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        return super().compute_output_spec(inputs)


class RandomHeight(_Resized):
    """Keras 2's layer that changes the height in training."""


class RandomWidth(_Resized):
    """Keras 2's layer that changes the width in training."""


class RandomCrop(keras.layers.Layer):  # type: ignore[misc]
    """At inference the middle of the picture in the wanted aspect ratio, resized bilinearly.

    Keras 3's layer of this name hands its input on instead.
    """

    def __init__(self, height: int, width: int, seed: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = int(height), int(width)

    def call(self, inputs: Any, training: bool = False) -> Any:
        _only_at_inference(self, training)
        height, width = inputs.shape[-3:-1]
        if height is None or width is None:
            raise ValueError("a layer that crops needs an input of a known size")
        inner = min(height, int(width * self.height / self.width))
        across = min(width, int(height * self.width / self.height))
        top, left = int((height - inner) / 2), int((width - across) / 2)
        middle = inputs[..., top : top + inner, left : left + across, :]
        return ops.image.resize(
            middle, (self.height, self.width), "bilinear", data_format="channels_last"
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])
