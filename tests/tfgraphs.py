"""Small TensorFlow 1 graphs, written in the tests with tf.compat.v1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def constant(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(size=shape).astype("float32") * 0.3


def save(
    folder: Path, build: Callable[[], Any], name: str = "model.ckpt", *, resource: bool = False
) -> Path:
    """Build a graph with variables, and save its MetaGraph and checkpoint; the prefix."""
    with tf.Graph().as_default(), v1.Session() as session:
        (v1.enable_resource_variables if resource else v1.disable_resource_variables)()
        try:
            build()
        finally:
            v1.enable_resource_variables()
        session.run(v1.global_variables_initializer())
        return Path(v1.train.Saver().save(session, str(folder / name)))


def frozen(path: Path, build: Callable[[], Any]) -> Path:
    """Build a graph without variables, and write it as a .pb."""
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


class Plain:
    """TensorFlow itself on a GraphDef or a checkpoint, for comparison."""

    def __init__(self, path: Path) -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            if path.suffix == ".pb":
                graph_def = v1.GraphDef.FromString(path.read_bytes())
                tf.import_graph_def(graph_def, name="")
                self.session = v1.Session(graph=self.graph)
                return
            saver = v1.train.import_meta_graph(f"{path}.meta", clear_devices=True)
            self.session = v1.Session(graph=self.graph)
            saver.restore(self.session, str(path))

    def run(self, names: list[str], feeds: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
        tensors = [
            name.replace("[", ":").rstrip("]") if "[" in name else f"{name}:0" for name in names
        ]
        return self.session.run(tensors, {f"{k}:0": v for k, v in feeds.items()})  # type: ignore[no-any-return]
