"""Partial maps: each input channel under its own kernel, not yet summed with the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.explain.windows import Window

Values = NDArray[np.floating[Any]]

# Values of a block that stays in a processor's cache with what it is made from.
_BLOCK = 1 << 15


def partial_maps(
    maps: Values, kernel: Values, along: tuple[Window, ...], shape: tuple[int, ...]
) -> Values:
    """Each input channel under its own kernel: (inputs, \\*shape).

    maps: (inputs, \\*spatial). kernel: (inputs, \\*taps), of the same type. along: a window for
    each spatial axis; none for a dense layer, whose other axes stay as they are.

    >>> window = Window(size=2, stride=1, dilation=1, before=0, inputs=3, outputs=2)
    >>> partial_maps(np.array([[1.0, 2.0, 4.0]]), np.array([[1.0, 10.0]]), (window,), (2,))
    array([[21., 42.]])
    """
    return slider(maps, along, shape).partial_maps(kernel)


def slider(maps: Values, along: tuple[Window, ...], shape: tuple[int, ...]) -> Slider:
    """Input channels made ready for kernels; arguments as those of ``partial_maps``."""
    if not along:
        return Scaled(maps)
    return (Scattered if along[0].transposed else Gathered)(maps, along, shape)


class Slider:
    """Input channels, ready for the kernels of one output channel after another."""

    def partial_maps(self, kernel: Values) -> Values:
        """The partial maps under a kernel (inputs, \\*taps): (inputs, \\*shape)."""
        raise NotImplementedError

    def largest(self, kernel: Values) -> float:
        """The largest magnitude in the partial maps under a kernel."""
        return float(np.abs(self.partial_maps(kernel)).max(initial=0))


class Scaled(Slider):
    """Input channels of a dense layer, each of which is multiplied by one number."""

    def __init__(self, maps: Values) -> None:
        self.maps = maps

    def partial_maps(self, kernel: Values) -> Values:
        """See Slider."""
        return self.maps * kernel.reshape(len(kernel), *(1,) * (self.maps.ndim - 1))


@dataclass(frozen=True)
class _Tap:
    """One tap of a kernel: the phase that it meets, and how far into it."""

    index: tuple[int, ...]
    phase: tuple[int, ...]
    start: int


class _Sliding(Slider):
    """Channels laid out so that every tap of a kernel meets one stretch of memory.

    A stride of s sorts the padded positions of the strided side into s phases, those of equal
    remainder. Within a phase, with rows as long as those of the other side, a tap is a plain
    shift: a whole map takes one multiplication and one addition a tap, and no step at the end
    of each row. What that computes across the ends of rows lies outside the result.
    """

    def __init__(self, maps: Values, along: tuple[Window, ...], shape: tuple[int, ...]) -> None:
        self.along, self.shape = along, shape
        self.count, self.dtype = len(maps), maps.dtype
        plain = tuple(w.inputs if w.transposed else w.outputs for w in along)
        moves = [[divmod(t * w.dilation, w.stride) for t in range(w.size)] for w in along]
        rows = zip(plain, moves, strict=True)
        self.sizes = tuple(n + max(shift for shift, _ in own) for n, own in rows)
        steps = [prod(self.sizes[i + 1 :]) for i in range(len(along))]
        self.taps = []
        for index in product(*(range(w.size) for w in along)):
            met = [own[t] for own, t in zip(moves, index, strict=True)]
            start = sum(shift * step for (shift, _), step in zip(met, steps, strict=True))
            self.taps.append(_Tap(index, tuple(phase for _, phase in met), start))
        last = sum((n - 1) * step for n, step in zip(plain, steps, strict=True))
        self.stretch = last + 1 if all(plain) else 0
        self.several = max(1, _BLOCK // max(1, self.stretch))
        self.inner = (slice(None), *(slice(0, n) for n in plain))

    def _parts(self) -> Iterator[slice]:
        """A few channels at a time, so that they stay in the cache."""
        for start in range(0, self.count, self.several):
            yield slice(start, min(self.count, start + self.several))

    def _places(
        self, phase: tuple[int, ...], lengths: Sequence[int]
    ) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """Positions of the strided side that a phase holds, and where it holds them."""
        strided, held = [slice(None)], [slice(None)]
        for w, p, size, length in zip(self.along, phase, self.sizes, lengths, strict=True):
            first = max(0, -((p - w.before) // w.stride))
            begin = first * w.stride + p - w.before
            count = max(0, min(size - first, -((begin - length) // w.stride)))
            strided.append(slice(begin, begin + count * w.stride if count else begin, w.stride))
            held.append(slice(first, first + count))
        return tuple(strided), tuple(held)


class Gathered(_Sliding):
    """Input channels of a convolution: each output position gathers what its taps read."""

    def __init__(self, maps: Values, along: tuple[Window, ...], shape: tuple[int, ...]) -> None:
        super().__init__(maps, along, shape)
        self.planes = {}
        for phase in {tap.phase for tap in self.taps}:
            plane = np.zeros((self.count, *self.sizes), self.dtype)
            strided, held = self._places(phase, maps.shape[1:])
            plane[held] = maps[strided]
            self.planes[phase] = plane.reshape(self.count, -1)

    def partial_maps(self, kernel: Values) -> Values:
        """See Slider."""
        result = np.empty((self.count, prod(self.sizes)), self.dtype)
        scratch = np.empty((self.several, self.stretch), self.dtype)
        for part in self._parts():
            self._gather(kernel, part, result[part], scratch)
        return result.reshape(self.count, *self.sizes)[self.inner]

    def largest(self, kernel: Values) -> float:
        """See Slider; the maps are not kept."""
        result = np.empty((self.several, prod(self.sizes)), self.dtype)
        scratch = np.empty((self.several, self.stretch), self.dtype)
        found = 0.0
        for part in self._parts():
            made = result[: part.stop - part.start]
            self._gather(kernel, part, made, scratch)
            seen = made.reshape(len(made), *self.sizes)[self.inner]
            found = max(found, float(seen.max(initial=0)), -float(seen.min(initial=0)))
        return found

    def _gather(self, kernel: Values, part: slice, result: Values, scratch: Values) -> None:
        """Fill a few rows of the result, which is as long as the planes."""
        target, made = result[:, : self.stretch], scratch[: len(result)]
        for i, tap in enumerate(self.taps):
            read = self.planes[tap.phase][part, tap.start : tap.start + self.stretch]
            np.multiply(read, kernel[(part, *tap.index, None)], out=made if i else target)
            if i:
                np.add(target, made, out=target)


class Scattered(_Sliding):
    """Input channels of a transposed convolution: each position adds its kernel to the output."""

    def __init__(self, maps: Values, along: tuple[Window, ...], shape: tuple[int, ...]) -> None:
        super().__init__(maps, along, shape)
        plane = np.zeros((self.count, *self.sizes), self.dtype)
        plane[self.inner] = maps
        self.plane = plane.reshape(self.count, -1)[:, : self.stretch]

    def partial_maps(self, kernel: Values) -> Values:
        """See Slider."""
        result = np.zeros((self.count, *self.shape), self.dtype)
        made = np.empty((self.several, self.stretch), self.dtype)
        sums = np.empty((self.several, prod(self.sizes)), self.dtype)
        for phase in {tap.phase for tap in self.taps}:
            strided, held = self._places(phase, self.shape)
            taps = [tap for tap in self.taps if tap.phase == phase]
            for part in self._parts():
                read, total = self.plane[part], sums[: part.stop - part.start]
                total.fill(0)
                for tap in taps:
                    target = total[:, tap.start : tap.start + self.stretch]
                    np.multiply(read, kernel[(part, *tap.index, None)], out=made[: len(read)])
                    np.add(target, made[: len(read)], out=target)
                result[part][strided] = total.reshape(len(total), *self.sizes)[held]
        return result
