"""Hostile model files: nothing in them runs, reads other files, or takes memory beyond reason."""

from __future__ import annotations

import io
import json
import re
import resource
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras.src.utils.python_utils import func_dump

from fuzz_archives import only_our_errors
from layerscope.errors import LayerscopeError, ModelError, UntrustedError
from layerscope.models import open_model
from layerscope.models.keras.safety import check_config

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that appears only where code out of a model file runs."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


def rewritten(source: Path, target: Path, new: dict[str, bytes | None]) -> Path:
    """A copy of a .keras archive with other members; None leaves one out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as archive:
        for name in old.namelist():
            if name not in new:
                archive.writestr(name, old.read(name))
        for name, data in new.items():
            if data is not None:
                archive.writestr(name, data)
    return target


def with_config(source: Path, target: Path, change: Callable[[Any], Any]) -> Path:
    """A copy of a .keras archive with a changed config."""
    with zipfile.ZipFile(source) as archive:
        config = json.loads(archive.read(CONFIG))
    changed = change(config)
    new = json.dumps(config if changed is None else changed)
    return rewritten(source, target, {CONFIG: new.encode()})


def with_layer(networks: Path, target: Path, layer: dict[str, Any]) -> Path:
    """small.keras with one more layer at its end."""
    return with_config(
        networks / "small.keras", target, lambda config: config["config"]["layers"].append(layer)
    )


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Check what Python allocates within the block at most, in bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def refusal(path: Path, kind: type[LayerscopeError] = ModelError, **options: Any) -> str:
    """The message with which a file is refused, without its folder."""
    with pytest.raises(kind) as caught:
        open_model(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


# Configs


def lambda_layer(canary: Path, *, old: bool = False) -> dict[str, Any]:
    where = str(canary)
    code, defaults, closure = func_dump(lambda x: (open(where, "w").close(), x)[1])
    function: Any = [code, defaults, closure]
    if not old:
        value = {"code": code, "defaults": defaults, "closure": closure}
        function = {"class_name": "__lambda__", "config": value}
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "evil", "function": function, "arguments": {}},
        "registered_name": None,
    }


def named(module: str | None, name: str, **config: Any) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "evil", **config},
        "registered_name": None,
    }


def function(module: str, name: str) -> dict[str, Any]:
    """An Activation layer whose function is an object of any module."""
    found = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    return named("keras.layers", "Activation", activation=found)


TRUST = "It runs only if you trust the file: pass --trust (in Python, trust=True)."
NO_PART = "which is no part of a network. The file was not opened."
SUPPLY = "which is not part of Keras. Supply the Python file that defines it: --custom FILE.py"
LAYERS = [
    (named("keras.layers", "TorchModuleWrapper", state="gASV"), "layer 'evil' is a pickled "
     "PyTorch module. " + TRUST),
    (named("keras.layers", "TFSMLayer", filepath="/tmp/x"), "layer 'evil' is a TensorFlow "
     "SavedModel, which may run operations when it is loaded. " + TRUST),
    (named("keras.src.layers", "JaxLayer"), "layer 'evil' is JAX code stored in the file. "
     + TRUST),
    (named("os", "system", command="touch {canary}"), "layer 'evil' is of the class 'system', "
     + SUPPLY),
    (named("subprocess", "Popen", args=["touch", "{canary}"]), "layer 'evil' is of the class "
     "'Popen', " + SUPPLY),
    (named("kerasx.layers", "Dense", units=1), "layer 'evil' is of the class 'Dense', " + SUPPLY),
    (named("keras.utils", "get_file", origin="file:///etc/passwd"), "layer 'evil' names "
     "keras.utils.get_file, " + NO_PART),
    (named("keras.src.utils.python_utils", "func_load"), "layer 'evil' names "
     "keras.src.utils.python_utils.func_load, " + NO_PART),
    (named("keras.saving", "load_model", filepath="/tmp/x"), "layer 'evil' names "
     "keras.saving.load_model, " + NO_PART),
    (named("keras.config", "enable_unsafe_deserialization"), "layer 'evil' names "
     "keras.config.enable_unsafe_deserialization, " + NO_PART),
    (named("keras.applications", "ResNet50"), "layer 'evil' names keras.applications.ResNet50, "
     + NO_PART),
    (function("keras.utils", "get_file"), "layer 'evil' names keras.utils.function, " + NO_PART),
    (function("builtins", "eval"), "layer 'evil' is of the class 'function', " + SUPPLY),
    (function("os", "system"), "layer 'evil' is of the class 'function', " + SUPPLY),
    (named("keras.layers", "StringLookup", vocabulary="/etc/passwd"), "layer 'evil' reads another "
     "file, '/etc/passwd'. It does so only if you trust the file: pass --trust (in Python, "
     "trust=True)."),
    (named("keras.layers", "TimeDistributed", layer=named("os", "system")), "layer 'evil' is of "
     "the class 'system', " + SUPPLY),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "expected"), LAYERS, ids=[str(e)[:60] for _, e in LAYERS])
def test_layers_that_do_more_than_compute(
    networks: Path, tmp_path: Path, canary: Path, layer: dict[str, Any], expected: str
) -> None:
    layer = json.loads(json.dumps(layer).replace("{canary}", str(canary)))
    path = with_layer(networks, tmp_path / "m.keras", layer)
    assert refusal(path).startswith(f"m.keras: {expected}")


def test_lambda_in_an_archive(networks: Path, tmp_path: Path, canary: Path) -> None:
    path = with_layer(networks, tmp_path / "m.keras", lambda_layer(canary))
    assert refusal(path, UntrustedError) == (
        "m.keras: layer 'evil' is a Lambda layer, whose Python code is stored in the file. " + TRUST
    )


def test_code_in_the_place_of_an_activation_function(
    networks: Path, tmp_path: Path, canary: Path
) -> None:
    code = lambda_layer(canary)["config"]["function"]
    layer = named("keras.layers", "Dense", units=1, activation=code)
    path = with_layer(networks, tmp_path / "m.keras", layer)
    assert refusal(path, UntrustedError) == (
        "m.keras: layer 'evil' is Python code stored in the file. " + TRUST
    )


@pytest.mark.parametrize("old", [False, True])
def test_lambda_in_hdf5(networks: Path, tmp_path: Path, canary: Path, old: bool) -> None:
    path = tmp_path / "m.h5"
    shutil.copy(networks / "small.h5", path)
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].append(lambda_layer(canary, old=old))
        file.attrs["model_config"] = json.dumps(config)
    assert refusal(path, UntrustedError) == (
        "m.h5: layer 'evil' is a Lambda layer, whose Python code is stored in the file. " + TRUST
    )


def test_lambda_in_an_architecture(networks: Path, tmp_path: Path, canary: Path) -> None:
    config = json.loads((networks / "small.json").read_text())
    config["config"]["layers"].append(lambda_layer(canary))
    path = tmp_path / "m.json"
    path.write_text(json.dumps(config))
    assert refusal(path, UntrustedError, weights=networks / "small.weights.h5").startswith(
        "m.json: layer 'evil' is a Lambda layer"
    )


@pytest.mark.parametrize("layer", [named("os", "system"), named("keras.utils", "get_file")])
def test_trust_lets_stored_code_run_but_imports_nothing(
    networks: Path, tmp_path: Path, layer: dict[str, Any]
) -> None:
    path = with_layer(networks, tmp_path / "m.keras", layer)
    refusal(path, trust=True)


def test_what_a_model_was_compiled_with_is_never_made(
    networks: Path, tmp_path: Path, canary: Path
) -> None:
    def change(config: Any) -> None:
        config["compile_config"] = {"loss": named("os", "system", command=f"touch {canary}")}

    path = with_config(networks / "small.keras", tmp_path / "m.keras", change)
    assert len(open_model(path).graph) == 4


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", "1", '"x"', "{", "", "\x00", "{}", '{"class_name": 5, "config": {}}',
        "[" * 100_000, '{"a":' * 100_000, "NaN", "9" * 10_000,
    ],
    ids=range(13),
)  # fmt: skip
def test_configs_that_are_none(networks: Path, tmp_path: Path, text: str) -> None:
    path = rewritten(networks / "small.keras", tmp_path / "m.keras", {CONFIG: text.encode()})
    refusal(path)
    shutil.copy(networks / "small.h5", tmp_path / "m.h5")
    if len(text) < 60_000 and text not in ("\x00", ""):
        with h5py.File(tmp_path / "m.h5", "a") as file:
            file.attrs["model_config"] = text
        refusal(tmp_path / "m.h5")
    (tmp_path / "m.json").write_text(text)
    refusal(tmp_path / "m.json", weights=networks / "small.weights.h5")


def test_nesting_deeper_than_the_parser_minds(networks: Path, tmp_path: Path) -> None:
    layer: dict[str, Any] = named("os", "system")
    for _ in range(200):
        layer = named("keras.layers", "TimeDistributed", layer=layer)
    path = with_layer(networks, tmp_path / "m.keras", layer)
    assert "is of the class 'system'" in refusal(path)


@pytest.mark.parametrize("value", [np.array([3, 1]), 3, b"\xff3", "3"])
@pytest.mark.parametrize("name", ["keras_version", "model_config"])
def test_attributes_of_other_types(networks: Path, tmp_path: Path, name: str, value: Any) -> None:
    path = tmp_path / "m.h5"
    shutil.copy(networks / "small.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs[name] = value
    # Where the version is readable enough the model opens; there is no third way.
    with only_our_errors(path):
        assert len(open_model(path).graph) == 4


def test_a_layer_alone(networks: Path, tmp_path: Path) -> None:
    path = with_config(
        networks / "small.keras", tmp_path / "m.keras", lambda c: c["config"]["layers"][-2]
    )
    assert refusal(path) == (
        "m.keras holds a Flatten alone. Expected a whole model: save it with "
        "model.save('NAME.keras')."
    )


def test_layers_larger_than_their_weights(networks: Path, tmp_path: Path) -> None:
    """A few bytes of config must not allocate gigabytes."""

    def change(config: Any) -> None:
        config["config"]["layers"][-1]["config"]["units"] = 10**8

    path = with_config(networks / "small.keras", tmp_path / "m.keras", change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 4 * 7 * 7 * 4 * 10**8
    # Three kernel-sized numbers: 3·3·3·4 weights and 4 biases come before the large kernel.
    assert refusal(path) == (
        f"m.keras declares layers with weights of {size + 4 * (108 + 4):,} bytes, but stores "
        f"{path.stat().st_size:,}. No Keras model looks like this; the file was not read."
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert keras.layers.Layer.add_weight.__name__ == "add_weight"


# Archives


def deflated(source: Path, target: Path, member: str, data: bytes) -> Path:
    """A copy of an archive in which a member is deflated from ``data``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as archive:
        for name in old.namelist():
            if name != member:
                archive.writestr(name, old.read(name))
        archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return target


def declare(path: Path, member: str, size: int, data: bytes) -> None:
    """Let an archive's directory declare fewer bytes than a member unpacks to."""
    found = bytearray(path.read_bytes())
    entry = found.rindex(b"PK\x01\x02", 0, found.rindex(member.encode()))
    struct.pack_into("<I", found, entry + 16, zipfile.crc32(data[:size]))  # type: ignore[attr-defined]
    struct.pack_into("<I", found, entry + 24, size)
    path.write_bytes(found)


@pytest.mark.parametrize("member", [CONFIG, WEIGHTS, "assets/vocabulary.txt"])
@pytest.mark.parametrize("size", [None, 1000])
def test_members_that_grow(networks: Path, tmp_path: Path, member: str, size: int | None) -> None:
    bomb = b" " * (150 * 2**20)
    path = deflated(networks / "small.keras", tmp_path / "m.keras", member, bomb)
    if size is not None:
        declare(path, member, size, bomb)
    assert path.stat().st_size < 250_000
    with memory_below(20 * 2**20):
        message = refusal(path)
    assert "would unpack to" in message
    assert message.endswith("No Keras model looks like this; the file was not read.")


def test_members_that_declare_too_little_are_found_whatever_their_size(
    networks: Path, tmp_path: Path
) -> None:
    path = deflated(networks / "small.keras", tmp_path / "m.keras", "note.txt", b"x" * 5000)
    declare(path, "note.txt", 4999, b"x" * 5000)
    assert refusal(path).startswith("m.keras holds 'note.txt' of ")


def test_many_small_members(networks: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    shutil.copy(networks / "small.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        for i in range(100):
            archive.writestr(f"assets/{i}", bytes(2**20), zipfile.ZIP_DEFLATED)
    assert re.fullmatch(
        r"m.keras is an archive of [\d,]+ bytes that would unpack to 104,[\d,]+\. "
        "No Keras model looks like this; the file was not read.",
        refusal(path),
    )


def test_members_that_overlap(networks: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    shutil.copy(networks / "small.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/0", bytes(range(256)) * 400)
        for i in range(1, 50):
            again = copy(archive.getinfo("assets/0"))
            again.filename = f"assets/{i}"
            archive.filelist.append(again)
    assert refusal(path) == (
        "m.keras is a damaged or truncated .keras file (its members overlap). "
        "Copy or download it again."
    )


@pytest.mark.parametrize(
    "name", ["../canary", "/tmp/canary", "assets/../../canary", "..\\canary", "\\canary"]
)
def test_members_outside_their_folder(
    networks: Path, tmp_path: Path, canary: Path, name: str
) -> None:
    path = tmp_path / "m.keras"
    shutil.copy(networks / "small.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert refusal(path, UntrustedError) == (
        f"m.keras holds {name!r}, which would be unpacked outside its folder. "
        "The file was not read."
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_without_a_bound(networks: Path, tmp_path: Path, method: int) -> None:
    path = tmp_path / "m.keras"
    shutil.copy(networks / "small.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/a", "x", method)
    assert "'assets/a' in a way that Keras does not write" in refusal(path)


def test_weights_as_npz(networks: Path, tmp_path: Path) -> None:
    held = io.BytesIO()
    np.savez(held, x=np.array([print], dtype=object))
    path = rewritten(
        networks / "small.keras",
        tmp_path / "m.keras",
        {WEIGHTS: None, "model.weights.npz": held.getvalue()},
    )
    assert "'model.weights.npz' in a way that Keras does not write" in refusal(path)


# Weights


def external_link(file: h5py.File, folder: Path) -> None:
    file["more"] = h5py.ExternalLink(folder / "secret.h5", "/x")


def soft_link(file: h5py.File, folder: Path) -> None:
    file["more"] = h5py.SoftLink("/layers")


def external_storage(file: h5py.File, folder: Path) -> None:
    file.create_dataset(
        "more", (4,), "f4", external=[(str(folder / "secret.bin"), 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file: h5py.File, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "x", (4,))
    file.create_virtual_dataset("more", layout)


def shape_bomb(file: h5py.File, folder: Path) -> None:
    file.create_dataset("more", (2**28,), "f4")


def packed_bomb(file: h5py.File, folder: Path) -> None:
    file.create_dataset("more", data=np.zeros(2**24, np.float32), compression="gzip", chunks=True)


HDF5 = [
    (external_link, "'/more' is a link to "),
    (soft_link, "'/more' is a soft link. "),
    (external_storage, "'/more' is data kept in another file. "),
    (virtual, "'/more' is a virtual data set. "),
    (shape_bomb, "'/more' declares 1,073,741,824 bytes but stores 0. "),
    (packed_bomb, "'/more' declares 67,108,864 bytes but stores "),
]


@pytest.mark.parametrize("place", ["archive", "hdf5", "weights"])
@pytest.mark.parametrize(("harm", "expected"), HDF5, ids=[harm.__name__ for harm, _ in HDF5])
def test_weights_that_point_elsewhere_or_grow(
    networks: Path, tmp_path: Path, place: str, harm: Callable[..., None], expected: str
) -> None:
    options: dict[str, Any] = {}
    if place == "archive":
        path, inner = tmp_path / "m.keras", tmp_path / "w.h5"
        with zipfile.ZipFile(networks / "small.keras") as archive:
            inner.write_bytes(archive.read(WEIGHTS))
    else:
        path = inner = tmp_path / "m.h5"
        shutil.copy(networks / ("small.h5" if place == "hdf5" else "small.weights.h5"), inner)
    with h5py.File(inner, "a") as file:
        harm(file, tmp_path)
    opened = path
    if place == "archive":
        rewritten(networks / "small.keras", path, {WEIGHTS: inner.read_bytes()})
    elif place == "weights":
        opened, options = networks / "small.json", {"weights": path}
    with memory_below(20 * 2**20), pytest.raises(ModelError) as caught:
        open_model(opened, **options)
    assert str(caught.value).startswith(f"{path}: {expected}")


def test_groups_in_a_circle(networks: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    shutil.copy(networks / "small.h5", path)
    with h5py.File(path, "a") as file:
        file["model_weights/again"] = file["/"]
    assert len(open_model(path).graph) == 4


@pytest.mark.parametrize(
    "name", ["InceptionResNetV2", "ConvNeXtTiny", "NASNetMobile", "DenseNet121", "EfficientNetV2B0"]
)
def test_known_networks_are_made_of_allowed_parts(name: str) -> None:
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=(96, 96, 3)
    )
    config = keras.saving.serialize_keras_object(network)
    check_config(Path("x.keras"), config, trust=False, known=frozenset())
