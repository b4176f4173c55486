"""Files of Keras 1 and 2 for tests, and what the loaders of their time compute from them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tf_keras

from layerscope.errors import ModelError
from layerscope.models import Model, open_model
from which_files import seen

Array = NDArray[Any]
Arrays = dict[str, Array]


def random_weights(model: Any, seed: int = 0) -> Any:
    """Give every weight of a tf_keras model a value of its own; variances stay positive."""
    random = np.random.default_rng(seed)
    values = []
    for weight in model.weights:
        value = random.normal(size=tuple(weight.shape)) * 0.3
        if "variance" in weight.name:
            value = np.abs(value) + 0.5
        values.append(value.astype(weight.dtype.as_numpy_dtype))
    model.set_weights(values)
    return model


def written(model: Any, path: Path) -> Path:
    """The model saved by tf_keras as .h5 or .keras."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return path


@contextmanager
def computed(on_jax: bool) -> Iterator[None]:
    """On JAX, where Keras itself does not compute a layer, one clear error is expected."""
    if on_jax or keras.backend.backend() != "jax":
        yield
        return
    with pytest.raises(ModelError, match="cannot be computed"):
        yield


def feed(shape: Sequence[int | None], dtype: str = "float32", seed: int = 1) -> Array:
    """Two samples of random values; whole numbers from 0 to 9 where the dtype is of these."""
    random = np.random.default_rng(seed)
    sizes = (2, *(8 if size is None else size for size in shape[1:]))
    if dtype.startswith("int"):
        return random.integers(0, 10, sizes).astype(dtype)
    return random.normal(size=sizes).astype(dtype)


def tf_keras_nodes(model: Any, arrays: Sequence[Array], prefix: str = "") -> Arrays:
    """What tf_keras computes: the outputs of every call of every layer, nested ones included."""
    sources, targets, nested = [], [], []
    inputs = list(model.inputs)
    kept = model._network_nodes
    for layer in model.layers:
        numbers = [i for i in range(len(layer.inbound_nodes)) if f"{layer.name}_ib-{i}" in kept]
        if type(layer).__name__ == "InputLayer":
            continue
        for count, number in enumerate(numbers):
            name = f"{prefix}{layer.name}" + (f"@{count}" if count else "")
            outputs = layer.get_output_at(number)
            for i, output in enumerate(outputs if isinstance(outputs, list) else [outputs]):
                sources.append(name + (f"[{i}]" if i else ""))
                targets.append(output)
            if isinstance(layer, tf_keras.Model):
                given = layer.get_input_at(number)
                nested.append((name, layer, given if isinstance(given, list) else [given]))
    every = {str(i): x for i, x in enumerate(targets)}
    every |= {f"{name} {i}": x for name, _, given in nested for i, x in enumerate(given)}
    run = tf_keras.Model(inputs, every)
    values = run([*arrays] if len(arrays) > 1 else arrays[0], training=False)
    found = {name: values[str(i)].numpy() for i, name in enumerate(sources)}
    for name, layer, given in nested:
        fed = [values[f"{name} {i}"].numpy() for i in range(len(given))]
        found |= tf_keras_nodes(layer, fed, f"{name}/")
    return found


def layerscope_nodes(model: Model, arrays: Sequence[Array]) -> Arrays:
    """What layerscope computes: the outputs of every node."""
    names = [node.name for node in model.graph.inputs]
    feeds = dict(zip(names, arrays, strict=True))
    return model.run(feeds, [node.name for node in model.graph])


def assert_same(found: Arrays, expected: Arrays, noise: float = 1e-5) -> None:
    """Every node there is, equal but for float noise (a share of the node's largest value)."""
    assert set(found) >= set(expected), set(expected) - set(found)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        scale = max(1.0, float(np.abs(value).max(initial=0)))
        worst = float(np.abs(found[name] - value).max(initial=0))
        assert worst <= noise * scale, f"{name}: {worst} of {scale}"
        seen.compared(worst / scale)


def compare(
    model: Any,
    folder: Path,
    suffixes: Sequence[str] = (".h5", ".keras"),
    without: tuple[str, ...] = (),
    **options: Any,
) -> list[Model]:
    """Save a tf_keras model each way, open it, and compare every node.

    without: how the names of nodes begin that are not to be there.
    """
    random_weights(model)
    arrays = [feed(x.shape, x.dtype.name, i) for i, x in enumerate(model.inputs)]
    nodes = tf_keras_nodes(model, arrays)
    expected = {k: v for k, v in nodes.items() if not without or not k.startswith(without)}
    opened = []
    for suffix in suffixes:
        found = open_model(written(model, folder / f"model{suffix}"), **options)
        assert_same(layerscope_nodes(found, arrays), expected)
        opened.append(found)
    return opened


# --- Keras 1 -----------------------------------------------------------------------------


def keras_1_file(
    path: Path,
    config: dict[str, Any],
    groups: dict[str, list[tuple[str, Array]]],
    version: str | None = "1.2.2",
) -> Path:
    """A whole .h5 file as Keras 1 wrote it: no version beside the weights, no backend."""
    with h5py.File(path, "w") as file:
        if version is not None:
            file.attrs["keras_version"] = version.encode()
        file.attrs["model_config"] = json.dumps(config).encode()
        write_groups(file.create_group("model_weights"), groups)
    return path


def write_groups(group: Any, groups: dict[str, list[tuple[str, Array]]]) -> None:
    """Weights by layer, as Keras 1 and 2 lay them out."""
    group.attrs["layer_names"] = [name.encode() for name in groups]
    for name, weights in groups.items():
        inner = group.create_group(name)
        inner.attrs["weight_names"] = [weight.encode() for weight, _ in weights]
        for weight, array in weights:
            inner.create_dataset(weight, data=array)


def sequential_1(*layers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A Sequential config of Keras 1, whose layers are a bare list."""
    return {
        "class_name": "Sequential",
        "config": [{"class_name": kind, "config": config} for kind, config in layers],
    }


Build = Callable[[], Any]
