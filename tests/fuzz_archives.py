"""Keras 3 archives and weights with damage in them, and configs of any shape."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz_configs import SEEDED
from layerscope.errors import LayerscopeError
from layerscope.models.formats import detect
from layerscope.models.keras.containers import check_archive_weights, check_hdf5, read_archive
from layerscope.models.keras.safety import check_config
from networks import saved, small


@contextmanager
def only_our_errors(path: Path) -> Iterator[None]:
    """Let LayerscopeErrors pass that name the file, and nothing else."""
    said = str(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        try:
            yield
        except LayerscopeError as error:
            said = str(error)
    assert str(path) in said


def noise(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a few of them changed, and perhaps cut off."""

    def changed(changes: list[tuple[int, int]], end: int) -> bytes:
        found = bytearray(data)
        for place, value in changes:
            found[place] = value
        return bytes(found[:end])

    places = st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255))
    ends = st.one_of(st.just(len(data)), st.integers(0, len(data)))
    return st.builds(changed, st.lists(places, min_size=1, max_size=8), ends)


def damaged_archives(folder: Path) -> None:
    path = folder / "small.keras"
    saved(small(keras), path)
    whole = path.read_bytes()
    # Half of the changes where they hurt: in the directory at the end.
    tail = len(whole) - 400

    @settings(SEEDED, max_examples=300)
    @given(st.one_of(noise(whole), noise(whole[tail:]).map(lambda end: whole[:tail] + end)))
    def each(data: bytes) -> None:
        path.write_bytes(data)
        with only_our_errors(path):
            detect(path)
            config, _, _ = read_archive(path)
            check_archive_weights(path)
            check_config(path, config, trust=False, known=frozenset())

    each()


def damaged_weights(folder: Path) -> None:
    path = folder / "small.weights.h5"
    saved(small(keras), path)

    @settings(SEEDED, max_examples=200)
    @given(noise(path.read_bytes()))
    def each(data: bytes) -> None:
        path.unlink()
        path.write_bytes(data)
        with only_our_errors(path):
            detect(path)
            check_hdf5(path)

    each()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "name", "registered_name", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def configs_of_any_shape(folder: Path) -> None:
    path = folder / "m.keras"

    @settings(SEEDED, max_examples=300)
    @given(JSON)
    def each(config: Any) -> None:
        with only_our_errors(path):
            check_config(path, config, trust=False, known=frozenset())

    each()


BODIES: dict[str, Callable[[Path], None]] = {
    "damaged archives of Keras 3": damaged_archives,
    "damaged weights of Keras 3": damaged_weights,
    "configs of any shape": configs_of_any_shape,
}
