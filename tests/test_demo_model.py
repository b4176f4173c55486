"""The network that ships with layerscope is what its card says."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "src" / "layerscope" / "demo"
MODEL = DEMO / "cats_dogs.keras"

# Keras's torch backend turns a tensor into an array in a way that NumPy 2 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def card() -> str:
    return (DEMO / "MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def network() -> Any:
    import keras

    return keras.models.load_model(MODEL, compile=False, safe_mode=True)


def photograph(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        small = picture.convert("RGB").resize((150, 150), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255


def answers(network: Any, photographs: np.ndarray) -> np.ndarray:
    import keras

    batches = [photographs[i : i + 50] for i in range(0, len(photographs), 50)]
    each = [keras.ops.convert_to_numpy(network(b, training=False)) for b in batches]
    return np.concatenate(each)[:, 0]


def table(card: str, heading: str) -> list[list[str]]:
    """The cells of the one table whose first heading is that, without the headings."""
    pattern = rf"^\| {re.escape(heading)} \|.*\n\|[ :|-]+\|\n((?:\|.*\|\n)+)"
    (body,) = re.findall(pattern, card, re.MULTILINE)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in body.splitlines()]


def number(card: str, pattern: str) -> float:
    (found,) = re.findall(pattern, card)
    return float(found.replace(",", ""))


def test_the_file_is_small() -> None:
    assert MODEL.stat().st_size <= 1_500_000


def test_the_file_says_how_to_feed_it_and_holds_no_optimizer() -> None:
    with zipfile.ZipFile(MODEL) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "config.json",
            "layerscope.json",
            "metadata.json",
            "model.weights.h5",
        ]
        assert json.loads(archive.read("layerscope.json")) == {
            "classes": ["cat", "dog"],
            "input": {"size": [150, 150], "range": "0..1", "color": "rgb"},
        }
        assert not json.loads(archive.read("config.json"))["compile_config"]


def test_its_layers_are_those_of_the_card(card: str, network: Any) -> None:
    assert table(card, "layer") == [
        [
            layer.name,
            type(layer).__name__,
            str(tuple(layer.output.shape)),
            f"{layer.count_params():,}",
        ]
        for layer in network.layers
    ]
    assert number(card, r"([\d,]+) numbers in all") == network.count_params()
    assert network.input_shape == (None, 150, 150, 3)
    assert network.output_shape == (None, 1)


def test_no_layer_changes_the_picture_before_the_first_convolution(network: Any) -> None:
    assert network.layers[0].name == "conv2d"


@pytest.mark.backend
def test_its_accuracy_is_that_of_the_card(card: str, network: Any, material: Path) -> None:
    counts: dict[str, list[int]] = {}
    for kind in ("cat", "dog"):
        files = sorted((material / "pets" / "validation" / f"{kind}s").glob("*.jpg"))
        assert len(files) == 300
        dogs = int(np.sum(answers(network, np.stack([photograph(file) for file in files])) > 0.5))
        counts[kind] = [300 - dogs, dogs]
    accuracy = (counts["cat"][0] + counts["dog"][1]) / 600
    assert accuracy == pytest.approx(number(card, r"accuracy \*\*(0\.\d+)\*\*"), abs=0.005)
    said = {row[0]: [int(cell) for cell in row[1:]] for row in table(card, "truth")}
    # Photographs that lie on the boundary may fall either way on another backend.
    for kind, row in counts.items():
        assert said[kind] == pytest.approx(row, abs=3)


@pytest.mark.backend
def test_it_finds_on_the_picture_beside_it_what_the_card_says(card: str, network: Any) -> None:
    with Image.open(DEMO / "cat.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (451, 300))
    answer = answers(network, photograph(DEMO / "cat.jpg")[None])[0]
    assert answer == pytest.approx(number(card, r"answers (0\.\d+) for `cat\.jpg`"), abs=0.005)


@pytest.mark.backend
def test_the_code_for_the_training_command_makes_such_a_network(network: Any) -> None:
    import keras

    from layerscope.models.code import model_from_code

    keras.utils.clear_session()  # so that layers get the names that a first model's layers get
    made = model_from_code(ROOT / "examples" / "demo_network.py", "demo_network")
    assert [layer.get_config() for layer in made.layers] == [
        layer.get_config() for layer in network.layers
    ]
    assert made.compiled


@pytest.mark.slow
@pytest.mark.backend
def test_the_training_command_makes_such_a_file(card: str, tmp_path: Path, network: Any) -> None:
    """The card's own command, with fewer steps, on a few pictures of noise."""
    import keras

    random = np.random.default_rng(0)
    for part in ("train", "validation"):
        for name in ("cat", "dog"):
            folder = tmp_path / "DATA" / part / name
            folder.mkdir(parents=True)
            for index in range(4):
                noise = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
                Image.fromarray(noise).save(folder / f"{index}.jpg")
    (told,) = re.findall(r"^layerscope (train DATA .*)$", card, re.MULTILINE)
    few = {"--epochs": "1", "--steps": "1", "--batch": "4"}
    words = told.replace("examples/", f"{ROOT}/examples/").split()
    words = [few.get(before, word) for before, word in zip(["", *words], words, strict=False)]

    subprocess.run(
        [sys.executable, "-m", "layerscope", *words], cwd=tmp_path, check=True, capture_output=True
    )

    output = tmp_path / "cats_dogs.keras"
    made = keras.models.load_model(output, compile=False, safe_mode=True)
    assert [layer.get_config() for layer in made.layers] == [
        layer.get_config() for layer in network.layers
    ]
    with zipfile.ZipFile(output) as ours, zipfile.ZipFile(MODEL) as shipped:
        assert sorted(ours.namelist()) == sorted(shipped.namelist())
        assert json.loads(ours.read("layerscope.json")) == json.loads(
            shipped.read("layerscope.json")
        )
