"""TensorFlow's operations that take weights, as neutral operations."""

from __future__ import annotations

from typing import Any

from layerscope.models.tensorflow.attributes import (
    data_format,
    dilation,
    flag,
    known_shape,
    padding,
    spatial,
)
from layerscope.models.tensorflow.meaning import Carries, Meaning
from layerscope.operations import Convolution, Dense, Elementwise, Normalization, Opaque


def convolution(operation: Any, carries: Carries) -> Meaning | None:
    """A convolution, by channels, by groups or by every channel for itself."""
    data, kernel = operation.inputs[0], operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None:
        return None
    depthwise = operation.type.startswith("Depthwise")
    channels, filters = shape[-2], shape[-1]
    places = -1 if data_format(operation) == "channels_last" else 1
    given = data.shape[places] if data.shape.rank else None
    groups = max(1, given // channels) if given and not depthwise else 1
    return Meaning(
        Convolution(
            filters=channels * filters if depthwise else filters,
            kernel_size=tuple(shape[:-2]),
            strides=spatial(operation, operation.get_attr("strides")),
            padding=padding(operation),
            dilation=dilation(operation, len(shape) - 2),
            groups=channels if depthwise else groups,
            data_format=data_format(operation),
            depthwise=depthwise,
            depth_multiplier=filters if depthwise else 1,
            use_bias=False,
        ),
        {"kernel": kernel},
    )


def transposed(operation: Any, carries: Carries) -> Meaning | None:
    """A convolution turned round, which enlarges."""
    kernel = operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None or not carries(operation.inputs[2]):
        return None
    return Meaning(
        Convolution(
            filters=shape[-2],
            kernel_size=tuple(shape[:-2]),
            strides=spatial(operation, operation.get_attr("strides")),
            padding=padding(operation),
            dilation=dilation(operation, len(shape) - 2),
            data_format=data_format(operation),
            transposed=True,
            use_bias=False,
        ),
        {"kernel": kernel},
    )


def dense(operation: Any, carries: Carries) -> Meaning | None:
    """A multiplication by a matrix of weights."""
    kernel = operation.inputs[1]
    shape = known_shape(kernel)
    if carries(kernel) or shape is None or len(shape) != 2 or not carries(operation.inputs[0]):
        return None
    if flag(operation, "transpose_a") or flag(operation, "adj_x"):
        return None
    turned = flag(operation, "transpose_b") or flag(operation, "adj_y")
    units = shape[0] if turned else shape[1]
    roles = frozenset({"kernel"}) if turned else frozenset()
    return Meaning(Dense(units, use_bias=False), {"kernel": kernel}, roles)


def bias(operation: Any, carries: Carries) -> Meaning | None:
    """A bias, or two values of the network added."""
    if carries(operation.inputs[1]):
        return Meaning(Elementwise("add"))
    return Meaning(Elementwise("add-bias"), {"bias": operation.inputs[1]})


def add(operation: Any, carries: Carries) -> Meaning | None:
    """A bias where one side is a constant along the channels, or else an addition."""
    constant = [i for i in operation.inputs if not carries(i)]
    if len(constant) != 1 or not _along_channels(constant[0], operation.outputs[0]):
        return Meaning(Elementwise("add"))
    return Meaning(Elementwise("add-bias"), {"bias": constant[0]})


def _along_channels(tensor: Any, output: Any) -> bool:
    """Whether a constant has one number for each channel, on the last axis or axis 1."""
    shape, rank = known_shape(tensor), output.shape.rank
    if not shape or not rank or len(shape) > rank:
        return False
    full = [1] * (rank - len(shape)) + shape
    wide = [i for i, size in enumerate(full) if size != 1]
    return wide in ([rank - 1], [1]) and output.shape[wide[0]] == full[wide[0]]


def fused_normalization(operation: Any, carries: Carries) -> Meaning | None:
    """Batch normalisation by stored statistics, or by the batch's own."""
    rank = operation.inputs[0].shape.rank or 4
    axis = 1 if data_format(operation) == "channels_first" else rank - 1
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = dict(zip(roles, list(operation.inputs)[1:5], strict=False))
    if any(carries(tensor) for tensor in weights.values()):
        return None
    if flag(operation, "is_training"):
        own = Opaque("batch normalisation by the batch's own statistics")
        return Meaning(own, training=True)
    epsilon = float(operation.get_attr("epsilon"))
    return Meaning(Normalization("batch", (axis,), epsilon), weights)
