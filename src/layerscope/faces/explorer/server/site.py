"""Site: what a server holds: the explorer once it is there, uploads at work, and the workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from layerscope.errors import LayerscopeError
from layerscope.faces.explorer.answers.documents import UPLOAD_BYTES, UPLOAD_PIXELS, run_document
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.server.missing import ConflictError, NotReadyError
from layerscope.faces.explorer.server.uploads import (
    check_upload,
    received,
    renamed,
    upload_target,
)
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket, UnwantedError

MOST_UPLOADS = 32
_MOST_ENDED = 64
_WORKERS = 4


@dataclass(eq=False)
class Job:
    """An upload on its way to becoming a run.

    run: its document, once it is there. message: why it will not be.
    """

    id: str
    ticket: Ticket
    run: dict[str, Any] | None = None
    message: str | None = None
    listeners: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.run is not None or self.message is not None


@dataclass(eq=False)
class Site:
    """One server's state; its methods may be called from any thread.

    opening: how far the model is. failed: the message where it could not be opened. told: set
    once a page has been given that message. closing: set when the server ends.
    """

    opening: Ticket = field(default_factory=Ticket)
    explorer: Opened[Any] | None = None
    failed: str | None = None
    told: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    jobs: dict[str, Job] = field(default_factory=dict)
    upload_bytes: int = UPLOAD_BYTES
    upload_pixels: int = UPLOAD_PIXELS

    def __post_init__(self) -> None:
        # Few, so that what requests hold in passing stays bounded too.
        self.pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="layerscope")
        self._runner = ThreadPoolExecutor(1, thread_name_prefix="layerscope-run")
        self._lock = threading.Lock()

    def open(self, make: Callable[[Ticket], Opened[Any]]) -> None:
        """Open the model in this thread; what goes wrong is kept as a message."""
        try:
            self.explorer = make(self.opening)
        except UnwantedError:
            self.failed = "Cancelled."
        except LayerscopeError as error:
            self.failed = str(error)
        except MemoryError:
            self.failed = "The memory does not suffice. Give fewer or smaller inputs."
        except Exception as error:
            self.failed = own_fault(error)

    def start(self, make: Callable[[Ticket], Opened[Any]]) -> None:
        """Open the model in a worker thread."""
        self._runner.submit(self.open, make)

    def ready(self) -> Opened[Any]:
        """The explorer. Raises NotReadyError, or the error that opening ended with."""
        if self.failed is not None:
            raise LayerscopeError(self.failed)
        if self.explorer is None:
            raise NotReadyError("The model is still being opened.")
        return self.explorer

    def upload(self, data: bytes, name: str, model: int, base: str | None, number: int) -> Job:
        """Begin a run of uploaded bytes.

        name: what the person calls the file. base, number: a run whose other inputs are kept,
        and which of the inputs is replaced. Raises InputError for what cannot be run at all,
        ConflictError where too many are open.
        """
        explorer = self.ready().live()
        explorer.model_number(model)
        target = upload_target(explorer, base, number)
        self._make_room(explorer)
        with received(data) as path:
            try:
                check_upload(path, self.upload_pixels)
            except LayerscopeError as error:
                raise renamed(error, path, name) from None
        job = Job(explorer.new_id(), Ticket())
        with self._lock:
            self.jobs[job.id] = job
        self._runner.submit(self._work, explorer, job, data, name, model, target)
        return job

    def remove(self, id: str) -> None:
        """Cancel an upload, or close a run that was uploaded. Raises NoSuchRunError."""
        job = self.jobs.get(id)
        if job is not None and not job.ended:
            job.ticket.cancel()
        else:
            self.ready().live().remove(id)

    def close(self) -> None:
        """End: nothing new begins, and what is at work stops where it can."""
        self.closing.set()
        self.opening.cancel()
        for job in list(self.jobs.values()):
            job.ticket.cancel()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self._runner.shutdown(wait=False, cancel_futures=True)

    @property
    def busy(self) -> bool:
        """Whether a worker is still at work on something."""
        threads = (t.name.startswith("layerscope") for t in threading.enumerate())
        return any(threads)

    def _work(
        self,
        explorer: Explorer,
        job: Job,
        data: bytes,
        name: str,
        model: int,
        target: Callable[[Any], Any],
    ) -> None:
        try:
            with received(data) as path:
                try:
                    explorer.add(
                        target(path), model, job.ticket, shown={str(path): name}, uploaded=True,
                        id=job.id,
                    )  # fmt: skip
                except LayerscopeError as error:
                    raise renamed(error, path, name) from None
            if job.ticket.cancelled:
                raise UnwantedError
            job.run = run_document(explorer.run(job.id))
        except UnwantedError:
            job.message = "Cancelled."
            self._forget(explorer, job.id)
        except LayerscopeError as error:
            job.message = str(error)
        except MemoryError:
            job.message = f"{name}: the memory does not suffice. Take a smaller picture."
        except Exception as error:
            job.message = own_fault(error)

    def _forget(self, explorer: Explorer, id: str) -> None:
        explorer.cache.forget(id)
        explorer.runs.pop(id, None)

    def _make_room(self, explorer: Explorer) -> None:
        with self._lock:
            for id in [id for id, job in self.jobs.items() if job.ended][:-_MOST_ENDED]:
                del self.jobs[id]
            waiting = sum(not job.ended for job in self.jobs.values())
        held = sum(run.uploaded for run in explorer.runs.values())
        if waiting + held >= MOST_UPLOADS:
            raise ConflictError(
                f"{MOST_UPLOADS} pictures are open already. Remove one before you add another."
            )


def own_fault(error: Exception) -> str:
    """What is said of an error that nobody but layerscope can mend."""
    return (
        f"{type(error).__name__}: {error}. This is a fault of layerscope's own, and not of "
        "what you gave it."
    )
