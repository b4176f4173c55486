"""Running a graph of constants in a session, for as long as it may take."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from layerscope.errors import ModelError
from layerscope.models.quiet import hush, quiet_import
from layerscope.models.tensorflow.freezing import Frozen
from layerscope.models.tensorflow.runtime import load_tensorflow
from layerscope.models.tensorflow.turning import turned

_UNFED = re.compile(r"must feed a value for placeholder tensor '([^']{1,200})'")
_LONGEST = 300
# Seconds in which TensorFlow ends a run that it can end, once its time is up.
_ENDING = 5


class Runner:
    """A session on a frozen graph, made on first use. name: the model's, for errors.

    gave_up: whether a run was given up since its time was over.
    """

    def __init__(self, frozen: Frozen, name: str) -> None:
        self._frozen, self._name = frozen, name
        self._lock = threading.RLock()
        self._session: Any = None
        self._warm = self._turned = False
        self._hush = hush.get()
        self.gave_up = False

    @property
    def graph(self) -> Any:
        """The graph as TensorFlow has it in the session."""
        return self._running().graph

    def fetch(
        self, fetches: Sequence[str], feeds: Mapping[str, Any], seconds: int = 0
    ) -> list[NDArray[Any]]:
        """Run tensors. seconds: after which they are given up, or 0.

        Raises ModelError where TensorFlow cannot run them, or not within that time.
        """
        tf = load_tensorflow()
        try:
            if seconds:
                arrays = self._run_within(seconds, list(fetches), dict(feeds))
            else:
                arrays = self._run(list(fetches), dict(feeds))
        except tf.errors.OpError as error:
            if self._turned or "NHWC" not in str(error):
                raise self._told_as(error) from error
            return self._fetch_turned(fetches, feeds, seconds)
        except (ValueError, TypeError) as error:
            raise self._told_as(error) from error
        return [_widened(np.asarray(array)) for array in arrays]

    def close(self) -> None:
        """End the session, if there is one."""
        if self._session is not None:
            self._session.close()

    def _run(self, fetches: list[str], feeds: dict[str, Any]) -> list[Any]:
        session = self._running()
        if self.gave_up:
            # What may have no end can be ended by Ctrl-C.
            return waited_for(lambda: session.run(fetches, feeds))  # type: ignore[no-any-return]
        if self._warm:
            return session.run(fetches, feeds)  # type: ignore[no-any-return]
        # The thread that runs may be another one than that which was told to be quiet.
        token = hush.set(self._hush)
        try:
            with quiet_import():
                arrays: list[Any] = session.run(fetches, feeds)
        finally:
            hush.reset(token)
        self._warm = True
        return arrays

    def _run_within(self, seconds: int, fetches: list[str], feeds: dict[str, Any]) -> list[Any]:
        tf = load_tensorflow()
        if self.gave_up:
            raise self._too_long(seconds)
        session = self._running()
        options = tf.compat.v1.RunOptions(timeout_in_ms=1000 * seconds)
        failure: Exception | None = None
        token = hush.set(self._hush)
        try:
            # TensorFlow logs that it ends a run, which nobody is to be told of.
            with quiet_import():
                try:
                    work = lambda: session.run(fetches, feeds, options)  # noqa: E731
                    arrays: list[Any] = waited_for(work, seconds + _ENDING)
                except Exception as error:
                    failure = error
        except BaseException:
            # Ctrl-C.
            self._leave()
            raise
        finally:
            hush.reset(token)
        if isinstance(failure, TimeoutError):
            self._leave()
        if isinstance(failure, TimeoutError | tf.errors.DeadlineExceededError):
            self.gave_up = True
            raise self._too_long(seconds)
        if failure is not None:
            raise failure
        self._warm = True
        return arrays

    def _leave(self) -> None:
        """Forget the session without closing it, which would wait for a run in it.

        The thread of the run holds it from now on.
        """
        self._session, self._warm = None, False

    def _fetch_turned(
        self, fetches: Sequence[str], feeds: Mapping[str, Any], seconds: int
    ) -> list[NDArray[Any]]:
        """The same on a TensorFlow that has no kernels for channels first: turned inside."""
        with self._lock:
            if not self._turned:
                self._session.close()
                self._session, self._turned, self._warm = None, True, False
        return self.fetch(fetches, feeds, seconds)

    def _too_long(self, seconds: int) -> ModelError:
        return ModelError(f"{self._name} does not come to an end within {seconds} s")

    def _told_as(self, error: Exception) -> ModelError:
        text = " ".join(str(getattr(error, "message", error)).split())
        unfed = _UNFED.search(text)
        if unfed:
            return ModelError(
                f"{self._name} needs a value for {unfed[1]}, which is not known. "
                f"Give it: {unfed[1]}=VALUE."
            )
        more = "…" if len(text) > _LONGEST else ""
        return ModelError(f"TensorFlow cannot run {self._name}: {text[:_LONGEST]}{more}")

    def _running(self) -> Any:
        """The session that runs the graph."""
        with self._lock:
            if self._session is None:
                graph_def = self._frozen.graph_def
                try:
                    session = make_session(turned(graph_def) if self._turned else graph_def)
                    if self._frozen.first:
                        session.run(list(self._frozen.first))
                except (ValueError, TypeError, load_tensorflow().errors.OpError) as error:
                    raise self._told_as(error) from error
                self._session = session
            return self._session


def waited_for(work: Callable[[], Any], seconds: float | None = None) -> Any:
    """What work returns, done in a thread of its own, which is left alone where it takes longer.

    A thread cannot be ended from outside, but no process waits for this one as it ends.
    Raises TimeoutError after seconds, and what work raises.
    """
    done = threading.Event()
    found: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    threading.Thread(target=run, daemon=True, name="layerscope-run").start()
    if not done.wait(seconds):
        raise TimeoutError
    if failed:
        raise failed[0]
    return found[0]


def make_session(graph_def: Any) -> Any:
    """A session on a graph of constants, which computes each operation as it is written.

    Operations are not fused or reordered, so that every node's values are its own.
    """
    tf = load_tensorflow()
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto()
    config.gpu_options.allow_growth = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return tf.compat.v1.Session(graph=graph, config=config)


def _widened(array: NDArray[Any]) -> NDArray[Any]:
    """bfloat16 and its like as float32, which numpy knows as floating."""
    if array.dtype.kind == "V" or str(array.dtype).startswith(("bfloat16", "float8")):
        return array.astype(np.float32)
    return array
