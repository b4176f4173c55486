"""Which pictures make up which batch: a function of the seed and the epoch alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_ORDER, _VARYING, _SPLITTING, _EPOCH = range(4)


def batch_places(
    seed: int, epoch: int, step: int, *, steps: int, batch: int, count: int
) -> NDArray[np.int64]:
    """The places of a batch's pictures among ``count``: an array of ``batch`` numbers.

    epoch, step: counted from 0. Batches follow one another through shuffled passes over all
    pictures, each of which comes once in a pass, however the passes lie across the epochs.

    >>> [batch_places(2, 0, step, steps=2, batch=2, count=4).tolist() for step in (0, 1)]
    [[3, 2], [0, 1]]
    """
    first = (epoch * steps + step) * batch
    at = np.arange(first, first + batch)
    found = np.empty(batch, np.int64)
    for number in np.unique(at // count):
        mine = at // count == number
        found[mine] = _pass(seed, int(number), count)[at[mine] % count]
    return found


@lru_cache(maxsize=4)
def _pass(seed: int, number: int, count: int) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.random.default_rng((seed, _ORDER, number)).permutation(count)
    order.flags.writeable = False
    return order


def validation_places(seed: int, count: int, most: int) -> NDArray[np.int64]:
    """The places of the validation pictures that every epoch is measured on, at most ``most``."""
    order = np.random.default_rng((seed, _ORDER)).permutation(count)
    return np.sort(order[:most])


def variation(seed: int, epoch: int, step: int) -> np.random.Generator:
    """The random numbers that vary the pictures of a batch."""
    return np.random.default_rng((seed, _VARYING, epoch, step))


def epoch_seed(seed: int, epoch: int) -> int:
    """What an epoch seeds the frameworks' own random numbers with: below 2**32."""
    return int(np.random.SeedSequence((seed, _EPOCH, epoch)).generate_state(1)[0])


def split_places(
    seed: int, label: int, count: int, share: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of one class's pictures for training and for validation, both in order.

    share: of validation, above 0 and below 1. Both parts get at least one of two or more.
    """
    held = min(max(1, round(share * count)), count - 1)
    order = np.random.default_rng((seed, _SPLITTING, label)).permutation(count)
    return np.sort(order[held:]), np.sort(order[:held])
