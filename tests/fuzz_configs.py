"""Old configs with other values in them, damaged HDF5 files, and texts that begin like a model."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import h5py
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from layerscope.errors import LayerscopeError
from layerscope.models import open_model
from layerscope.models.formats import detect
from layerscope.models.keras_legacy.opening import Request, read_config
from legacy_files import random_weights, sequential_1, tf_keras, written

L = tf_keras.layers
HUGE = 10**9
SEEDED = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=[*HealthCheck],
    phases=[Phase.explicit, Phase.generate],
)  # fmt: skip


def write_whole(path: Path) -> Path:
    """A small functional network of Keras 2, with a nested model and a TensorFlow function."""
    given_ = tf_keras.Input((6, 6, 2), name="in")
    inner = tf_keras.Sequential([tf_keras.Input((6, 6, 2)), L.Conv2D(2, 3, padding="same")])
    x = inner(given_) + given_
    x = L.LSTM(2)(L.Reshape((36, 2))(L.BatchNormalization()(x)))
    last = L.Dense(2, activation="softmax", name="dense")(x)
    return written(random_weights(tf_keras.Model(given_, last)), path)


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
CHANGES = (
    st.lists(st.integers(0, 10**6), min_size=1, max_size=4),
    st.lists(VALUES, min_size=4, max_size=4),
)
HEADS = (
    b"",
    b"{",
    b"[",
    b'"{',
    b"class_name: ",
    b"PK",
    b"\x89HDF\r\n\x1a\n",
    b"---\n",
    b"\n\x05\n",
    b"node {",
)


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


def changed_configs(folder: Path, *, era: str) -> None:
    """Whatever a config says, it is read as a network, or refused with an error of ours."""
    start = old_config() if era == "1.2.2" else config_of(write_whole(folder / "whole.h5"))

    @settings(SEEDED, max_examples=150)
    @given(*CHANGES)
    def each(places: list[int], values: list[Any]) -> None:
        config = mutated(start, places, values)
        if not isinstance(config, dict):
            return
        begun = time.perf_counter()
        with told_shortly():
            read_config(Request(Path("m.h5"), era, {}, False), config)
        assert time.perf_counter() - begun < 10

    each()


def changed_files(folder: Path) -> None:
    """The same through the whole of opening, building and filling."""
    whole = write_whole(folder / "whole.h5")

    @settings(SEEDED, max_examples=60)
    @given(*CHANGES)
    def each(places: list[int], values: list[Any]) -> None:
        path = with_config(whole, mutated(config_of(whole), places, values), folder / "m.h5")
        with told_shortly():
            open_model(path)

    each()


def damaged_files(folder: Path) -> None:
    whole = write_whole(folder / "whole.h5").read_bytes()
    for number in range(36):
        chance = random.Random(number)
        data = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if number % 3 == 2:
            data = data[: chance.randrange(len(data))]
        path = folder / "m.h5"
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with told_shortly():
            open_model(path)


def sniffing(folder: Path) -> None:
    """Anything at all, under the names that files have."""
    numbers = count()

    @settings(SEEDED, max_examples=300)
    @given(
        st.sampled_from(HEADS),
        st.binary(max_size=200),
        st.sampled_from(["", ".pb", ".h5", ".json"]),
    )
    def each(head: bytes, rest: bytes, suffix: str) -> None:
        path = folder / f"m{next(numbers)}{suffix}"
        path.write_bytes(head + rest)
        with told_shortly():
            detect(path)
        path.unlink()

    each()


BODIES: dict[str, Callable[[Path], None]] = {
    "configs of Keras 1": partial(changed_configs, era="1.2.2"),
    "configs of Keras 2": partial(changed_configs, era="2.2.4"),
    "files of Keras 2": changed_files,
    "damaged files of Keras 2": damaged_files,
    "anything": sniffing,
}
