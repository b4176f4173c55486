"""Models from files, code and live objects: the same network, and where it came from."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import layerscope as ls
from layerscope.errors import LayerscopeError, ModelError
from layerscope.models import Model, Source
from networks import Command, plain_array, saved, small
from which_files import seen

CODE = """\
import keras
from networks import small

model = small(keras)


def build():
    return small(keras)


class Net(keras.Sequential):
    def __init__(self):
        super().__init__(small(keras).layers)
        self.build((None, 16, 16, 3))
"""


@pytest.fixture(scope="module")
def batch() -> NDArray[np.float32]:
    return np.random.default_rng(5).random((2, 16, 16, 3), np.float32)


@pytest.fixture(scope="module")
def answer(networks: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """What Keras itself computes from the weights of small.keras."""
    model = keras.saving.load_model(networks / "small.keras")
    return plain_array(model(batch))


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("code") / "mine.py"
    path.write_text(CODE)
    return path


opens = partial(pytest.mark.opens, era="Keras 3", writer="Keras 3", against="Keras 3, its answer")


def agrees(found: NDArray[Any], expected: NDArray[Any]) -> None:
    """The scores, which are below 1, differ by float noise alone."""
    apart = float(np.abs(found - expected).max())
    assert apart <= 1e-6
    seen.compared(apart)


def scores(model: Model, batch: NDArray[np.float32]) -> NDArray[Any]:
    return ls.extract(model, batch, "scores")["scores"].array


@opens(file="", what="such a file, called {name}")
@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("small.keras", "small.keras"),
        ("small.h5", "small.h5"),
        ("small.h5", "hdf5.keras"),
        ("small.keras", "zip.h5"),
        ("small.keras", "model"),
        ("small.h5", "model"),
        ("small.h5", "model.hdf5"),
        ("small.keras", "model.ZIP"),
    ],
)
def test_a_file_is_known_by_its_content(
    networks: Path,
    tmp_path: Path,
    batch: NDArray[np.float32],
    answer: NDArray[np.float32],
    source: str,
    name: str,
) -> None:
    seen.told(file=Path(source).suffix)
    path = tmp_path / name
    shutil.copy(networks / source, path)
    model = ls.open_model(path)
    assert [node.name for node in model.graph] == ["first", "pool", "flat", "scores"]
    agrees(scores(model, batch), answer)
    assert model.source == Source(
        name=path.stem,
        file=str(path),
        format="keras" if source == "small.keras" else "hdf5",
        framework=f"Keras {keras.__version__} on {keras.backend.backend()}",
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


@opens(file="JSON and weights", what="weights in {weights}")
@pytest.mark.parametrize("weights", ["small.weights.h5", "small.h5"])
def test_architecture_and_weights(
    networks: Path, batch: NDArray[np.float32], answer: NDArray[np.float32], weights: str
) -> None:
    path = networks / "small.json"
    model = ls.open_model(path, weights=networks / weights)
    agrees(scores(model, batch), answer)
    assert model.source.format == "json"
    assert model.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@opens(file="FILE.py:name and weights", what="weights in {weights}")
@pytest.mark.parametrize("name", ["model", "build", "Net"])
@pytest.mark.parametrize("weights", ["small.weights.h5", "small.h5"])
def test_code_and_weights(
    networks: Path,
    code: Path,
    batch: NDArray[np.float32],
    answer: NDArray[np.float32],
    name: str,
    weights: str,
) -> None:
    model = ls.open_model(f"{code}:{name}", weights=networks / weights)
    agrees(scores(model, batch), answer)
    assert model.source.file == f"{code}:{name}"
    assert model.source.name == "mine"
    assert model.source.format == "python"
    assert model.source.sha256 == hashlib.sha256(code.read_bytes()).hexdigest()


def test_code_without_weights_keeps_its_own(code: Path) -> None:
    model = ls.open_model(f"{code}:build")
    assert model.graph.parameters == 4 * (3 * 3 * 3 + 1) + 3 * (7 * 7 * 4 + 1)


def test_code_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "parts_of_mine.py").write_text("SIZE = (5, 5, 1)\n")
    (tmp_path / "net.py").write_text(
        "import keras\nfrom parts_of_mine import SIZE\n"
        "model = keras.Sequential([keras.Input(SIZE), keras.layers.Flatten()])\n"
    )
    assert ls.open_model(f"{tmp_path}/net.py:model").graph.inputs[0].shape == (None, 5, 5, 1)


@opens(file="a keras.Model in memory", what="layers in a row")
def test_a_live_model(networks: Path, batch: NDArray[np.float32]) -> None:
    live = small(keras)
    model = ls.open_model(live)
    agrees(scores(model, batch), plain_array(live(batch)))
    assert (model.source.file, model.source.format, model.source.sha256) == (None, "live", None)
    assert ls.open_model(model) is model


@pytest.mark.parametrize("thing", [3, None, ["m.keras"], np.zeros(3)])
def test_anything_else(thing: Any) -> None:
    with pytest.raises(ModelError) as caught:
        ls.open_model(thing)
    assert str(caught.value) == (
        f"Expected a path to a model or a keras.Model, but got {type(thing).__name__}."
    )


def test_classes_registered_in_the_process(networks: Path, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="tests")
    class Halving(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x / 2

    path = saved(
        keras.Sequential([keras.Input((4, 4, 1)), Halving(name="half")]), tmp_path / "m.keras"
    )
    acts = ls.extract(path, np.full((1, 4, 4, 1), 6, np.float32))
    assert (acts["half"].array == 3).all()


def test_custom_classes_may_be_imported(networks: Path, tmp_path: Path) -> None:
    (tmp_path / "again.py").write_text("from custom import Doubling\n")
    shutil.copy(networks / "custom.py", tmp_path / "custom.py")
    model = ls.open_model(networks / "custom.keras", custom=tmp_path / "again.py")
    assert [node.name for node in model.graph] == ["own"]


def test_a_custom_loss_is_not_needed(tmp_path: Path) -> None:
    def my_loss(truth: Any, guess: Any) -> Any:
        return keras.ops.mean(truth - guess)

    model = small(keras)
    model.compile("sgd", my_loss)
    for name in ("m.keras", "m.h5"):
        assert len(ls.open_model(saved(model, tmp_path / name)).graph) == 4


# layerscope.json, the archive member that says what the input is


def with_member(networks: Path, path: Path, member: object) -> Path:
    shutil.copy(networks / "small.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("layerscope.json", json.dumps(member))
    return path


def test_stored_hints_are_used(command: Command, networks: Path, tmp_path: Path) -> None:
    path = with_member(
        networks,
        tmp_path / "m.keras",
        {"input": {"range": "-1..1", "color": "bgr"}, "classes": ["ant", "bee", "cow"]},
    )
    done = command("view", path, networks / "cat.png", "-o", tmp_path / "v", "-l", "image")
    assert done.status == 0
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text())
    assert any("m.keras says so in its layerscope.json" in step
               for step in manifest["inputs"][0]["steps"])  # fmt: skip
    acts = ls.extract(path, networks / "cat.png", ["image"])
    pixels = np.asarray(Image.open(networks / "cat.png"), np.float32)
    expected = pixels[..., ::-1] / 127.5 - 1
    assert np.allclose(acts["image"].array[0], expected, rtol=0, atol=1e-6)
    done = command("view", path, networks / "cat.png", "-o", tmp_path / "w")
    said = next(
        line for line in done.out.splitlines() if line.startswith("cat.png: ") and "ant" in line
    )
    assert {"ant", "bee", "cow"} == {part.split()[0] for part in said[9:].split(", ")}


@pytest.mark.parametrize(
    "member",
    [
        {"input": {"range": "1..2"}},
        {"input": {"color": 5}},
        {"input": {"size": "large"}},
        {"input": {"size": [3]}},
        {"input": {"size": {"a": 1}}},
        {"input": {"size": [0, 5]}},
    ],
)
def test_stored_hints_that_say_nothing(networks: Path, tmp_path: Path, member: object) -> None:
    path = with_member(networks, tmp_path / "m.keras", member)
    with pytest.raises(ModelError, match=r"m\.keras: its layerscope\.json is not understood: "):
        ls.open_model(path)


@pytest.mark.parametrize("member", [{}, {"input": None}, {"input": 3, "classes": 4}, {"x": 1}])
def test_stored_hints_that_are_others(networks: Path, tmp_path: Path, member: object) -> None:
    model = ls.open_model(with_member(networks, tmp_path / "m.keras", member))
    assert (model.hints.color, model.hints.size, model.hints.classes) == (None, None, None)


# Real files


def test_a_real_classifier_reads_ten_digits(material: Path) -> None:
    model = ls.open_model(material / "keras" / "leyuzak_mnist_cnn.keras")
    acts = ls.extract(model, [material / "images" / "mnist" / f"{i}.png" for i in range(10)])
    last = acts[model.graph.outputs[0]].array
    assert last.shape == (10, 10)
    assert last.argmax(axis=1).tolist() == list(range(10))


OLD = {
    "deepxplore_MNIST_Model1_weights_only.h5": "holds weights without an architecture. ",
    "ardamavi_dogcat_weights.h5": "holds weights without an architecture. ",
    "ardamavi_dogcat_model.json": "is an architecture without weights. ",
    "dl4j_mnist_cnn_th_keras1_config.json": "is an architecture without weights. ",
}


@pytest.mark.parametrize("name", OLD)
def test_old_files_that_hold_half_a_network_are_refused(material: Path, name: str) -> None:
    path = material / "keras" / name
    with pytest.raises(LayerscopeError) as caught:
        ls.open_model(path)
    assert str(caught.value).startswith(f"{path} {OLD[name]}")


def test_models_inside_that_were_compiled_open_without_their_loss(tmp_path: Path) -> None:
    def own_loss(true: Any, predicted: Any) -> Any:
        return keras.ops.mean(true - predicted)

    inner = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, name="d")], name="inner")
    inner.compile(loss=own_loss, optimizer="sgd")
    given = keras.Input((5,))
    model = keras.Model(given, inner(given))
    model.compile(loss=own_loss)
    x = np.random.default_rng(0).random((2, 5), np.float32)
    kernel, bias = map(plain_array, inner.get_layer("d").weights)
    saved(model, tmp_path / "m.keras")
    (tmp_path / "m.json").write_text(model.to_json())
    saved(model, tmp_path / "m.weights.h5")
    for options in ({}, {"weights": tmp_path / "m.weights.h5"}):
        found = ls.open_model(tmp_path / ("m.json" if options else "m.keras"), **options)
        values = ls.extract(found, x, "inner/d")["inner/d"].array
        assert np.allclose(values, x @ kernel + bias, rtol=0, atol=1e-6)
    # Keras compiles as before once the file is open.
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(keras.Sequential([keras.Input((5,)), inner])),
        custom_objects={"own_loss": own_loss},
    )
    assert again.layers[0].compiled
