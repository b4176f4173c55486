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

from layerscope.errors import LayerscopeError, SelectionError
from layerscope.faces.explorer import handlers
from layerscope.faces.explorer.endpoints import Endpoint, Parameter, RequestError, describe
from layerscope.faces.explorer.events import events, job_events, opening_events
from layerscope.faces.explorer.guard import Guard
from layerscope.faces.explorer.session import ConflictError, NoSuchRunError
from layerscope.faces.explorer.site import NotReadyError, Site
from layerscope.faces.explorer.uploads import shown_name
from layerscope.faces.explorer.work import Ticket, UnwantedError
from layerscope.manifest import layerscope_version

_STATIC = {
    "explorer.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "explorer.css": "text/css; charset=utf-8",
}
_RUN = Parameter("run", "id", "a run", "path")
_LAYER = Parameter("layer", "number", "a layer's place among inputs and nodes", "path")
_MINUS = Parameter("minus", "id", "another run, whose values are subtracted")
_CHANNEL = Parameter("channel", "number", "a channel", "path")
_SLICE = Parameter("slice", "number", "a slice of a volume", default=0)
_ROW = Parameter("row", "number", "a row", required=True)
_COLUMN = Parameter("column", "number", "a column", required=True)
_ANY_ROW = Parameter("row", "number", "a row")
_ANY_COLUMN = Parameter("column", "number", "a column")
_ONE = "/api/runs/{run}/layers/{layer}/channels/{channel}"

COMPUTED = (
    Endpoint("GET", "/api/manifest", handlers.manifest, "The network and the runs.",
             "application/json"),
    Endpoint("GET", "/api/runs/{run}/preview", handlers.preview, "The input.",
             parameters=(_RUN,)),
    Endpoint("GET", "/api/runs/{run}/statistics", handlers.statistics,
             "Figures of every channel and layer.", parameters=(_RUN,)),
    Endpoint("GET", "/api/runs/{run}/thumbnails", handlers.thumbnails,
             "One small picture of every node.", parameters=(_RUN,)),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}", handlers.layer,
             "Every map of a layer.", parameters=(_RUN, _LAYER, _MINUS)),
    Endpoint("GET", _ONE, handlers.exact, "The exact values of a channel.",
             parameters=(_RUN, _LAYER, _CHANNEL, _MINUS)),
    Endpoint("GET", f"{_ONE}/value", handlers.value, "One exact value, as text.",
             "application/json", (_RUN, _LAYER, _CHANNEL, _SLICE, _ROW, _COLUMN, _MINUS)),
    Endpoint("GET", f"{_ONE}/explain", handlers.explain, "What a channel is summed from.",
             parameters=(_RUN, _LAYER, _CHANNEL, _SLICE, _ANY_ROW, _ANY_COLUMN,
                         Parameter("all", "flag", "every input channel", default=False))),
    Endpoint("GET", f"{_ONE}/field", handlers.receptive_field, "What a neuron sees.",
             "application/json", (_RUN, _LAYER, _CHANNEL, _SLICE, _ANY_ROW, _ANY_COLUMN)),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}/picture.png", handlers.picture,
             "A layer's maps as a PNG.", "image/png",
             (_RUN, _LAYER, _MINUS, Parameter("channels", "text", "such as 6,15,20:24"),
              Parameter("colormap", "text", "a colour map's name"),
              Parameter("scale", "text", "channel, layer, symmetric or LO,HI"),
              Parameter("clip", "text", "a percentile where colours end"),
              Parameter("zoom", "number", "pixels per value"),
              Parameter("columns", "number", "maps side by side"))),
    Endpoint("GET", "/api/runs/{run}/layers/{layer}/array.npy", handlers.array,
             "A layer's exact values.", parameters=(_RUN, _LAYER, _MINUS)),
)  # fmt: skip


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
                 "text/event-stream", (_RUN,)),
        Endpoint("DELETE", "/api/runs/{run}", remove, "Cancel or remove an upload.",
                 parameters=(_RUN,), status=204,
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
        except (LayerscopeError, UnwantedError, ClientDisconnect) as error:
            return _refusal(error)
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
    page = (files(__package__) / "static" / "index.html").read_bytes()
    return Response(page, media_type="text/html")


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return _message(404, "There is no such file.")
    return Response((files(__package__) / "static" / name).read_bytes(), media_type=_STATIC[name])


def _refusal(error: Exception) -> Response:
    for kind, status in (
        (RequestError, 400), (SelectionError, 404), (NoSuchRunError, 404), (NotReadyError, 503),
        (ConflictError, 409), (UnwantedError, 499), (ClientDisconnect, 499),
    ):  # fmt: skip
        if isinstance(error, kind):
            return _message(status, str(error) or "Cancelled.")
    return _message(422, str(error))


async def _not_found(request: Request, error: Exception) -> Response:
    return _message(404, "There is nothing under this address.")


async def _not_allowed(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    return _json({"message": "This address does not take that method."}, 405, headers=dict(allowed))


def _fault(error: Exception) -> Response:
    words = f"{type(error).__name__}: {error}. This is a fault of layerscope's own."
    print(f"layerscope: {ascii(words)[1:-1]}", file=sys.stderr)
    return _message(500, words)


def _json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in ASCII, so that names which are no proper Unicode travel too."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Response(text, status, dict(headers or {}), "application/json")


def _message(status: int, text: str) -> Response:
    return _json({"message": text}, status)
