"""Graphs fed by queues, iterators and parsers: the value that leaves them is the input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import UntrustedError
from tfgraphs import constant, frozen, save, v1
from which_files import seen

RNG = np.random.default_rng(13)
PICTURES = RNG.random((3, 12, 12, 3)).astype("float32")
LABELS = np.arange(3)
KERNEL, WEIGHTS = constant(RNG, 3, 3, 3, 4), constant(RNG, 144, 5)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def network(pictures: Any, labels: Any = None) -> None:
    kernel = v1.get_variable("kernel", initializer=KERNEL)
    maps = tf.nn.relu(tf.nn.conv2d(pictures, kernel, 2, "SAME", name="conv"), name="maps")
    weights = v1.get_variable("weights", initializer=WEIGHTS)
    logits = tf.matmul(tf.reshape(maps, [-1, 144], name="flat"), weights, name="logits")
    if labels is not None:
        v1.losses.sparse_softmax_cross_entropy(labels, logits)
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(v1.losses.get_total_loss())


def logits() -> np.ndarray[Any, Any]:
    maps = np.maximum(tf.nn.conv2d(PICTURES, KERNEL, 2, "SAME").numpy(), 0)
    found: np.ndarray[Any, Any] = maps.reshape(3, 144) @ WEIGHTS
    return found


def facenet() -> None:
    """The feeding of facenet's training: paths into a queue, files read, batches joined."""
    paths = v1.placeholder(tf.string, [None], name="image_paths")
    labels = v1.placeholder(tf.int64, [None], name="labels")
    size = v1.placeholder(tf.int32, [], name="batch_size")
    queue = v1.FIFOQueue(100, [tf.string, tf.int64], shapes=[(), ()])
    queue.enqueue_many([paths, labels], name="enqueue_op")
    joined = []
    for _ in range(4):
        path, label = queue.dequeue()
        picture = tf.image.decode_image(tf.io.read_file(path), channels=3)
        picture = v1.image.resize_image_with_crop_or_pad(picture, 12, 12)
        picture.set_shape((12, 12, 3))
        joined.append([tf.image.per_image_standardization(picture), label])
    batch, found = v1.train.batch_join(
        joined, batch_size=size, allow_smaller_final_batch=True, capacity=400
    )
    v1.placeholder(tf.bool, name="phase_train")
    network(tf.identity(tf.identity(batch, "image_batch"), "input"), found)


def shuffled() -> None:
    """Arrays in memory, a queue of indices, a queue of shuffled batches; the label comes first."""
    picture, label = v1.train.slice_input_producer(
        [np.zeros((9, 12, 12, 3), "float32"), np.zeros(9, "int64")]
    )
    found, batch = v1.train.shuffle_batch(
        [label, picture / 2], tf.compat.v1.placeholder_with_default(3, []), 30, 10
    )
    network(batch, found)


def one_by_one() -> None:
    """A queue of single pictures, made a batch of one."""
    queue = v1.FIFOQueue(9, [tf.float32], shapes=[(12, 12, 3)])
    network(tf.expand_dims(queue.dequeue(), 0, name="batch"))


def overridable() -> None:
    """A placeholder that takes the queue's value unless something is given."""
    queue = v1.FIFOQueue(9, [tf.float32], shapes=[(12, 12, 3)])
    network(v1.placeholder_with_default(queue.dequeue_many(3), [None, 12, 12, 3], name="pictures"))


def dataset() -> Any:
    found = v1.data.Dataset.from_tensor_slices(
        (np.zeros((9, 12, 12, 3), "float32"), np.zeros(9, "int64"))
    )
    return found.map(lambda x, y: (x / 2, y)).shuffle(5).repeat().batch(3).prefetch(1)


def one_shot() -> None:
    network(*v1.data.make_one_shot_iterator(dataset()).get_next())


def initialised() -> None:
    network(*v1.data.make_initializable_iterator(dataset()).get_next())


def by_handle() -> None:
    handle = v1.placeholder(tf.string, [], name="handle")
    data = dataset()
    types, shapes = v1.data.get_output_types(data), v1.data.get_output_shapes(data)
    network(*v1.data.Iterator.from_string_handle(handle, types, shapes).get_next())


CASES: list[tuple[Callable[[], None], str, str]] = [
    (shuffled, "shuffle_batch_1", "a queue (QueueDequeueManyV2)"),
    (one_by_one, "batch", "a queue (QueueDequeueV2)"),
    (one_shot, "IteratorGetNext", "an iterator (IteratorGetNext)"),
    (initialised, "IteratorGetNext", "an iterator (IteratorGetNext)"),
    (by_handle, "IteratorGetNext", "an iterator (IteratorGetNext)"),
]  # fmt: skip


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="MetaGraph (.meta) and checkpoint",
    what="fed by {source}", against="numpy",
)  # fmt: skip
@pytest.mark.parametrize(("build", "name", "source"), CASES, ids=[c[0].__name__ for c in CASES])
def test_what_leaves_the_queue_is_the_input(
    tmp_path: Path, build: Callable[[], None], name: str, source: str
) -> None:
    model = ls.open_model(save(tmp_path, build))
    assert [n.name for n in model.graph.inputs] == [name]
    assert model.graph.inputs[0].shape[1:] == (12, 12, 3)
    assert model.source.notes[0] == (
        f"{name} gets its values from {source}: what is given takes their place"
    )
    assert [n.name for n in model.graph] == ["conv", "maps", "flat", "logits"]
    found = ls.extract(model, PICTURES)["logits"].array
    np.testing.assert_allclose(found, logits(), atol=1e-5)
    seen.compared(float(np.abs(found - logits()).max()))


@pytest.mark.opens(
    era="TensorFlow 1", writer="tf.compat.v1", file="MetaGraph (.meta) and checkpoint",
    what="training as facenet's, which reads pictures out of files", refused=True,
)  # fmt: skip
def test_facenet_s_files_are_never_read(tmp_path: Path, command: Any) -> None:
    prefix = save(tmp_path, facenet)
    said = r"ReadFile \(node 'ReadFile'\)\. Nothing was run"
    with pytest.raises(UntrustedError, match=said) as caught:
        ls.open_model(prefix)
    seen.refused(caught.value)
    model = ls.open_model(prefix, trust=True)
    assert [(n.name, n.shape) for n in model.graph.inputs] == [("batch_join", (None, 12, 12, 3))]
    np.testing.assert_allclose(ls.extract(model, PICTURES)["logits"].array, logits(), atol=1e-5)

    np.save(tmp_path / "x.npy", PICTURES)
    out = tmp_path / "o.npz"
    feed = f"batch_join={tmp_path / 'x.npy'}"
    assert command("extract", prefix, feed, "-o", out, "--trust").status == 0
    np.testing.assert_allclose(np.load(out)["logits"], logits(), atol=1e-5)


def test_a_placeholder_with_a_queue_for_its_default(tmp_path: Path) -> None:
    model = ls.open_model(save(tmp_path, overridable))
    assert [n.name for n in model.graph.inputs] == ["pictures"]
    assert model.source.notes == ()
    np.testing.assert_allclose(ls.extract(model, PICTURES)["logits"].array, logits(), atol=1e-5)


def test_a_frozen_graph_with_its_queue(tmp_path: Path) -> None:
    """As freeze_graph leaves it: the queue and what takes from it, without what fills it."""

    def build() -> None:
        queue = v1.FIFOQueue(9, [tf.float32], shapes=[(12, 12, 3)], name="queue")
        maps = tf.nn.conv2d(queue.dequeue_up_to(3, "batch"), tf.constant(KERNEL), 2, "SAME")
        tf.nn.relu(maps, name="maps")

    model = ls.open_model(frozen(tmp_path / "net.pb", build))
    assert [(n.name, n.shape) for n in model.graph.inputs] == [("batch", (None, 12, 12, 3))]
    wanted = np.maximum(tf.nn.conv2d(PICTURES, KERNEL, 2, "SAME").numpy(), 0)
    np.testing.assert_allclose(ls.extract(model, PICTURES)["maps"].array, wanted, atol=1e-5)


def test_a_live_session(tmp_path: Path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        one_shot()
        session.run(v1.global_variables_initializer())
        found = ls.extract(ls.open_model(session), PICTURES)["logits"].array
    np.testing.assert_allclose(found, logits(), atol=1e-5)


def serving(folder: Path) -> Path:
    """As the tutorial of TensorFlow Serving exported: examples are parsed, or an array is given."""
    with tf.Graph().as_default(), v1.Session() as session:
        data = v1.placeholder(tf.string, [None], name="tf_example")
        features = {"x": v1.FixedLenFeature([432], tf.float32)}
        flat = tf.identity(v1.parse_example(data, features)["x"], name="x")
        network(tf.reshape(flat, [-1, 12, 12, 3]))
        graph = v1.get_default_graph()
        scores = tf.nn.softmax(graph.get_tensor_by_name("logits:0"), name="scores")
        session.run(v1.global_variables_initializer())
        sign = v1.saved_model.predict_signature_def
        builder = v1.saved_model.Builder(str(folder / "m"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "predict_images": sign({"images": flat}, {"scores": scores}),
                "serving_default": sign({"inputs": data}, {"scores": scores}),
            },
        )
        builder.save()
    return folder / "m"


@pytest.mark.parametrize(
    ("signature", "name", "source"),
    [
        (None, "ParseExample/ParseExampleV2/x", "a parser of examples (ParseExampleV2)"),
        ("predict_images", "x", "an operation (Identity)"),
    ],
)
def test_a_model_for_serving(tmp_path: Path, signature: str | None, name: str, source: str) -> None:
    model = ls.open_model(serving(tmp_path), signature=signature)
    assert [(n.name, n.shape) for n in model.graph.inputs] == [(name, (None, 432))]
    note = f"{name} gets its values from {source}: what is given takes their place"
    assert note in model.source.notes
    found = ls.extract(model, PICTURES.reshape(3, 432))["logits"].array
    np.testing.assert_allclose(found, logits(), atol=1e-5)
