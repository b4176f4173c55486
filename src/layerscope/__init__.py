"""layerscope: see what every layer of a trained network makes of a picture."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerscope.activation import Activation, Activations
    from layerscope.errors import LayerscopeError
    from layerscope.explain.checkup import Finding
    from layerscope.explain.contributions import Explanation
    from layerscope.extract import extract
    from layerscope.faces.checking import check
    from layerscope.faces.explaining import explain, receptive_field
    from layerscope.faces.view import view
    from layerscope.graph import Graph, Node
    from layerscope.inputs import Preprocessing
    from layerscope.models import open_model
    from layerscope.render import Figure, read_figure
    from layerscope.training.record import Record
    from layerscope.training.recorder import FeatureMapRecorder

_PUBLIC = {
    "Activation": "layerscope.activation",
    "Activations": "layerscope.activation",
    "Explanation": "layerscope.explain.contributions",
    "FeatureMapRecorder": "layerscope.training.recorder",
    "Figure": "layerscope.render",
    "Finding": "layerscope.explain.checkup",
    "Graph": "layerscope.graph",
    "LayerscopeError": "layerscope.errors",
    "Node": "layerscope.graph",
    "Preprocessing": "layerscope.inputs",
    "check": "layerscope.faces.checking",
    "Record": "layerscope.training.record",
    "explain": "layerscope.faces.explaining",
    "extract": "layerscope.extract",
    "open_model": "layerscope.models",
    "read_figure": "layerscope.render",
    "receptive_field": "layerscope.faces.explaining",
    "view": "layerscope.faces.view",
}

__all__ = [
    "Activation",
    "Activations",
    "Explanation",
    "FeatureMapRecorder",
    "Figure",
    "Finding",
    "Graph",
    "LayerscopeError",
    "Node",
    "Preprocessing",
    "Record",
    "check",
    "explain",
    "extract",
    "open_model",
    "read_figure",
    "receptive_field",
    "view",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from layerscope.manifest import layerscope_version

        return layerscope_version()
    if name not in _PUBLIC:
        raise AttributeError(f"module 'layerscope' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, "__version__"})


class _Package(ModuleType):
    """Keeps a submodule from hiding the public function of its name, such as ``extract``."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
