"""Graphs with lookup tables: what needs none is reached, the rest once the file is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import layerscope as ls
from layerscope.errors import ModelError, UntrustedError
from tfgraphs import constant, frozen, save, v1
from which_files import seen

RNG = np.random.default_rng(11)
PICTURE = RNG.random((2, 8, 8, 3)).astype("float32")
KERNEL, ROWS = constant(RNG, 3, 3, 3, 4), constant(RNG, 5, 6)
# Class i is number (3·i + 1) mod 5 in the list that the table leads to.
KEYS = np.arange(4, dtype="int64")
VALUES = (3 * KEYS + 1) % 5


def numbers(path: Path | None = None) -> Any:
    """A table from class to place in a list, out of the graph or out of a text file."""
    if path is None:
        filler = tf.lookup.KeyValueTensorInitializer(tf.constant(KEYS), tf.constant(VALUES))
        return tf.lookup.StaticHashTable(filler, -1)
    word = tf.lookup.TextFileIndex
    path.write_text("\n".join(map(str, VALUES)))
    filler = tf.lookup.TextFileInitializer(
        str(path), tf.int64, word.LINE_NUMBER, tf.int64, word.WHOLE_LINE
    )
    return tf.lookup.StaticHashTable(filler, -1)


def names() -> Any:
    words = tf.constant(["cat", "dog", "cow", "hen"])
    filler = tf.lookup.KeyValueTensorInitializer(tf.constant(KEYS), words)
    return tf.lookup.StaticHashTable(filler, "?")


def network(x: Any, table: Any, words: Any, kernel: Any = KERNEL) -> dict[str, Any]:
    """Maps, scores, the best class's name, and a row that the table of numbers leads to."""
    maps = tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME", name="conv"), name="maps")
    scores = tf.nn.softmax(tf.reduce_mean(maps, [1, 2]), name="scores")
    best = tf.argmax(scores, 1, name="best")
    row = tf.gather(tf.constant(ROWS), table.lookup(best), name="row")
    return {"scores": scores, "words": words.lookup(best), "end": tf.tanh(row, name="end")}


def expected() -> dict[str, np.ndarray[Any, Any]]:
    maps = np.maximum(tf.nn.conv2d(PICTURE, KERNEL, 1, "SAME").numpy(), 0)
    means = maps.mean((1, 2))
    scores = np.exp(means) / np.exp(means).sum(1, keepdims=True)
    return {"maps": maps, "scores": scores, "end": np.tanh(ROWS[VALUES[scores.argmax(1)]])}


def close(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> float:
    """How far two arrays are apart, which is little."""
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    return float(np.abs(found - wanted).max())


def first_generation(folder: Path, *, file: bool = False, evil: Path | None = None) -> Path:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        kernel = v1.get_variable("kernel", initializer=KERNEL)
        outputs = network(x, numbers(folder / "list.txt" if file else None), names(), kernel)
        first = [v1.tables_initializer()]
        if evil is not None:
            first += [tf.raw_ops.WriteFile(filename=str(evil), contents="was here", name="evil")]
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder / "m"))
        signature = v1.saved_model.predict_signature_def({"x": x}, outputs)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=tf.group(*first),
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
        )
        builder.save()
    (folder / "list.txt").unlink(missing_ok=True)
    return folder / "m"


class Module(tf.Module):
    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.kernel = tf.Variable(KERNEL)
        self.numbers, self.words = numbers(path), names()

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "x")])
    def serve(self, x: Any) -> Any:
        return network(x, self.numbers, self.words, self.kernel)


def second_generation(folder: Path, *, file: bool = False) -> Path:
    module = Module(folder / "list.txt" if file else None)
    tf.saved_model.save(module, str(folder / "m"), {"serving_default": module.serve})
    (folder / "list.txt").unlink(missing_ok=True)
    return folder / "m"


MAKERS = [first_generation, second_generation]


@pytest.mark.opens(
    era="TensorFlow 1 and 2", writer="TensorFlow", file="SavedModel folder",
    what="lookup tables, what needs none of them", against="numpy",
)  # fmt: skip
@pytest.mark.parametrize("file", [False, True], ids=["in the graph", "in a file"])
@pytest.mark.parametrize("make", MAKERS)
def test_without_trust_what_needs_no_table_is_reached(
    tmp_path: Path, make: Any, file: bool
) -> None:
    model = ls.open_model(make(tmp_path, file=file))
    assert [n.name for n in model.graph] == ["conv", "maps", "Mean", "scores", "best"]
    assert set(model.graph.outputs) == {"scores", "best"}
    (note,) = model.source.notes
    assert note.startswith("left out: what looks into the tables 'hash_table")
    acts, wanted = ls.extract(model, PICTURE), expected()
    for name in ("maps", "scores"):
        seen.compared(close(acts[name].array, wanted[name]))


@pytest.mark.opens(
    era="TensorFlow 1 and 2", writer="TensorFlow", file="SavedModel folder",
    what="lookup tables, with --trust", against="numpy",
)  # fmt: skip
@pytest.mark.parametrize("file", [False, True], ids=["in the graph", "in a file"])
@pytest.mark.parametrize("make", MAKERS)
def test_with_trust_every_node_is_reached(tmp_path: Path, make: Any, file: bool) -> None:
    folder = make(tmp_path, file=file)
    model = ls.open_model(folder, trust=True)
    assert model.source.notes == ()
    acts, wanted = ls.extract(model, PICTURE), expected()
    assert list(acts)[:5] == ["conv", "maps", "Mean", "scores", "best"]
    assert list(acts)[6:] == ["row", "end"]
    for name, array in wanted.items():
        seen.compared(close(acts[name].array, array))
    theirs = tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant(PICTURE))
    np.testing.assert_allclose(acts["end"].array, theirs["end"].numpy(), atol=1e-6)


def test_on_the_command_line(tmp_path: Path, command: Any) -> None:
    folder = first_generation(tmp_path)
    plain, trusted = (command("layers", folder, *words) for words in ((), ("--trust",)))
    assert (plain.status, trusted.status) == (0, 0)
    assert "--trust runs the initialisation" in " ".join(plain.out.split())
    assert "row" not in plain.out
    assert "row" in trusted.out


def test_an_initialisation_that_writes_a_file_is_refused(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    folder = first_generation(tmp_path, evil=canary)
    with pytest.raises(UntrustedError, match=r"WriteFile \(node 'evil'\)\. Nothing was run"):
        ls.open_model(folder)
    # Even trusted, only what fills the tables is run.
    acts = ls.extract(ls.open_model(folder, trust=True), PICTURE)
    np.testing.assert_allclose(acts["end"].array, expected()["end"], atol=1e-6)
    assert not canary.exists()


def test_what_filling_a_table_does_besides_is_done_with_trust_only(tmp_path: Path) -> None:
    """The filling itself waits for an operation that writes: trust is the person's own choice."""
    canary = tmp_path / "canary"

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        with tf.control_dependencies(
            [tf.raw_ops.WriteFile(filename=str(canary), contents="was here", name="evil")]
        ):
            table = numbers()
        network(x, table, names(), v1.get_variable("kernel", initializer=KERNEL))

    prefix = save(tmp_path, build)
    with pytest.raises(UntrustedError, match=r"WriteFile \(node 'evil'\)\. Nothing was run"):
        ls.open_model(prefix)
    assert not canary.exists()
    acts = ls.extract(ls.open_model(prefix, trust=True), PICTURE)
    np.testing.assert_allclose(acts["end"].array, expected()["end"], atol=1e-6)
    assert canary.read_text() == "was here"


@pytest.mark.parametrize("make", MAKERS)
def test_an_asset_elsewhere_is_refused(tmp_path: Path, make: Any) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = make(tmp_path, file=True) / "saved_model.pb"
    stored = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    meta = stored.meta_graphs[0]
    assert meta.asset_file_def or meta.collection_def.pop("saved_model_assets", None)
    del meta.asset_file_def[1:]
    asset = meta.asset_file_def[0] if meta.asset_file_def else meta.asset_file_def.add()
    asset.filename = "../../../etc/passwd"
    path.write_bytes(stored.SerializeToString())
    with pytest.raises(UntrustedError, match=r"which lies outside of its folder assets"):
        ls.open_model(path, trust=True)


def test_a_missing_asset_is_told(tmp_path: Path) -> None:
    folder = second_generation(tmp_path, file=True)
    (folder / "assets" / "list.txt").unlink()
    assert len(ls.open_model(folder).graph) == 5
    with pytest.raises(ModelError, match=r"TensorFlow cannot run m: .*list\.txt; No such file"):
        ls.extract(ls.open_model(folder, trust=True), PICTURE)


def indexed(path: Path) -> Path:
    """Everything comes after a look into the table."""

    def build() -> None:
        x = v1.placeholder(tf.int64, [None, 7], name="x")
        tf.tanh(tf.gather(tf.constant(ROWS), numbers().lookup(x)), name="end")

    return frozen(path, build)


def test_where_everything_needs_the_table(tmp_path: Path) -> None:
    path = indexed(tmp_path / "net.pb")
    with pytest.raises(
        UntrustedError,
        match=r"everything behind its input looks into the table 'hash_table' \(HashTableV2\), "
        r"which the file's initialisation fills\. Nothing was run\. Give --trust",
    ):
        ls.open_model(path)
    x = RNG.integers(0, 4, (3, 7))
    acts = ls.extract(ls.open_model(path, trust=True), x)
    np.testing.assert_allclose(acts["end"].array, np.tanh(ROWS[VALUES[x]]), rtol=1e-6)


def test_a_table_that_nothing_fills(tmp_path: Path) -> None:
    """Pruned by freezing: the operation that filled the table is gone, and its values with it."""
    path = indexed(tmp_path / "net.pb")
    stored = v1.GraphDef.FromString(path.read_bytes())
    kept = [node for node in stored.node if "Import" not in node.op]
    del stored.node[:]
    stored.node.extend(kept)
    path.write_bytes(stored.SerializeToString())
    with pytest.raises(ModelError, match="and nothing in the graph fills it") as caught:
        ls.open_model(path, trust=True)
    assert not isinstance(caught.value, UntrustedError)


def test_a_table_that_grew_in_training_is_never_taken_for_empty(tmp_path: Path) -> None:
    """A look into it would give the default for every key, which is no value of the network."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, -1)
        network(x, table, names(), v1.get_variable("kernel", initializer=KERNEL))

    prefix = save(tmp_path, build)
    model = ls.open_model(prefix, trust=True)
    assert [n.name for n in model.graph] == ["conv", "maps", "Mean", "scores", "best"]
    assert any("which nothing in it fills" in note for note in model.source.notes)


def test_a_live_session_and_a_function(tmp_path: Path) -> None:
    wanted = expected()
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        network(x, numbers(tmp_path / "list.txt"), names())
        session.run(v1.tables_initializer())
        acts = ls.extract(ls.open_model(session), PICTURE)
    np.testing.assert_allclose(acts["end"].array, wanted["end"], atol=1e-6)

    module = Module()
    model = ls.open_model(module.serve.get_concrete_function())
    acts = ls.extract(model, PICTURE)
    np.testing.assert_allclose(acts["scores"].array, wanted["scores"], atol=1e-6)
    assert "row" not in acts
    assert any(note.startswith("left out: what looks into") for note in model.source.notes)
