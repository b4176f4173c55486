"""Every fuzz in one process, which tells for each what it raised, took and left behind.

    python tests/fuzz_run.py OUT.json

A process of its own, since TensorFlow ends the whole of it where a graph surprises it, and since
only so its memory is its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import fuzz_archives
import fuzz_configs
import fuzz_graphs

BODIES: dict[str, Callable[[Path], None]] = {
    **fuzz_configs.BODIES, **fuzz_archives.BODIES, **fuzz_graphs.BODIES
}  # fmt: skip


def hungry(folder: Path) -> None:
    """More than is allowed, given back at once: the measure must tell it."""
    assert sum(bytearray(b"x" * 260_000_000)[:: 2**20]) > 0


def wrong(folder: Path) -> None:
    """An error that is none of ours: the measure must tell it."""
    raise KeyError("nothing of this name")


def resident(which: str) -> int:
    """Bytes of memory that this process holds (VmRSS), or has held at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(which)


def forget_peak() -> None:
    """Let VmHWM begin again at what is held now (proc(5), /proc/pid/clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def largest(folder: Path) -> int:
    return max((p.stat().st_size for p in folder.rglob("*") if p.is_file()), default=0)


def run(body: Callable[[Path], None], imported: int) -> dict[str, object]:
    """What a fuzz raised, how many seconds it took, and how far memory grew above ``imported``."""
    forget_peak()
    begun, error = time.perf_counter(), None
    with tempfile.TemporaryDirectory() as folder:
        try:
            body(Path(folder))
        except Exception:
            error = traceback.format_exc()
        size = largest(Path(folder))
    return {
        "error": error,
        "seconds": time.perf_counter() - begun,
        "grown": resident("VmHWM") - imported,
        "largest": size,
    }


def main(out: Path) -> None:
    """Run all, and write what is known after each, so that an end of the process is told."""
    # What TensorFlow and Keras load on their first use belongs to the imported process.
    with tempfile.TemporaryDirectory() as folder:
        for path, _ in fuzz_graphs.write_seeds(Path(folder)).values():
            fuzz_graphs.opened(path, True)
        path = fuzz_configs.write_whole(Path(folder) / "whole.h5")
        with fuzz_configs.told_shortly():
            fuzz_configs.open_model(path)
    imported = resident("VmRSS")
    found: dict[str, object] = {}
    for name, body in {**BODIES, "hungry": hungry, "wrong": wrong}.items():
        found[name] = {"error": "the process ended in it"}
        out.write_text(json.dumps(found))
        found[name] = run(body, imported)
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
