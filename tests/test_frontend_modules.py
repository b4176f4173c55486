"""The front end's modules: none imports itself by way of others."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "frontend" / "src"
_IMPORT = re.compile(r"^(?:import|export)[^;]*?from \"(\.[^\"]+)\";", re.MULTILINE)


def imports(path: Path) -> list[Path]:
    found = _IMPORT.findall(path.read_text(encoding="utf-8"))
    return [(path.parent / name).resolve() for name in found]


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {path.resolve(): imports(path) for path in SOURCE.rglob("*.js")}
    assert len(graph) > 40
    assert sum(map(len, graph.values())) > 100
    done: set[Path] = set()

    def walk(path: Path, way: list[Path]) -> None:
        told = " → ".join(one.name for one in [*way, path])
        assert path not in way, f"a circle of imports: {told}"
        if path in done:
            return
        for one in graph[path]:
            walk(one, [*way, path])
        done.add(path)

    for path in graph:
        walk(path, [])
