"""A record's description: which layers of which pictures it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from layerscope.errors import InputError
from layerscope.graph import Node
from layerscope.operations import Convolution
from layerscope.training import storage
from layerscope.training.nodes import node_from_json, proper

_LARGEST = 2**26
_MOST_NODES, _MOST_PICTURES = 20_000, 1024
_LONGEST, _MOST_STEPS, _MOST_SIDES = 4000, 100, 16


@dataclass(frozen=True)
class Description:
    """What a record says of itself.

    nodes: the layers. labels: a short name of each picture. inputs: how each input of the
    network was made, picture by picture, as a manifest has it. previews: which pictures are
    held as the network saw them. kernels: the layers whose kernels are recorded. file,
    framework: of the network. ended: whether no more epochs are to come.
    """

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    inputs: tuple[Mapping[str, Any], ...]
    previews: tuple[bool, ...]
    kernels: tuple[str, ...]
    file: str | None
    framework: str | None
    ended: bool

    @classmethod
    def read(cls, folder: Path) -> Description:
        """A record's own words. Raises InputError where there is none that is understood."""
        found = read_about(folder)
        try:
            return cls._parse(found)
        except (KeyError, TypeError, ValueError, InputError) as error:
            raise _damaged(folder / storage.ABOUT, error) from error

    @classmethod
    def _parse(cls, found: Mapping[str, Any]) -> Description:
        nodes = tuple(map(node_from_json, _list(found["nodes"], _MOST_NODES)))
        names = {node.name for node in nodes}
        convolutions = {node.name for node in nodes if isinstance(node.operation, Convolution)}
        if not nodes or len(names) < len(nodes):
            raise ValueError("expected layers, each with a name of its own")
        labels = tuple(map(_text, _list(found["labels"], _MOST_PICTURES)))
        inputs = tuple(map(_input, _list(found["inputs"], _MOST_PICTURES * 16)))
        previews = tuple(map(bool, _list(found["previews"], _MOST_PICTURES)))
        if not labels or len(previews) != len(labels) or len(inputs) % len(labels):
            raise ValueError("expected as many names and previews as there are pictures")
        kernels = map(_text, _list(found["kernels"], _MOST_NODES))
        model = found["model"]
        if not isinstance(model, Mapping):
            raise ValueError("expected what the model is")
        file, framework = (model.get(key) for key in ("file", "framework"))
        return cls(
            nodes, labels, inputs, previews,
            tuple(name for name in kernels if name in convolutions),
            None if file is None else _text(file),
            None if framework is None else _text(framework),
            bool(found.get("ended")),
        )  # fmt: skip


def read_about(folder: Path) -> dict[str, Any]:
    """A record's description as it lies in its file. Raises InputError as ``read`` does."""
    path = folder / storage.ABOUT
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST:,} bytes")
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
        if not isinstance(found, dict) or not isinstance(found["nodes"], list):
            raise ValueError("it has no list of nodes")
        version = found["record"]
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{folder} is no record of feature maps: it has no {storage.ABOUT}. Expected a "
            "folder that FeatureMapRecorder or train --watch wrote"
        ) from None
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise _damaged(path, error) from error
    if version != storage.VERSION:
        raise InputError(
            f"{path} is of version {str(version)[:40]} of the format, and this layerscope reads "
            f"{storage.VERSION}: upgrade layerscope"
        )
    return found


def _damaged(path: Path, error: Exception) -> InputError:
    words = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return InputError(f"{path} is damaged: {words[:300]}")


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _list(found: Any, most: int) -> list[Any]:
    if not isinstance(found, list) or len(found) > most:
        raise ValueError(f"expected a list of at most {most:,}")
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str) or len(found) > _LONGEST:
        raise ValueError(f"expected a text of at most {_LONGEST:,} characters")
    return proper(found)


def _input(found: Any) -> Mapping[str, Any]:
    """How an input was made: what a manifest tells of it, and nothing else."""
    if not isinstance(found, Mapping):
        raise ValueError("expected how each input was made")
    original = found.get("original")
    return {
        "name": _text(found["name"]),
        "file": None if found["file"] is None else _text(found["file"]),
        "shape": list(map(_length, _list(found["shape"], _MOST_SIDES))),
        "axes": _text(found["axes"]),
        "steps": list(map(_text, _list(found["steps"], _MOST_STEPS))),
        "original": None if original is None else list(map(_length, _list(original, 2))),
    }


def _length(found: Any) -> int:
    if type(found) not in (int, float) or not isfinite(found) or found < 0:
        raise ValueError("expected a length")
    return int(found)
