"""Events: progress as a page follows it, and how it ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse

from layerscope.faces.explorer.server.site import Site
from layerscope.faces.explorer.work import Ticket

_BEAT = 0.05
_SILENCE = 15.0


def events(told: AsyncIterator[str]) -> Response:
    """A stream of server-sent events."""
    return StreamingResponse(told, media_type="text/event-stream")


async def opening_events(site: Site) -> AsyncIterator[str]:
    """How far the model is, until it is open or will not be."""
    async for event in _following(site, site.opening, lambda: _opened(site)):
        yield event
        if event.startswith("event: failed"):
            site.told.set()


def _opened(site: Site) -> str | None:
    if site.failed is not None:
        return _event("failed", {"message": site.failed})
    return None if site.explorer is None else _event("ready", {})


async def job_events(site: Site, id: str) -> AsyncIterator[str]:
    """How far an upload is; when the last listener leaves before its end, it is cancelled."""
    job = site.jobs[id]
    job.listeners += 1

    def ended() -> str | None:
        if job.message is not None:
            return _event("failed", {"message": job.message})
        return None if job.run is None else _event("ready", {"run": job.run})

    try:
        async for event in _following(site, job.ticket, ended):
            yield event
    finally:
        job.listeners -= 1
        if not job.listeners and not job.ended:
            job.ticket.cancel()


async def _following(
    site: Site, ticket: Ticket, ended: Callable[[], str | None]
) -> AsyncIterator[str]:
    """Progress as it changes, and the end."""
    seen, waited = -1, 0.0
    while not site.closing.is_set():
        last = ended()
        if last is not None:
            yield last
            return
        if ticket.version != seen:
            seen, waited = ticket.version, 0.0
            yield _event("progress", ticket.as_json())
        elif waited > _SILENCE:
            waited = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(_BEAT)
        waited += _BEAT


def _event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n"
