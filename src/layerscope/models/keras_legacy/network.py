"""A Keras 2 config as a network of layers and calls, each layer rewritten for Keras 3."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from layerscope.errors import ModelError
from layerscope.models.keras_legacy.calls import Call, References, first_calls
from layerscope.models.keras_legacy.casts import within_backend
from layerscope.models.keras_legacy.classes import FORMATTED, WRAPPERS
from layerscope.models.keras_legacy.config import (
    Config,
    as_config,
    as_layers,
    is_model,
    text_of,
)
from layerscope.models.keras_legacy.functions import FUNCTION_LAYERS, rewrite_function
from layerscope.models.keras_legacy.losses import without_losses
from layerscope.models.keras_legacy.notes import notes_of
from layerscope.models.keras_legacy.op_layers import rewrite_operation
from layerscope.models.keras_legacy.rewrite import policy, rewrite_layer

_DEEPEST = 40


@dataclass(frozen=True)
class Part:
    """A layer.

    name: in the file. now: in the Keras 3 model. kind: its class in the file. made: the Keras 3
    object, or a wrapper's options. network: the layers of a nested model. wrapped: the layers
    that a wrapper holds. function: for a TensorFlow function, its name.
    """

    name: str
    now: str
    kind: str
    config: Config
    made: Mapping[str, Any] = field(default_factory=dict)
    network: Network | None = None
    wrapped: tuple[Part, ...] = ()
    calls: tuple[Call, ...] = ()
    function: str | None = None

    @property
    def trainable(self) -> bool:
        """Whether the file lists the layer's weights among the trainable ones."""
        return self.config.get("trainable", True) is not False


@dataclass(frozen=True)
class Network:
    """A model's layers and calls. sequential: each layer is called on the one before."""

    name: str
    parts: tuple[Part, ...]
    sequential: bool
    inputs: Any = None
    outputs: Any = None


@dataclass(frozen=True)
class Reader:
    """Reads a Keras 2 config.

    own: names that the user supplies. trust: whether code in the file may run. notes: where
    decisions are recorded. default_format: of layers that state none. written: the version of
    Keras in the file, or empty.
    """

    own: Collection[str]
    trust: bool
    notes: list[str]
    default_format: str | None = None
    written: str = ""

    def network(self, model: Config, depth: int = 0) -> Network:
        """A model's config as a Network. Raises ModelError or UntrustedError."""
        if depth > _DEEPEST:
            raise ModelError(f"Models are nested more than {_DEEPEST} deep. No Keras model is.")
        config = model.get("config")
        name = config.get("name") if isinstance(config, dict) else None
        own = str(name or model.get("name") or "model")
        if model.get("class_name") == "Sequential":
            return self._sequential(own, config, depth)
        config = as_config(config)
        if "layers" not in config or "input_layers" not in config:
            raise ModelError(
                f"The model {own!r:.60} is of a class of its own, whose layers are not in the "
                "file. Build it in code and open it as FILE.py:name --weights FILE."
            )
        return self._functional(own, config, depth)

    def _sequential(self, own: str, config: Any, depth: int) -> Network:
        layers = as_layers(config)
        names = self._names(layers)
        parts = []
        if layers and not _is_input(layers[0]):
            given = _input_of(layers[0]) or _built(config)
            if given is not None:
                first = str(_name(layers[0], 0))
                name = _unused(f"{first}_input", set(names))
                made = {"name": name, "batch_input_shape": given[0], "dtype": given[1]}
                parts.append(self._input(made, name, name))
        parts += [
            self._part(layer, str(_name(layer, i)), name, (), depth)
            for i, (layer, name) in enumerate(zip(layers, names, strict=True))
        ]
        return Network(own, tuple(parts), True)

    def _functional(self, own: str, config: dict[str, Any], depth: int) -> Network:
        layers = without_losses(as_layers(config), config, self.notes)
        given = [str(_name(layer, i)) for i, layer in enumerate(layers)]
        offsets = first_calls(layers, given, config)
        if len(set(given)) != len(given):
            double = next(name for name in given if given.count(name) > 1)
            raise ModelError(f"Two layers are called {double!r:.60}. Expected a name for each.")
        refs = References(frozenset(given), offsets)
        parts = [
            self._part(
                layer,
                name,
                now,
                tuple(refs.call(node) for node in layer.get("inbound_nodes") or ()),
                depth,
            )
            for layer, name, now in zip(layers, given, self._names(layers), strict=True)
        ]
        inputs, outputs = (refs.ends(config.get(key)) for key in ("input_layers", "output_layers"))
        return Network(own, tuple(parts), False, inputs, outputs)

    def _part(
        self, layer: Config, name: str, now: str, calls: tuple[Call, ...], depth: int
    ) -> Part:
        kind = text_of(layer.get("class_name"))
        if is_model(layer):
            network = self.network(layer, depth + 1)
            return Part(name, now, kind, {}, network=network, calls=calls)
        config = as_config(layer.get("config"))
        if kind == "InputLayer":
            return self._input(config, name, now)
        function: str | None = None
        if kind in FUNCTION_LAYERS:
            function = rewrite_function(name, config)
        elif kind == "TensorFlowOpLayer":
            function, calls = rewrite_operation(name, config, calls)
        if function is not None:
            if function == "cast":
                calls = tuple(within_backend(name, calls, self.notes))
            return Part(name, now, kind, config, calls=calls, function=function)
        if kind in WRAPPERS and kind not in self.own:
            return self._wrapper(layer, name, now, calls, depth)
        default = self.default_format
        if kind in FORMATTED and config.get("data_format") is None and default is not None:
            self.notes.append(f"{name}: data format {default}, as in the network's other layers")
        self.notes.extend(f"{name}: {note}" for note in notes_of(kind, config, self.written))
        made = rewrite_layer(layer, now, default, self.own, self.trust)
        return Part(name, now, kind, config, made, calls=calls)

    def _wrapper(
        self, layer: Config, name: str, now: str, calls: tuple[Call, ...], depth: int
    ) -> Part:
        kind, config = layer["class_name"], as_config(layer["config"])
        wrapped = []
        for key in ("layer", "backward_layer"):
            if config.get(key) is not None:
                inner = as_config(config[key])
                own = str(_name(inner, 0))
                wrapped.append(self._part(inner, own, own.replace("/", "_"), (), depth + 1))
        if not wrapped:
            raise ModelError(f"Layer {name!r:.60} ({kind}) holds no layer. Expected one.")
        made: dict[str, Any] = {"name": now, "dtype": policy(config.get("dtype"))}
        if kind == "Bidirectional":
            made["merge_mode"] = config.get("merge_mode", "concat")
        if kind == "SpectralNormalization":
            made["power_iterations"] = config.get("power_iterations", 1)
        return Part(name, now, kind, config, made, wrapped=tuple(wrapped), calls=calls)

    def _input(self, config: Config, name: str, now: str) -> Part:
        shape = config.get("batch_input_shape", config.get("batch_shape"))
        if not isinstance(shape, list) or not all(
            size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)
            for size in shape[1:]
        ):
            raise ModelError(
                f"The input {name!r:.60} has the shape {shape!r:.60}. Expected sizes, or null for "
                "those that are free."
            )
        if config.get("ragged") is True or config.get("sparse") is True:
            raise ModelError(
                f"The input {name!r:.60} is ragged or sparse, which Keras 3 does not compute. "
                "Expected a dense input."
            )
        dtype = policy(config.get("dtype") or config.get("input_dtype")) or "float32"
        made = {"name": now, "batch_shape": (None, *shape[1:]), "dtype": dtype}
        return Part(name, now, "InputLayer", config, made)

    def _names(self, layers: list[dict[str, Any]]) -> list[str]:
        """Names that Keras 3 takes: those in the file, but for ``/``, each once."""
        found: list[str] = []
        used = {str(_name(layer, i)) for i, layer in enumerate(layers)}
        for i, layer in enumerate(layers):
            name = str(_name(layer, i))
            now = name
            if "/" in name or not name:
                now = _unused(name.replace("/", "_") or "layer", used)
                self.notes.append(f"{name}: called {now} here, since names of nodes hold no /")
            elif now in found:
                now = _unused(name, used)
            used.add(now)
            found.append(now)
        return found


def _name(layer: Config, index: int) -> Any:
    config = layer.get("config")
    own = config.get("name") if isinstance(config, dict) else None
    return layer.get("name") or own or f"{str(layer.get('class_name')).lower()}_{index + 1}"


def _unused(name: str, used: Collection[str]) -> str:
    found, number = name, 0
    while found in used:
        number += 1
        found = f"{name}_{number}"
    return found


def _is_input(layer: Config) -> bool:
    return layer.get("class_name") == "InputLayer"


def _input_of(layer: Config) -> tuple[Any, Any] | None:
    """The input's shape and dtype as the first layer of a Sequential model states them."""
    config = layer.get("config")
    if is_model(layer):
        inner = as_layers(config)
        return (_input_of(inner[0]) or _built(config)) if inner else None
    if not isinstance(config, dict):
        return None
    if isinstance(config.get("batch_input_shape"), list):
        return config["batch_input_shape"], config.get("input_dtype") or config.get("dtype")
    if "layer" in config and isinstance(config["layer"], dict):
        return _input_of(config["layer"])
    return None


def _built(config: Any) -> tuple[Any, Any] | None:
    shape = config.get("build_input_shape") if isinstance(config, dict) else None
    return (shape, None) if isinstance(shape, list) else None
