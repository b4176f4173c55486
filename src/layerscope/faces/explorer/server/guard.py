"""Guard: no request passes without the token, or for another host, or from another page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application before another, which sees only what is allowed.

    token: the first part of every path. hosts: what the Host header may be, as ``name:port``.
    What passes has the token taken off its path.
    """

    def __init__(self, app: App, token: str, hosts: tuple[str, ...]) -> None:
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        refused = self._refused(scope)
        if refused is not None:
            await _answer(send, *refused)
            return
        path = scope["path"]
        rest = path[1 + len(self._token) :]
        if not rest:
            await _redirect(send, f"/{self._token}/")
            return
        await self._app({**scope, "path": rest, "raw_path": rest.encode()}, receive, send)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        given = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in given if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return 403, f"expected a request for {self._hosts[0]}. Open the address as printed."
        origins = [value for name, value in given if name == b"origin"]
        if any(origin not in {f"http://{host}" for host in self._hosts} for origin in origins):
            return 403, "expected a request from this page, and not from another one."
        first = scope["path"].removeprefix("/").partition("/")[0]
        if not compare_digest(first.encode("utf-8", "replace"), self._token.encode()):
            return 404, "There is nothing here. Open the address as printed, with all of it."
        return None


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            held = {name.lower() for name, _ in message.get("headers", ())}
            message = {
                **message,
                "headers": [
                    *message.get("headers", ()),
                    *(
                        (name.encode(), value.encode())
                        for name, value in _HEADERS.items()
                        if name.encode() not in held
                    ),
                ],
            }
        await send(message)

    return sending


async def _answer(send: Send, status: int, text: str) -> None:
    body = json.dumps({"message": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _redirect(send: Send, where: str) -> None:
    headers = [(b"location", where.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
