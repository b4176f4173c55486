"""Records of other networks than convolutions over pictures, and without any framework."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerscope as ls
from layerscope.faces.explorer.film.film import Film
from layerscope.render import draw
from serving import serving
from test_structure import loaded_after
from tiny_training import record_of


def test_no_framework_is_needed(tmp_path: Path) -> None:
    record, _ = record_of(tmp_path / "r", epochs=1, pictures=1)
    folder, out = str(record.folder), str(tmp_path / "out")
    code = (
        f"import layerscope\nlayerscope.view({folder!r}, out={out!r}, epochs='last')\n"
        "import layerscope.faces.explorer.server.serving"
    )
    assert loaded_after(code) & {"keras", "tensorflow", "torch", "jax", "h5py"} == set()
    assert (tmp_path / "out/report.html").is_file()


def kinds() -> dict[str, tuple[tuple[int, ...], list[Any]]]:
    """Networks of other kinds than pictures through convolutions: input, and what follows."""
    import keras

    layers = keras.layers
    return {
        "sequence": ((20, 3), [layers.Conv1D(5, 3, name="along"), layers.LSTM(4)]),
        "volume": ((6, 7, 8, 2), [layers.Conv3D(3, (1, 2, 3), name="solid"), layers.Flatten()]),
        "depthwise": (
            (8, 8, 3), [layers.DepthwiseConv2D(3, depth_multiplier=2, name="each"),
                        layers.Conv2DTranspose(2, 3, name="back"), layers.Flatten()],
        ),
        "groups": ((8, 8, 4), [layers.Conv2D(6, 3, groups=2, name="parts"), layers.Flatten()]),
        "vector": ((7,), [layers.Dense(5), layers.Reshape((5, 1)), layers.Flatten()]),
        "attention": (
            (8, 8, 1), [layers.Reshape((16, 4)), layers.LayerNormalization(),
                        layers.Permute((2, 1)), layers.Flatten()],
        ),
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["sequence", "volume", "depthwise", "groups", "vector", "attention"]
)
def test_networks_of_other_kinds(tmp_path: Path, kind: str) -> None:
    import keras

    keras.utils.set_random_seed(2)
    shape, body = kinds()[kind]
    model = keras.Sequential([keras.Input(shape), *body, keras.layers.Dense(1, name="end")])
    model.compile("sgd", "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    recorder = ls.FeatureMapRecorder(x[:2], output=tmp_path / "r")
    model.fit(x, np.ones((4, 1), np.float32), verbose=0, callbacks=[recorder])
    record = ls.Record.open(tmp_path / "r")
    acts = ls.extract(model, x[:2])
    with serving(lambda ticket: Film(record)) as served:
        told = served.json("api/record")["record"]
        assert len(served.json("api/manifest")["nodes"]) == len(acts)
        for number, (name, activation) in enumerate(acts.items()):
            truth = activation.array[1:2].astype(np.float64)
            answer = served.get(f"api/runs/p1e1/layers/{number}/array.npy")
            found = np.load(io.BytesIO(answer.content))
            assert found.shape == truth.shape, name
            assert np.abs(found - truth).max() <= np.ptp(truth) / 508 + 1e-4
            limits = told["ranges"][number]
            assert limits["low"] <= truth.min() + 1e-4
            assert limits["high"] >= truth.max() - 1e-4
            _, sections = served.container(f"api/runs/p1e1/layers/{number}")
            whole = draw(record.maps(1, name), sample=1)
            assert len({tile.channel for tile in whole.tiles}) == len(sections["lo"])
            if limits["channels"] is not None:
                assert len(limits["channels"]["low"]) == len(sections["lo"])
            for scale in ("epochs", "epochs-channel"):
                path = f"api/runs/p0e1/layers/{number}/picture.png?scale={scale}"
                assert served.get(path).status_code == 200
        count = served.container("api/runs/p0e1/statistics")[0]["channels"]
        assert len(count) == len(acts)
        for number in told["kernels"]:
            values = served.container(f"api/kernels/{number}/1")[1]["values"]
            (kernel, *_) = model.get_layer(list(acts)[number]).get_weights()
            assert sorted(values.ravel().tolist()) == sorted(kernel.ravel().tolist())
            expected = {"along": (5, 3, 1, 3), "solid": (3, 2, 2, 3), "each": (6, 1, 3, 3),
                        "back": (2, 6, 3, 3), "parts": (6, 2, 3, 3)}  # fmt: skip
            assert values.shape == expected[list(acts)[number]]
    assert ls.view(record, out=tmp_path / "out").report.is_file()
