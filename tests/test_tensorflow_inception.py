"""The example of use case 4: Inception-v4 in a TensorFlow 1 graph."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLE = Path(__file__).parents[1] / "examples" / "inception_v4.py"

# Sizes of the paper (arXiv:1602.07261, figure 9) and channels of each branch.
JOINS = {
    "Mixed_3a": ((73, 73), (64, 96)),
    "Mixed_4a": ((71, 71), (96, 96)),
    "Mixed_5a": ((35, 35), (192, 192)),
    **{f"Mixed_5{c}": ((35, 35), (96, 96, 96, 96)) for c in "bcde"},
    "Mixed_6a": ((17, 17), (384, 256, 384)),
    **{f"Mixed_6{c}": ((17, 17), (384, 256, 256, 128)) for c in "bcdefgh"},
    "Mixed_7a": ((8, 8), (192, 320, 1024)),
    **{f"Mixed_7{c}": ((8, 8), (256, 512, 512, 256)) for c in "bcd"},
}


@pytest.mark.slow
def test_the_example(tmp_path: Path) -> None:
    width = 0.125
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "-o", str(tmp_path), "--width", str(width)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    for name, ((height, across), parts) in JOINS.items():
        found = [int(part * width) for part in parts]
        shape = f"{height}×{across}×{sum(found)}"
        wanted = f"InceptionV4/{name}/concat: {shape} = {' + '.join(map(str, found))}"
        assert wanted in lines
    assert "InceptionV4/Conv2d_1a_3x3/Relu: 149×149×4" in lines
    assert "keep_prob is set to 1 (inference: everything is kept)" in lines
    assert any("interpolated bilinear from 70×70 to 299×299" in line for line in lines)
    with Image.open(tmp_path / "conv1.png") as png, Image.open(tmp_path / "conv1.jpg") as jpg:
        assert png.mode == "P"
        assert png.size == jpg.size
    manifest = json.loads((tmp_path / "branches" / "manifest.json").read_text(encoding="utf-8"))
    first = manifest["nodes"][0]
    tiles = first["pictures"][0]["tiles"]
    sources = [tile["from"].rpartition(":")[0] for tile in tiles]
    assert (
        sources
        == ["InceptionV4/Mixed_3a/Branch_0/MaxPool_0a_3x3"] * 8
        + ["InceptionV4/Mixed_3a/Branch_1/Conv2d_0a_3x3/Relu"] * 12
    )
