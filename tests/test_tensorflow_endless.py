"""Graphs whose loops have no end: every command on them ends all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from layerscope.models.tensorflow.running import waited_for
from tfgraphs import frozen, v1

LATE = (
    "a run on zeros, which tells the sizes after a loop, did not end within 20 s, so that they "
    "are not known"
)


def endless(x: Any) -> Any:
    """A loop that goes on for as long as 1 is above 0, with values of any size."""
    free = [tf.TensorShape([]), tf.TensorShape(None)]
    start = [tf.constant(1.0), tf.identity(x, name="before")]
    _, after = tf.while_loop(
        lambda i, h: i > 0, lambda i, h: (i, tf.tanh(h)), start, shape_invariants=free
    )
    return tf.reshape(after, (-1, 4, 4, 3), name="after")


def saved_model(folder: Path) -> Path:
    class Network(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 3))])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return endless(x)

    network = Network()
    tf.saved_model.save(network, str(folder / "saved"), signatures=network.__call__)
    return folder / "saved"


def without_an_exit(folder: Path) -> Path:
    """A loop as a damaged file may have it, which TensorFlow itself cannot stop.

    What it asks whether its time is up is the LoopCond operation, which is not there.
    """

    def build() -> None:
        endless(v1.placeholder(tf.float32, [None, 4, 4, 3], name="x"))

    v1.disable_control_flow_v2()
    try:
        path = frozen(folder / "damaged.pb", build)
    finally:
        v1.enable_control_flow_v2()
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    (condition,) = [node for node in graph_def.node if node.op == "LoopCond"]
    condition.op = "Identity"
    condition.attr["T"].type = tf.bool.as_datatype_enum
    path.write_bytes(graph_def.SerializeToString())
    return path


@contextmanager
def started(*words: object) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, which is gone afterwards."""
    # Logging as loudly as TensorFlow does where nobody has told it otherwise.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    with subprocess.Popen(
        [sys.executable, "-m", "layerscope", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupted(process: subprocess.Popen[str]) -> None:
    """Ctrl-C ends the command soon, and quietly."""
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_every_command_ends(tmp_path: Path) -> None:
    sound, damaged = saved_model(tmp_path), without_an_exit(tmp_path)
    np.save(tmp_path / "x.npy", np.zeros((1, 4, 4, 3), np.float32))
    run = ("extract", damaged, tmp_path / "x.npy", "-o", tmp_path / "out.npz")
    other = ("extract", damaged, tmp_path / "x.npy", "-o", tmp_path / "other.npz")
    start = time.monotonic()
    # All at once, since they mostly wait.
    with (
        started("layers", sound) as first,
        started("layers", damaged) as second,
        started(*run) as third,
        started(*other) as fourth,
    ):
        # By then it is most likely in the run that tells the sizes.
        time.sleep(14)
        interrupted(fourth)
        for process in (first, second):
            out, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, "")
            assert LATE in out.splitlines()
            assert " after " in out
        assert time.monotonic() - start < 60
        # By now the third is in the run that it was asked for, which Ctrl-C ends.
        with pytest.raises(subprocess.TimeoutExpired):
            third.wait(5)
        interrupted(third)
    assert list(tmp_path.glob("*.npz")) == []


def test_waiting_hands_on_what_came_of_it() -> None:
    assert waited_for(lambda: 3, 5) == waited_for(lambda: 3) == 3
    with pytest.raises(KeyError, match="x"):
        waited_for(lambda: {}["x"], 5)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        waited_for(lambda: time.sleep(3), 0.1)
    assert time.monotonic() - start < 2
