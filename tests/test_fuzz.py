"""Hostile files by the thousand: no traceback, no hang, no memory beyond reason.

Every fuzz is seeded, so that a failure comes again; see fuzz_run.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fuzz_run

MOST_SECONDS = 400
FREE = 200 * 2**20


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process told of every fuzz."""
    out = tmp_path_factory.mktemp("fuzz") / "told.json"
    done = subprocess.run(
        [sys.executable, str(Path(fuzz_run.__file__)), str(out)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        timeout=MOST_SECONDS,
        capture_output=True,
        text=True,
    )
    assert out.is_file(), done.stderr
    found: dict[str, Any] = json.loads(out.read_text())
    if done.returncode:
        name = list(found)[-1]
        found[name]["error"] += f" with status {done.returncode}\n{done.stderr[-3000:]}"
    return found


def within(found: dict[str, Any]) -> bool:
    """At most ten times the file and 200 MB above what the imported process takes."""
    return bool(found["grown"] <= 10 * found["largest"] + FREE)


@pytest.mark.parametrize("name", fuzz_run.BODIES)
def test_fuzz(told: dict[str, Any], name: str) -> None:
    found = told.get(name, {"error": "not reached"})
    assert found["error"] is None, found["error"]
    assert within(found), f"{found['grown'] / 2**20:.0f} MB more than the imported process"


def test_what_goes_wrong_is_told(told: dict[str, Any]) -> None:
    assert "KeyError: 'nothing of this name'" in told["wrong"]["error"]
    assert told["hungry"]["error"] is None
    assert not within(told["hungry"])
