"""What layers compute, written out in plain loops over numpy arrays (channels last)."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def pads(size: int, kernel: int, stride: int, dilation: int, padding: str) -> tuple[int, int, int]:
    """The zeros before and after one axis, and the length of the output."""
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return 0, 0, (size - reach) // stride + 1
    if padding == "causal":
        return reach - 1, 0, (size - 1) // stride + 1
    length = -(-size // stride)
    total = max((length - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2, length


def windows(
    x: Array,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: str,
    fill: float = 0.0,
) -> Array:
    """Every window of x: (batch, *output, *kernel, channels)."""
    ends = [
        pads(*numbers, padding)
        for numbers in zip(x.shape[1:-1], kernel, strides, dilation, strict=True)
    ]
    amounts = [(0, 0), *((before, after) for before, after, _ in ends), (0, 0)]
    padded = np.pad(x, amounts, constant_values=fill)
    lengths = [length for _, _, length in ends]
    out = np.zeros((x.shape[0], *lengths, *kernel, x.shape[-1]))
    for at in np.ndindex(*lengths):
        for offset in np.ndindex(*kernel):
            place = tuple(
                a * s + o * d for a, s, o, d in zip(at, strides, offset, dilation, strict=True)
            )
            out[(slice(None), *at, *offset)] = padded[(slice(None), *place)]
    return out


def convolution(
    x: Array,
    kernel: Array,
    bias: Array | float = 0.0,
    *,
    strides: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
    padding: str = "valid",
    groups: int = 1,
) -> Array:
    """kernel: (*sizes, channels of a group, filters)."""
    sizes = kernel.shape[:-2]
    ones = (1,) * len(sizes)
    seen = windows(x, sizes, strides or ones, dilation or ones, padding)
    filters = kernel.shape[-1]
    out = np.zeros((*seen.shape[: x.ndim - 1], filters))
    per_group, inside = filters // groups, kernel.shape[-2]
    for f in range(filters):
        first = f // per_group * inside
        for offset in np.ndindex(*sizes):
            for c in range(inside):
                value = seen[(..., *offset, first + c)]
                out[..., f] += value * kernel[(*offset, c, f)]
    return out + bias


def depthwise(x: Array, kernel: Array, bias: Array | float = 0.0, **options: object) -> Array:
    """kernel: (*sizes, channels, multiplier)."""
    channels, multiplier = kernel.shape[-2:]
    maps = [
        convolution(x[..., c : c + 1], kernel[..., c : c + 1, m : m + 1], **options)  # type: ignore[arg-type]
        for c, m in itertools.product(range(channels), range(multiplier))
    ]
    return np.concatenate(maps, axis=-1) + bias


def transposed(
    x: Array, kernel: Array, bias: Array | float, strides: Sequence[int], padding: str
) -> Array:
    """Every input value spread over the output; kernel: (*sizes, filters, channels)."""
    sizes, space = kernel.shape[:-2], x.shape[1:-1]
    full = [max((n - 1) * s + k, n * s) for n, s, k in zip(space, strides, sizes, strict=True)]
    out = np.zeros((x.shape[0], *full, kernel.shape[-2]))
    for at in np.ndindex(*space):
        for offset in np.ndindex(*sizes):
            place = tuple(a * s + o for a, s, o in zip(at, strides, offset, strict=True))
            out[(slice(None), *place)] += x[(slice(None), *at)] @ kernel[offset].T
    if padding == "same":
        for axis, (n, s, k) in enumerate(zip(space, strides, sizes, strict=True), start=1):
            first = max(k - s, 0) // 2
            out = np.take(out, range(first, first + n * s), axis=axis)
    return out + bias


def pooling(
    x: Array, window: Sequence[int], strides: Sequence[int], padding: str, function: str
) -> Array:
    """The largest value or the mean of each window; padding counts for neither."""
    ones = (1,) * len(window)
    seen = windows(x, window, strides, ones, padding, np.nan)
    axes = tuple(range(len(window) + 1, 2 * len(window) + 1))
    return np.nanmax(seen, axis=axes) if function == "max" else np.nanmean(seen, axis=axes)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


State = tuple[Array, ...]
Cell = Callable[[Array, State], State]


def simple_rnn(kernel: Array, recurrent: Array, bias: Array) -> Cell:
    return lambda x, state: (np.tanh(x @ kernel + state[0] @ recurrent + bias),)


def lstm(kernel: Array, recurrent: Array, bias: Array) -> Cell:
    def cell(x: Array, state: State) -> State:
        h, c = state
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return cell


def gru(kernel: Array, recurrent: Array, bias: Array) -> Cell:
    """The reset gate is applied after the recurrent product; bias: (2, 3 × size)."""

    def cell(x: Array, state: State) -> State:
        (h,) = state
        xz, xr, xh = np.split(x @ kernel + bias[0], 3, axis=-1)
        hz, hr, hh = np.split(h @ recurrent + bias[1], 3, axis=-1)
        z = sigmoid(xz + hz)
        return (z * h + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh),)

    return cell


def conv_lstm(kernel: Array, recurrent: Array, bias: Array, padding: str) -> Cell:
    def cell(x: Array, state: State) -> State:
        h, c = state
        gates = convolution(x, kernel, bias, padding=padding)
        gates = gates + convolution(h, recurrent, padding="same")
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return cell


def steps(cell: Cell, x: Array, state: State, mask: NDArray[np.bool_] | None = None) -> list[State]:
    """The state after each step; a masked step leaves it as it was."""
    states: list[State] = []
    for t in range(x.shape[1]):
        new = cell(x[:, t], state)
        if mask is not None:
            seen = mask[:, t].reshape(-1, *(1,) * (new[0].ndim - 1))
            new = tuple(np.where(seen, a, b) for a, b in zip(new, state, strict=True))
        states.append(new)
        state = new
    return states
