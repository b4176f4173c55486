"""MATLAB files, read by SciPy in a process of their own.

SciPy 1.17 can crash the interpreter on a damaged file of the format 5; a crash of the child
is an error here like any other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from layerscope.errors import InputError, MissingExtraError
from layerscope.inputs.record import Array

_NO_NUMBERS = ("cell", "struct", "object", "char", "function", "opaque", "sparse", "unknown")
_SECONDS = 120
_CHILD = """
import json, sys
import numpy
import scipy.io
path, out, key = sys.argv[1:]
if key:
    numpy.save(out, scipy.io.loadmat(path, variable_names=[key])[key], allow_pickle=False)
else:
    print(json.dumps([[name, kind] for name, _, kind in scipy.io.whosmat(path)]))
"""


def names_in(path: Path) -> tuple[str, ...]:
    """The names of the variables in a file."""
    return tuple(_kinds(path))


def read(path: Path, key: str) -> Array:
    """One variable's numbers.

    Raises InputError where it is no array of numbers, or the file is damaged.
    """
    kind = _kinds(path)[key]
    if kind in _NO_NUMBERS:
        remedy = "full(x)" if kind == "sparse" else "a plain matrix"
        raise InputError(f"{path}:{key} is a MATLAB {kind}, not an array of numbers: save {remedy}")
    with tempfile.TemporaryDirectory(prefix="layerscope-") as folder:
        out = Path(folder, "values.npy")
        _child(path, str(out), key)
        values: Array = np.load(out, allow_pickle=False)
    return values


def _kinds(path: Path) -> dict[str, str]:
    status = path.stat()
    return dict(_listed(path, status.st_mtime_ns, status.st_size))


@lru_cache(maxsize=256)
def _listed(path: Path, changed: int, size: int) -> tuple[tuple[str, str], ...]:
    return tuple((name, kind) for name, kind in json.loads(_child(path, "", "")))


def _child(path: Path, out: str, key: str) -> str:
    if _no_scipy():
        raise MissingExtraError(
            'MATLAB files need SciPy, which is not installed: pip install "layerscope[mat]"'
        )
    command = [sys.executable, "-c", _CHILD, str(path.resolve()), out, key]
    try:
        done = subprocess.run(  # noqa: S603 (our own program, its arguments no code)
            command, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"not read within {_SECONDS} seconds") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise ValueError(said[-1] if said and done.returncode > 0 else "SciPy crashed on it")
    return done.stdout


def _no_scipy() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("scipy") is None
    except (ImportError, ValueError):
        return True
