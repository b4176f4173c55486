"""Records of trainings that go on, that were killed, or that have hardly begun."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import layerscope as ls
from layerscope.faces.explorer.film.film import Film
from layerscope.training import storage
from serving import Served, serving
from tiny_training import network, record_of, some


def test_a_training_is_followed_while_it_goes_on(tmp_path: Path) -> None:
    import keras

    x, y = some()
    folder = tmp_path / "r"
    seen: list[tuple[list[int], bool, int]] = []
    recorder = ls.FeatureMapRecorder(x[:1], ["first"], output=folder)

    class Follow(keras.callbacks.Callback):  # type: ignore[misc]
        served: Served

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            found = self.served.json("api/record")
            record, runs = found["record"], found["runs"]
            last = self.served.container(f"api/runs/{runs[-1]['id']}/layers/0")
            assert last[1]["entries"].shape == (4, 1, 10, 10)
            seen.append((record["epochs"], record["growing"], len(record["history"]["epoch"])))

    follow = Follow()
    model = network()
    recorder.set_model(model)
    recorder.on_train_begin()
    recorder.on_epoch_begin(0)
    with serving(lambda ticket: Film(ls.Record.open(folder))) as served:
        follow.served = served
        assert served.json("api/manifest")["record"]["epochs"] == [0]
        model.fit(x, y, epochs=3, verbose=0, callbacks=[recorder, follow])
        assert seen == [([0, 1], True, 1), ([0, 1, 2], True, 2), ([0, 1, 2, 3], True, 3)]
        after = served.json("api/record")["record"]
        assert (after["epochs"], after["growing"]) == ([0, 1, 2, 3], False)
        # An epoch that the recorder leaves out is gone from the list and cannot be asked for.
        storage.epoch_file(folder, 2).unlink()
        assert served.json("api/record")["record"]["epochs"] == [0, 1, 3]
        assert "Epoch 2 is not recorded" in served.refused("api/runs/p0e2/layers/0", 404)


def test_a_training_that_was_killed_ends_to_grow(tmp_path: Path) -> None:
    record, _ = record_of(tmp_path / "r", epochs=2, pictures=1)
    about = tmp_path / "r/record.json"
    assert not record.growing
    about.write_text(about.read_text().replace('"ended":true', '"ended":false'))
    assert record.growing
    now = time.time()
    # Ten minutes lie between its epochs, so that half an hour is not too long.
    for epoch, ago in ((0, 1800 + 1200), (1, 1800 + 600), (2, 1800)):
        os.utime(storage.epoch_file(record.folder, epoch), (now - ago, now - ago))
    assert record.growing
    for epoch in record.epochs:
        os.utime(storage.epoch_file(record.folder, epoch), (now - 1800, now - 1800))
    assert not record.growing


def test_before_the_first_epoch_there_is_nothing_yet(tmp_path: Path) -> None:
    record, _ = record_of(tmp_path / "whole", epochs=1)
    shutil.copytree(record.folder, tmp_path / "r", ignore=shutil.ignore_patterns("epochs"))
    about = tmp_path / "r/record.json"
    about.write_text(about.read_text().replace('"ended":true', '"ended":false'))
    with serving(lambda ticket: Film(ls.Record.open(tmp_path / "r"))) as served:
        manifest = served.json("api/manifest")
        record = manifest["record"]
        assert (manifest["runs"], record["epochs"], record["growing"]) == ([], [], True)
        assert (record["ranges"], record["dead"]) == ([None] * 4, [[]] * 4)
