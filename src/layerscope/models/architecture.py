"""Keras architectures in YAML: plain data only, with a bound on how far aliases may grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerscope.errors import MissingExtraError, ModelError

_LARGEST = 2 * 2**20
_MOST_VALUES = 500_000
_DEEPEST = 200
# Python 2 and 3 wrote these for plain values; every other tag of Python's is refused.
_AS_LIST = ("tag:yaml.org,2002:python/tuple",)
_AS_TEXT = ("tag:yaml.org,2002:python/unicode", "tag:yaml.org,2002:python/str")


def read_yaml(path: Path, text: bytes) -> Any:
    """The values in a YAML text. Raises ModelError where it holds more than plain data."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(
            f"{path} is a YAML architecture, which needs PyYAML: pip install pyyaml"
        ) from None
    if len(text) > _LARGEST:
        raise ModelError(f"{path} is a YAML text of {len(text):,} bytes. Expected 2 MB at most.")

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    for tag in _AS_LIST:
        Loader.add_constructor(tag, lambda loader, node: loader.construct_sequence(node, deep=True))
    for tag in _AS_TEXT:
        Loader.add_constructor(tag, lambda loader, node: loader.construct_scalar(node))
    try:
        found = yaml.load(text, Loader=Loader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path} cannot be read as plain YAML ({str(error).splitlines()[0][:100]}). "
            "Expected the text that to_yaml() gave."
        ) from None
    return _Copy(path).of(found, 0)


class _Copy:
    """Values without shared parts, counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = _MOST_VALUES

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise ModelError(
                f"{self._path} holds values without end. No Keras architecture looks like this."
            )
        if isinstance(value, dict):
            return {str(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        return value
