"""A real server in this process, and what a page asks of it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray

from layerscope.faces.explorer.answers.container import unpack
from layerscope.faces.explorer.server.application import application
from layerscope.faces.explorer.server.site import Site
from layerscope.faces.explorer.session import Explorer
from layerscope.faces.explorer.work import Ticket

TOKEN = "a-token-of-the-tests"


@dataclass
class Served:
    """A server that answers. base: its address, with the token and a slash at the end."""

    base: str
    port: int
    site: Site
    client: httpx.Client

    @property
    def explorer(self) -> Explorer:
        return self.site.ready()

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(self.base + path, **options)

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def container(self, path: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return unpack(answer.content)

    def refused(self, path: str, status: int) -> str:
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        return str(answer.json()["message"])

    def upload(self, data: bytes, name: str = "new.png", query: str = "") -> httpx.Response:
        return self.client.post(
            f"{self.base}api/runs{query}",
            content=data,
            headers={"x-filename": name, "content-type": "application/octet-stream"},
        )

    def delete(self, path: str) -> httpx.Response:
        return self.client.delete(self.base + path)

    def events(self, path: str) -> list[tuple[str, Any]]:
        """Everything a stream of events says until it ends."""
        found = []
        with self.client.stream("GET", self.base + path) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = "".join(answer.iter_text())
        for block in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
            if lines:
                found.append((lines["event"], json.loads(lines["data"])))
        return found

    def added(self, data: bytes, name: str = "new.png", query: str = "") -> dict[str, Any]:
        """The run that an upload became."""
        answer = self.upload(data, name, query)
        assert answer.status_code == 202, answer.text
        events = self.events(f"api/runs/{answer.json()['run']}/progress")
        assert events[-1][0] == "ready", events
        run: dict[str, Any] = events[-1][1]["run"]
        return run


@contextmanager
def serving(
    make: Callable[[Ticket], Explorer], *, wait: bool = True, **limits: Any
) -> Iterator[Served]:
    """A server on a free port of this machine, for as long as the block lasts.

    wait: whether the model is open when the block begins.
    """
    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    site = Site(**limits)
    app = application(site, TOKEN, (f"127.0.0.1:{port}", f"localhost:{port}"))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    opening = threading.Thread(target=site.open, args=(make,))
    opening.start()
    try:
        if wait:
            opening.join()
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(timeout=60) as client:
            yield Served(f"http://127.0.0.1:{port}/{TOKEN}/", port, site, client)
    finally:
        site.close()
        server.should_exit = True
        thread.join()
        opening.join()


def decoded(entries: NDArray[np.uint8], lo: float, hi: float) -> NDArray[np.float64]:
    """The values that entries 0 to 240 stand for."""
    assert entries.max(initial=0) <= 240
    return lo + entries / 240 * (hi - lo)
