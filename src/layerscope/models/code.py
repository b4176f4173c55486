"""The user's own code: ``FILE.py:name`` as a model, and ``--custom FILE.py`` for classes."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb
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
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{path} failed when it was run: {_told(error, path)}. Mend the code and try again."
        ) from error
    finally:
        sys.path.remove(folder)
    return module


def model_from_code(path: Path, name: str) -> Any:
    """The object of that name in a file, or what it returns where it is a plain function."""
    module = run_file(path)
    if not hasattr(module, name):
        near = get_close_matches(name, [n for n in vars(module) if not n.startswith("_")], n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give the name of a model in it."
        raise ModelError(f"{path} defines no {name!r}. {hint}")
    found = getattr(module, name)
    if callable(found) and (isinstance(found, type) or hasattr(found, "__code__")):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ModelError(
                f"{name}() in {path} failed: {_told(error, path)}. "
                "Expected a model, or a function without arguments that returns one."
            ) from error
    return found


def custom_objects(path: Path) -> dict[str, Any]:
    """The classes and functions that a file defines, and the layers it imports, by name."""
    module = run_file(path)
    return {name: value for name, value in vars(module).items() if _is_own(value, module)}


def _is_own(value: Any, module: ModuleType) -> bool:
    origin = str(getattr(value, "__module__", ""))
    imported = isinstance(value, type) and hasattr(value, "from_config")
    return origin == module.__name__ or (imported and origin.split(".")[0] != "keras")


def _told(error: BaseException, path: Path) -> str:
    lines = [
        frame.lineno
        for frame in extract_tb(error.__traceback__)
        if frame.filename == os.path.abspath(path)
    ]
    where = f" (line {lines[-1]})" if lines else ""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + text[0] if text else ''}{where}"
