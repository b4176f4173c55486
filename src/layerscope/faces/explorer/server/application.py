"""The server: Starlette's routes over a Site, and the answers that are not computed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from layerscope.errors import LayerscopeError
from layerscope.faces.explorer.server import handlers
from layerscope.faces.explorer.server.endpoints import Endpoint, Parameter, describe
from layerscope.faces.explorer.server.events import events, job_events, opening_events
from layerscope.faces.explorer.server.guard import Guard
from layerscope.faces.explorer.server.missing import NoSuchRunError
from layerscope.faces.explorer.server.routes import COMPUTED, RUN, refusal
from layerscope.faces.explorer.server.site import Site, own_fault
from layerscope.faces.explorer.server.uploads import shown_name
from layerscope.faces.explorer.work import Ticket, UnwantedError
from layerscope.manifest import layerscope_version

_STATIC = {
    "explorer.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "explorer.css": "text/css; charset=utf-8",
}


def application(site: Site, token: str, hosts: tuple[str, ...]) -> Guard:
    """The whole of the server for a site. hosts: what it may be called, as ``name:port``."""
    endpoints = (*COMPUTED, *_direct(site))
    document = describe(endpoints, "layerscope", layerscope_version(), f"/{token}")

    async def openapi(request: Request) -> Response:
        return _json(document)

    routes = [
        Route("/", _page, methods=["GET"]),
        Route("/static/{name}", _static, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        *(
            Route(path, _by_method(site, [e for e in endpoints if e.path == path]),
                  methods=[e.method for e in endpoints if e.path == path])
            for path in dict.fromkeys(e.path for e in endpoints)
        ),
    ]  # fmt: skip
    app = Starlette(
        routes=routes,
        exception_handlers={404: _not_found, 405: _not_allowed},
    )
    app.router.redirect_slashes = False
    return Guard(app, token, hosts)


def _direct(site: Site) -> tuple[Endpoint, ...]:
    """The addresses that are answered without a worker."""

    async def opening(request: Request, given: dict[str, Any]) -> Response:
        return events(opening_events(site))

    async def progress(request: Request, given: dict[str, Any]) -> Response:
        if given["run"] not in site.jobs:
            raise NoSuchRunError(f"There is no upload {given['run']!r}.")
        return events(job_events(site, given["run"]))

    async def upload(request: Request, given: dict[str, Any]) -> Response:
        data = await _body(request, site.upload_bytes)
        if data is None:
            limit = f"{site.upload_bytes // 2**20:,} MiB"
            return _message(413, f"expected a file of at most {limit}. Make the picture smaller.")
        name = shown_name(unquote(given["x-filename"] or "", errors="replace"))
        loop = asyncio.get_running_loop()
        job = await loop.run_in_executor(
            site.pool, site.upload, data, name, given["model"], given["from"], given["input"]
        )
        return _json({"run": job.id}, 202)

    async def remove(request: Request, given: dict[str, Any]) -> Response:
        site.remove(given["run"])
        return Response(status_code=204)

    return (
        Endpoint("GET", "/api/progress", opening, "How far the model is.", "text/event-stream"),
        Endpoint("POST", "/api/runs", upload, "Run a picture.", "application/json",
                 (Parameter("model", "number", "which model", default=0),
                  Parameter("from", "id", "a run whose other inputs are kept"),
                  Parameter("input", "number", "which input is replaced", default=0),
                  Parameter("x-filename", "text", "the file's name, percent-encoded", "header")),
                 202, "application/octet-stream",
                 {409: "Too many pictures are open.", 413: "The file is too large."}),
        Endpoint("GET", "/api/runs/{run}/progress", progress, "How far an upload is.",
                 "text/event-stream", (RUN,)),
        Endpoint("DELETE", "/api/runs/{run}", remove, "Cancel or remove an upload.",
                 parameters=(RUN,), status=204,
                 refusals={409: "It was given when the explorer was started, and stays."}),
    )  # fmt: skip


def _by_method(site: Site, endpoints: list[Endpoint]) -> Callable[[Request], Any]:
    own = {endpoint.method: endpoint for endpoint in endpoints}

    async def answer(request: Request) -> Response:
        endpoint = own[request.method if request.method != "HEAD" else "GET"]
        try:
            given = endpoint.parse(
                request.path_params, request.query_params.multi_items(), request.headers
            )
            if endpoint in COMPUTED:
                return await _computed(site, endpoint, request, given)
            made: Response = await endpoint.handler(request, given)
            return made
        except (LayerscopeError, UnwantedError) as error:
            return _message(*refusal(error))
        except ClientDisconnect:
            return _message(*refusal(UnwantedError()))
        except Exception as error:
            return _fault(error)

    return answer


async def _computed(
    site: Site, endpoint: Endpoint, request: Request, given: dict[str, Any]
) -> Response:
    """Run a handler in a worker, and let go of it where the client goes away."""
    explorer = site.ready()
    ticket = Ticket()
    loop = asyncio.get_running_loop()

    def work() -> handlers.Answer:
        ticket.check()
        made: handlers.Answer = endpoint.handler(explorer, given, ticket)
        return made

    task = loop.run_in_executor(site.pool, work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        waiting: set[asyncio.Future[Any]] = {task, gone}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            ticket.cancel()
            task.cancel()
            raise UnwantedError
        answer = task.result()
    finally:
        gone.cancel()
    if answer.media == "application/json":
        return _json(answer.content)
    return Response(answer.content, media_type=answer.media, headers=dict(answer.headers))


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request, most: int) -> bytes | None:
    """What is sent, or None where it is more than may be."""
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > most:
            return None
    return bytes(held)


async def _page(request: Request) -> Response:
    page = (files("layerscope.faces.explorer") / "static" / "index.html").read_bytes()
    return Response(page, media_type="text/html")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return _message(404, "There is no such file.")
    return Response(
        (files("layerscope.faces.explorer") / "static" / name).read_bytes(),
        media_type=_STATIC[name],
    )


async def _not_found(request: Request, error: Exception) -> Response:
    return _message(404, "There is nothing under this address.")


async def _not_allowed(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    return _json({"message": "This address does not take that method."}, 405, headers=dict(allowed))


def _fault(error: Exception) -> Response:
    words = own_fault(error)
    print(f"layerscope: {ascii(words)[1:-1]}", file=sys.stderr)
    return _message(500, words)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in ASCII, so that names which are no proper Unicode travel too."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), "application/json")


def _message(status: int, text: str) -> Response:
    return _json({"message": text}, status)
