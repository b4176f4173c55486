"""``layerscope serve`` as a process: its first line, its end, and what it says when it fails."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from networks import Command

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/[\w-]{32}/")


@contextmanager
def started(*words: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command and the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "layerscope", "serve", *map(str, words), "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # A command that prints nothing must not hold up the tests.
    watch = threading.Timer(120, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip("\n")
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def events(address: str) -> str:
    return httpx.get(f"{address}api/progress", timeout=120).text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(networks: Path, number: signal.Signals) -> None:
    with started(networks / "small.keras", networks / "cat.png") as (process, address):
        match = _ADDRESS.fullmatch(address)
        assert match, address
        begin = time.monotonic()
        page = httpx.get(address)
        assert page.status_code == 200
        # The model is not there yet: opening a framework takes longer than this.
        early = httpx.get(f"{address}api/manifest")
        assert time.monotonic() - begin < 2
        assert (early.status_code, early.json()["message"]) == (
            503, "The model is still being opened.",
        )  # fmt: skip
        assert events(address).endswith("event: ready\ndata: {}\n\n")
        runs = httpx.get(f"{address}api/manifest").json()["runs"]
        assert [run["label"] for run in runs] == ["cat.png"]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)


def test_a_signal_ends_it_while_the_model_opens(networks: Path) -> None:
    with started(networks / "small.keras") as (process, _):
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


def test_a_model_that_does_not_open(command: Command, networks: Path) -> None:
    path = networks / "lambda.keras"
    said = command("layers", path)
    assert said.status == 1
    with started(path) as (process, address):
        told = events(address)
        assert "event: failed" in told
        assert httpx.get(f"{address}api/manifest").json()["message"] == said.message
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (1, said.err)


def test_two_models_that_are_not_alike(networks: Path) -> None:
    with started(networks / "small.keras", networks / "cat.png", "--compare",
                 networks / "free.keras") as (process, address):  # fmt: skip
        assert "event: failed" in events(address)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 1
        assert err.startswith(f"layerscope: expected {networks / 'free.keras'} to be the same ")


def test_a_port_that_is_taken(command: Command, networks: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("serve", networks / "small.keras", "--no-open", "--port", port)
    assert done.status == 1
    assert done.message == (
        f"Port {port} cannot be used: Address already in use. Give another one with --port, or "
        "none."
    )
    assert done.out == ""


def test_a_port_of_ones_own(networks: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(networks / "small.keras", "--port", port) as (process, address):
        assert address.startswith(f"http://127.0.0.1:{port}/")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0
