"""Fifty pages that switch layers at once: no error, the same answers, bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from pathlib import Path

import httpx
import psutil
import pytest

from test_serve_command import events, started

CLIENTS = 50
# The long form: LAYERSCOPE_LOAD_SECONDS=30.
SECONDS = float(os.environ.get("LAYERSCOPE_LOAD_SECONDS", "4"))
MEMORY = 2


async def switching(address: str, layers: int, seconds: float) -> tuple[dict[str, set[str]], int]:
    """What every address answered, by its digest, and how many requests there were."""
    found: dict[str, set[str]] = {}
    count = 0
    end = time.monotonic() + seconds

    async def one(number: int) -> None:
        nonlocal count
        choose = random.Random(number)
        async with httpx.AsyncClient(timeout=60) as client:
            while time.monotonic() < end:
                layer = choose.randrange(layers)
                tail = choose.choice(["", "", "/channels/0", "/channels/0/value?row=0&column=0"])
                path = f"api/runs/r0/layers/{layer}{tail}"
                if choose.random() < 0.1:
                    await vanishing(client, address + path)
                    continue
                answer = await client.get(address + path)
                assert answer.status_code == 200, answer.text
                found.setdefault(path, set()).add(hashlib.sha256(answer.content).hexdigest())
                count += 1

    await asyncio.gather(*(one(number) for number in range(CLIENTS)))
    return found, count


async def vanishing(client: httpx.AsyncClient, address: str) -> None:
    """Ask, and be gone before the answer is read."""
    async with client.stream("GET", address):
        pass


@pytest.mark.parametrize("memory", [MEMORY, 1000])
def test_fifty_clients_switch_layers_at_once(networks: Path, memory: int) -> None:
    """memory: in one case far less than the maps take, so that most are computed anew."""
    model, picture = networks / "cats_dogs.keras", networks / "large.png"
    with started(model, picture, "--memory", memory) as (process, address):
        assert events(address).endswith("event: ready\ndata: {}\n\n")
        asyncio.run(switching(address, 12, 1))
        server = psutil.Process(process.pid)
        before = server.memory_info().rss
        found, count = asyncio.run(switching(address, 12, SECONDS))
        after = server.memory_info().rss
        assert count > 12
        assert len(found) > 12, count
        assert {path: len(answers) for path, answers in found.items() if len(answers) > 1} == {}
        # All maps of this network are 6 MB; fifty answers under way at once are less than this.
        assert after - before < 150e6
        # Nothing is left at work for those who went away.
        time.sleep(0.5)
        server.cpu_percent()
        assert server.cpu_percent(0.5) < 50
        process.terminate()
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
