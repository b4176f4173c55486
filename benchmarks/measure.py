"""One measurement, in a process of its own; prints JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
from timing import forget_peak, in_turn, peak_memory


def picture() -> np.ndarray:
    return np.random.default_rng(0).random((1, 224, 224, 3), dtype=np.float32)


def build(name: str) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return getattr(keras.applications, name)(weights=None)


def plain_pass(model: Any, x: np.ndarray) -> Any:
    """The baseline at its best: the whole model as one compiled function."""
    import tensorflow as tf

    run = tf.function(lambda t: model(t, training=False), autograph=False)
    tensor = tf.constant(x)
    return lambda: run(tensor).numpy()


def warm(name: str) -> dict[str, str]:
    import layerscope as ls

    model, x = build(name), picture()
    opened = ls.open_model(model)
    nodes = [node.name for node in opened.graph]
    feeds = {opened.graph.inputs[0].name: x}
    early = nodes[: len(nodes) // 10]
    plain = plain_pass(model, x)
    return {
        "ratio": str(in_turn(lambda: opened.run(feeds, nodes), plain, 15, warmup=6)),
        "early": str(in_turn(lambda: opened.run(feeds, early), plain, 15, warmup=6)),
    }


def memory(name: str, tuned: bool) -> dict[str, float]:
    """Peak memory of extracting everything, above the peak of the plain pass alone."""
    words = [sys.executable, __file__, "peak", name, *(["tuned"] if tuned else [])]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ)
    plain = json.loads(done.stdout.splitlines()[-1])["peak"]
    import layerscope as ls

    model, x = build(name), picture()
    model(x, training=False)
    forget_peak()
    acts = ls.extract(model, x)
    size = sum(a.array.nbytes for a in acts.values())
    return {"activations": size, "ratio": (peak_memory() - plain) / size}


def peak(name: str) -> dict[str, float]:
    """Peak memory of a plain pass, made after one that does not count."""
    model, x = build(name), picture()
    model(x, training=False)
    forget_peak()
    model(x, training=False)
    return {"peak": peak_memory()}


def blog(name: str) -> dict[str, float]:
    """A subplot per channel, on 200 channels spread over the network, extrapolated."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    import layerscope as ls

    acts = ls.extract(build(name), picture())
    maps = [a.channel(i)[0] for a in acts.values() if a.axes.kind == "maps"
            for i in range(a.node.channels or 0)]  # fmt: skip
    chosen = [maps[i] for i in np.linspace(0, len(maps) - 1, 200).astype(int)]
    start = time.perf_counter()
    figure = plt.figure(figsize=(20, 20))
    for i, plane in enumerate(chosen):
        axes = figure.add_subplot(15, 14, i + 1)
        axes.imshow(plane, cmap="viridis")
        axes.axis("off")
    figure.savefig(os.devnull, format="png")
    seconds = time.perf_counter() - start
    return {"channels": len(maps), "seconds": seconds * len(maps) / len(chosen)}


def explaining(name: str, layers: list[str]) -> list[dict[str, Any]]:
    """One channel taken apart and checked, from the layer's own values on, without drawing."""
    import tensorflow as tf

    import layerscope as ls
    from layerscope.explain.contributions import Summation

    model, x = build(name), picture()
    opened = ls.open_model(model)
    graph, found = opened.graph, []
    for layer in layers:
        source = graph[layer].inputs[0]
        names = [source, f"{layer}:pre", layer]
        values = opened.run({graph.inputs[0].name: x}, names)
        nodes = (graph[source], graph[layer], graph[layer])
        pairs = zip(names, nodes, strict=True)
        acts = [ls.Activation(values[key], node.axes, node) for key, node in pairs]
        weights, tensor = opened.weights(layer), tf.constant(values[source])
        run = tf.function(model.get_layer(layer).__call__, autograph=False)
        ratio = in_turn(
            lambda acts=acts, weights=weights: Summation(*acts, weights).explain(1).shares,
            lambda run=run, tensor=tensor: run(tensor).numpy(),
            25,
            warmup=5,
        )
        found.append(
            {"layer": layer, "given": list(values[source].shape[1:]), "ratio": str(ratio),
             "ours": ratio.ours * 1e3, "forward": ratio.baseline * 1e3}
        )  # fmt: skip
    return found


def table() -> dict[str, float]:
    """Every channel of a convolution in one picture: what it holds above one channel's maps."""
    import keras

    import layerscope as ls
    from layerscope.faces.explained.dispatch import draw_all
    from layerscope.faces.explaining import prepare_explaining

    keras.utils.set_random_seed(0)
    body = [keras.Input((112, 112, 64)), keras.layers.Conv2D(64, 3, padding="same")]
    model = ls.open_model(keras.Sequential(body))
    x = np.random.default_rng(0).random((1, 112, 112, 64), dtype=np.float32)
    ready = prepare_explaining(model, x, 0, None)
    one = ready.one(0).contributions.base.nbytes
    forget_peak()
    before = peak_memory()
    start = time.perf_counter()
    drawn, _, _ = draw_all(ready)
    seconds = time.perf_counter() - start
    held = peak_memory() - before
    every = 64 * one
    return {"partial": one, "every": every, "picture": drawn.pixels.nbytes, "held": held,
            "seconds": seconds}  # fmt: skip


def drawing(channels: int, side: int) -> dict[str, Any]:
    import io

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from layerscope.activation import Activation
    from layerscope.axes import Axes
    from layerscope.graph import Node
    from layerscope.operations import Opaque
    from layerscope.render import draw

    axes = Axes.parse("NHWC")
    node = Node("conv", 0, "conv", "Conv2D", Opaque(), (), (None, side, side, channels), axes)
    values = np.random.default_rng(0).random((1, side, side, channels), dtype=np.float32)
    activation = Activation(values, axes, node)
    across = int(np.ceil(np.sqrt(channels)))
    down = -(-channels // across)

    def imshow() -> None:
        mosaic = np.zeros((down * side, across * side), np.float32)
        for i in range(channels):
            r, c = divmod(i, across)
            mosaic[r * side : (r + 1) * side, c * side : (c + 1) * side] = values[0, ..., i]
        figure = plt.figure(figsize=(mosaic.shape[1] / 100, mosaic.shape[0] / 100))
        figure.add_axes((0, 0, 1, 1)).imshow(mosaic)
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)

    def subplots() -> None:
        figure = plt.figure()
        for i in range(64):
            figure.add_subplot(8, 8, i + 1).imshow(values[0, ..., i % channels])
        figure.savefig(io.BytesIO(), format="png")
        plt.close(figure)

    ratio = in_turn(lambda: draw(activation, zoom=1).png(), imshow, 7)
    start = time.perf_counter()
    subplots()
    whole = (time.perf_counter() - start) * channels / 64
    return {
        "maps": f"{channels} × {side}²",
        "ms": ratio.ours * 1e3,
        "imshow": str(ratio),
        "subplots": ratio.ours / whole,
    }


def recording(runs: int) -> dict[str, str]:
    """An epoch of the usual network with the recorder, against one without it."""
    import statistics
    import tempfile

    import keras

    import layerscope as ls
    from layerscope.training.recipe import compile_network, usual_network

    random = np.random.default_rng(0)
    x = random.random((20, 150, 150, 3), dtype=np.float32)
    y = random.integers(0, 2, (20, 1)).astype(np.float32)

    class Same(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 100

        def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
            return x, y

    keras.utils.set_random_seed(0)
    model = usual_network((150, 150), 3, 2)
    compile_network(model, "binary", logits=False, optimizer=None, learning_rate=None)
    own: list[float] = []

    class Timed(ls.FeatureMapRecorder):  # type: ignore[misc,name-defined]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            start = time.perf_counter()
            super().on_epoch_end(epoch, logs)
            own.append(time.perf_counter() - start)

    with tempfile.TemporaryDirectory() as folder:
        recorder = Timed(x[:1], output=os.path.join(folder, "record"))
        ratio = in_turn(
            lambda: model.fit(Same(), verbose=0, callbacks=[recorder]),
            lambda: model.fit(Same(), verbose=0),
            runs,
        )
        record = ls.Record.open(recorder.folder)
        files = list(recorder.folder.glob("epochs/*.npz"))
        size = sum(file.stat().st_size for file in files) / len(files)
    # The first one was recorded while nothing was compiled yet.
    spent = statistics.median(own[1:])
    return {
        "ratio": str(ratio),
        "seconds": f"{ratio.baseline:.1f}",
        "own": f"{spent:.2f}",
        "share": f"{spent / ratio.baseline:.3f}",
        "layers": str(len(record.layers)),
        "megabytes": f"{size / 1e6:.2f}",
    }


def main() -> None:
    what, *words = sys.argv[1:]
    tuned = words[-1:] == ["tuned"]
    if tuned:
        from layerscope.faces.process import keep_freed_memory

        keep_freed_memory()
    found: Any
    if what == "drawing":
        found = [drawing(512, 28), drawing(64, 224), drawing(2048, 7)]
    elif what == "explaining":
        found = explaining(words[0], words[1:])
    elif what == "table":
        found = table()
    elif what == "memory":
        found = memory(words[0], tuned)
    elif what == "recording":
        found = recording(int(words[0]))
    else:
        found = {"warm": warm, "peak": peak, "blog": blog}[what](words[0])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
