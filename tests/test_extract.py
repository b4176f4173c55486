"""Arrays of any layer, as Keras itself would give them, for one input or thousands."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from layerscope.errors import InputError, ModelError, SelectionError
from layerscope.extract import gather, plan
from networks import by_keras, plain_array


@pytest.fixture(scope="module")
def small(networks: Path) -> Any:
    """small.keras as Keras has it."""
    return keras.saving.load_model(networks / "small.keras")


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 70 pictures; picture i holds the value i everywhere."""
    folder = tmp_path_factory.mktemp("numbered")
    for i in range(70):
        Image.new("RGB", (16, 16), (i, i, i)).save(folder / f"{i:03d}.png")
    return folder


def test_every_layer_equals_keras(small: Any) -> None:
    x = np.random.default_rng(0).random((3, 16, 16, 3), np.float32)
    acts = ls.extract(small, x)
    expected = by_keras(small, x)
    assert list(acts) == list(expected) == ["first", "pool", "flat", "scores"]
    for name, array in expected.items():
        assert acts[name].array.dtype == np.float32
        assert np.allclose(acts[name].array, array, rtol=0, atol=1e-6), name


def test_a_stream_equals_keras_and_keeps_its_order(small: Any) -> None:
    # 100 samples are three full batches and a part of one, enough for the compiled way.
    x = np.random.default_rng(0).random((100, 16, 16, 3), np.float32)
    calls: list[tuple[int, int]] = []
    acts = ls.extract(small, x, progress=lambda done, total: calls.append((done, total)))
    for name, array in by_keras(small, x).items():
        assert np.allclose(acts[name].array, array, rtol=0, atol=1e-6), name
    assert calls == [(32, 100), (64, 100), (96, 100), (100, 100)]
    assert len(acts.inputs) == 100


def test_a_folder_keeps_its_order(networks: Path, numbered: Path) -> None:
    acts = ls.extract(networks / "small.keras", numbered, "image", range="0..255")
    assert acts["image"].array.shape == (70, 16, 16, 3)
    assert (acts["image"].array == np.arange(70)[:, None, None, None]).all()
    files = [record.as_json()["file"] for sample in acts.inputs for record in sample]
    assert files == [str(numbered / f"{i:03d}.png") for i in range(70)]


def test_what_is_chosen_comes_in_the_network_s_order(small: Any) -> None:
    x = np.zeros((1, 16, 16, 3), np.float32)
    acts = ls.extract(small, x, ["scores", 0, "image"])
    assert list(acts) == ["image", "first", "scores"]
    assert acts[0] is acts["first"]
    assert acts[3] is acts["scores"]
    with pytest.raises(KeyError, match=r"'pool' was not extracted; held are: image, first, scores"):
        acts["pool"]


def test_values_before_the_activation_function(small: Any) -> None:
    x = np.random.default_rng(2).random((2, 16, 16, 3), np.float32)
    acts = ls.extract(small, x, ["first", "first:pre"])
    before = acts["first:pre"].array
    assert (before < 0).any()
    assert np.array_equal(np.maximum(before, 0), acts["first"].array)


def test_inputs_by_name(networks: Path) -> None:
    left, right = (np.full((2, 16, 16, 3), value, np.float32) for value in (5, 3))
    path = networks / "pair.keras"
    assert (ls.extract(path, {"right": right, "left": left})["difference"].array == 2).all()
    assert (ls.extract(path, {"right": left, "left": right})["difference"].array == -2).all()


def test_an_input_of_several_sizes(networks: Path, tmp_path: Path) -> None:
    path = networks / "free.keras"
    pictures = [networks / "cat.png", networks / "large.png"]
    with pytest.raises(InputError) as caught:
        ls.extract(path, pictures)
    assert str(caught.value) == (
        "large.png gives arrays of shape (22, 18, 2), the inputs before it of shape (14, 14, 2). "
        "The network takes pictures of any size; give one size for all: --size HxW."
    )
    acts = ls.extract(path, pictures, size="12x10")
    assert acts["first"].array.shape == (2, 10, 8, 2)
    assert ls.extract(path, pictures[1])["first"].array.shape == (1, 22, 18, 2)


def test_a_network_that_is_not_built() -> None:
    layers = [keras.layers.Conv2D(2, 3, name="c"), keras.layers.Flatten(name="f")]
    acts = ls.extract(keras.Sequential(layers), np.ones((2, 8, 6, 1), np.float32))
    assert {name: a.array.shape for name, a in acts.items()} == {
        "c": (2, 6, 4, 2),
        "f": (2, 48),
    }
    with pytest.raises(ModelError):
        _ = ls.open_model(keras.Sequential([keras.layers.Flatten()])).graph


def test_narrow_floats_are_widened() -> None:
    x = np.random.default_rng(1).random((1, 6, 6, 1), np.float32)
    layer = keras.layers.Conv2D(2, 3, name="c", dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((6, 6, 1)), layer])
    array = ls.extract(model, x)["c"].array
    assert array.dtype == np.float32
    expected = plain_array(keras.ops.cast(model(x), "float32"))
    assert np.array_equal(array, expected)


def test_training_is_asked_for() -> None:
    model = keras.Sequential([keras.Input((1000,)), keras.layers.Dropout(0.5, name="drop")])
    x = np.ones((1, 1000), np.float32)
    assert np.array_equal(ls.extract(model, x)["drop"].array, x)
    dropped = ls.extract(model, x, training=True)["drop"].array
    assert set(np.unique(dropped)) == {0.0, 2.0}


def test_an_array_is_not_written_to(small: Any) -> None:
    x = np.random.default_rng(3).random((2, 16, 16, 3), np.float32)
    before = x.copy()
    x.setflags(write=False)
    ls.extract(small, x)
    assert np.array_equal(x, before)


def test_an_unknown_layer(small: Any) -> None:
    with pytest.raises(SelectionError, match="Did you mean first"):
        ls.extract(small, np.zeros((1, 16, 16, 3), np.float32), "frist")


def test_no_input_at_all(small: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        ls.extract(small, [])
    with pytest.raises(InputError):
        ls.extract(small, np.zeros((0, 16, 16, 3), np.float32))


def test_gathering_equals_one_batch(small: Any) -> None:
    x = np.random.default_rng(4).random((7, 16, 16, 3), np.float32)
    extraction = plan(ls.open_model(small), x)
    whole, pieces = gather(extraction), gather(replace(extraction, batch_size=3))
    for name in whole:
        assert np.allclose(whole[name].array, pieces[name].array, rtol=0, atol=1e-6)


def test_the_module_does_not_hide_the_function() -> None:
    code = (
        "import layerscope.extract\nfrom layerscope.extract import plan\nimport layerscope as ls\n"
        "assert ls.extract.__name__ == 'extract' and callable(ls.extract)\n"
        "import layerscope.saving\nassert callable(ls.extract)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
