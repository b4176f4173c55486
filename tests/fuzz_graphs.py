"""Damaged and twisted TensorFlow files: bytes flipped, and messages changed in their structure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from layerscope.errors import LayerscopeError
from layerscope.models import open_model
from tfgraphs import constant, frozen, save, v1

RNG = np.random.default_rng(23)
NUMBERS = (-(2**63), -1, 0, 1, 2, 7, 2**16, 2**31 - 1, 2**31, 2**40, 2**63 - 1)
SOME_OPS = (
    "Identity", "Const", "Placeholder", "Conv2D", "MatMul", "Reshape", "ConcatV2", "Switch",
    "Merge", "Enter", "Exit", "NextIteration", "LoopCond", "While", "StatelessIf",
    "PartitionedCall", "VarHandleOp", "ReadVariableOp", "VariableV2", "HashTableV2",
    "LookupTableFindV2", "QueueDequeueManyV2", "IteratorGetNext", "ParseExampleV2", "NoOp",
    "IdentityN", "BatchToSpaceND", "Rsqrt", "AddV2", "Mul", "Tile", "Fill", "Unpack", "Mean",
    "WriteFile", "NoSuchOperation", "",
)  # fmt: skip


def network() -> None:
    """One of most things: layers, dropout, a loop and a choice of the first kind, a queue."""
    x = v1.placeholder(tf.float32, [None, 8, 8, 2], name="x")
    training = v1.placeholder(tf.bool, [], name="is_training")
    keep = v1.placeholder(tf.float32, name="keep_prob")
    kernel = v1.get_variable("kernel", initializer=constant(RNG, 3, 3, 2, 3))
    y = tf.nn.conv2d(x / 255.0, kernel, 1, "SAME", name="conv")
    mean, variance = constant(RNG, 3), np.abs(constant(RNG, 3)) + 0.1
    y = tf.nn.batch_normalization(y, mean, tf.constant(variance), mean, mean, 1e-3, name="bn")
    y = tf.nn.atrous_conv2d(tf.nn.relu(y), constant(RNG, 3, 3, 3, 3), 2, "SAME")
    y = tf.concat([tf.nn.max_pool2d(y, 2, 2, "SAME"), tf.nn.avg_pool2d(y, 2, 2, "SAME")], 3)
    y = tf.cond(training, lambda: y * 2.0, lambda: tf.identity(y))
    flat = tf.reduce_mean(v1.nn.dropout(y, keep_prob=keep), [1, 2])
    _, h = tf.while_loop(lambda i, h: i < 2, lambda i, h: (i + 1, tf.tanh(h)), [0, flat])
    tf.nn.softmax(tf.matmul(h, constant(RNG, 6, 4)), name="out")
    queue = v1.FIFOQueue(9, [tf.float32], shapes=[(8, 8, 2)])
    tf.nn.conv2d(queue.dequeue_many(2), kernel, 1, "SAME")


def constants() -> None:
    x = v1.placeholder(tf.float32, [None, 8, 8, 2], name="x")
    y = tf.nn.relu(tf.nn.conv2d(x - 0.5, tf.constant(constant(RNG, 3, 3, 2, 3)), 1, "SAME"))
    split = tf.split(tf.nn.bias_add(y, tf.constant(constant(RNG, 3))), 3, axis=3)
    tf.reshape(tf.concat(split[::-1], 3), [-1, 192], name="out")


class Module(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = tf.Variable(constant(RNG, 3, 3, 2, 3))
        filler = tf.lookup.KeyValueTensorInitializer(tf.range(3, dtype=tf.int64), tf.range(3))
        self.table = tf.lookup.StaticHashTable(filler, -1)

    @tf.function
    def inner(self, x: Any, training: Any) -> Any:
        y = tf.nn.conv2d(x, self.kernel, 1, "SAME")
        return tf.cond(training, lambda: y * 2.0, lambda: tf.nn.relu(y))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 8, 8, 2], tf.float32, "x"),
            tf.TensorSpec([], tf.bool, "training"),
        ]
    )
    def serve(self, x: Any, training: Any) -> Any:
        means = tf.reduce_mean(self.inner(x, training), [1, 2])
        for _ in tf.range(2):
            means = tf.tanh(means)
        return {"means": means, "word": self.table.lookup(tf.argmax(means, 1))}


def write_seeds(folder: Path) -> dict[str, tuple[Path, Any]]:
    """The files that are damaged: path of what is opened, and the message's class."""
    v1.disable_control_flow_v2()
    try:
        prefix = save(folder, network)
    finally:
        v1.enable_control_flow_v2()
    module = Module()
    tf.saved_model.save(module, str(folder / "second"), {"serving_default": module.serve})
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        y = tf.matmul(x, v1.get_variable("w", initializer=constant(RNG, 4, 3)))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder / "first"), {"x": x}, {"y": y})
    return {
        "frozen": (frozen(folder / "net.pb", constants), v1.GraphDef),
        "metagraph": (Path(f"{prefix}.meta"), v1.MetaGraphDef),
        "first": (folder / "first" / "saved_model.pb", saved_model_pb2.SavedModel),
        "second": (folder / "second" / "saved_model.pb", saved_model_pb2.SavedModel),
    }


def flipped(chance: random.Random, data: bytes) -> bytes:
    """Some bytes changed, sometimes the end cut off."""
    broken = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        broken[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(broken[: chance.randrange(len(data))] if chance.random() < 0.1 else broken)


def twisted(chance: random.Random, message: Any) -> bytes:
    """A few nodes, edges and attributes changed, in a message that is otherwise whole."""
    graphs = list(_graphs(message))
    for _ in range(chance.randint(1, 4)):
        graph = chance.choice(graphs)
        parts = [graph.node, *(f.node_def for f in graph.library.function)]
        nodes = chance.choice([part for part in parts if len(part)] or [graph.node])
        if len(nodes):
            chance.choice(TWISTS)(chance, nodes, graph)
    data: bytes = message.SerializeToString()
    return data


def _graphs(message: Any) -> Iterator[Any]:
    if hasattr(message, "meta_graphs"):
        yield from (meta.graph_def for meta in message.meta_graphs)
    else:
        yield message.graph_def if hasattr(message, "graph_def") else message


def _other_input(chance: random.Random, nodes: Any, graph: Any) -> None:
    node = chance.choice(nodes)
    ends = [chance.choice(nodes).name, f"{chance.choice(nodes).name}:{chance.choice(NUMBERS)}"]
    ends += [f"^{chance.choice(nodes).name}", node.name, "nobody", "", ":", "a:b:c:d"]
    if node.input and chance.random() < 0.7:
        node.input[chance.randrange(len(node.input))] = chance.choice(ends)
    else:
        node.input.append(chance.choice(ends))


def _fewer_inputs(chance: random.Random, nodes: Any, graph: Any) -> None:
    node = chance.choice(nodes)
    if node.input:
        del node.input[chance.randrange(len(node.input))]


def _other_operation(chance: random.Random, nodes: Any, graph: Any) -> None:
    functions = [f.signature.name for f in graph.library.function]
    chance.choice(nodes).op = chance.choice([*SOME_OPS, *functions, chance.choice(nodes).op])


def _other_name(chance: random.Random, nodes: Any, graph: Any) -> None:
    names = [chance.choice(nodes).name, "", "\x00", "a b", "../../x", "é" * 300, "x/y/" * 40]
    chance.choice(nodes).name = chance.choice(names)


def _twice(chance: random.Random, nodes: Any, graph: Any) -> None:
    nodes.append(chance.choice(nodes))


def _gone(chance: random.Random, nodes: Any, graph: Any) -> None:
    del nodes[chance.randrange(len(nodes))]


def _other_attribute(chance: random.Random, nodes: Any, graph: Any) -> None:
    node, other = chance.choice(nodes), chance.choice(nodes)
    if not node.attr:
        return
    name = chance.choice(sorted(node.attr))
    attr = node.attr[name]
    kind = attr.WhichOneof("value")
    if chance.random() < 0.2:
        del node.attr[name]
    elif chance.random() < 0.2 and other.attr:
        attr.CopyFrom(other.attr[chance.choice(sorted(other.attr))])
    elif kind == "i":
        attr.i = chance.choice(NUMBERS)
    elif kind == "type":
        attr.type = chance.choice([0, 1, 3, 7, 9, 10, 14, 20, 21, 23, 101, 99999])
    elif kind == "shape":
        attr.shape.dim.add(size=chance.choice(NUMBERS))
    elif kind == "tensor":
        attr.tensor.tensor_shape.dim.add(size=chance.choice(NUMBERS))
        attr.tensor.dtype = chance.choice([attr.tensor.dtype, 1, 3, 7, 20])
    elif kind == "list":
        attr.list.i.append(chance.choice(NUMBERS))
        attr.list.type.extend([chance.choice([1, 3, 7, 20])] * chance.choice([0, 1, 50]))
    elif kind == "s":
        attr.s = chance.choice([b"", b"SAME", b"NCHW", b"\xff\xfe", b"x" * 5000])
    elif kind == "func":
        attr.func.name = chance.choice(
            ["", "nobody", *(f.signature.name for f in graph.library.function)]
        )


TWISTS: tuple[Callable[[random.Random, Any, Any], None], ...] = (
    _other_input, _fewer_inputs, _other_operation, _other_name, _twice, _gone,
    _other_attribute, _other_attribute, _other_attribute,
)  # fmt: skip


def opened(path: Path, trust: bool) -> None:
    """Open a file and list its nodes: a result, or one error of ours that is no flood."""
    said = "an error"
    try:
        assert len(open_model(path, trust=trust).graph) >= 0
    except LayerscopeError as error:
        said = str(error)
    assert 0 < len(said) < 3000, said


def damaged(folder: Path, *, name: str, seed: int = 0, flips: int = 40, twists: int = 60) -> None:
    """Open damaged and twisted copies of one of the files."""
    path, kind = write_seeds(folder)[name]
    whole = path.read_bytes()
    opened(path, False)
    for number in range(flips + twists):
        chance = random.Random(f"{name} {seed} {number}")
        if number < flips:
            path.write_bytes(flipped(chance, whole))
        else:
            path.write_bytes(twisted(chance, kind.FromString(whole)))
        try:
            opened(path, number % 4 == 0)
        except Exception as error:
            error.add_note(f"{name}, seed {seed}, case {number}")
            raise


BODIES: dict[str, Callable[[Path], None]] = {
    f"TensorFlow graphs: {name}": partial(damaged, name=name)
    for name in ("frozen", "metagraph", "first", "second")
}
