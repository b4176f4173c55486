"""Correspondent: the server's answers as messages, for a page without a server of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from layerscope.errors import LayerscopeError
from layerscope.faces.explorer.server.endpoints import Endpoint
from layerscope.faces.explorer.server.missing import NoSuchRunError, RequestError
from layerscope.faces.explorer.server.routes import find, refusal
from layerscope.faces.explorer.server.site import Site, own_fault
from layerscope.faces.explorer.server.uploads import shown_name
from layerscope.faces.explorer.work import Ticket, UnwantedError

Send = Callable[[dict[str, Any], list[bytes]], None]
_BEAT = 0.05


class Correspondent:
    """Answers messages of the form ``{"id", "method", "path", "headers"}`` with a body behind.

    send: given ``{"id", "status"}`` and the answer's bytes, or, while something slow is under
    way, ``{"id", "event", "data"}``. ``{"id", "cancel": true}`` ends what nobody waits for.
    """

    def __init__(self, site: Site, send: Send) -> None:
        self._site, self._send = site, send
        self._tickets: dict[str, Ticket] = {}

    def take(self, message: Any, buffers: Sequence[Any] = ()) -> None:
        """Take a message; its answer is sent from a worker thread."""
        if not isinstance(message, Mapping) or not isinstance(message.get("id"), str):
            return
        id = message["id"]
        if message.get("cancel"):
            ticket = self._tickets.get(id)
            if ticket is not None:
                ticket.cancel()
            return
        ticket = self._tickets[id] = Ticket()
        try:
            self._begin(id, ticket, message, bytes(buffers[0]) if buffers else b"")
        except Exception as error:
            self._refuse(id, error)

    def close(self) -> None:
        """Nobody reads the answers any more."""
        for ticket in list(self._tickets.values()):
            ticket.cancel()

    def _begin(self, id: str, ticket: Ticket, message: Mapping[str, Any], body: bytes) -> None:
        method, parts = str(message.get("method")), urlsplit(str(message.get("path")))
        path = f"/api/{parts.path}"
        query = parse_qsl(parts.query, keep_blank_values=True)
        found = find(method, path)
        if found is not None:
            endpoint, named = found
            given = endpoint.parse(named, query, {})
            self._site.pool.submit(self._compute, id, ticket, endpoint, given)
        elif method == "GET" and parts.path.split("/")[-1] == "progress":
            threading.Thread(
                target=self._follow, args=(id, ticket, parts.path.split("/")), daemon=True
            ).start()
        elif method == "POST" and parts.path == "runs":
            headers = message.get("headers") or {}
            self._site.pool.submit(self._upload, id, body, headers, dict(query))
        elif method == "DELETE" and parts.path.startswith("runs/"):
            self._site.remove(parts.path.removeprefix("runs/"))
            self._answer(id, 204, b"")
        else:
            raise NoSuchRunError("There is nothing under this address.")

    def _compute(self, id: str, ticket: Ticket, endpoint: Endpoint, given: dict[str, Any]) -> None:
        try:
            ticket.check()
            answer = endpoint.handler(self._site.ready(), given, ticket)
            content = answer.content
            if answer.media == "application/json":
                content = json.dumps(content, allow_nan=False).encode("ascii")
            self._answer(id, 200, content)
        except Exception as error:
            self._refuse(id, error)

    def _upload(
        self, id: str, body: bytes, headers: Mapping[str, str], query: dict[str, str]
    ) -> None:
        try:
            if len(body) > self._site.upload_bytes:
                limit = f"{self._site.upload_bytes // 2**20:,} MiB"
                raise LayerscopeError(f"expected a file of at most {limit}.")
            name = shown_name(unquote(str(headers.get("X-Filename", "")), errors="replace"))
            model, number = query.get("model", "0"), query.get("input", "0")
            if not (model.isdecimal() and number.isdecimal()):
                raise RequestError("expected numbers for model and input.")
            job = self._site.upload(body, name, int(model), query.get("from"), int(number))
            self._answer(id, 202, json.dumps({"run": job.id}).encode())
        except Exception as error:
            self._refuse(id, error)

    def _follow(self, id: str, ticket: Ticket, path: Sequence[str]) -> None:
        """Tell progress as it changes, and how it ended."""
        site = self._site
        job = site.jobs.get(path[1]) if len(path) == 3 else None
        followed = site.opening if len(path) == 1 else None if job is None else job.ticket
        if followed is None:
            self._refuse(id, NoSuchRunError(f"There is no upload {'/'.join(path)[:60]!r}."))
            return
        seen = -1
        while not (ticket.cancelled or site.closing.is_set()):
            failed = site.failed if job is None else job.message
            done = site.explorer is not None if job is None else job.run is not None
            if failed is not None:
                self._tell(id, "failed", {"message": failed})
                break
            if done:
                self._tell(id, "ready", {} if job is None else {"run": job.run})
                break
            if followed.version != seen:
                seen = followed.version
                self._tell(id, "progress", followed.as_json())
            time.sleep(_BEAT)
        if ticket.cancelled and job is not None and not job.ended:
            job.ticket.cancel()
        self._tickets.pop(id, None)

    def _tell(self, id: str, event: str, data: Any) -> None:
        self._send({"id": id, "event": event, "data": data}, [])

    def _answer(self, id: str, status: int, content: bytes) -> None:
        wanted = self._tickets.pop(id, None)
        if wanted is not None and not wanted.cancelled:
            self._send({"id": id, "status": status}, [content])

    def _refuse(self, id: str, error: Exception) -> None:
        status, text = 500, own_fault(error)
        if isinstance(error, LayerscopeError | UnwantedError):
            status, text = refusal(error)
        self._answer(id, status, json.dumps({"message": text}).encode("ascii"))
