"""Kernels as they were at an epoch, as a container on one scale for all epochs."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.kernels import kernel_of
from layerscope.faces.explorer.answers.container import pack
from layerscope.graph import Node


def arranged(node: Node, kernel: NDArray[Any]) -> NDArray[np.float32]:
    """A kernel as (outputs, inputs of a group, height, width).

    A kernel along one axis has height 1; of one along three the first two are drawn together.
    """
    zeros = np.zeros(0)
    values = kernel_of(node, {"kernel": kernel, "bias": zeros}).values
    values = np.moveaxis(values, (-1, -2), (0, 1))
    taps = (1, 1, *values.shape[2:])
    shape = (*values.shape[:2], prod(taps[:-1]), taps[-1])
    return np.ascontiguousarray(values.reshape(shape), np.float32)


def kernels_blob(node: Node, kernel: NDArray[Any], epoch: int, reach: float) -> bytes:
    """A kernel as a container. reach: the largest magnitude over all epochs.

    Section: ``values`` (outputs, inputs of a group, height, width).
    """
    header = {"epoch": epoch, "low": -reach, "high": reach}
    return pack(header, {"values": arranged(node, kernel)})
