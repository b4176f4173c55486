"""The house's order: who may import whom, and what a plain import must not bring."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import layerscope

ROOT = Path(layerscope.__file__).parent

# A module may import from its own room and from lower floors.
FLOORS = (
    {"errors"},
    {"axes", "hints"},
    {"operations", "statistics", "sniff"},
    {"graph"},
    {"activation", "layout"},
    {"selection", "inputs", "models", "explain", "render", "outputs"},
    {"extract", "manifest", "classes"},
    {"saving"},
    {"training"},
    {"faces"},
    {"__main__"},
)
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
# Activation.figure() draws itself, and a Record shows itself: the ways up, taken when called.
STAIRS = {("activation", "render"), ("training", "faces")}
FRAMEWORKS = {
    "models/keras": {"keras", "tensorflow", "jax", "torch", "h5py"},
    "models/keras_legacy": {"keras", "h5py"},
    "models/tensorflow": {"tensorflow"},
    "training": {"keras"},
}
HEAVY = (
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "h5py",
    "onnx",
    "ray",
    "matplotlib",
    "scipy",
    "zarr",
)


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in modules()} - {"demo"} <= set(FLOOR)


def test_imports_go_down_only() -> None:
    wrong = []
    for path in modules():
        own = room(path)
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "layerscope" or len(parts) < 2 or parts[1] == own:
                continue
            if FLOOR[parts[1]] >= FLOOR[own] and (own, parts[1]) not in STAIRS:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_frameworks_are_imported_in_their_adapter_only() -> None:
    every = set().union(*FRAMEWORKS.values())
    wrong = []
    for path in modules():
        folder = path.relative_to(ROOT).as_posix()
        allowed = set().union(*(v for k, v in FRAMEWORKS.items() if folder.startswith(k + "/")))
        wrong += [
            f"{folder} imports {name}"
            for name in imported(path)
            if name.split(".")[0] in every - allowed
        ]
    assert wrong == []


def loaded_after(code: str) -> set[str]:
    program = f"{code}\nimport sys; print(' '.join(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


def test_a_plain_import_is_light() -> None:
    assert loaded_after("import layerscope") & {*HEAVY, "numpy", "PIL"} == set()


def test_help_is_light() -> None:
    code = (
        "import sys\nsys.argv = ['layerscope', '--help']\n"
        "from layerscope.faces.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert loaded_after(code) & set(HEAVY) == set()


def test_every_public_name_is_there() -> None:
    for name in layerscope.__all__:
        assert getattr(layerscope, name).__doc__, name
    assert set(layerscope.__all__) <= set(dir(layerscope))
