"""``layerscope explain`` on layers that are no sums: what it prints, tells and draws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import layerscope as ls
from kerasmodels import opened, whole_numbers
from layerscope.faces.explained.dispatch import draw_all, draw_one
from layerscope.faces.explaining import prepare_explaining
from layerscope.render.png import facts_of
from networks import Command, saved

pytestmark = pytest.mark.backend
layers = keras.layers


def network() -> Any:
    """Every number in it can be followed by hand: the input is 0 to 35, one channel."""
    x = keras.Input((6, 6, 1), name="x")
    conv = layers.Conv2D(2, 1, name="conv")(x)
    norm = layers.BatchNormalization(epsilon=0.0, name="norm")(conv)
    relu = layers.ReLU(name="relu")(norm)
    pool = layers.MaxPooling2D(2, name="pool")(relu)
    mean = layers.AveragePooling2D(2, name="mean")(relu)
    total = layers.Add(name="total")([pool, mean])
    larger = layers.Maximum(name="larger")([mean, pool])
    joined = layers.Concatenate(name="joined")([total, larger])
    flat = layers.Flatten(name="flat")(layers.Permute((2, 1, 3), name="turned")(joined))
    model = keras.Model(x, flat, name="network")
    model.get_layer("conv").set_weights([np.array([[[[1.0, -1.0]]]]), np.array([2.0, 30.0])])
    # scale 6 / √9 = 2 and 1 / √4 = 0.5; shift −1 − 10·2 = −21 and 0.
    model.get_layer("norm").set_weights(
        [np.array(v) for v in ([6.0, 1.0], [-1.0, 0.0], [10.0, 0.0], [9.0, 4.0])]
    )
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    saved(network(), folder / "network.keras")
    np.save(folder / "x.npy", np.arange(36, dtype=np.float32).reshape(1, 6, 6, 1))
    return folder


def said(folder: Path, command: Command, out: Path, *words: str) -> list[str]:
    """What is printed after how the input was made."""
    done = command(
        "explain", folder / "network.keras", folder / "x.npy", *words, "-o", out, "--range", "as-is"
    )
    assert done.status == 0, done.err
    first, *lines = done.out.splitlines()
    assert first.endswith("x.npy")
    while lines[0].startswith("  "):
        lines = lines[1:]
    return lines


def told(folder: Path, command: Command, out: Path, *words: str) -> dict[str, Any]:
    done = command(
        "explain", folder / "network.keras", folder / "x.npy", *words, "-o", out,
        "--range", "as-is", "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_a_normalisation(folder: Path, command: Command, tmp_path: Path) -> None:
    assert said(folder, command, tmp_path, "-l", "norm", "-c", "0") == [
        "norm, channel 0",
        "batch normalisation: conv × scale + shift",
        "scale 2 = gamma / sqrt(variance + 0), with gamma 6, variance 9",
        "shift -21 = beta - mean × scale, with beta -1, mean 10",
        "input 2 to 37, output -17 to 53",
        "The output is what the network computed, to the last digit.",
        "conv > norm as one: --chain",
        f"Picture: {tmp_path / 'norm-0.png'}",
    ]
    facts = facts_of((tmp_path / "norm-0.png").read_bytes(), "norm-0.png")
    assert [tile["role"] for tile in facts["tiles"]] == ["input", "output"]
    found = told(folder, command, tmp_path, "-l", "norm", "-c", "1")
    assert (found["kind"], found["source"], found["of_sample"]) == ("scale", "conv", False)
    assert found["scale"] == {"min": 0.5, "max": 0.5}
    assert found["terms"]["variance"] == {"min": 4.0, "max": 4.0}


def test_one_value_of_a_normalisation(folder: Path, command: Command, tmp_path: Path) -> None:
    lines = said(folder, command, tmp_path, "-l", "norm", "-c", "0", "--at", "1,2")
    assert lines == [
        "norm, channel 0, at 1,2",
        "sees of the input x: rows 1:2, columns 2:3 (exact)",
        "",
        "10 × scale 2 + shift -21 = -1",
    ]
    found = told(folder, command, tmp_path, "-l", "norm", "-c", "0", "--at", "1,2")
    assert (found["input"], found["scale"], found["shift"], found["value"]) == (10, 2, -21, -1)


def test_a_chain(folder: Path, command: Command, tmp_path: Path) -> None:
    words = ("-l", "relu", "-c", "0", "--chain")
    assert said(folder, command, tmp_path, *words) == [
        "relu, channel 0: the sum of 1 partial map of x",
        "conv > norm > relu as one, with scale 2 and shift -21 folded in",
        "  channel    share         min         max",
        "        0  100.0 %           0          70",
        "bias -17, then relu",
        "The sum is what the network computed, to 0 of its largest value.",
        f"Picture: {tmp_path / 'relu-chain-0.png'}",
    ]
    assert said(folder, command, tmp_path, *words, "--at", "2,0")[-4:] == [
        "         12   ×          2",
        "",
        "sum 24 + bias -17 = 7",
        "relu → 7",
    ]
    found = told(folder, command, tmp_path, *words)
    assert found["chain"] == {"nodes": ["conv", "norm", "relu"], "scale": 2.0, "shift": -21.0}
    table = told(folder, command, tmp_path, "-l", "relu", "-c", "all", "--chain")
    assert len(table["channels"]) == 2


def test_an_activation_function(folder: Path, command: Command, tmp_path: Path) -> None:
    assert said(folder, command, tmp_path, "-l", "relu", "-c", "0")[:4] == [
        "relu, channel 0",
        "relu of each value of norm",
        "25 % of the values are 0",
        "input -17 to 53, output 0 to 53",
    ]
    lines = said(folder, command, tmp_path, "-l", "relu", "-c", "0", "--at", "0,0")
    assert lines[-1] == "relu of -17 = 0"


def test_pooling(folder: Path, command: Command, tmp_path: Path) -> None:
    assert said(folder, command, tmp_path, "-l", "pool", "-c", "0")[:4] == [
        "pool, channel 0",
        "the largest value of each 2×2 window of relu",
        "9 of 36 input values won, once each",
        "input 0 to 53, output 0 to 53",
    ]
    lines = said(folder, command, tmp_path, "-l", "pool", "-c", "0", "--at", "1,1")
    assert lines == [
        "pool, channel 0, at 1,1",
        "reads relu: rows 2:4, columns 2:4",
        "sees of the input x: rows 2:4, columns 2:4 (exact)",
        "",
        "         11         13",
        "         23         25",
        "largest 25, at 3,3 of relu",
    ]
    found = told(folder, command, tmp_path, "-l", "pool", "-c", "0", "--at", "1,1")
    assert (found["window"], found["winner"]) == ([[11, 13], [23, 25]], [3, 3])
    assert said(folder, command, tmp_path, "-l", "mean", "-c", "0", "--at", "1,1")[-1] == "mean 18"


def test_branches(folder: Path, command: Command, tmp_path: Path) -> None:
    lines = said(folder, command, tmp_path, "-l", "total", "-c", "0")
    assert lines[:3] == [
        "total, channel 0",
        "the sum of 2 inputs: pool, mean",
        "share of energy         min         max  input",
    ]
    x = np.maximum(2 * (np.arange(36).reshape(6, 6) + 2) - 21, 0).astype(float)
    windows = x.reshape(3, 2, 3, 2).transpose(0, 2, 1, 3).reshape(3, 3, 4)
    energy = [np.square(windows.max(-1)).sum(), np.square(windows.mean(-1)).sum()]
    share = 100 * energy[0] / sum(energy)
    assert lines[3] == f"{f'{share:.1f} %':>15}  {0:>10}  {53:>10}  pool"
    lines = said(folder, command, tmp_path, "-l", "larger", "-c", "0", "--at", "1,1")
    assert lines[-3:] == ["          18  mean", "          25  pool", "maximum 25, of pool"]
    found = told(folder, command, tmp_path, "-l", "larger", "-c", "0")
    shares = [given["share"] for given in found["inputs"]]
    assert_allclose(shares, [(windows.mean(-1) == windows.max(-1)).mean(), 8 / 9], atol=1e-7)


def test_a_copy_goes_to_its_source(folder: Path, command: Command, tmp_path: Path) -> None:
    lines = said(folder, command, tmp_path, "-l", "joined", "-c", "2")
    assert lines[:2] == [
        "joined, channel 2, is larger, channel 0: that is explained.",
        "larger, channel 0",
    ]
    lines = said(folder, command, tmp_path, "-l", "turned", "-c", "2", "--at", "0,1")
    assert lines[0] == "turned, channel 2, is larger, channel 0 at 1,0: that is explained."
    assert lines[1] == "larger, channel 0, at 1,0"
    # Element 14 of 3 × 3 × 4: column 1, row 0, channel 2 of what was turned.
    lines = said(folder, command, tmp_path, "-l", "flat", "-c", "14")
    assert lines[0] == "flat, channel 14, is larger, channel 0 at 0,1: that is explained."
    found = told(folder, command, tmp_path, "-l", "turned", "-c", "2", "--at", "0,1")
    assert found["asked"] == {"node": "turned", "channel": 2, "at": [0, 1]}
    assert (found["node"], found["at"]) == ("larger", [1, 0])


def test_all_channels(folder: Path, command: Command, tmp_path: Path) -> None:
    lines = said(folder, command, tmp_path, "-l", "norm", "-c", "all")
    assert lines == [
        "norm: 2 channels",
        f"{'channel':>9}  {'scale':>23}  {'shift':>23}",
        f"{0:>9}  {2:>23}  {-21:>23}",
        f"{1:>9}  {0.5:>23}  {0:>23}",
        "The outputs are what the network computed, to the last digit.",
        "conv > norm as one: --chain",
        f"Picture: {tmp_path / 'norm-all.png'}",
    ]
    lines = said(folder, command, tmp_path, "-l", "joined", "-c", "all")
    assert lines[0] == "joined: 4 channels"
    assert lines[1].startswith("  0–1: total, ")
    assert lines[2].startswith("  2–3: larger, ")
    for name in ("pool", "larger", "relu", "flat"):
        lines = said(folder, command, tmp_path, "-l", name, "-c", "all")
        assert (tmp_path / f"{name}-all.png").is_file()
        assert lines[-1] == f"Picture: {tmp_path / f'{name}-all.png'}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-l", "x", "-c", "0"), "expected a layer to explain but x is the network's input, which "
         "nothing was made of. Convolutions and dense layers here are: conv."),
        (("-l", "pool", "-c", "2"), "pool has channels 0 to 1, but channel 2 was asked for. Choose "
         "one in that range."),
        (("-l", "flat", "-c", "36"), "flat has channels 0 to 35, but channel 36 was asked for. "
         "Choose one in that range."),
        (("-l", "pool", "-c", "0", "--chain"), "expected the end of a chain of a convolution or "
         "dense layer, then normalisations, biases and an activation function, but pool "
         "(MaxPooling2D) is none. Leave --chain out."),
        (("-l", "pool", "-c", "0", "--at", "3,0"), "expected a place in pool from 0,0 to 2,2 but "
         "got 3,0."),
        (("-l", "turned", "-c", "0", "--at", "0,3"), "expected a place in turned from 0,0 to 2,2 "
         "but got 0,3."),
    ],
)  # fmt: skip
def test_messages(
    folder: Path, command: Command, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    done = command(
        "explain", folder / "network.keras", folder / "x.npy", *words, "-o", tmp_path / "out"
    )
    assert (done.status, done.message) == (1, message)
    assert not (tmp_path / "out").exists()


def test_padding_has_no_source(command: Command, tmp_path: Path) -> None:
    x = keras.Input((4, 4, 1))
    model = keras.Model(x, layers.ZeroPadding2D(1, name="pad")(layers.Conv2D(2, 1)(x)))
    saved(model, tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.ones((1, 4, 4, 1), np.float32))
    done = command(
        "explain", tmp_path / "m.keras", tmp_path / "x.npy", "-l", "pad", "-c", "1", "--at", "0,2"
    )
    assert (done.status, done.message) == (
        1,
        "expected a value to take apart but pad (ZeroPadding2D) has padding at 0,2. Choose a place "
        "inside.",
    )


@pytest.mark.parametrize("name", ["norm", "relu", "pool", "mean", "total", "larger"])
def test_pictures_hold_the_values(name: str) -> None:
    model = network()
    x = whole_numbers(1, 6, 6, 1)
    e = ls.explain(model, x, name, 1)
    picture = draw_one(e, every=False)[0]
    ready = prepare_explaining(opened(model), x, name, None)
    for shown in (picture, draw_all(ready)[0]):
        known = {"output": e.output}
        if name in ("total", "larger"):
            known |= {"input 0": e.parts[0], "input 1": e.parts[1]}
        else:
            known["input"] = e.given
        found = set()
        for tile in shown.maps:
            if tile.role in known and tile.channel == 1:
                half = (tile.vmax - tile.vmin) / (tile.levels[1] - tile.levels[0]) / 2
                assert_allclose(shown.values(tile), known[tile.role], atol=half * 1.0001 + 1e-6)
                found.add(tile.role)
        assert found == set(known)
    if name == "total":
        scales = {tile.vmax for tile in picture.maps}
        assert len(scales) == 1


def test_a_function_that_is_not_known_is_said_to_be_so(tmp_path: Path) -> None:
    def odd(x: Any) -> Any:
        return x * 2

    model = keras.Sequential([keras.Input((3, 3, 2)), layers.Activation(odd, name="odd")])
    e = ls.explain(model, whole_numbers(1, 3, 3, 2), "odd", 0)
    _, facts, text = draw_one(e, every=False)
    assert facts["residual"] is None
    assert text.endswith(
        "\nWhat Activation computes is not known here, so the output is not checked."
    )
