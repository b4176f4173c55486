"""The user's own code: ``FILE.py:name`` as a model, and ``--custom FILE.py`` for classes."""

from __future__ import annotations

import importlib.util
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from layerscope.errors import ModelError

_CODE = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")


def parse_code(text: str) -> tuple[Path, str] | None:
    """``FILE.py:name`` as its two parts, or None where the text is not of that form."""
    match = _CODE.fullmatch(text)
    return (Path(match["file"]), match["name"]) if match else None


def run_file(path: Path) -> ModuleType:
    """Run a Python file of the user's as a module, its folder on the import path meanwhile.

    Raises ModelError where there is no such file, or where it fails.
    """
    if not path.is_file():
        raise ModelError(f"There is no file {path}. Expected Python code.")
    spec = importlib.util.spec_from_file_location(f"_layerscope_code_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ModelError(f"{path} failed when it was run: {_told(error)}") from error
    finally:
        sys.path.remove(folder)
    return module


def model_from_code(path: Path, name: str) -> Any:
    """The object of that name in a file, or what it returns where it is a plain function."""
    module = run_file(path)
    if not hasattr(module, name):
        near = get_close_matches(name, [n for n in vars(module) if not n.startswith("_")], n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ModelError(f"{path} defines no {name!r}.{hint}")
    found = getattr(module, name)
    if callable(found) and (isinstance(found, type) or hasattr(found, "__code__")):
        try:
            found = found()
        except Exception as error:
            raise ModelError(
                f"{name}() in {path} failed: {_told(error)}. "
                "Expected a model, or a function without arguments that returns one."
            ) from error
    return found


def custom_objects(path: Path) -> dict[str, Any]:
    """The classes and functions that a file defines, by name."""
    module = run_file(path)
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }


def _told(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
