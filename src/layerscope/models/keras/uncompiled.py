"""Networks without what they were compiled with: no loss, metric or optimizer is ever made."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def without_compilation(config: Any) -> Any:
    """A model's config without the training of any model in it, nested ones included.

    >>> without_compilation({"class_name": "A", "config": {}, "compile_config": {"loss": "x"}})
    {'class_name': 'A', 'config': {}}
    """
    if isinstance(config, list):
        return [without_compilation(value) for value in config]
    if not isinstance(config, dict):
        return config
    compiled = "class_name" in config and "config" in config
    return {
        key: without_compilation(value)
        for key, value in config.items()
        if not (compiled and key == "compile_config")
    }


@contextmanager
def uncompiled() -> Iterator[None]:
    """Keras without the compiling of nested models, which ``compile=False`` does not reach."""
    from keras.src.trainers.trainer import Trainer

    original, thread = Trainer.compile_from_config, threading.get_ident()

    def skipped(self: Any, config: Any) -> None:
        if threading.get_ident() != thread:
            original(self, config)

    Trainer.compile_from_config = skipped
    try:
        yield
    finally:
        Trainer.compile_from_config = original
