"""Look into the parallel branches of Inception-v4, in a TensorFlow 1 graph.

Writes the network as of 2016 (Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of
Residual Connections on Learning", arXiv:1602.07261, figures 3 to 9) with random weights, saves
its MetaGraph and checkpoint, and shows it through layerscope: the 32 maps of the first
convolution as 8 rows of 4, and two of its joins with their channels grouped by branch. The
input is a matrix of 70×70 numbers, as a connectivity of 70 brain regions would be.

    python examples/inception_v4.py -o inception_v4
    python examples/inception_v4.py -o inception_v4 --width 0.25    # narrower, for a quick look
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import layerscope as ls
from layerscope.explain.provenance import branches

v1 = tf.compat.v1
SIZE = 299


class Writer:
    """Writes layers into the graph. width: the share of the paper's channels."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.rng = np.random.default_rng(2016)

    def channels(self, count: int) -> int:
        return max(1, round(count * self.width))

    def conv(
        self, x: Any, name: str, count: int, rows: int, columns: int, stride: int = 1,
        padding: str = "SAME",
    ) -> Any:  # fmt: skip
        """A convolution, batch normalisation with its moving statistics, and ReLU."""
        before, after = int(x.shape[-1]), self.channels(count)
        shape = (rows, columns, before, after)
        scale = np.sqrt(2 / (rows * columns * before))
        kernel = self.rng.standard_normal(shape, np.float32) * np.float32(scale)
        with v1.variable_scope(name):
            x = tf.nn.conv2d(
                x, v1.get_variable("weights", initializer=kernel), stride, padding, name="Conv2D"
            )
            with v1.variable_scope("BatchNorm"):
                names = ("gamma", "beta", "moving_mean", "moving_variance")
                starts = (np.ones, np.zeros, np.zeros, np.ones)
                stored = [
                    v1.get_variable(n, initializer=start(after, np.float32))
                    for n, start in zip(names, starts, strict=True)
                ]
                x = v1.nn.fused_batch_norm(x, *stored, epsilon=1e-3, is_training=False)[0]
            return tf.nn.relu(x, name="Relu")

    def branch(self, x: Any, place: int, *layers: tuple[Any, ...]) -> Any:
        """One branch: max, avg, fork, or (channels, rows, columns[, stride, padding])."""
        with v1.variable_scope(f"Branch_{place}"):
            for i, layer in enumerate(layers):
                letter = chr(ord("a") + i)
                if layer[0] == "max":
                    x = tf.nn.max_pool2d(x, 3, 2, "VALID", name=f"MaxPool_0{letter}_3x3")
                elif layer[0] == "avg":
                    x = tf.nn.avg_pool2d(x, 3, 1, "SAME", name=f"AvgPool_0{letter}_3x3")
                elif layer[0] == "fork":
                    sizes = ((1, 3), (3, 1))
                    fork = [self.conv(x, f"Conv2d_0{letter}_{r}x{c}", 256, r, c) for r, c in sizes]
                    x = tf.concat(fork, 3, name="concat")
                else:
                    x = self.conv(x, f"Conv2d_0{letter}_{layer[1]}x{layer[2]}", *layer)
        return x

    def block(self, x: Any, name: str, *all_branches: tuple[tuple[Any, ...], ...]) -> Any:
        """Parallel branches, joined along the channels."""
        with v1.variable_scope(name):
            ends = [self.branch(x, i, *layers) for i, layers in enumerate(all_branches)]
            return tf.concat(ends, 3, name="concat")


def inception_v4(width: float = 1.0) -> Any:
    """The network in the current graph, from a placeholder to the probabilities."""
    w = Writer(width)
    images = v1.placeholder(tf.float32, [None, SIZE, SIZE, 1], name="images")
    keep = v1.placeholder(tf.float32, [], name="keep_prob")
    half = (2, "VALID")
    with v1.variable_scope("InceptionV4"):
        x = w.conv(images, "Conv2d_1a_3x3", 32, 3, 3, *half)
        x = w.conv(x, "Conv2d_2a_3x3", 32, 3, 3, 1, "VALID")
        x = w.conv(x, "Conv2d_2b_3x3", 64, 3, 3)
        x = w.block(x, "Mixed_3a", (("max",),), ((96, 3, 3, *half),))
        last = (96, 3, 3, 1, "VALID")
        x = w.block(
            x, "Mixed_4a",
            ((64, 1, 1), last),
            ((64, 1, 1), (64, 1, 7), (64, 7, 1), last),
        )  # fmt: skip
        x = w.block(x, "Mixed_5a", ((192, 3, 3, *half),), (("max",),))
        for letter in "bcde":
            x = w.block(
                x, f"Mixed_5{letter}",
                ((96, 1, 1),),
                ((64, 1, 1), (96, 3, 3)),
                ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
                (("avg",), (96, 1, 1)),
            )  # fmt: skip
        x = w.block(
            x, "Mixed_6a",
            ((384, 3, 3, *half),),
            ((192, 1, 1), (224, 3, 3), (256, 3, 3, *half)),
            (("max",),),
        )  # fmt: skip
        for letter in "bcdefgh":
            x = w.block(
                x, f"Mixed_6{letter}",
                ((384, 1, 1),),
                ((192, 1, 1), (224, 1, 7), (256, 7, 1)),
                ((192, 1, 1), (192, 7, 1), (224, 1, 7), (224, 7, 1), (256, 1, 7)),
                (("avg",), (128, 1, 1)),
            )  # fmt: skip
        x = w.block(
            x, "Mixed_7a",
            ((192, 1, 1), (192, 3, 3, *half)),
            ((256, 1, 1), (256, 1, 7), (320, 7, 1), (320, 3, 3, *half)),
            (("max",),),
        )  # fmt: skip
        for letter in "bcd":
            x = w.block(
                x, f"Mixed_7{letter}",
                ((256, 1, 1),),
                ((384, 1, 1), ("fork",)),
                ((384, 1, 1), (448, 3, 1), (512, 1, 3), ("fork",)),
                (("avg",), (256, 1, 1)),
            )  # fmt: skip
        with v1.variable_scope("Logits"):
            x = tf.nn.avg_pool2d(x, 8, 1, "VALID", name="AvgPool_1a")
            x = tf.nn.dropout(x, rate=1 - keep, name="Dropout_1b")
            flat = tf.reshape(x, [-1, int(x.shape[-1])], name="PreLogitsFlatten")
            size = (int(flat.shape[-1]), w.channels(1001))
            kernel = w.rng.standard_normal(size, np.float32) * np.float32(size[0] ** -0.5)
            logits = tf.matmul(flat, v1.get_variable("weights", initializer=kernel), name="Logits")
        return tf.nn.softmax(logits, name="Predictions")


def save_checkpoint(folder: Path, width: float) -> Path:
    """Write the MetaGraph and the checkpoint, with random weights; returns the .meta file."""
    with tf.Graph().as_default(), v1.Session() as session:
        inception_v4(width)
        session.run(v1.global_variables_initializer())
        prefix = v1.train.Saver().save(session, str(folder / "inception_v4.ckpt"))
    return Path(f"{prefix}.meta")


def connectivity(regions: int = 70) -> np.ndarray[Any, Any]:
    """A symmetric matrix of correlations between regions, with its usual blocks."""
    rng = np.random.default_rng(70)
    group = np.arange(regions) * 5 // regions
    shared = rng.standard_normal((5, 400))[group]
    signals = shared + 1.5 * rng.standard_normal((regions, 400))
    found: np.ndarray[Any, Any] = np.asarray(np.corrcoef(signals), np.float32)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Inception-v4 of TensorFlow 1 through layerscope")
    parser.add_argument("-o", "--output", type=Path, default=Path("inception_v4"))
    parser.add_argument("--width", type=float, default=1.0, help="share of the paper's channels")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    matrix = given.output / "connectivity.npy"
    np.save(matrix, connectivity())

    with tempfile.TemporaryDirectory() as folder:
        model = ls.open_model(save_checkpoint(Path(folder), given.width))
        for note in model.source.notes:
            print(note)
        print(f"{len(model.graph)} nodes, {model.graph.parameters:,} parameters")
        joins = [node.name for node in model.graph if node.name.endswith("/concat")]
        first = "InceptionV4/Conv2d_1a_3x3/Relu"
        acts = ls.extract(model, matrix, layers=[first, *joins])
        for record in acts.inputs[0]:
            print("; ".join(record.steps))
        for name, activation in acts.items():
            parts = [str(b.stop - b.start) for b in branches(model.graph, activation.node)]
            shape = "×".join(map(str, activation.array.shape[1:]))
            print(f"{name}: {shape}" + (f" = {' + '.join(parts)}" if parts else ""))

        figure = acts[first].figure(columns=4)
        figure.save(given.output / "conv1.png")
        figure.save(given.output / "conv1.jpg")
        shown = ["InceptionV4/Mixed_3a/concat", "InceptionV4/Mixed_5e/concat"]
        ls.view(model, matrix, given.output / "branches", layers=shown)
        print(f"Report: {given.output / 'branches' / 'report.html'}")


if __name__ == "__main__":
    main()
