"""Hostile and broken files of Keras 1 and 2: one clear error, nothing run, no memory taken."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fuzz_configs import write_whole
from layerscope.errors import ModelError, UntrustedError
from layerscope.models import open_model
from legacy_files import keras_1_file, sequential_1, tf_keras

L = tf_keras.layers


def dense(**own: Any) -> dict[str, Any]:
    return sequential_1(("Dense", {"name": "d", "batch_input_shape": [None, 5], **own}))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whole(tmp_path_factory.mktemp("hostile") / "whole.h5")


HUGE = 10**9
CONFIGS: dict[str, tuple[Any, str]] = {
    "a layer beyond memory": (dense(output_dim=HUGE), "No Keras model looks like this"),
    "a negative size": (dense(output_dim=-1), "d|Dense|not a network"),
    "a text for a size": (dense(output_dim="x" * 100_000), "Dense|not a network"),
    "no layers": ({"class_name": "Sequential", "config": {}}, "lists its layers"),
    "layers of numbers": ({"class_name": "Sequential", "config": [1, 2]}, "lists its layers"),
    "an unknown model": ({"class_name": "Graph", "config": {}}, "class of its own"),
    "a loop": (
        {"class_name": "Functional", "config": {
            "name": "m", "input_layers": [["a", 0, 0]], "output_layers": [["b", 0, 0]],
            "layers": [
                {"class_name": "InputLayer", "name": "a", "inbound_nodes": [],
                 "config": {"name": "a", "batch_input_shape": [None, 3]}},
                {"class_name": "Activation", "name": "b", "inbound_nodes": [[["b", 0, 0, {}]]],
                 "config": {"name": "b", "activation": "relu"}},
            ]}},
        "does not compute",
    ),
    "a layer that is not there": (
        {"class_name": "Functional", "config": {
            "name": "m", "input_layers": [["a", 0, 0]], "output_layers": [["z", 0, 0]],
            "layers": [{"class_name": "InputLayer", "name": "a", "inbound_nodes": [],
                        "config": {"name": "a", "batch_input_shape": [None, 3]}}]}},
        "'z', which it does not have",
    ),
    "a vocabulary": (
        sequential_1(("StringLookup", {"name": "s", "vocabulary": "/etc/passwd",
                                       "batch_input_shape": [None, 1]})),
        "a StringLookup, which takes text",
    ),
    "a SavedModel inside": (
        sequential_1(("TFSMLayer", {"name": "s", "filepath": "/tmp/x",
                                    "batch_input_shape": [None, 1]})),
        "'TFSMLayer'",
    ),
    "a class of Python's": (
        {"class_name": "Sequential", "config": [
            {"class_name": "Popen", "module": "subprocess", "config": {"args": "id"}}]},
        "'Popen'",
    ),
    "code in an option": (
        dense(output_dim=2, kernel={"class_name": "__lambda__", "config": {"value": "x"}}),
        "d|trust|Dense",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_hostile_configs(name: str, tmp_path: Path) -> None:
    config, words = CONFIGS[name]
    path = keras_1_file(tmp_path / "m.h5", config, {})
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=words) as caught:
            open_model(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 1000


def test_models_nested_without_end(tmp_path: Path) -> None:
    config: Any = []
    for _ in range(60):
        config = [{"class_name": "Sequential", "config": config}]
    path = keras_1_file(tmp_path / "m.h5", {"class_name": "Sequential", "config": config}, {})
    with pytest.raises(ModelError, match="nested more than"):
        open_model(path)


def test_marshalled_code_does_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    given = tf_keras.Input((3,))
    layer = L.Lambda(eval(f"lambda x: open({str(canary)!r}, 'w') and x"), output_shape=(3,))
    config = tf_keras.Sequential([given, L.Dense(3)]).get_config()
    config["layers"].append({"class_name": "Lambda", "config": layer.get_config()})
    path = keras_1_file(
        tmp_path / "m.h5", {"class_name": "Sequential", "config": config}, {}, "2.2"
    )
    with pytest.raises(UntrustedError, match="Lambda"):
        open_model(path)
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["link", "soft link", "virtual", "bomb", "missing", "text"])
def test_hostile_weights(kind: str, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(whole.read_bytes())
    with h5py.File(path, "r+") as file:
        group = file["model_weights/dense"]
        name = group.attrs["weight_names"][0]
        shape = group[name].shape
        del group[name]
        if kind == "link":
            group[name] = h5py.ExternalLink(str(whole), f"model_weights/dense/{name}")
        elif kind == "soft link":
            group[name] = h5py.SoftLink("/model_weights/lstm")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, "f4")
            layout[:] = h5py.VirtualSource(str(whole), f"model_weights/dense/{name}", shape)
            group.create_virtual_dataset(name, layout)
        elif kind == "bomb":
            group.create_dataset(name, (HUGE, 100), "f4", chunks=(1000, 100), compression="gzip")
        elif kind == "text":
            group.create_dataset(name, data=np.array([b"x"]))
    with pytest.raises(ModelError):
        open_model(path)


def test_yaml_that_grows_or_runs(tmp_path: Path) -> None:
    weights = tmp_path / "w.h5"
    with h5py.File(weights, "w") as file:
        file.attrs["layer_names"] = [b"d"]
    lines = ["class_name: Sequential", "keras_version: 2.1.0", "config:", "  a0: &a0 [x, x, x]"]
    lines += [f"  a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 30)]
    path = tmp_path / "m.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ModelError, match="without end"):
        open_model(path, weights=weights)
    path.write_text("class_name: Sequential\nconfig: !!python/object/apply:os.system ['id']\n")
    with pytest.raises(ModelError, match="plain YAML"):
        open_model(path, weights=weights)


def test_a_hostile_file_takes_little_memory(tmp_path: Path) -> None:
    """A process of its own: at most ten times the file and 200 MB above what importing takes."""
    config = sequential_1(
        *(("Dense", {"name": f"d{i}", "output_dim": 40_000,
                     **({"batch_input_shape": [None, 40_000]} if not i else {})})
          for i in range(3))
    )  # fmt: skip
    path = keras_1_file(tmp_path / "m.h5", config, {})
    program = (
        "import resource, sys\n"
        "from layerscope.models.keras.backends import load_keras\n"
        "keras = load_keras()\n"
        "keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])\n"
        "from layerscope.models import open_model\n"
        "from layerscope.errors import ModelError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: open_model(sys.argv[1])\n"
        "except ModelError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    *said, grown = done.stdout.splitlines()
    assert "No Keras model looks like this" in said[-1]
    assert int(grown) * 1024 < 200_000_000 + 10 * path.stat().st_size
