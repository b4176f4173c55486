"""Whole networks of keras.applications, node by node against Keras's own sub-models."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kerasmodels import BACKEND, feeds, opened, to_numpy

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(BACKEND != "tensorflow", reason="the arithmetic is the same elsewhere"),
]
applications = keras.applications

NETWORKS: list[tuple[Callable[..., Any], int, dict[str, Any]]] = [
    (applications.VGG16, 32, {"include_top": False}),
    (applications.ResNet50, 64, {"classes": 10}),
    (applications.MobileNetV2, 64, {"classes": 10}),
    (applications.InceptionV3, 75, {"include_top": False}),
    (applications.EfficientNetB0, 64, {"classes": 10}),
]


@pytest.fixture(params=NETWORKS, ids=[row[0].__name__ for row in NETWORKS])
def network(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    build, size, options = request.param
    keras.utils.set_random_seed(3)
    model = build(weights=None, input_shape=(size, size, 3), **options)
    random = np.random.default_rng(0)
    for variable in model.weights:
        # Batch normalisation that is not the identity.
        if variable.path.rpartition("/")[2] in ("moving_mean", "beta"):
            variable.assign(random.normal(0, 0.1, variable.shape))
        elif variable.path.endswith("moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model, random.uniform(0, 1, (2, size, size, 3)).astype("float32")


def test_every_node_is_what_a_plain_sub_model_gives(network: tuple[Any, Any]) -> None:
    model, picture = network
    found = opened(model)
    operations = [x for x in model.operations if not isinstance(x, keras.layers.InputLayer)]
    assert [node.layer for node in found.graph] == [operation.name for operation in operations]
    assert [node.shape for node in found.graph] == [tuple(x.output.shape) for x in operations]
    assert sum(node.parameters for node in found.graph) == model.count_params()
    assert all(node.axes.known for node in found.graph)

    names = [node.name for node in found.graph]
    eager = found.run(feeds(found, picture), names)
    wanted = keras.Model(model.inputs[0], [x.output for x in operations])(picture)
    for name, expected in zip(names, wanted, strict=True):
        assert_array_equal(eager[name], to_numpy(expected), err_msg=name)

    compiled = found.run(feeds(found, picture), names, stream=True)
    for name, array in eager.items():
        scale = float(np.abs(array).max()) or 1.0
        assert float(np.abs(compiled[name] - array).max()) <= 2e-5 * scale, name
