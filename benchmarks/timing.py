"""Interleaved timing: what is compared is measured in turn, and only ratios are quoted."""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """Ours against a baseline: the ratio of each pair of runs. seconds: medians of both."""

    low: float
    median: float
    high: float
    ours: float
    baseline: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def in_turn(
    ours: Callable[[], object], baseline: Callable[[], object], runs: int, warmup: int = 1
) -> Ratio:
    """Call both in turn, ``runs`` times each after ``warmup`` uncounted rounds."""
    pairs = []
    for round_ in range(warmup + runs):
        seconds = []
        for call in (ours, baseline):
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        if round_ >= warmup:
            pairs.append(seconds)
    ratios = [a / b for a, b in pairs]
    return Ratio(
        min(ratios),
        statistics.median(ratios),
        max(ratios),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def command(words: Sequence[str], env: Mapping[str, str]) -> Callable[[], None]:
    """A whole process as something to time; its output is thrown away, its failure is not."""

    def run() -> None:
        done = subprocess.run(words, env=dict(env), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")

    return run


def python(code: str) -> list[str]:
    """The command that runs a piece of code in a fresh interpreter."""
    return [sys.executable, "-c", code]


def load(before: float) -> str:
    """How busy the machine was. before: its load average over a minute at the beginning."""
    return (
        f"Load average of the machine over a minute: {before:.1f} before this was measured, "
        f"{os.getloadavg()[0]:.1f} after."
    )


def forget_peak() -> None:
    """Let the peak of this process's memory be counted from now on (Linux alone).

    What was freed is given back first, so that it cannot serve unseen.
    """
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The most memory, in bytes, that this process has held since ``forget_peak``."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
