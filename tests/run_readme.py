"""Run what a Markdown page shows, and compare what it prints with what the page says.

    python tests/run_readme.py README.md

Every ``$`` line of a console or bash block and every python block is run in one temporary
folder, in the order of the page. A line of output that the page shows must be in the real
output, after the line before it; ``…`` stands for any text, alone on a line for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

_BLOCK = re.compile(r"^```(console|bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# They change the environment or need the repository: continuous integration runs them.
_ELSEWHERE = ("pip", "git", "make")
_PATIENCE = 600


@dataclass(frozen=True)
class Step:
    """A command or a piece of Python from a page, and the lines that it is said to print."""

    code: str
    python: bool = False
    shown: tuple[str, ...] = ()

    @property
    def elsewhere(self) -> bool:
        """Whether it is not run here."""
        return not self.python and shlex.split(self.code)[0] in _ELSEWHERE

    def run(self, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run it; stderr comes with stdout."""
        command = [sys.executable, "-c", self.code] if self.python else ["bash", "-c", self.code]
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            text=True,
            encoding="utf-8",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )


def steps(page: str) -> Iterator[Step]:
    """What is to be run, in the order of the page."""
    for language, body in _BLOCK.findall(page):
        if language == "python":
            yield Step(body, python=True)
            continue
        if not body.startswith("$ "):
            raise SystemExit(f"a {language} block must begin with a '$ ' line:\n{body}")
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.replace("\\\n", " ").partition("\n")
            yield Step(command, shown=tuple(output.splitlines()))


def missing(shown: Sequence[str], real: str) -> str | None:
    """The first line of ``shown`` that the real output lacks, or None."""
    lines = [line.rstrip() for line in real.splitlines()]
    place = 0
    for line in shown:
        if line.strip() in ("", "…"):
            continue
        pattern = ".*".join(map(re.escape, line.rstrip().split("…")))
        found = (i for i in range(place, len(lines)) if re.fullmatch(pattern, lines[i]))
        at = next(found, None)
        if at is None:
            return line
        place = at + 1
    return None


def check(page: Path, folder: Path) -> int:
    """Run a page's steps; returns how many failed."""
    beside = str(Path(sys.executable).parent)
    path = f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "PYTHONUTF8": "1"}
    if shutil.which("layerscope", path=path) is None:
        raise SystemExit("there is no command layerscope: install the package first")
    failed = 0
    for step in steps(page.read_text(encoding="utf-8")):
        name = "python block" if step.python else f"$ {step.code}"
        if step.elsewhere:
            print(f"skipped  {name} (run by .ci/run)")
            continue
        done = step.run(folder, environment)
        line = missing(step.shown, done.stdout)
        if done.returncode == 0 and line is None:
            print(f"ok       {name}")
            continue
        failed += 1
        why = f"status {done.returncode}" if done.returncode else f"not printed: {line}"
        print(f"FAILED   {name}\n{why}\nThe output was:\n{done.stdout}")
    return failed


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        raise SystemExit("usage: python tests/run_readme.py PAGE.md")
    with tempfile.TemporaryDirectory() as scratch:
        for item in (files("layerscope") / "demo").iterdir():
            if item.name.endswith((".keras", ".jpg")):
                Path(scratch, item.name).write_bytes(item.read_bytes())
        return 1 if check(Path(arguments[0]), Path(scratch)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
