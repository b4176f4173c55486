"""Endpoints: every address of the server, with its parameters and what it answers.

The routes and the OpenAPI description are both made from these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layerscope.faces.explorer.server.missing import RequestError

_NUMBER = re.compile(r"[0-9]{1,9}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Parameter:
    """One parameter of an address.

    where: ``"path"``, ``"query"`` or ``"header"``. kind: ``"number"`` (from 0), ``"id"``,
    ``"flag"`` (0 or 1) or ``"text"``. default: what stands in for a missing one; a path's
    parameters are never missing.
    """

    name: str
    kind: str
    meaning: str
    where: str = "query"
    default: Any = None
    required: bool = False

    def parse(self, text: str | None) -> Any:
        """The value in a request. Raises RequestError."""
        if text is None:
            if self.required:
                raise RequestError(f"expected a parameter {self.name} ({self.meaning}).")
            return self.default
        if self.kind == "number" and _NUMBER.fullmatch(text):
            return int(text)
        if self.kind == "flag" and text in ("0", "1"):
            return text == "1"
        if self.kind == "id" and _WORD.fullmatch(text):
            return text
        if self.kind == "text" and len(text) <= 2000:
            return text
        raise RequestError(
            f"expected {_KINDS[self.kind]} for {self.name} ({self.meaning}) but got {text[:40]!r}."
        )

    def schema(self) -> dict[str, Any]:
        """The parameter in OpenAPI's words."""
        return {
            "name": self.name,
            "in": self.where,
            "required": self.required or self.where == "path",
            "description": self.meaning,
            "schema": _SCHEMAS[self.kind],
        }


_KINDS = {
    "number": "a whole number from 0",
    "flag": "0 or 1",
    "id": "a name of letters and digits",
    "text": "text of at most 2,000 characters",
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "number": {"type": "integer", "minimum": 0, "maximum": 999_999_999},
    "flag": {"type": "integer", "enum": [0, 1]},
    "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "text": {"type": "string", "maxLength": 2000},
}


@dataclass(frozen=True)
class Endpoint:
    """One address.

    method: such as ``"GET"``. path: with its parameters in braces. handler: answers requests.
    media: the type of a good answer. meaning: one sentence. status: of a good answer. body:
    the type of what is sent, where something is. refusals: what other statuses mean.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    meaning: str
    media: str = "application/octet-stream"
    parameters: tuple[Parameter, ...] = ()
    status: int = 200
    body: str | None = None
    refusals: Mapping[int, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def parse(
        self,
        path: Mapping[str, str],
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
    ) -> dict[str, Any]:
        """All parameters of a request by name. Raises RequestError."""
        names = [name for name, _ in query]
        for name in names:
            if names.count(name) > 1:
                raise RequestError(f"expected one {name[:40]!r} in the address but got several.")
        places: dict[str, Mapping[str, str]] = {
            "path": path,
            "query": dict(query),
            "header": headers,
        }
        return {p.name: p.parse(places[p.where].get(p.name)) for p in self.parameters}


def describe(endpoints: Sequence[Endpoint], title: str, version: str, base: str) -> dict[str, Any]:
    """The OpenAPI 3.1 description of endpoints. base: the path that all of them are under."""
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": {
                "Message": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {"message": {"type": "string"}},
                }
            }
        },
    }


_REFUSALS = {
    400: "A parameter is missing or not of its kind.",
    404: "There is no such run, layer, channel or place.",
    422: "This cannot be done; the message says why and what to do.",
    503: "The model is still being opened.",
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {"description": endpoint.meaning}
    if endpoint.status != 204:
        good["content"] = {endpoint.media: {"schema": _schema_of(endpoint.media)}}
    message = {"application/json": {"schema": {"$ref": "#/components/schemas/Message"}}}
    refused = {**_REFUSALS, **endpoint.refusals}
    told: dict[str, Any] = {
        "summary": endpoint.meaning,
        "operationId": getattr(endpoint.handler, "__name__", endpoint.path),
        "parameters": [parameter.schema() for parameter in endpoint.parameters],
        "responses": {
            str(endpoint.status): good,
            **{
                str(status): {"description": meaning, "content": message}
                for status, meaning in refused.items()
            },
        },
    }
    if endpoint.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {endpoint.body: {"schema": {"type": "string", "format": "binary"}}},
        }
    return told


def _schema_of(media: str) -> dict[str, Any]:
    if media == "application/json":
        return {}
    if media == "text/event-stream":
        events = {"type": "string", "enum": ["progress", "ready", "failed"]}
        return {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": events, "data": {"type": "string"}},
        }
    return {"type": "string", "format": "binary"}
