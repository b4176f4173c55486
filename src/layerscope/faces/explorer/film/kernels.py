"""Kernels as they were at an epoch, as a container on one scale for all epochs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import InputError
from layerscope.explain.kernels import kernel_of
from layerscope.faces.explorer.answers.container import pack
from layerscope.graph import Node
from layerscope.operations import Convolution


def arranged(node: Node, kernel: NDArray[Any]) -> NDArray[np.float32]:
    """A kernel as (outputs, inputs of a group, height, width).

    A kernel along one axis has height 1; of one along three the first two are drawn together.
    Raises InputError where it is none of the layer's.
    """
    operation = node.operation
    axes = len(operation.kernel_size) if isinstance(operation, Convolution) else 0
    if not axes or kernel.ndim != axes + 2 or not kernel.size:
        raise InputError(
            f"the kernel of {node.name} has shape {kernel.shape}, and {axes + 2} axes were expected"
        )
    values = kernel_of(node, {"kernel": kernel, "bias": np.zeros(0)}).values
    values = np.moveaxis(values, (-1, -2), (0, 1))
    taps = (1, 1, *values.shape[2:])
    shape = (*values.shape[:2], prod(taps[:-1]), taps[-1])
    return np.ascontiguousarray(values.reshape(shape), np.float32)


def kernels_blob(values: NDArray[np.float32], epoch: int, reach: float) -> bytes:
    """A kernel as a container. values: of ``arranged``. reach: the largest over all epochs.

    Section: ``values`` (outputs, inputs of a group, height, width).
    """
    header = {"epoch": epoch, "low": -reach, "high": reach}
    return pack(header, {"values": values})
