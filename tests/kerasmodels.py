"""Keras models for tests: weights that can be checked by hand, and everything they compute."""

from typing import Any

import keras
import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from layerscope.models import open_model
from layerscope.models.keras.adapter import KerasModel

BACKEND = keras.backend.backend()


def small_weights(model: Any, scale: float = 1.0, seed: int = 0) -> Any:
    """Give every weight one of the values 1, 2 and −1 (times scale); variances stay positive."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        values = random.choice([1.0, 2.0, -1.0], size=variable.shape) * scale
        if "variance" in variable.path:
            values = np.abs(values)
        variable.assign(values.astype(variable.dtype))
    return model


def whole_numbers(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    """An array of the whole numbers −3 to 3."""
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def opened(model: Any) -> KerasModel:
    """The model as layerscope opens it."""
    found = open_model(model)
    assert isinstance(found, KerasModel)
    return found


def feeds(model: KerasModel, *arrays: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The arrays under the names of the model's inputs, in order."""
    return {node.name: x for node, x in zip(model.graph.inputs, arrays, strict=True)}


def everything(model: Any, *arrays: NDArray[Any], **options: Any) -> dict[str, NDArray[Any]]:
    """The outputs of every node."""
    found = model if isinstance(model, KerasModel) else opened(model)
    names = [node.name for node in found.graph]
    return found.run(feeds(found, *arrays), names, **options)


def one(model: Any, name: str, *arrays: NDArray[Any], **options: Any) -> NDArray[Any]:
    """The output of one node."""
    found = model if isinstance(model, KerasModel) else opened(model)
    return found.run(feeds(found, *arrays), [name], **options)[name]


def table(model: Any) -> list[tuple[Any, ...]]:
    """Name, type, inputs, shape, axes and parameters of every node."""
    graph = (model if isinstance(model, KerasModel) else opened(model)).graph
    return [(n.name, n.type, n.inputs, n.shape, str(n.axes), n.parameters) for n in graph]


def plain(model: Any, *arrays: Any, **options: Any) -> NDArray[Any]:
    """What Keras itself answers."""
    given = arrays[0] if len(arrays) == 1 else list(arrays)
    return to_numpy(model(given, **options))


def to_numpy(tensor: Any) -> NDArray[Any]:
    """Any backend's tensor or variable; bfloat16 is widened."""
    tensor = getattr(tensor, "value", tensor)
    if BACKEND == "torch":
        return tensor.detach().float().numpy()
    if keras.backend.standardize_dtype(tensor.dtype) == "bfloat16":
        tensor = keras.ops.cast(tensor, "float32")
    return tensor.numpy() if BACKEND == "tensorflow" else np.asarray(tensor)


def names(model: Any) -> list[str]:
    return [node.name for node in opened(model).graph]


def weights(layer: Any) -> list[Any]:
    return [to_numpy(weight) for weight in layer.weights]


def dense(x: Any, layer: Any) -> Any:
    kernel, bias = weights(layer)
    return x @ kernel + bias


def agrees(model: Any, *arrays: Any) -> dict[str, Any]:
    """Every node of the model, its outputs being those that Keras gives."""
    found = opened(model)
    everything_ = everything(found, *arrays)
    for node in found.graph:
        shape = tuple(np.shape(everything_[node.name]))
        fits = (free is None or free == size for free, size in zip(node.shape, shape, strict=True))
        assert all(fits), (node.name, node.shape, shape)
        assert len(node.axes) == len(shape)
        given = [*found.graph.inputs, *found.graph.nodes[: node.index]]
        assert set(node.inputs) <= {other.name for other in given}
    structure = model(arrays[0] if len(arrays) == 1 else list(arrays))
    wanted = [to_numpy(x) for x in keras.tree.flatten(structure)]
    own = found.run(feeds(found, *arrays), found.graph.outputs)
    for name, expected in zip(found.graph.outputs, wanted, strict=True):
        assert_allclose(own[name], expected, rtol=1e-5, atol=1e-6)
    return everything_
