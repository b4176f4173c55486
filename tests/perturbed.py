"""Changed pixels: what moves a neuron, against the box that it is said to see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.receptive_field import Box, boxes

# Far up, so that a maximum follows, and visible after tens of averages in single precision.
FAR = 1e15


def positive(model: Any, seed: int = 0) -> Any:
    """Give every weight a positive value, so that no rectifier hides what a pixel does.

    The outermost taps of a kernel weigh most, so that what passes through them alone, layer
    after layer, is not lost to rounding.
    """
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        path = variable.path.rsplit("/", 1)[-1]
        values = np.full(shape, 0.0 if path in ("moving_mean", "beta", "mean") else 1.0)
        if "kernel" in path:
            values = random.uniform(0.9, 1.1, shape)
            for axis in range(len(shape) - 2):
                inner = (slice(None),) * axis + (slice(1, -1),)
                values[inner] *= 0.3
            values /= np.prod(shape[:-2]) * inputs_of(shape)
        elif path == "bias":
            values = random.uniform(0, 0.1, shape)
        if path != "count":
            variable.assign(values.astype(variable.dtype))
    return model


def inputs_of(shape: tuple[int, ...]) -> int:
    """How many channels a kernel sums over; a depthwise one has 1 where others have filters."""
    return 1 if len(shape) > 2 and shape[-1] == 1 else shape[-2]


def check_box(
    model: Any,
    name: str,
    at: tuple[int, ...],
    shape: tuple[int, ...],
    seed: int = 0,
    values: tuple[float, float] = (0.2, 0.8),
) -> Box:
    """Pixels outside change nothing; of each side of an exact box some pixel does.

    shape: of the network's one input, with a batch of one. values: the range of the pixels.
    """
    node, given = model.graph[name], model.graph.inputs[0]
    random = np.random.default_rng(seed)
    picture = random.uniform(*values, shape).astype("float32")
    (box,) = boxes(model.graph, name, at, shapes={given.name: shape})
    inside = [slice(None)] * len(shape)
    for axis, (start, stop) in zip(given.axes.spatial, box.ranges, strict=True):
        inside[axis] = slice(start, stop)
    outside = random.uniform(*values, shape).astype("float32")
    outside[tuple(inside)] = picture[tuple(inside)]
    batch, moved = [picture, outside], []
    if box.status == "exact" and all(start < stop for start, stop in box.ranges):
        for axis, (start, stop) in zip(given.axes.spatial, box.ranges, strict=True):
            for edge in {start, stop - 1}:
                side = [*inside]
                side[axis] = slice(edge, edge + 1)
                batch.append(picture.copy())
                batch[-1][tuple(side)] += FAR
                moved.append((axis, edge))
    place = [slice(None)] * len(node.shape)
    for axis, index in zip(node.axes.spatial, at, strict=True):
        place[axis] = slice(index, index + 1)
    made = model.run({given.name: np.concatenate(batch)}, [name])[name][tuple(place)]
    np.testing.assert_array_equal(made[1], made[0])
    for (axis, edge), value in zip(moved, made[2:], strict=True):
        assert not np.array_equal(value, made[0]), (name, at, box, axis, edge)
    return box


def place_in(node: Any, sizes: tuple[int, ...], random: Any) -> tuple[int, ...]:
    """A random place along a node's spatial axes; sizes: its shape."""
    return tuple(int(random.integers(0, sizes[axis])) for axis in node.axes.spatial)


def pictures(seed: int, *shape: int) -> NDArray[np.float32]:
    """Noise from 0 to 1."""
    return np.random.default_rng(seed).random(shape, dtype=np.float32)
