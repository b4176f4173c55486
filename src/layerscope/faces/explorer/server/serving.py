"""Serving: a socket on this machine alone, the printed address, and a clean end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from layerscope.errors import LayerscopeError
from layerscope.faces.explorer.opened import Opened
from layerscope.faces.explorer.server.application import application
from layerscope.faces.explorer.server.site import Site
from layerscope.faces.explorer.work import Ticket

HOST = "127.0.0.1"
_GRACE = 2.0
_PATIENCE = 10.0


def serve(
    make: Callable[[Ticket], Opened[Any]],
    *,
    port: int | None = None,
    open_browser: bool = True,
    announce: Callable[[str], None] = print,
    complain: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
) -> int:
    """Serve what ``make`` opens until a signal ends it; returns the exit status.

    make: called in a thread once the server answers, with a Ticket to tell its progress to.
    port: None for any free one. announce: given the address as soon as it answers. complain:
    given the message where the model could not be opened; the page shows it too, and once it
    does the server ends. Raises LayerscopeError where the port is taken.
    """
    bound = _socket(port)
    number = bound.getsockname()[1]
    token = secrets.token_urlsafe(24)
    site = Site()
    app = application(site, token, (f"{HOST}:{number}", f"localhost:{number}"))
    server = _Server(
        uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False,
            date_header=False, timeout_graceful_shutdown=1, h11_max_incomplete_event_size=16384,
        ),
        site,
    )  # fmt: skip
    address = f"http://{HOST}:{number}/{token}/"

    def work() -> None:
        while not server.started and not server.should_exit:
            time.sleep(0.01)
        announce(address)
        if open_browser:
            webbrowser.open(address)
        site.open(make)
        if site.failed is not None and not site.closing.is_set():
            complain(site.failed)
            site.told.wait(_PATIENCE)
            time.sleep(_GRACE if site.told.is_set() else 0)
            server.should_exit = True

    loader = threading.Thread(target=work, daemon=True, name="layerscope-open")
    loader.start()
    server.run(sockets=[bound])
    site.close()
    failed = site.failed is not None and not server.signalled
    if loader.is_alive() or site.busy:
        # A framework may be at work in a thread that cannot be stopped.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if failed else 0)
    return 1 if failed else 0


class _Server(uvicorn.Server):
    """Ends at the first signal, with the streams of events it still has."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site
        self.signalled = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM as the wish to end, and give them back afterwards."""
        kept = {
            number: signal.signal(number, self._end) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.force_exit = self.signalled
        self.should_exit = self.signalled = True
        self._site.closing.set()


def _socket(port: int | None) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((HOST, port or 0))
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or error
        raise LayerscopeError(
            f"Port {port} cannot be used: {reason}. Give another one with --port, or none."
        ) from None
    bound.set_inheritable(False)
    return bound
