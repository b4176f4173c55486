"""``open_model``: from a path, code or a live object to a Model."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from layerscope.errors import ModelError
from layerscope.models.code import parse_code
from layerscope.models.formats import detect
from layerscope.models.options import OpenOptions
from layerscope.models.protocol import Model


def open_model(
    model: Any,
    *,
    weights: str | Path | None = None,
    custom: str | Path | None = None,
    trust: bool = False,
    backend: str | None = None,
    theano_kernels: bool | None = None,
    signature: str | None = None,
) -> Model:
    """Open a trained network.

    model: a path to a model file, ``"FILE.py:name"`` for code of your own, a live
    ``keras.Model``, ``tf.compat.v1.Session`` or ``ConcreteFunction``, or what this function
    returned before. weights: a weights file for code
    or for an architecture alone. custom: a Python file with the classes that the model needs.
    trust: let code that is stored in the model file run. backend: ``"tensorflow"``,
    ``"jax"`` or ``"torch"``; None takes what is configured or installed. theano_kernels: for
    files of Keras 1 and 2, whether Theano wrote the kernels; None goes by what the file tells.
    signature: which one of a SavedModel's, ``"serving_default"`` unless given.

    Raises ModelError where it cannot be opened, UntrustedError where the file holds code,
    MissingExtraError where a package is needed. Nothing stored in a file runs without trust.
    """
    options = OpenOptions(
        weights=None if weights is None else Path(weights),
        custom=None if custom is None else Path(custom),
        trust=trust,
        backend=backend,
        theano_kernels=theano_kernels,
        signature=signature,
    )
    if isinstance(model, str | Path):
        return _from_path(str(model), options)
    # By its class: asking for the graph itself would trace it.
    if hasattr(type(model), "graph") and hasattr(model, "run") and hasattr(model, "source"):
        return cast(Model, model)
    if "keras" in sys.modules and isinstance(model, sys.modules["keras"].Model):
        from layerscope.models.keras.opening import wrap

        return wrap(model, options)
    if "tensorflow" in sys.modules:
        opened = _from_tensorflow(model)
        if opened is not None:
            return opened
    raise ModelError(
        f"Expected a path to a model or a keras.Model, but got {type(model).__name__}."
    )


def _from_tensorflow(model: Any) -> Model | None:
    """A live session or function as a Model, or None for anything else."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if not type(model).__module__.startswith("tensorflow."):
        return None
    from layerscope.models.tensorflow.live import wrap_function, wrap_session

    if "BaseSession" in kinds:
        return cast(Model, wrap_session(model))
    return cast(Model, wrap_function(model)) if "ConcreteFunction" in kinds else None


def _from_path(text: str, options: OpenOptions) -> Model:
    code = parse_code(text)
    if code is not None:
        from layerscope.models.keras.opening import open_code

        return open_code(*code, options)
    path = Path(text).expanduser()
    found = detect(path)
    opened = import_module(found.module).open_file(path, found, options)
    return cast(Model, opened)
