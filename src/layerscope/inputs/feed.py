"""prepare(): whatever the user gave, as a stream of batches for the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.hints import Hints
from layerscope.inputs.decode import MAX_PIXELS
from layerscope.inputs.record import Array, Batch, InputRecord
from layerscope.inputs.sample import Sample
from layerscope.inputs.settings import Preprocessing
from layerscope.inputs.stream import Stream
from layerscope.inputs.target import Target
from layerscope.inputs.words import assign

_AUTO = Preprocessing()
_NO_HINTS = Hints()


def prepare(
    inputs: Any,
    nodes: Sequence[Node],
    preprocessing: Preprocessing = _AUTO,
    hints: Hints = _NO_HINTS,
    max_pixels: int | None = MAX_PIXELS,
    main: str | None = None,
) -> Feed:
    """Make pictures, arrays or folders fit the inputs of a network, noting every step.

    inputs: a path or word (``cat.jpg``, ``left=a.png``, ``keep_prob=1``, ``x.mat:name``), an
    array, an open Pillow picture, a list of these, or a mapping from input names to any of
    these. An array with an input's full rank is a batch in the model's own layout. nodes: the
    network's inputs. max_pixels: the largest picture that is decoded, None for no limit. main:
    the input that takes what is not named, where the network has several.

    Raises InputError where something is missing, unreadable or does not fit; for what only
    decoding can tell, that comes with the batch.

    >>> from layerscope.axes import Axes
    >>> from layerscope.operations import Input
    >>> node = Node("image", None, "image", "InputLayer", Input(), (), (None, 4, 4, 1),
    ...             Axes.parse("NHWC"))
    >>> feed = prepare(np.zeros((2, 4, 4, 1)), [node])
    >>> len(feed), next(feed.batches(8)).feeds["image"].shape
    (2, (2, 4, 4, 1))
    """
    targets = {node.name: Target.of(node) for node in nodes}
    if main is not None and main not in targets:
        raise InputError(f"the model has no input {main!r}")
    assignment = assign(inputs, targets, main)
    pictures = any(targets[name].is_maps for name in assignment.sources)
    plain = Preprocessing(allow_nan=preprocessing.allow_nan)
    streams = {
        name: Stream(
            target,
            assignment.sources[name],
            preprocessing if target.is_maps or not pictures else plain,
            hints,
            max_pixels,
        )
        for name, target in targets.items()
        if name in assignment.sources
    }
    return Feed(targets, streams, assignment.numbers, tuple(assignment.passed))


class Feed:
    """A stream of samples for a network, decoded as they are needed.

    labels: a short name of each sample. passed: files in the given folders that are neither
    picture nor array, and were left out.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        streams: Mapping[str, Stream],
        numbers: Mapping[str, float],
        passed: tuple[str, ...] = (),
    ) -> None:
        self._targets, self._streams = targets, streams
        self._numbers = {name: _number(targets[name], value) for name, value in numbers.items()}
        self.passed = passed
        self._length = _common_length(streams)
        first = next(iter(streams.values()), None)
        self.labels = ("numbers",) if first is None else tuple(s.label for s in first.slots)
        self._fixed = self._fixed_batch()

    def __len__(self) -> int:
        return self._length

    def batches(self, size: int) -> Iterator[Batch]:
        """The samples in order, in batches of at most ``size``.

        A batch ends early where the next sample has another shape (a network that takes any
        size). Where the network fixes the size of its batch, that one is used.
        """
        if size < 1:
            raise ValueError(f"a batch has at least 1 sample, not {size}")
        size = self._fixed or size
        waiting: list[dict[str, Sample]] = []
        start = 0
        for place in range(len(self)):
            samples = {name: stream.sample(place) for name, stream in self._streams.items()}
            if waiting and _shapes(samples) != _shapes(waiting[0]):
                yield self._batch(waiting, start)
                waiting, start = [], place
            waiting.append(samples)
            if len(waiting) == size:
                yield self._batch(waiting, start)
                waiting, start = [], place + 1
        if waiting:
            yield self._batch(waiting, start)

    def _batch(self, samples: list[dict[str, Sample]], start: int) -> Batch:
        feeds: dict[str, Array] = {}
        for name, target in self._targets.items():
            if name in self._streams:
                feeds[name] = _stack([sample[name].array for sample in samples], target)
            elif name in self._numbers:
                feeds[name] = _stack([self._numbers[name]] * len(samples), target)
        return Batch(
            feeds,
            tuple(self._records(sample, start + i) for i, sample in enumerate(samples)),
            tuple(self._seen(sample) for sample in samples),
            self.labels[start : start + len(samples)],
        )

    def _seen(self, samples: dict[str, Sample]) -> tuple[Array | None, ...]:
        """The inputs as the network sees them, in the order of their records."""
        given = (name for name in self._targets if name in self._streams or name in self._numbers)
        return tuple(samples[name].preview if name in samples else None for name in given)

    def _records(self, samples: dict[str, Sample], place: int) -> tuple[InputRecord, ...]:
        records = []
        for name, target in self._targets.items():
            file, axes, geometry = None, str(target.axes), None
            if name in self._streams:
                shape = _stack([samples[name].array], target).shape
                steps, geometry = samples[name].steps, samples[name].geometry
                file = self._streams[name].slots[place].file
            elif name in self._numbers:
                shape = _stack([self._numbers[name]], target).shape
                steps = (f"given as {self._numbers[name].item()}",)
            else:
                continue
            records.append(InputRecord(name, file, shape, axes, steps, geometry))
        return tuple(records)

    def _fixed_batch(self) -> int | None:
        """The size of batch that the network insists on."""
        for name in self._streams:
            target = self._targets[name]
            batch = target.axes.batch
            fixed = 1 if batch is None else target.node.shape[batch]
            if fixed is not None:
                if len(self) % fixed:
                    raise InputError(
                        f"input {name!r} takes {fixed} samples at a time, and {len(self)} were "
                        f"given: give a multiple of {fixed}"
                    )
                return fixed
        return None


def _common_length(streams: Mapping[str, Stream]) -> int:
    lengths = {name: len(stream) for name, stream in streams.items()}
    if len(set(lengths.values())) > 1:
        words = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise InputError(
            f"the inputs are paired by position and need as many samples each: {words}"
        )
    return next(iter(lengths.values()), 1)


def _stack(samples: list[Array], target: Target) -> Array:
    batch = target.axes.batch
    if batch is None:
        return samples[0]
    return np.stack(samples, axis=batch)


def _shapes(samples: dict[str, Sample]) -> tuple[tuple[int, ...], ...]:
    return tuple(sample.array.shape for sample in samples.values())


def _number(target: Target, value: float) -> Array:
    array = np.full([size or 1 for size in target.sizes], value).astype(target.dtype)
    if not (array == value).all() and target.dtype.kind != "f":
        raise InputError(
            f"input {target.node.name!r} takes {target.node.dtype}, and {value:g} is none"
        )
    return array
