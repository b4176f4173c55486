"""The container, read back by nothing but struct and json; the cache; figures of channels."""

from __future__ import annotations

import json
import math
import struct
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from layerscope.faces.explorer.answers.container import pack, unpack
from layerscope.faces.explorer.answers.figures import figures_of
from layerscope.faces.explorer.answers.thumbnail import shrink
from layerscope.faces.explorer.cache import Cache

DTYPES = {"u1": "<u1", "i4": "<i4", "f4": "<f4", "f8": "<f8"}


def by_hand(data):
    """Header and arrays, by the format's description alone."""
    assert data[:4] == b"LSC1"
    length = struct.unpack("<I", data[4:8])[0]
    body = 8 + length
    assert body % 8 == 0
    header = json.loads(data[8:body].decode("utf-8"))
    found = {}
    for section in header.pop("sections"):
        assert section["offset"] % 8 == 0
        count = math.prod(section["shape"])
        start = body + section["offset"]
        size = int(section["dtype"][1:])
        raw = data[start : start + count * size]
        assert len(raw) == count * size
        found[section["name"]] = np.frombuffer(raw, DTYPES[section["dtype"]]).reshape(
            section["shape"]
        )
    return header, found


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5),
        arrays.arrays(
            st.sampled_from(["u1", "i4", "f4", "f8", ">f4"]), arrays.array_shapes(min_side=0)
        ),
        max_size=4,
    ),
    st.dictionaries(
        st.text(max_size=5).filter(lambda name: name != "sections"),
        st.one_of(st.none(), st.integers(), st.text(max_size=8), st.lists(st.booleans())),
        max_size=3,
    ),
)
def test_a_container_comes_back_as_it_went_in(sections, header):
    data = pack(header, sections)
    for read in (by_hand, unpack):
        told, found = read(data)
        told.pop("sections", None)
        assert told == header
        assert list(found) == list(sections)
        for name, array in sections.items():
            np.testing.assert_array_equal(found[name], array)


def test_transposed_arrays_travel_in_the_order_of_their_indices():
    array = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert by_hand(pack({}, {"x": array}))[1]["x"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_nan_stays_out_of_the_header():
    with pytest.raises(ValueError, match="JSON compliant"):
        pack({"low": math.nan}, {})
    with pytest.raises(ValueError, match="section 'x' is int64, and none of"):
        pack({}, {"x": np.zeros(2, np.int64)})
    with pytest.raises(ValueError, match="not a container"):
        unpack(b"PNG\x00 and more")


def test_the_cache_stays_within_its_bytes():
    cache, made = Cache(100), []

    def value(name, size=40):
        def make():
            made.append(name)
            return bytes(size)

        return cache.get(("run", name), make, len)

    value("a"), value("b"), value("a"), value("c")
    assert made == ["a", "b", "c"]
    assert cache.bytes == 80
    assert ("run", "b") not in cache  # it was used longest ago
    value("b")
    assert made == ["a", "b", "c", "b"]
    assert len(value("large", 101)) == 101
    assert ("run", "large") not in cache
    assert cache.bytes == 80
    cache.put(("other", "x"), bytes(10), 10)
    cache.forget("run")
    assert cache.bytes == 10
    assert ("other", "x") in cache


def test_what_many_ask_for_is_made_once():
    cache, made = Cache(1000), []
    barrier = threading.Barrier(16)

    def make():
        made.append(1)
        threading.Event().wait(0.05)
        return b"value"

    def ask():
        barrier.wait()
        assert cache.get(("k",), make, len) == b"value"

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_value_that_cannot_be_made_is_asked_for_again():
    cache = Cache(1000)

    def broken():
        raise OSError("no")

    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            cache.get(("k",), broken, len)
    assert cache.get(("k",), lambda: b"ok", len) == b"ok"


@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "bool", "huge", "nan"])
def test_figures_of_channels(layout, dtype):
    random = np.random.default_rng(5)
    values = random.normal(3, 2, (7, 2, 30, 41)) * (random.random((7, 2, 30, 41)) > 0.3)
    if dtype == "huge":
        values = (values * 1e30).astype(np.float32)
    elif dtype == "nan":
        values = values.astype(np.float32)
        values[2, 0, 3, 4], values[3, 1, 0, 0], values[3, 1, 0, 1] = np.nan, np.inf, -np.inf
        values[6] = np.nan
    else:
        values = values.astype(dtype)
    if layout == "last":
        values = np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 0, -1)), -1, 0)
    found = figures_of(values)
    for channel in range(7):
        every = values[channel].astype(np.float64).ravel()
        held = every[np.isfinite(every)]
        assert found.zeros[channel] == (every == 0).sum() / every.size
        if not held.size:
            assert np.isnan([found.min[channel], found.max[channel], found.mean[channel]]).all()
            continue
        assert (found.min[channel], found.max[channel]) == (held.min(), held.max())
        assert found.mean[channel] == pytest.approx(held.mean(), rel=1e-5)
        assert found.energy[channel] == pytest.approx(np.square(held).mean(), rel=1e-5)


def test_figures_of_nothing():
    found = figures_of(np.zeros((3, 1, 0, 5), np.float32))
    assert np.isnan(found.mean).all()
    assert len(found.mean) == 3


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64))
def test_shrinking_averages_over_equal_areas(height, width, side):
    plane = np.random.default_rng(height * 100 + width).normal(size=(height, width))
    found = shrink(plane, side)
    assert found.shape == (min(height, side), min(width, side))
    # Each value repeated so often that areas are whole numbers of them, then plain means.
    rows, columns = found.shape
    fine = np.repeat(np.repeat(plane, rows, axis=0), columns, axis=1)
    blocks = fine.reshape(rows, height, columns, width)
    np.testing.assert_allclose(found, blocks.mean(axis=(1, 3)), atol=1e-12)
