"""The same answers as the server's, by message: what a notebook's page asks its kernel."""

from __future__ import annotations

import json
import queue
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerscope.faces.explorer.answers.container import unpack
from layerscope.faces.explorer.server.correspondent import Correspondent
from layerscope.faces.explorer.server.site import Site
from layerscope.faces.explorer.session import Explorer
from layerscope.models import open_model


class Page:
    """The other end: sends messages, and waits for what comes back."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.came: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
        self.correspondent = Correspondent(site, lambda *answer: self.came.put(answer))
        self.asked = 0

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> str:
        self.asked += 1
        id = f"m{self.asked}"
        message = {"id": id, "method": method, "path": path, "headers": headers}
        self.correspondent.take(message, [memoryview(body)] if body is not None else [])
        return id

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """Status and bytes."""
        id = self.send(method, path, body, **headers)
        content, buffers = self.came.get(timeout=60)
        assert content["id"] == id
        return content["status"], buffers[0]

    def follow(self, path: str) -> list[tuple[str, Any]]:
        id = self.send("GET", path)
        found = []
        while not found or found[-1][0] == "progress":
            content, _ = self.came.get(timeout=60)
            assert content["id"] == id
            found.append((content["event"], content["data"]))
        return found


@pytest.fixture
def page(networks: Path):
    def make(ticket):
        explorer = Explorer([open_model(str(networks / "small.keras"))])
        explorer.add(str(networks / "cat.png"), ticket=ticket)
        return explorer

    site = Site()
    site.start(make)
    yield Page(site)
    site.close()


def test_a_page_is_answered_as_by_the_server(page: Page, networks: Path) -> None:
    assert page.follow("progress")[-1] == ("ready", {})
    status, data = page.ask("GET", "manifest")
    assert status == 200
    assert [run["id"] for run in json.loads(data)["runs"]] == ["r0"]
    explorer = page.site.ready()
    status, data = page.ask("GET", "runs/r0/layers/1")
    assert (status, data) == (200, explorer.layer(explorer.run("r0"), 1))
    status, data = page.ask("GET", "runs/r0/layers/1/channels/2/value?row=3&column=4")
    exact = explorer.activation(explorer.run("r0"), "first").array[0, 3, 4, 2]
    assert (status, np.float32(json.loads(data)["value"])) == (200, exact)
    for path in ("preview", "statistics", "thumbnails", "layers/1/channels/0/explain"):
        status, data = page.ask("GET", f"runs/r0/{path}")
        assert status == 200
        assert unpack(data)

    picture = (networks / "dog.png").read_bytes()
    status, data = page.ask("POST", "runs?model=0", picture, **{"X-Filename": "ein%20hund.png"})
    assert status == 202
    run = json.loads(data)["run"]
    event, told = page.follow(f"runs/{run}/progress")[-1]
    assert (event, told["run"]["label"]) == ("ready", "ein hund.png")
    status, data = page.ask("GET", f"runs/{run}/layers/1?minus=r0")
    assert unpack(data)[0]["signed"]
    assert page.ask("DELETE", f"runs/{run}") == (204, b"")
    assert run not in explorer.runs


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "runs/r9/preview", None, 404, "There is no run 'r9' (any more). Open the picture "
         "again."),
        ("GET", "runs/r0/layers/x", None, 400, "expected a whole number from 0 for layer (a "
         "layer's place among inputs and nodes) but got 'x'."),
        ("GET", "runs/r0/layers/1/channels/0/value?row=1", None, 400, "expected a parameter column "
         "(a column)."),
        ("GET", "../../etc/passwd", None, 404, "There is nothing under this address."),
        ("PUT", "manifest", None, 404, "There is nothing under this address."),
        ("GET", "runs/r5/progress", None, 404, "There is no upload 'runs/r5/progress'."),
        ("DELETE", "runs/r0", None, 409, "cat.png was given when the explorer was started, and "
         "stays."),
        ("POST", "runs", b"words", 422, "picture is a text file, not a picture or a .npy array; "
         "numbers are read from .csv and .tsv. Drop a PNG, a JPEG, another picture, or a .npy "
         "file"),
        ("POST", "runs?model=x", b"words", 400, "expected numbers for model and input."),
        ("POST", "runs?model=3", b"words", 404, "There are models 0 to 0, but model 3 was asked "
         "for."),
    ],
)  # fmt: skip
def test_refusals(page: Page, method, path, body, status, message) -> None:
    page.follow("progress")
    got, data = page.ask(method, path, body)
    assert (got, json.loads(data)["message"]) == (status, message)


def test_too_large_an_upload(page: Page) -> None:
    page.follow("progress")
    page.site.upload_bytes = 2**20
    status, data = page.ask("POST", "runs", bytes(2**20 + 1))
    assert (status, json.loads(data)["message"]) == (422, "expected a file of at most 1 MiB.")


def test_what_is_cancelled_is_not_answered(page: Page) -> None:
    page.follow("progress")
    explorer = page.site.ready()
    explorer.cache.forget("r0")
    with explorer._locks[0]:
        id = page.send("GET", "runs/r0/layers/1")
        page.correspondent.take({"id": id, "cancel": True})
    status, _ = page.ask("GET", "runs/r0/layers/2")
    assert status == 200
    assert page.came.empty()
    page.correspondent.take("no message")
    page.correspondent.take({"id": 5})
    assert page.came.empty()
