"""Terminal cells: ``%%console`` runs the lines after a ``$`` and shows what they print."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

_MAGIC = re.compile(r"%%console( --fails)?\n")

# Run by every kernel as it starts. A command that fails stops the build, unless it was to.
STARTUP = """
import subprocess
from IPython.core.magic import register_cell_magic

@register_cell_magic
def console(line, cell):
    for command in cell.replace("\\\\\\n", " ").splitlines():
        done = subprocess.run(
            command.removeprefix("$ "), shell=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT if line else subprocess.PIPE,
        )
        if (done.returncode != 0) != (line == "--fails"):
            raise RuntimeError(f"{command}: status {done.returncode}\\n{done.stderr}")
        print(HOME.sub("…", done.stdout), end="")

import re, layerscope, pathlib
HOME = re.compile(re.escape(str(pathlib.Path(layerscope.__file__).parent.parent)))
del re, layerscope, pathlib
"""


class TerminalCells(SphinxTransform):
    """Shows a ``%%console`` cell without its first line, as a terminal session."""

    default_priority = 400

    def apply(self) -> None:
        for block in self.document.findall(nodes.literal_block):
            text = block.astext()
            magic = _MAGIC.match(text)
            if magic:
                shown = text[magic.end() :]
                block.rawsource = shown
                block.children = [nodes.Text(shown)]
                block["language"] = "console"


def install(folder: Path) -> None:
    """Put the start-up code where kernels look for it: in an IPython folder of our own."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    (startup / "console.py").write_text(STARTUP, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(TerminalCells)
    return {"parallel_read_safe": True}
