"""Class names, and what a classifier's last layer says with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from layerscope.activation import Activation
from layerscope.errors import InputError

_IMAGENET = "models/imagenet_class_index.json"


def read_classes(path: Path) -> tuple[str, ...]:
    """Class names from a file: one a line, a JSON list, or Keras's ``{"0": [id, name]}``.

    Raises InputError where it cannot be read or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(f"The class names in {path} cannot be read: {reason}.") from None
    if text.lstrip()[:1] not in ("{", "["):
        names = tuple(line.strip() for line in text.splitlines() if line.strip())
    else:
        names = _from_json(path, text)
    if not names:
        raise InputError(f"{path} holds no class names. Expected one a line.")
    return names


def imagenet_classes() -> tuple[str, ...] | None:
    """ImageNet's names, where Keras has already put its class index on this machine."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return read_classes(home / _IMAGENET)
    except InputError:
        return None


def predictions(
    activation: Activation, classes: tuple[str, ...] | None, top: int = 5
) -> list[list[tuple[str, float]]]:
    """For every sample, the largest entries of a vector with their names, largest first.

    A single output with two class names is the probability of the second. Where the vector
    does not fit the names, entries are named by number, and a single one by its node. Empty
    for anything but a vector.
    """
    if activation.axes.kind != "vector":
        return []
    values = activation.planes().astype(float)
    if values.shape[1] == 1 and classes is not None and len(classes) == 2:
        pairs = ([(classes[1], float(p)), (classes[0], 1.0 - float(p))] for p in values[:, 0])
        return [sorted(pair, key=lambda entry: -entry[1]) for pair in pairs]
    if classes is not None and len(classes) == values.shape[1]:
        names = classes
    elif values.shape[1] == 1:
        names = (activation.name,)
    else:
        names = tuple(str(i) for i in range(values.shape[1]))
    order = (-values).argsort(axis=1, kind="stable")[:, :top]
    return [
        [(names[i], float(row[i])) for i in best] for row, best in zip(values, order, strict=True)
    ]


def _from_json(path: Path, text: str) -> tuple[str, ...]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(i)] for i in range(len(found))]
        return tuple(str(item[-1] if isinstance(item, list) else item) for item in found)
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise InputError(
            f"{path} is no list of class names. Expected one name a line, a JSON list, or "
            'Keras\'s {"0": [id, name], …}.'
        ) from None
