"""Arrays from files and from Python: how their dimensions are read, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from layerscope.axes import Axes
from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.inputs import Batch, Preprocessing, prepare
from layerscope.operations import Input

Array = np.ndarray[Any, Any]


def node(*shape: int | None, axes: str = "NHWC", dtype: str = "float32") -> Node:
    return Node("x", None, "x", "InputLayer", Input(), (), shape, Axes.parse(axes), dtype=dtype)


def feed(inputs: Any, to: Node, **asked: Any) -> Batch:
    return next(prepare(inputs, [to], Preprocessing(**asked)).batches(99))


def fed(inputs: Any, to: Node, **asked: Any) -> Array:
    return feed(inputs, to, **asked).feeds["x"]


def message(inputs: Any, to: Node, **asked: Any) -> str:
    with pytest.raises(InputError) as caught:
        feed(inputs, to, **asked)
    return str(caught.value)


MAPS = node(None, 4, 5, 3)
GREY = node(None, 4, 5, 1)
VECTOR = node(None, 7, axes="NC")
STEPS = node(None, 6, 2, axes="NTC")
SIGNAL = node(None, 6, 1, axes="NTC")


@pytest.mark.parametrize(
    ("shape", "to", "fed_shape"),
    [
        ((4, 5, 3), MAPS, (1, 4, 5, 3)),
        ((9, 4, 5, 3), MAPS, (9, 4, 5, 3)),
        ((4, 5), GREY, (1, 4, 5, 1)),
        ((4, 5), node(None, 4, 5, axes="NHW"), (1, 4, 5)),
        ((9, 4, 5), node(None, 4, 5, axes="NHW"), (9, 4, 5)),
        ((1, 4, 5), node(None, 1, 4, 5, axes="NCHW"), (1, 1, 4, 5)),
        ((4, 5, 10), node(None, 4, 5, 10), (1, 4, 5, 10)),
        ((7,), VECTOR, (1, 7)),
        ((9, 7), VECTOR, (9, 7)),
        ((6, 2), STEPS, (1, 6, 2)),
        ((9, 6, 2), STEPS, (9, 6, 2)),
        ((11, 2), node(None, None, 2, axes="NTC"), (1, 11, 2)),
        ((6,), SIGNAL, (1, 6, 1)),
        ((9, 6), SIGNAL, (9, 6, 1)),
        ((9,), node(None, 1, axes="NC"), (9, 1)),
        ((2, 3, 4, 1), node(None, 2, 3, 4, 1, axes="NDHWC"), (1, 2, 3, 4, 1)),
        ((2, 3, 4), node(None, 2, 3, 4, 1, axes="NDHWC"), (1, 2, 3, 4, 1)),
    ],
)
def test_dimensions(shape: tuple[int, ...], to: Node, fed_shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    seen = fed(values, to)
    assert seen.shape == fed_shape
    assert np.array_equal(seen.ravel(), values.ravel())
    record = feed(values, to).records[0][0]
    assert record.shape == (1, *fed_shape[1:])
    assert record.axes == str(to.axes)


@pytest.mark.parametrize(
    ("shape", "to", "expected"),
    [
        (
            (2, 2, 2, 2, 2),
            MAPS,
            "the array has shape (2, 2, 2, 2, 2): 5 dimensions; input 'x' takes height 4, width "
            "5, channel 3. Give an array with 2 (a matrix), 3 for one sample or 4 for a batch",
        ),
        (
            (5,),
            STEPS,
            "the array has shape (5,): 1 dimension; input 'x' takes step 6, channel 2. Give an "
            "array with 2 for one sample or 3 for a batch",
        ),
        (
            (4, 5, 7),
            MAPS,
            "the array has shape (4, 5, 7), read as height 4, width 5, channel 7; input 'x' "
            "takes height 4, width 5, channel 3. The channels must agree",
        ),
        (
            (1, 32, 32),
            node(None, 32, 32, 1),
            "the array has shape (1, 32, 32), read as height 1, width 32, channel 32; input 'x' "
            "takes height 32, width 32, channel 1. The array looks channels first: use "
            "array.transpose(1, 2, 0)",
        ),
        (
            (32, 32, 1),
            node(None, 1, 32, 32, axes="NCHW"),
            "the array has shape (32, 32, 1), read as channel 32, height 32, width 1; input 'x' "
            "takes channel 1, height 32, width 32. The array looks channels last: use "
            "array.transpose(2, 0, 1)",
        ),
        (
            (9, 28, 28),
            node(None, 28, 28, 1),
            "the array has shape (9, 28, 28), read as height 9, width 28, channel 28; input 'x' "
            "takes height 28, width 28, channel 1. If these are 9 samples without a channel "
            "axis, use array[..., None]",
        ),
        (
            (9, 8),
            VECTOR,
            "the array has shape (9, 8), read as batch 9, channel 8; input 'x' takes channel 7. "
            "The sizes must agree: only pictures and matrices are resized",
        ),
        ((0, 7), VECTOR, "the value for input 'x' has shape (0, 7) and holds no values"),
        ((4, 5), node(None, 4, 5, 10), "the array has shape (4, 5), a matrix; "
         "input 'x' takes height 4, width 5, channel 10. A matrix can become 1 or 3 channels"),
    ],
)  # fmt: skip
def test_dimensions_that_do_not_fit(shape: tuple[int, ...], to: Node, expected: str) -> None:
    assert message(np.zeros(shape), to) == expected


def test_a_batch_in_another_layout_says_so() -> None:
    assert message(np.zeros((9, 3, 4, 5)), MAPS).endswith(
        "The array looks channels first: use array.transpose(0, 2, 3, 1)"
    )


@pytest.mark.parametrize(
    ("asked", "words"), [({"size": (4, 4)}, "size"), ({"color": "bgr"}, "color bgr")]
)
def test_what_is_for_pictures_only(asked: dict[str, Any], words: str) -> None:
    expected = f"{words} is for pictures; input 'x' takes channel 7. Leave it out"
    assert message(np.zeros(7), VECTOR, **asked) == expected


def test_a_range_for_a_vector() -> None:
    assert np.allclose(
        fed(np.arange(7) * 40, VECTOR, range="-1..1")[0], np.arange(7) * 40 / 127.5 - 1
    )


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_whole_numbers_stay_whole(dtype: str) -> None:
    to = node(None, 3, axes="NT", dtype=dtype)
    seen = fed(np.array([1.0, 20.0, 255.0]), to)
    assert seen.dtype == np.dtype(dtype)
    assert np.array_equal(seen, [[1, 20, 255]])


def test_fractions_for_whole_numbers() -> None:
    assert message(np.array([1.0, 2.5, 3.0]), node(None, 3, axes="NT", dtype="int32")) == (
        "array has fractions such as 2.5, and input 'x' takes whole numbers (int32): round it first"
    )


def test_values_beyond_the_type() -> None:
    assert message(np.array([1, 2, 300]), node(None, 3, axes="NT", dtype="uint8")) == (
        "array has values from 1 to 300, beyond the 0 to 255 of uint8, which input 'x' takes"
    )


def test_values_beyond_float32() -> None:
    assert message(np.array([1e300]), node(None, 1, axes="NC")).startswith(
        "array, as float32, has values that are not finite (1 infinite of 1)"
    )


def test_an_input_of_text() -> None:
    assert message(np.zeros(7), node(None, 7, axes="NC", dtype="string")) == (
        "input 'x' takes values of type string, and pictures and arrays are numbers: choose "
        "another input of the model"
    )


def test_nan_and_infinity(tmp_path: Path) -> None:
    values = np.zeros((2, 4, 5, 3))
    values[1, 2, 3, 1] = np.nan
    values[1, 2, 4, 0] = np.inf
    values[1, 3, 4, 0] = np.nan
    path = tmp_path / "n.npy"
    np.save(path, values)
    assert message(path, MAPS) == (
        f"{path}[1] has values that are not finite (2 NaN and 1 infinite of 60), the first at "
        "[2, 3, 1]: mend them, or let them pass with --allow-nan (allow_nan=True)"
    )
    assert np.array_equal(fed(path, MAPS, allow_nan=True), values, equal_nan=True)


def test_nan_passes_with_a_range_when_allowed() -> None:
    values = np.array([[0.0, np.nan], [1.0, 0.5]])
    seen = fed(values, node(None, 2, 2, 1), range="0..255", allow_nan=True)[0, ..., 0]
    assert np.array_equal(seen, [[0, np.nan], [255, 127.5]], equal_nan=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([1j]), "complex numbers"),
        (np.array(["a"]), "text"),
        (np.array([None]), "Python objects"),
        (np.zeros(3, [("a", "f4")]), "[('a', '<f4')]"),
    ],
)
def test_what_is_no_number(values: Array, words: str) -> None:
    assert message(values, VECTOR) == (
        f"the value for input 'x' holds {words}, and a network takes real numbers: convert it first"
    )


def test_anything_that_numpy_understands() -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return np.arange(7.0)

    assert np.array_equal(fed(Tensor(), VECTOR)[0], np.arange(7))
    assert np.array_equal(fed(list(range(7)), VECTOR)[0], np.arange(7))
    assert np.array_equal(fed([list(range(7))] * 2, VECTOR), [np.arange(7)] * 2)


def test_the_callers_array_is_left_alone() -> None:
    values = np.random.default_rng(6).normal(size=(4, 5, 3)).astype(np.float32)
    kept = values.copy()
    seen = fed(values, MAPS)
    seen[:] = 0
    assert np.array_equal(values, kept)


def test_npy_npz_mat_and_tables_hold_the_same(tmp_path: Path) -> None:
    values = np.random.default_rng(7).normal(size=(4, 5))
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "swapped.npy", values.astype(">f8"))
    np.save(tmp_path / "fortran.npy", np.asfortranarray(values))
    np.savez(tmp_path / "a.npz", values)
    np.savez_compressed(tmp_path / "two.npz", x=values, other=values * 2)
    scipy.io.savemat(tmp_path / "a.mat", {"m": values})
    scipy.io.savemat(tmp_path / "four.mat", {"m": values}, format="4")
    scipy.io.savemat(tmp_path / "two.mat", {"m": values, "other": values * 2})
    np.savetxt(tmp_path / "a.csv", values, delimiter=",", fmt="%.18e")
    np.savetxt(tmp_path / "a.tsv", values, delimiter="\t", fmt="%.18e")
    np.savetxt(tmp_path / "semicolons.csv", values, delimiter=";", fmt="%.18e")
    names = [
        *("a.npy", "swapped.npy", "fortran.npy", "a.npz", "two.npz", "a.mat", "four.mat"),
        *("two.mat:m", "a.npz:arr_0", "a.csv", "a.tsv", "semicolons.csv"),
    ]
    for name in names:
        batch = feed(str(tmp_path / name), GREY)
        assert np.array_equal(batch.feeds["x"][0, ..., 0], values.astype(np.float32)), name
        assert batch.labels == (name,)
    assert np.array_equal(
        fed(str(tmp_path / "two.npz:other"), GREY)[0, ..., 0], (values * 2).astype(np.float32)
    )


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.zeros(7), b=np.ones(7))
    scipy.io.savemat(tmp_path / "two.mat", {"a": np.zeros(7), "b": np.ones(7)})
    for suffix in ("npz", "mat"):
        path = tmp_path / f"two.{suffix}"
        assert message(path, VECTOR) == (
            f"{path} holds several arrays: 'a', 'b'. Choose one, as in two.{suffix}:a"
        )
        assert message(f"{path}:c", VECTOR) == f"{path} has no array 'c'; it has 'a', 'b'"
        assert (fed(f"{path}:b", VECTOR) == 1).all()


def test_steps_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((3, 4, 5, 3), np.uint8))
    batch = feed(path, MAPS)
    assert batch.labels == ("a.npy[0]", "a.npy[1]", "a.npy[2]")
    assert batch.records[1][0].as_json() == {
        "name": "x",
        "file": str(path),
        "shape": [1, 4, 5, 3],
        "axes": "NHWC",
        "steps": [
            "read .npy uint8, shape (3, 4, 5, 3)",
            "took sample 2 of 3",
            "values kept as they are (auto: an array)",
        ],
        "original": [4, 5],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", ", line 1, column 1: expected a number and got 'a'. Leave headers and "
         "words out"),
        ("1,2\n\n3\n", ", line 3: expected 2 columns as in the lines before and got 1"),
        ("1,2\n3,\n", ", line 2, column 2: expected a number and got ''. Leave headers and "
         "words out"),
        ("1,5;2\n", ", line 1, column 2: expected a number and got '5;2'. Leave headers and "
         "words out"),
        (" \n\n", " holds no numbers: every line is empty"),
    ],
)  # fmt: skip
def test_tables_that_are_none(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert message(path, VECTOR) == f"{path}{expected}"


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("1,2\n", encoding="utf-16")
    assert message(path, VECTOR) == (
        f"{path} is not text in UTF-8 (byte 0): save it as CSV in UTF-8"
    )
    path.write_text("1,2\n3,4\n", encoding="utf-8-sig")
    assert np.array_equal(fed(path, node(None, 2, axes="NC")), [[1, 2], [3, 4]])


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (trap,))

    objects = np.array([Bomb()], dtype=object)
    np.save(tmp_path / "o.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "o.npz", o=objects, allow_pickle=True)
    for name in ("o.npy", "o.npz:o"):
        assert message(str(tmp_path / name), VECTOR) == (
            f"{tmp_path / name.partition(':')[0]} holds pickled Python objects, which could run "
            "code and are never loaded: save it as a plain array of numbers"
        )
    assert not trap.exists()


@pytest.mark.parametrize("kind", ["struct", "cell", "char", "sparse"])
def test_matlab_values_that_are_no_arrays(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "m.mat"
    values = {
        "struct": {"a": 1.0},
        "cell": np.array(["a", 1.0], dtype=object),
        "char": "text",
        "sparse": scipy.sparse.csc_matrix(np.eye(3)),
    }
    scipy.io.savemat(path, {"v": values[kind]})
    remedy = "full(x)" if kind == "sparse" else "a plain matrix"
    assert message(path, VECTOR) == (
        f"{path}:v is a MATLAB {kind}, not an array of numbers: save {remedy}"
    )


@pytest.mark.parametrize("suffix", ["npy", "npz", "mat"])
def test_cut_off_arrays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    values = np.random.default_rng(8).normal(size=(4, 5))
    if suffix == "npy":
        np.save(path, values)
    elif suffix == "npz":
        np.savez(path, values)
    else:
        scipy.io.savemat(path, {"m": values})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    expected = {
        "npy": f"{path} is a damaged or cut-off array file (",
        "npz": f"{path} is a damaged ZIP or NPZ archive, not a picture or array: copy or "
        "download it again",
        "mat": f"{path} is a damaged or cut-off array file (",
    }
    assert message(path, GREY).startswith(expected[suffix])


def test_a_matlab_file_that_crashes_scipy_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"m": np.arange(20.0).reshape(4, 5)})
    whole = bytearray(path.read_bytes())
    texts = set()
    for place in (128, 136, 152, 176):  # tags behind the header
        path.write_bytes(whole[:place] + b"\xff\xff\xff\x7f" + whole[place + 4 :])
        try:
            feed = prepare(path, [GREY])
            next(feed.batches(1))
        except InputError as error:
            texts.add(str(error).partition("(")[0])
    assert f"{path} is a damaged or cut-off array file " in texts


def test_without_scipy_the_extra_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"m": np.zeros((4, 5))})
    script = f"""
import sys
sys.modules["scipy"] = None
sys.modules["scipy.io"] = None
from layerscope.axes import Axes
from layerscope.errors import MissingExtraError
from layerscope.graph import Node
from layerscope.inputs import prepare
from layerscope.operations import Input
node = Node("x", None, "x", "Input", Input(), (), (None, 4, 5, 1), Axes.parse("NHWC"))
try:
    prepare({str(path)!r}, [node])
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        'MATLAB files need SciPy, which is not installed: pip install "layerscope[mat]"\n'
    )


def test_inputs_import_no_framework() -> None:
    script = """
import sys, layerscope.inputs
heavy = {"keras", "tensorflow", "torch", "jax", "h5py", "scipy", "zarr", "matplotlib"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_smiley_of_the_first_use_case(material: Path) -> None:
    path = material / "images" / "smiley_25x25.npy"
    assert np.array_equal(fed(path, node(None, 25, 25, 1))[0], np.load(path))
