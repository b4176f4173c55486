"""Recording feature maps while a network is trained, and reading them back."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import layerscope as ls
from layerscope.errors import InputError, LayerscopeError, OutputError, SelectionError
from layerscope.training import storage
from layerscope.training.quantized import quantize
from networks import plain_array
from test_structure import loaded_after
from tiny_training import LAYERS, Spy, network, some

pytestmark = [
    pytest.mark.backend,
    # Keras hands its tensors to NumPy in ways that NumPy 2 has deprecated.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*non-writable:UserWarning"),
]

# TensorFlow trains no channels-first convolution on a CPU.
FORMS = [False] if keras.backend.backend() == "tensorflow" else [False, True]


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[ls.Record, Spy]:
    x, y = some()
    model, spy = network(), Spy(x[:2])
    recorder = ls.FeatureMapRecorder(x[:2], LAYERS, output=tmp_path / "record")
    model.fit(x, y, epochs=6, batch_size=4, shuffle=False, verbose=0, callbacks=[recorder, spy])
    return ls.Record.open(tmp_path / "record"), spy


def test_every_epoch_is_what_the_network_gave(recorded: tuple[ls.Record, Spy]) -> None:
    record, spy = recorded
    assert record.epochs == (0, 1, 2, 3, 4, 5, 6)
    assert list(record.layers) == LAYERS
    for epoch in record.epochs:
        for name in LAYERS:
            maps, truth = record.maps(epoch, name), spy.seen[epoch][name]
            assert maps.array.shape == truth.shape
            assert maps.node.name == name
            # Half a step of 254 of each channel's range, and what the two ways of running differ.
            rest = tuple(range(1, truth.ndim - 1))
            span = truth.max(axis=rest, keepdims=True) - truth.min(axis=rest, keepdims=True)
            assert (abs(maps.array - truth) <= span / 508 * 1.001 + 1e-5).all()
    changes = [np.abs(spy.seen[e + 1]["first"] - spy.seen[e]["first"]).max() for e in range(6)]
    assert min(changes) > 1e-4, "the network does not learn, so that the test shows nothing"


def test_statistics_are_those_of_the_values_themselves(recorded: tuple[ls.Record, Spy]) -> None:
    record, spy = recorded
    for epoch in record.epochs:
        for name in LAYERS:
            truth = spy.seen[epoch][name].astype(np.float64)
            found = record.statistics(epoch, name)
            others = tuple(range(truth.ndim - 1))
            np.testing.assert_allclose(found.mean, truth.mean(axis=others), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(found.std, truth.std(axis=others), rtol=1e-4, atol=1e-6)
            zeros = (truth == 0).mean(axis=others)
            np.testing.assert_allclose(found.zeros, zeros, atol=0.02)
            np.testing.assert_array_equal(found.dead, zeros == 1)


def test_kernels_and_history_are_recorded(recorded: tuple[ls.Record, Spy]) -> None:
    record, spy = recorded
    assert record.kernel_layers == ("first",)
    for epoch in record.epochs:
        np.testing.assert_array_equal(record.kernel(epoch, "first"), spy.kernels[epoch])
    assert [row["epoch"] for row in record.history] == [1, 2, 3, 4, 5, 6]
    assert set(record.history[0]) == {"epoch", "loss", "mae"}
    low, high = record.range("first")
    assert low == 0
    assert high == pytest.approx(max(s["first"].max() for s in spy.seen), rel=1e-5)
    assert record.inputs == ("array[0]", "array[1]")
    assert [None if p is None else p.shape for p in record.previews] == [(12, 12, 3)] * 2


@pytest.mark.parametrize(
    ("epochs", "every", "expected"),
    [(6, 2, (0, 2, 4, 6)), (5, 2, (0, 2, 4, 5)), (3, 10, (0, 3)), (1, 1, (0, 1))],
)
def test_every_n_epochs_and_the_last(
    tmp_path: Path, epochs: int, every: int, expected: tuple[int, ...]
) -> None:
    x, y = some()
    recorder = ls.FeatureMapRecorder(x[:1], "first", every, output=tmp_path / "r")
    network().fit(x, y, epochs=epochs, verbose=0, callbacks=[recorder])
    record = ls.Record.open(tmp_path / "r")
    assert record.epochs == expected
    assert len(record.history) == epochs


def test_a_second_fit_goes_on_counting(tmp_path: Path) -> None:
    x, y = some()
    model = network()
    recorder = ls.FeatureMapRecorder(x[:1], "first", output=tmp_path / "r")
    model.fit(x, y, epochs=2, verbose=0, callbacks=[recorder])
    model.fit(x, y, epochs=3, verbose=0, callbacks=[recorder])
    assert ls.Record.open(tmp_path / "r").epochs == (0, 1, 2, 3, 4, 5)
    model.fit(x, y, epochs=7, initial_epoch=5, verbose=0, callbacks=[recorder])
    record = ls.Record.open(tmp_path / "r")
    assert record.epochs == tuple(range(8))
    assert [row["epoch"] for row in record.history] == [1, 2, 3, 4, 5, 6, 7]


def test_another_recorder_goes_on_where_fit_does_or_begins_anew(tmp_path: Path) -> None:
    x, y = some()
    model = network()

    def record(layer: str, **options: Any) -> ls.Record:
        recorder = ls.FeatureMapRecorder(x[:1], layer, output=tmp_path / "r")
        model.fit(x, y, verbose=0, callbacks=[recorder], **options)
        return ls.Record.open(tmp_path / "r")

    record("first", epochs=4)
    before = storage.epoch_file(tmp_path / "r", 2).read_bytes()
    # From epoch 2 on: what was recorded after it belongs to a future that does not come.
    again = record("first", epochs=3, initial_epoch=2)
    assert again.epochs == (0, 1, 2, 3)
    assert [row["epoch"] for row in again.history] == [1, 2, 3]
    assert storage.epoch_file(tmp_path / "r", 2).read_bytes() == before
    assert record("pool", epochs=6, initial_epoch=5).epochs == (5, 6)
    assert record("pool", epochs=1).epochs == (0, 1)


def test_the_record_is_bounded(tmp_path: Path) -> None:
    x, y = some()
    model, spy = network(), Spy(x[:1])
    recorder = ls.FeatureMapRecorder(x[:1], LAYERS, output=tmp_path / "r", limit=40_000)
    model.fit(x, y, epochs=21, verbose=0, callbacks=[recorder, spy])
    record = ls.Record.open(tmp_path / "r")
    sizes = [storage.epoch_file(record.folder, epoch).stat().st_size for epoch in record.epochs]
    assert sum(sizes) <= 40_000
    assert len(record.history) == 21
    gaps = np.diff(record.epochs)
    assert record.epochs[0] == 0
    assert record.epochs[-1] == 21
    assert len(set(gaps[:-1])) == 1
    assert gaps[0] in (2, 4, 8, 16)
    for epoch in record.epochs:
        truth = spy.seen[epoch]["first"]
        assert abs(record.maps(epoch, "first").array - truth).max() <= truth.max() / 400


def test_a_limit_that_is_too_low_is_said_before_the_first_step(tmp_path: Path) -> None:
    x, y = some()
    recorder = ls.FeatureMapRecorder(x[:1], output=tmp_path / "r", limit=1000)
    model = network()
    before = plain_array(model.get_layer("first").kernel)
    with pytest.raises(OutputError) as caught:
        model.fit(x, y, verbose=0, callbacks=[recorder])
    assert str(caught.value).startswith("one epoch of these 4 layers takes 0.0 MB, and the whole")
    np.testing.assert_array_equal(plain_array(model.get_layer("first").kernel), before)


def test_it_can_be_read_while_it_grows(tmp_path: Path) -> None:
    x, y = some()
    failed: list[BaseException] = []
    looks: list[int] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            try:
                record = ls.Record.open(tmp_path / "r")
                for epoch in record.epochs:
                    record.maps(epoch, "pool")
                looks.append(len(record.epochs))
                assert len(record.history) + 1 >= len(record.epochs) - 1
            except InputError as error:
                if "is no record" not in str(error):
                    failed.append(error)
            except BaseException as error:
                failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        recorder = ls.FeatureMapRecorder(x[:1], LAYERS, output=tmp_path / "r")
        network().fit(x, y, epochs=8, verbose=0, callbacks=[recorder])
    finally:
        ended.set()
        reader.join()
    assert failed == []
    assert max(looks, default=0) >= 1
    assert ls.Record.open(tmp_path / "r").epochs == tuple(range(9))


def test_leftovers_of_a_crash_are_no_epochs(recorded: tuple[ls.Record, Spy]) -> None:
    record, _ = recorded
    folder = record.folder / storage.EPOCHS
    (folder / ".00007.npz-abcd").write_bytes(b"PK")
    (folder / "notes.txt").touch()
    assert record.epochs == (0, 1, 2, 3, 4, 5, 6)


def test_nothing_is_compiled_anew_for_an_epoch(tmp_path: Path) -> None:
    x, y = some()
    model = network()
    recorder = ls.FeatureMapRecorder(x[:1], LAYERS, output=tmp_path / "r")
    traced: list[int] = []

    class Count(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            opened = recorder._opened
            traced.append(len(opened._functions))  # type: ignore[union-attr]

    model.fit(x, y, epochs=8, verbose=0, callbacks=[recorder, Count()])
    assert traced[-1] <= 1
    assert traced == sorted(traced)


def test_a_diverged_network_is_recorded_as_not_finite(tmp_path: Path) -> None:
    x, y = some()
    model = network()
    model.get_layer("answer").bias.assign(np.full(2, np.nan, np.float32))
    model.fit(
        x, y, verbose=0,
        callbacks=[ls.FeatureMapRecorder(x[:1], ["first", "answer"], output=tmp_path / "r")],
    )  # fmt: skip
    record = ls.Record.open(tmp_path / "r")
    assert np.isnan(record.maps(0, "answer").array).all()
    assert np.isnan(record.statistics(0, "answer").mean).all()
    assert record.range("answer") == (0.0, 0.0)
    assert "loss" not in record.history[0] or np.isnan(record.history[0]["loss"])


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0, 4.0],
        [-3.0, -3.0],
        [np.nan, 2.0, np.inf],
        [1e30],
        np.linspace(-2, 5, 997).tolist(),
    ],
)
def test_quantizing_keeps_the_extremes_and_half_a_step(values: list[float]) -> None:
    given = np.array(values, np.float32)[None, None]
    back = quantize(given).values()
    finite = np.isfinite(given)
    assert np.isnan(back[~finite]).all()
    span = np.ptp(given[finite]) if finite.any() else 0
    assert (abs(back[finite] - given[finite]) <= span / 508 * 1.0001).all()
    for edge in (given[finite].min(), given[finite].max()):
        assert edge in back


def test_zero_stays_zero_where_nothing_is_below_it() -> None:
    given = np.maximum(np.random.default_rng(0).normal(size=(2, 3, 50)), 0)
    back = quantize(given).values()
    np.testing.assert_array_equal(back == 0, given < np.ptp(given, axis=2, keepdims=True) / 508)


@pytest.mark.parametrize("channels_first", FORMS)
def test_maps_come_back_in_the_models_own_layout(tmp_path: Path, channels_first: bool) -> None:
    form = "channels_first" if channels_first else "channels_last"
    shape = (3, 6, 8) if channels_first else (6, 8, 3)
    model = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Conv2D(5, 3, name="c", data_format=form),
            keras.layers.GlobalMaxPooling2D(name="g", data_format=form),
        ]
    )
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    recorder = ls.FeatureMapRecorder(x[:2], output=tmp_path / "r")
    model.fit(x, np.zeros((4, 5), np.float32), verbose=0, callbacks=[recorder])
    activation = ls.Record.open(tmp_path / "r").maps(1, "c")
    truth = plain_array(model.layers[0](x[:2]))
    assert activation.array.shape == truth.shape == (2, 5, 4, 6) if channels_first else (2, 4, 6, 5)
    assert str(activation.axes) == ("NCHW" if channels_first else "NHWC")
    assert abs(activation.array - truth).max() < np.ptp(truth) / 400
    assert activation.figure().pixels.size


def test_pictures_are_prepared_as_everywhere(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (30, 20, 3), np.uint8)).save(tmp_path / "a.png")
    x, y = some()
    recorder = ls.FeatureMapRecorder(tmp_path / "a.png", "pool", output=tmp_path / "r")
    model = network()
    model.fit(x, y, verbose=0, callbacks=[recorder])
    record = ls.Record.open(tmp_path / "r")
    assert record.inputs == ("a.png",)
    assert record.records[0]["steps"][1] == "resized bilinear to 12×12"
    truth = ls.extract(model, tmp_path / "a.png", "pool")["pool"].array
    assert abs(record.maps(1, "pool").array - truth).max() <= np.ptp(truth) / 400


WRONG = [
    ({"every": 0}, "every must be at least 1 epoch, and is 0"),
    (
        {"inputs": np.zeros((33, 12, 12, 3))},
        "33 pictures are given to record the maps of:",
    ),
    ({"inputs": "no.png"}, "no such file or folder: no.png"),
    ({"layers": "frist"}, "first"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[m[:20] for _, m in WRONG])
def test_what_is_wrong_is_said_before_the_first_step(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    x, y = some()
    given: dict[str, Any] = {"inputs": x[:1], "output": tmp_path / "r", **options}
    with pytest.raises(LayerscopeError) as caught:
        network().fit(x, y, verbose=0, callbacks=[ls.FeatureMapRecorder(**given)])
    assert message in str(caught.value)
    assert not (tmp_path / "r").exists()


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    x, y = some()
    (tmp_path / "r").mkdir()
    (tmp_path / "r/mine.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        network().fit(
            x, y, verbose=0, callbacks=[ls.FeatureMapRecorder(x[:1], output=tmp_path / "r")]
        )
    assert str(caught.value) == (
        f"{tmp_path / 'r'} exists and layerscope did not write it: choose another output, or pass "
        "force=True to replace it"
    )
    assert (tmp_path / "r/mine.txt").read_text() == "mine"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of two epochs."""
    folder = tmp_path_factory.mktemp("small") / "r"
    x, y = some()
    recorder = ls.FeatureMapRecorder(x[:1], ["first", "pool"], output=folder)
    network().fit(x, y, verbose=0, callbacks=[recorder])
    return folder


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "r"))


def test_what_was_not_recorded(small: Path) -> None:
    record = ls.Record.open(small)
    with pytest.raises(SelectionError, match="layer 'x' is not recorded; there are: first, pool"):
        record.maps(0, "x")
    with pytest.raises(SelectionError, match="epoch 9 is not recorded; there are: 0, 1"):
        record.statistics(9, "first")
    with pytest.raises(SelectionError, match="no kernel of pool is recorded; there are those of:"):
        record.kernel(0, "pool")


def test_no_record(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        ls.Record.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is no record of feature maps: it has no record.json. Expected a folder that "
        "FeatureMapRecorder or train --watch wrote"
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nodes": [], "record": 99}', "[" * 100_000])
def test_a_damaged_description(copied: Path, text: str) -> None:
    (copied / "record.json").write_text(text)
    with pytest.raises(InputError, match=r"record\.json is (damaged|of version 99)"):
        ls.Record.open(copied)


@pytest.mark.parametrize("what", ["cut", "other", "pickle"])
def test_a_damaged_epoch(copied: Path, what: str) -> None:
    file = storage.epoch_file(copied, 1)
    if what == "cut":
        file.write_bytes(file.read_bytes()[:200])
    elif what == "other":
        file.write_bytes(b"")
    else:
        with zipfile.ZipFile(file, "w") as archive:
            with archive.open("maps/0.npy", "w") as member:
                np.lib.format.write_array(member, np.array([{}], object), allow_pickle=True)
    record = ls.Record.open(copied)
    with pytest.raises(InputError, match="is a damaged part of a record"):
        record.maps(1, "first")
    assert record.maps(0, "first").array.shape == (1, 10, 10, 4)


def test_a_node_of_a_later_version(copied: Path) -> None:
    about = json.loads((copied / "record.json").read_text())
    about["nodes"][0]["operation"] = {"kind": "later", "field": 1}
    (copied / "record.json").write_text(json.dumps(about))
    assert ls.Record.open(copied).layers["first"].operation.kind == "opaque"
    del about["nodes"][1]["shape"]
    (copied / "record.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"a node is not understood"):
        _ = ls.Record.open(copied).layers


def test_reading_needs_no_framework(small: Path) -> None:
    code = (
        f"import layerscope\nr = layerscope.Record.open({str(small)!r})\n"
        "r.maps(1, 'first'); r.statistics(0, 'pool'); r.kernel(1, 'first'); r.history"
    )
    assert loaded_after(code) & {"keras", "tensorflow", "torch", "jax", "h5py"} == set()
    assert sys.modules["keras"]
