"""Draw the pictures of the README and of the first page, from the demo's model and photograph."""

from __future__ import annotations

import argparse
from importlib.resources import as_file, files
from pathlib import Path

import layerscope as ls

IMAGES = Path(__file__).resolve().parent / "images"
# File, layer, channels that show something of this photograph, pixels per value.
STRIPS = (
    ("first-layer.png", "conv2d", (2, 0, 7, 14, 18), 1),
    ("third-layer.png", "conv2d_2", (81, 46, 27, 21, 11), 4),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=IMAGES, metavar="DIR")
    folder = parser.parse_args().output
    folder.mkdir(exist_ok=True)
    demo = files("layerscope") / "demo"
    with as_file(demo / "cats_dogs.keras") as model, as_file(demo / "cat.jpg") as picture:
        acts = ls.extract(model, picture, [layer for _, layer, _, _ in STRIPS])
    for file, layer, channels, zoom in STRIPS:
        figure = acts[layer].figure(channels=channels, columns=len(channels), zoom=zoom)
        print(figure.save(folder / file))


if __name__ == "__main__":
    main()
