"""Nothing is forgotten: each layer that Keras 1 and 2 had is compared somewhere, or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from tf_keras.src.layers import serialization

import test_legacy_keras1
import test_legacy_keras2
import test_legacy_op_layers
from keras1_corpus import SAME
from keras2_corpus import FIRST, MERGES, SINGLE, of_one
from layerscope.errors import ModelError
from layerscope.models import open_model
from layerscope.models.keras_legacy import keras1
from layerscope.models.keras_legacy.classes import REFUSED
from legacy_files import (
    assert_same,
    feed,
    keras_1_file,
    layerscope_nodes,
    random_weights,
    sequential_1,
    tf_keras,
    tf_keras_nodes,
    written,
)
from which_files import seen

# NumPy warns of the way in which torch hands over whole numbers.
pytestmark = [pytest.mark.backend, pytest.mark.filterwarnings("ignore:__array__ implementation")]

L = tf_keras.layers
# Those that no file holds a layer of: a user's class is derived from them.
BASES = {
    "AbstractRNNCell", "BaseRandomLayer", "BatchNormalizationBase", "PreprocessingLayer",
    "Wrapper", "_RNNCellWrapper",
}  # fmt: skip
# Those that a network of one layer does not show, by the test that has them.
ELSEWHERE: dict[str, Callable[..., None]] = {
    "InputLayer": test_legacy_keras2.test_nested_models_called_twice,
    "Functional": test_legacy_keras2.test_nested_models_called_twice,
    "Model": test_legacy_keras1.test_functional_models_with_merges_and_shared_layers,
    "Sequential": test_legacy_keras2.test_nested_models_called_twice,
    "MultiHeadAttention": test_legacy_keras2.test_attention_of_several_heads,
    "HashedCrossing": test_legacy_keras2.test_a_layer_of_whole_numbers_in_pairs,
    "AddLoss": test_legacy_keras2.test_losses_in_the_network_are_left_out,
    "Lambda": test_legacy_keras2.test_lambda_layers_are_refused_without_trust,
    "TFOpLambda": test_legacy_keras2.test_tensorflow_functions,
    "SlicingOpLambda": test_legacy_keras2.test_tensorflow_functions,
    "TensorFlowOpLayer": test_legacy_op_layers.test_an_operation,
    "CuDNNLSTM": test_legacy_keras2.test_cudnn_layers,
    "CuDNNGRU": test_legacy_keras2.test_cudnn_layers,
}
# keras/layers/*.py of Keras 1.2.2, with the short names that it knows.
OF_KERAS_1 = set(
    "InputLayer Merge Masking Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D "
    "Activation Reshape Permute Flatten RepeatVector Lambda Dense ActivityRegularization "
    "MaxoutDense Highway TimeDistributedDense Convolution1D AtrousConvolution1D Convolution2D "
    "Deconvolution2D AtrousConvolution2D SeparableConvolution2D Convolution3D UpSampling1D "
    "UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D "
    "Cropping3D Conv1D Conv2D Conv3D Deconv2D AtrousConv1D AtrousConv2D SeparableConv2D "
    "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D "
    "GlobalAveragePooling1D GlobalMaxPooling1D GlobalAveragePooling2D GlobalMaxPooling2D "
    "GlobalAveragePooling3D GlobalMaxPooling3D LocallyConnected1D LocallyConnected2D SimpleRNN "
    "GRU LSTM ConvLSTM2D Embedding LeakyReLU PReLU ELU ParametricSoftplus ThresholdedReLU SReLU "
    "BatchNormalization GaussianNoise GaussianDropout TimeDistributed Bidirectional Sequential "
    "Model".split()
)


def layer_classes() -> dict[str, str]:
    """Every name under which tf_keras offers or reads a layer, and the name of its class."""
    serialization.populate_deserializable_objects()
    found = dict(serialization.LOCAL.ALL_OBJECTS)
    for module in (L, L.experimental, L.experimental.preprocessing):
        found |= vars(module)
    return {
        name: kind.__name__
        for name, kind in found.items()
        if isinstance(kind, type) and issubclass(kind, L.Layer)
    }


def made(layer: Any) -> Iterator[str]:
    """The class of a layer, and those of the layers and cells that its config holds."""
    yield type(layer).__name__
    waiting = [layer.get_config()]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if "class_name" in here:
                yield here["class_name"]
            waiting.extend(here.values())
        elif isinstance(here, list | tuple):
            waiting.extend(here)


def compared() -> set[str]:
    makers = [make for _, make in (*SINGLE.values(), *FIRST.values())] + [*MERGES.values()]
    return {name for make in makers for name in made(make())}


def test_every_layer_of_keras_2_is_compared_or_refused() -> None:
    classes = set(layer_classes().values())
    known = compared() | set(ELSEWHERE)
    assert classes - known - set(REFUSED) - BASES == set()
    assert known & set(REFUSED) == set()
    assert set(REFUSED) <= classes


@pytest.mark.opens(
    era="Keras 2", writer="the tests, as Keras 2 did", file=".h5", what="{kind}", refused=True
)
@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_a_layer_that_is_known_is_refused_for_a_reason(kind: str, tmp_path: Path) -> None:
    config = sequential_1((kind, {"name": "x", "batch_input_shape": [None, 5]}))
    path = keras_1_file(tmp_path / "m.h5", config, {}, "2.4.0")
    with pytest.raises(ModelError) as caught:
        open_model(path)
    assert str(caught.value) == (
        f"{path}: layer 'x' is a {kind}, which {REFUSED[kind]}. Build the network in code "
        "without it and open it as FILE.py:name --weights FILE."
    )
    seen.refused(caught.value)


@pytest.mark.parametrize("kind", sorted(BASES))
def test_a_base_class_is_asked_for(kind: str, tmp_path: Path) -> None:
    config = sequential_1((kind, {"name": "x", "batch_input_shape": [None, 5]}))
    with pytest.raises(ModelError, match=f"class '{kind}'.*--custom FILE.py"):
        open_model(keras_1_file(tmp_path / "m.h5", config, {}, "2.4.0"))


def other_names() -> dict[str, str]:
    """Names that tf_keras reads a class by that has another one, for classes in the corpus."""
    known = compared()
    return {k: v for k, v in layer_classes().items() if k != v and v in known - set(MERGES)}


@pytest.mark.parametrize("name", sorted(other_names()))
def test_a_layer_by_another_name(name: str, tmp_path: Path) -> None:
    kind = other_names()[name]
    shape, make = next(one for one in SINGLE.values() if kind in made(one[1]()))
    model = random_weights(of_one(shape, make()))
    array = feed((None, *shape), model.inputs[0].dtype.name)
    path = written(model, tmp_path / "m.h5")
    with h5py.File(path, "r+") as file:
        config = file.attrs["model_config"]
        assert f'"class_name": "{kind}"' in config
        config = config.replace(f'"class_name": "{kind}"', f'"class_name": "{name}"')
        file.attrs["model_config"] = config
    assert_same(layerscope_nodes(open_model(path), [array]), tf_keras_nodes(model, [array]))


def test_every_layer_of_keras_1_is_compared() -> None:
    known = {kind for _, kind, _, _, _ in SAME.values()}
    known |= {kind for kind, _, _ in test_legacy_keras1.WITHOUT_A_NAMESAKE}
    known |= {"Merge", "Model", "Sequential", "InputLayer"}  # in the tests of whole networks
    known |= {"Lambda"}  # refused
    assert known >= OF_KERAS_1, OF_KERAS_1 - known


def test_every_rule_of_keras_1_is_compared() -> None:
    """Renamed words and classes, each in a file that is compared."""
    words: set[Any] = set()
    for _, kind, config, _, _ in SAME.values():
        words |= {kind, *config, config.get("dim_ordering")}
        words |= set(config.get("layer", {}).get("config", ()))
    assert words >= set(keras1._CLASSES)
    assert words >= set(keras1._RENAMED)
    assert words >= {"tf", "default"}  # "th" is test_legacy_theano.py's and test_legacy_keras1.py's
    assert words >= {word for sizes in keras1._OF_SIZE for word in sizes}
