"""Hostile and broken files of Keras 1 and 2: one clear error, nothing run, no memory taken."""

from __future__ import annotations

import copy
import json
import random
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerscope.errors import LayerscopeError, ModelError, UntrustedError
from layerscope.models import open_model
from layerscope.models.formats import detect
from layerscope.models.keras_legacy.opening import Request, read_config
from legacy_files import keras_1_file, random_weights, sequential_1, tf_keras, written

L = tf_keras.layers


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small functional network of Keras 2, with a nested model and a TensorFlow function."""
    given = tf_keras.Input((6, 6, 2), name="in")
    inner = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), L.Conv2D(2, 3, padding="same")])
    x = inner(given) + given
    x = L.LSTM(2)(L.Reshape((36, 2))(L.BatchNormalization()(x)))
    model = random_weights(tf_keras.Model(given, L.Dense(2, activation="softmax", name="dense")(x)))
    return written(model, tmp_path_factory.mktemp("hostile") / "whole.h5")


def config_of(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        found: dict[str, Any] = json.loads(file.attrs["model_config"])
    return found


def with_config(path: Path, config: Any, target: Path) -> Path:
    target.write_bytes(path.read_bytes())
    with h5py.File(target, "r+") as file:
        del file.attrs["model_config"]
        text = config if isinstance(config, str) else json.dumps(config)
        file.attrs["model_config"] = text
    return target


def dense(**own: Any) -> dict[str, Any]:
    return sequential_1(("Dense", {"name": "d", "batch_input_shape": [None, 5], **own}))


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


@pytest.mark.parametrize("seed", range(6))
def test_damaged_files(seed: int, whole: Path, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for number in range(6):
        data = bytearray(whole.read_bytes())
        for _ in range(chance.randint(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if number % 3 == 2:
            data = data[: chance.randrange(len(data))]
        path = tmp_path / f"m{number}.h5"
        path.write_bytes(data)
        with suppress(LayerscopeError):
            open_model(path)


@contextmanager
def told_shortly() -> Iterator[None]:
    """Nothing but an error of layerscope's own comes out, and it is no flood of text."""
    said = "an error"
    try:
        yield
    except LayerscopeError as error:
        said = str(error)
    assert 0 < len(said) < 1500


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.sampled_from([HUGE, -1, 1.5])
    | st.text(max_size=4)
    | st.sampled_from(
        ["in", "dense", "relu", "valid", "same", "channels_first", "Dense", "Lambda", "Merge",
         "Sequential", "Bidirectional", "TFOpLambda", "math.add", "_CONSTANT_VALUE"]
    ),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["class_name", "config", "name", "layers", "layer", "mode", "units",
                         "activation", "inbound_nodes", "batch_input_shape"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
PLACES = st.lists(st.integers(0, 10**6), min_size=1, max_size=4)


def mutated(config: Any, places: list[int], values: list[Any]) -> Any:
    """The config with other values at some of its places."""
    config = copy.deepcopy(config)
    for place, value in zip(places, values, strict=False):
        slots: list[tuple[Any, Any]] = []
        waiting = [config]
        while waiting:
            here = waiting.pop()
            keys = here if isinstance(here, dict) else range(len(here))
            for key in keys:
                slots.append((here, key))
                if isinstance(here[key], dict | list):
                    waiting.append(here[key])
        if slots:
            holder, key = slots[place % len(slots)]
            holder[key] = value
    return config


def old_config() -> dict[str, Any]:
    inner = {"class_name": "LSTM", "config": {"name": "i", "output_dim": 2}}
    branch = {"name": "b", "output_dim": 2, "batch_input_shape": [None, 5]}
    merge = {
        "name": "m", "mode": "concat", "mode_type": "raw", "concat_axis": -1,
        "layers": [{"class_name": "Sequential", "config": [
            {"class_name": "Dense", "config": branch}]}],
    }  # fmt: skip
    return sequential_1(
        ("Merge", merge),
        ("Reshape", {"name": "r", "target_shape": [1, 2]}),
        ("Bidirectional", {"name": "bi", "layer": inner}),
    )


@pytest.mark.parametrize("era", ["1.2.2", "2.2.4"])
@settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
@given(PLACES, st.lists(VALUES, min_size=4, max_size=4))
def test_changed_configs(era: str, whole: Path, places: list[int], values: list[Any]) -> None:
    """Whatever a config says, it is read as a network, or refused with an error of ours."""
    config = mutated(old_config() if era == "1.2.2" else config_of(whole), places, values)
    if not isinstance(config, dict):
        return
    start = time.perf_counter()
    with told_shortly():
        read_config(Request(Path("m.h5"), era, {}, False), config)
    assert time.perf_counter() - start < 5


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
@given(PLACES, st.lists(VALUES, min_size=4, max_size=4))
def test_changed_files(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, places: list[int], values: list[Any]
) -> None:
    """The same through the whole of opening, building and filling."""
    config = mutated(config_of(whole), places, values)
    path = with_config(whole, config, tmp_path_factory.mktemp("fuzz") / "m.h5")
    with told_shortly():
        open_model(path)


@settings(max_examples=200, deadline=None, derandomize=True, database=None,
          suppress_health_check=[*HealthCheck])  # fmt: skip
@given(
    st.sampled_from(
        [b"", b"{", b"[", b'"{', b"class_name: ", b"PK", b"\x89HDF\r\n\x1a\n", b"---\n"]
    ),
    st.binary(max_size=200),
)
def test_sniffing(tmp_path_factory: pytest.TempPathFactory, head: bytes, rest: bytes) -> None:
    path = tmp_path_factory.mktemp("sniff", numbered=True) / "m"
    path.write_bytes(head + rest)
    with told_shortly():
        detect(path)


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
