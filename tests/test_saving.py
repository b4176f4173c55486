"""Arrays on disk: .npz, .zarr and folders hold the same, with a manifest, a batch at a time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image

import layerscope as ls
from layerscope.extract import plan
from layerscope.manifest import layerscope_version
from layerscope.saving import save
from networks import Command, by_keras

KEYS = {"layerscope", "model", "inputs", "nodes", "findings"}
NODE = {
    *("index", "name", "layer", "type", "operation", "inputs", "shape", "axes", "parameters"),
    *("statistics", "pictures"),
}


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays by node name, and the manifest, of whatever save() wrote."""
    if path.suffix == ".npz":
        with np.load(path) as held:
            arrays = {name: held[name] for name in held.files}
        return arrays, json.loads(path.with_name(path.name + ".json").read_text())
    manifest = json.loads((path / "manifest.json").read_text())
    names = [node["name"] for node in manifest["nodes"]]
    if path.suffix == ".zarr":
        group = zarr.open_group(path, mode="r")
        return {name: group[name][...] for name in names}, manifest  # type: ignore[index]
    files = {node["name"]: node["file"] for node in manifest["nodes"]}
    return {name: np.load(path / files[name]) for name in names}, manifest


@pytest.mark.parametrize("name", ["x.npz", "x.zarr", "x", "sub/x.npz", "x.NPZ"])
@pytest.mark.parametrize("count", [1, 70])
def test_what_is_written_is_what_was_computed(
    networks: Path, tmp_path: Path, name: str, count: int
) -> None:
    x = np.random.default_rng(0).random((count, 16, 16, 3), np.float32)
    model = ls.open_model(networks / "small.keras")
    path = tmp_path / name
    calls: list[tuple[int, int]] = []
    assert save(plan(model, x), path, progress=lambda *call: calls.append(call)) == path
    if name == "x.NPZ":
        path = path.rename(tmp_path / "x.npz")
        (tmp_path / "x.NPZ.json").rename(tmp_path / "x.npz.json")
    arrays, manifest = read(path)

    live = keras.saving.load_model(networks / "small.keras")
    for node, array in by_keras(live, x).items():
        assert arrays[node].dtype == np.float32
        assert np.allclose(arrays[node], array, rtol=0, atol=1e-6), node
    assert list(arrays) == ["first", "pool", "flat", "scores"]
    assert calls == ([(1, 1)] if count == 1 else [(32, 70), (64, 70), (70, 70)])

    assert set(manifest) == KEYS
    assert manifest["layerscope"] == layerscope_version()
    assert len(manifest["inputs"]) == count
    for node in manifest["nodes"]:
        array = arrays[node["name"]].astype(np.float64)
        figures = node["statistics"]
        assert figures["min"] == array.min()
        assert figures["max"] == array.max()
        assert figures["mean"] == pytest.approx(array.mean(), rel=1e-9)
        assert figures["std"] == pytest.approx(array.std(), rel=1e-9)
        assert figures["zeros"] == (array == 0).mean()
        channels = array.reshape(-1, array.shape[-1])
        assert figures["dead"] == np.flatnonzero((channels == 0).all(axis=0)).tolist()


def test_the_manifest_is_the_one_described(
    command: Command, networks: Path, tmp_path: Path
) -> None:
    model, picture, out = networks / "small.keras", networks / "large.png", tmp_path / "x.npz"
    done = command("extract", model, picture, "-o", out, "-l", "first", "-l", "-1")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"2 layers of 1 input in {out}\n"
    manifest = json.loads((tmp_path / "x.npz.json").read_text(encoding="utf-8"))
    assert set(manifest) == KEYS
    assert manifest["model"] == {
        "file": str(model),
        "format": "keras",
        "framework": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    (entry,) = manifest["inputs"]
    assert {key: entry[key] for key in ("name", "file", "shape", "axes")} == {
        "name": "image",
        "file": str(picture),
        "shape": [1, 16, 16, 3],
        "axes": "NHWC",
    }
    assert entry["steps"][:2] == ["decoded PNG 20×24 RGB", "resized bilinear to 16×16"]
    first, last = manifest["nodes"]
    assert set(first) == set(last) == NODE
    assert {key: first[key] for key in NODE - {"operation", "statistics"}} == {
        "index": 0,
        "name": "first",
        "layer": "first",
        "type": "Conv2D",
        "inputs": ["image"],
        "shape": [None, 14, 14, 4],
        "axes": "NHWC",
        "parameters": 4 * (3 * 3 * 3 + 1),
        "pictures": [],
    }
    assert first["operation"]["kind"] == "convolution"
    assert first["operation"]["kernel_size"] == [3, 3]
    assert (last["name"], last["index"], last["inputs"]) == ("scores", 3, ["flat"])
    assert set(first["statistics"]) == {"min", "max", "mean", "std", "zeros", "dead"}
    assert manifest["findings"] == []


def test_layers_prints_the_same_nodes(command: Command, networks: Path, tmp_path: Path) -> None:
    model = networks / "small.keras"
    command("extract", model, networks / "cat.png", "-o", tmp_path / "x.npz")
    manifest = json.loads((tmp_path / "x.npz.json").read_text())
    printed = json.loads(command("layers", model, "--json").out)
    for node in manifest["nodes"]:
        del node["statistics"], node["pictures"]
    sees = [node.pop("receptive_field") for node in printed["nodes"]]
    assert sees[0] == {"size": [3, 3], "stride": [1, 1], "padding": [0, 0]}
    assert printed["nodes"] == manifest["nodes"]
    assert printed["model"] == manifest["model"]
    assert printed["layerscope"] == manifest["layerscope"]


def test_two_inputs_by_name(command: Command, networks: Path, tmp_path: Path) -> None:
    cat, dog = networks / "cat.png", networks / "dog.png"
    done = command(
        *("extract", networks / "pair.keras", f"right={dog}", f"left={cat}"),
        *("-o", tmp_path / "x", "--range", "0..255"),
    )
    assert (done.status, done.err) == (0, "")
    arrays, manifest = read(tmp_path / "x")
    one, other = (np.asarray(Image.open(path), np.float32) for path in (cat, dog))
    assert np.array_equal(arrays["difference"][0], one - other)
    assert {entry["name"]: entry["file"] for entry in manifest["inputs"]} == {
        "left": str(cat),
        "right": str(dog),
    }


def test_own_results_are_replaced(networks: Path, tmp_path: Path) -> None:
    model = ls.open_model(networks / "small.keras")
    for name in ("x.npz", "x.zarr", "x"):
        for layers, value in (("first", 0), ("image", 7)):
            x = np.full((2, 16, 16, 3), value, np.float32)
            save(plan(model, x, layers), tmp_path / name)
        arrays, manifest = read(tmp_path / name)
        assert list(arrays) == ["image"]
        assert (arrays["image"] == 7).all()
        assert len(manifest["nodes"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("x", "x.npz", "x.npz.json", "x.zarr"),
    ]


def test_an_npz_is_not_ours_without_its_manifest(networks: Path, tmp_path: Path) -> None:
    model = ls.open_model(networks / "small.keras")
    extraction = plan(model, np.zeros((1, 16, 16, 3), np.float32))
    save(extraction, tmp_path / "x.npz")
    (tmp_path / "x.npz.json").unlink()
    with pytest.raises(ls.LayerscopeError, match=r"exists and layerscope did not write it"):
        save(extraction, tmp_path / "x.npz")
    save(extraction, tmp_path / "x.npz", force=True)
    assert len(read(tmp_path / "x.npz")[0]) == 4


def test_bfloat16_is_widened_on_disk(tmp_path: Path) -> None:
    layer = keras.layers.Conv2D(2, 3, name="c", dtype="mixed_bfloat16")
    model = ls.open_model(keras.Sequential([keras.Input((6, 6, 1)), layer]))
    for name in ("x.npz", "x.zarr", "x"):
        save(plan(model, np.ones((2, 6, 6, 1), np.float32)), tmp_path / name)
        assert read(tmp_path / name)[0]["c"].dtype == np.float32


def test_nan_on_disk(networks: Path, tmp_path: Path) -> None:
    x = np.full((70, 16, 16, 3), np.nan, np.float32)
    model = ls.open_model(networks / "small.keras")
    for name in ("x.npz", "x.zarr", "x"):
        save(plan(model, x, "image", ls.Preprocessing(allow_nan=True)), tmp_path / name)
        arrays, manifest = read(tmp_path / name)
        assert np.isnan(arrays["image"]).all()
        assert manifest["nodes"][0]["statistics"]["mean"] is None


STREAM = """\
import resource, sys
import keras
import layerscope as ls
from layerscope.extract import plan
from layerscope.saving import save

# 148·148·16 floats are 1.4 MB for each picture.
model = ls.open_model(keras.Sequential([
    keras.Input((150, 150, 3)), keras.layers.Conv2D(16, 3, name="c"), keras.layers.Flatten(),
]))
picture, folder = sys.argv[1:]
for name, count in (("few.npz", 64), ("many.npz", 256), ("many", 256)):
    save(plan(model, [picture] * count, "c"), f"{folder}/{name}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_pictures(networks: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STREAM, networks / "cat.png", tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    few, *many = (1024 * int(line) for line in done.stdout.split())
    # 192 more pictures have 269 MB of maps.
    assert max(many) - few < 40e6
    for name in ("many.npz", "many"):
        assert read(tmp_path / name)[0]["c"].shape == (256, 148, 148, 16)
