"""Files that try to do more than calculate: nothing of them runs, and the message names it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import ModelError, UntrustedError
from tfgraphs import constant, save, v1
from which_files import seen

RNG = np.random.default_rng(9)


def network(canary: Path) -> Any:
    x = v1.placeholder(tf.float32, [None, 4], name="x")
    return x, tf.matmul(x, v1.get_variable("w", initializer=constant(RNG, 4, 2)), name="y")


def writing(canary: Path) -> Any:
    return tf.raw_ops.WriteFile(filename=str(canary), contents="was here", name="evil")


def frozen_node(folder: Path, canary: Path) -> Path:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        with tf.control_dependencies([writing(canary)]):
            tf.tanh(x, name="y")
    path = folder / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def frozen_function(folder: Path, canary: Path) -> Path:
    @tf.function
    def inner(x: Any) -> Any:
        writing(canary)
        return tf.tanh(x)

    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.identity(inner(x), name="y")
    path = folder / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def restored(folder: Path, canary: Path) -> Path:
    """A control dependency of the restore operation."""
    prefix = save(folder, lambda: network(canary))
    meta = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
    evil = _evil_nodes(canary)
    meta.graph_def.node.extend(evil)
    restore = next(n for n in meta.graph_def.node if n.name == meta.saver_def.restore_op_name)
    restore.input.append("^evil")
    Path(f"{prefix}.meta").write_bytes(meta.SerializeToString())
    return folder


def _evil_nodes(canary: Path) -> Any:
    with tf.Graph().as_default() as graph:
        writing(canary)
    return graph.as_graph_def().node


def initialised(folder: Path, canary: Path) -> Path:
    """The init operation of a SavedModel."""
    with tf.Graph().as_default(), v1.Session() as session:
        x, y = network(canary)
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder / "m"))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        op = tf.group(writing(canary))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=op
        )
        builder.save()
    return folder / "m"


def module(folder: Path, canary: Path) -> Path:
    """A function of a TF2 SavedModel that nothing calls by its signature."""

    class Evil(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
        def good(self, x: Any) -> Any:
            return {"y": tf.tanh(x)}

        @tf.function(input_signature=[])
        def evil(self) -> Any:
            writing(canary)
            return {"z": tf.constant(1.0)}

    one = Evil()
    tf.saved_model.save(one, str(folder / "m"), {"serving_default": one.good, "e": one.evil})
    return folder / "m"


EVIL = [frozen_node, frozen_function, restored, initialised, module]


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file=".pb, checkpoint, SavedModel folder",
    what="a graph that writes a file", refused=True,
)  # fmt: skip
@pytest.mark.parametrize("make", EVIL)
def test_what_writes_a_file_is_refused(tmp_path: Path, make: Callable[[Path, Path], Path]) -> None:
    canary = tmp_path / "canary"
    path = make(tmp_path, canary)
    words = r"WriteFile \(node '[^']*evil'\)\. Nothing was run"
    with pytest.raises(UntrustedError, match=words) as caught:
        ls.open_model(path)
    seen.refused(caught.value)
    assert not canary.exists()


@pytest.mark.parametrize("make", [restored, initialised, module])
def test_even_trusted_nothing_runs_while_loading(
    tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    """What is not part of the network is left out, so trust only opens the file."""
    canary = tmp_path / "canary"
    path = make(tmp_path, canary)
    model = ls.open_model(path, trust=True)
    ls.extract(model, np.ones((1, 4), "float32"))
    assert not canary.exists()


def test_the_command_says_it_too(tmp_path: Path, command: Any) -> None:
    canary = tmp_path / "canary"
    done = command("layers", frozen_node(tmp_path, canary))
    assert done.status == 1
    assert "--trust" in done.err
    assert not canary.exists()


def test_a_saving_operation_is_never_part_of_the_network(tmp_path: Path) -> None:
    """SaveV2 belongs to every checkpoint's graph; behind a node that is shown it is refused."""
    canary = tmp_path / "canary"

    def build() -> None:
        _, y = network(canary)
        evil = tf.raw_ops.SaveV2(
            prefix=str(canary), tensor_names=["a"], shape_and_slices=[""], tensors=[y[:1]]
        )
        with tf.control_dependencies([evil]):
            tf.identity(tf.tanh(y), name="z")

    save(tmp_path, build)
    model = ls.open_model(tmp_path)
    ls.extract(model, np.ones((1, 4), "float32"))
    assert list(tmp_path.glob("canary*")) == []


def test_a_restoring_operation_that_feeds_a_node_is_refused(tmp_path: Path) -> None:
    secret = save(tmp_path, lambda: network(tmp_path), "secret")

    def build() -> None:
        _, y = network(tmp_path)
        stolen = tf.raw_ops.RestoreV2(
            prefix=str(secret), tensor_names=["w"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
        tf.add(y, tf.reduce_sum(stolen), name="z")

    save(tmp_path, build, "net")
    with pytest.raises(UntrustedError, match="RestoreV2"):
        ls.open_model(tmp_path / "net.meta")


@pytest.mark.parametrize(
    "op", ["PyFunc", "ReadFile", "TFRecordReaderV2", "CreateSummaryFileWriter"]
)
def test_other_types_are_refused(tmp_path: Path, op: str) -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        tf.tanh(x, name="y")
    graph_def = graph.as_graph_def()
    node = graph_def.node.add()
    node.name, node.op = "other", op
    path = tmp_path / "net.pb"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(UntrustedError, match=f"{op} \\(node 'other'\\)"):
        ls.open_model(path)


def test_an_operation_of_contrib_is_named(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.tanh(v1.placeholder(tf.float32, [None, 4], name="x"), name="y")
    graph_def = graph.as_graph_def()
    node = graph_def.node.add()
    node.name, node.op = "periodic", "PeriodicResample"
    node.input.append("y")
    path = tmp_path / "net.pb"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelError, match=r"Op type not registered\): PeriodicResample"):
        ls.open_model(path, trust=True)


def test_a_constant_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.tanh(v1.placeholder(tf.float32, [None, 4], name="x"), name="y")
    graph_def = graph.as_graph_def()
    node = graph_def.node.add()
    node.name, node.op = "bomb", "Const"
    node.attr["dtype"].type = 1
    tensor = node.attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.append(1.0)
    for _ in range(2):
        tensor.tensor_shape.dim.add(size=100_000)
    path = tmp_path / "net.pb"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelError, match="declares constants of 38147 MB"):
        ls.open_model(path)


def test_functions_that_multiply_are_refused(tmp_path: Path) -> None:
    graph_def = v1.GraphDef()
    for level in range(40):
        function = graph_def.library.function.add()
        function.signature.name = f"f{level}"
        for call in ("a", "b"):
            node = function.node_def.add()
            node.name, node.op = call, "NoOp" if level == 39 else "PartitionedCall"
            if level < 39:
                node.attr["f"].func.name = f"f{level + 1}"
    placeholder = graph_def.node.add()
    placeholder.name, placeholder.op = "x", "Placeholder"
    placeholder.attr["dtype"].type = 1
    path = tmp_path / "net.pb"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelError, match="grows beyond"):
        ls.open_model(path)
    graph_def.library.function[39].node_def[0].op = "PartitionedCall"
    graph_def.library.function[39].node_def[0].attr["f"].func.name = "f0"
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelError, match="calls itself"):
        ls.open_model(path)


def test_bytes_at_random_are_refused(tmp_path: Path) -> None:
    """Never a traceback, whatever is flipped in a graph."""
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 8, 8, 1], name="x")
        y = tf.nn.conv2d(x, constant(RNG, 3, 3, 1, 2), 1, "SAME")
        tf.nn.relu(y)
    data = graph.as_graph_def().SerializeToString()
    path = tmp_path / "net.pb"
    for _ in range(150):
        broken = bytearray(data)
        for place in RNG.integers(0, len(data), 3):
            broken[place] = RNG.integers(0, 256)
        path.write_bytes(bytes(broken))
        with suppress(ModelError):
            assert ls.open_model(path).graph is not None
