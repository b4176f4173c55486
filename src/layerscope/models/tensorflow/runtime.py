"""Bringing TensorFlow in: quietly, and with a remedy where it is not installed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from layerscope.errors import MissingExtraError
from layerscope.models.quiet import quiet_import


@lru_cache(maxsize=1)
def load_tensorflow() -> Any:
    """The module ``tensorflow``. Raises MissingExtraError where it is not installed."""
    try:
        with quiet_import():
            import tensorflow
    except ImportError as error:
        raise MissingExtraError(
            "TensorFlow is needed to open this model, but is not installed. "
            'Install it: pip install "layerscope[tensorflow]".'
        ) from error
    return tensorflow


def framework() -> str:
    """Name and version, for records."""
    return f"TensorFlow {load_tensorflow().__version__}"
