"""Every layer that tf_keras has, as the networks of one layer that its files are written from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import tensorflow as tf
from tf_keras.src.engine.base_layer import AddMetric

from legacy_files import tf_keras

L = tf_keras.layers
LINE, PLANE, SPACE = (9, 3), (8, 7, 3), (5, 6, 4, 2)
FIRST_LINE, FIRST_PLANE, FIRST_SPACE = (3, 9), (3, 8, 7), (2, 5, 6, 4)
Layer = Callable[[], Any]


def spectral(shape: tuple[int, ...], inner: Any, **options: Any) -> Any:
    """A SpectralNormalization; tf_keras asks TensorFlow's Keras for a class of its own there."""
    layer = L.SpectralNormalization(inner, **options)
    with patch.object(tf.keras.layers, "InputSpec", L.InputSpec):
        layer.build((None, *shape))
    return layer


SINGLE: dict[str, tuple[tuple[int, ...], Layer]] = {
    "Dense": ((5,), lambda: L.Dense(3, activation="relu")),
    "Dense on a plane": (PLANE, lambda: L.Dense(2, use_bias=False)),
    "EinsumDense": (LINE, lambda: L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")),
    "Embedding": ((6,), lambda: L.Embedding(10, 4, mask_zero=True)),
    "Conv1D": (LINE, lambda: L.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "Conv2D": (PLANE, lambda: L.Conv2D(4, (3, 2), strides=2, padding="same", activation="tanh")),
    "Conv2D in groups": ((8, 7, 4), lambda: L.Conv2D(6, 3, groups=2, dilation_rate=2)),
    "Conv3D": (SPACE, lambda: L.Conv3D(3, 2, padding="same")),
    "Conv1DTranspose": (LINE, lambda: L.Conv1DTranspose(4, 3, strides=2, padding="same")),
    "Conv2DTranspose": (
        PLANE,
        lambda: L.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=1),
    ),
    "Conv3DTranspose": (SPACE, lambda: L.Conv3DTranspose(3, 2, strides=2)),
    "DepthwiseConv1D": (LINE, lambda: L.DepthwiseConv1D(3, depth_multiplier=2)),
    "DepthwiseConv2D": (PLANE, lambda: L.DepthwiseConv2D((2, 3), depth_multiplier=2)),
    "SeparableConv1D": (LINE, lambda: L.SeparableConv1D(4, 3, depth_multiplier=2)),
    "SeparableConv2D": (PLANE, lambda: L.SeparableConv2D(4, 3, activation="elu")),
    "BatchNormalization": (PLANE, L.BatchNormalization),
    "BatchNormalization of rows": (PLANE, lambda: L.BatchNormalization(axis=1, epsilon=0.1)),
    "BatchNormalization bare": (PLANE, lambda: L.BatchNormalization(center=False, scale=False)),
    "SyncBatchNormalization": (PLANE, L.experimental.SyncBatchNormalization),
    "BatchNormalization frozen": (PLANE, lambda: L.BatchNormalization(trainable=False)),
    "LayerNormalization": (PLANE, lambda: L.LayerNormalization(axis=[1, -1])),
    "GroupNormalization": ((6, 4), lambda: L.GroupNormalization(2)),
    "UnitNormalization": (LINE, L.UnitNormalization),
    "Normalization": (PLANE, L.Normalization),
    "Normalization given": (LINE, lambda: L.Normalization(mean=[1.0, 2, 3], variance=[4.0, 5, 6])),
    "Rescaling": (PLANE, lambda: L.Rescaling(1 / 127.5, offset=-1)),
    "Resizing": (PLANE, lambda: L.Resizing(5, 6)),
    "Resizing nearest": (PLANE, lambda: L.Resizing(16, 9, interpolation="nearest")),
    "CenterCrop": (PLANE, lambda: L.CenterCrop(4, 3)),
    "RandomFlip": (PLANE, L.RandomFlip),
    "RandomRotation": (PLANE, lambda: L.RandomRotation(0.2)),
    "RandomZoom": (PLANE, lambda: L.RandomZoom(0.2)),
    "RandomTranslation": (PLANE, lambda: L.RandomTranslation(0.2, 0.1)),
    "RandomContrast": (PLANE, lambda: L.RandomContrast(0.2)),
    "RandomBrightness": (PLANE, lambda: L.RandomBrightness(0.2)),
    "MaxPooling1D": (LINE, lambda: L.MaxPooling1D(2, padding="same")),
    "MaxPooling2D": (PLANE, lambda: L.MaxPooling2D((2, 3), strides=1)),
    "MaxPooling3D": (SPACE, L.MaxPooling3D),
    "AveragePooling1D": (LINE, lambda: L.AveragePooling1D(3, 2)),
    "AveragePooling2D": (PLANE, lambda: L.AveragePooling2D(3, 2, padding="same")),
    "AveragePooling3D": (SPACE, lambda: L.AveragePooling3D(2, 1)),
    "GlobalMaxPooling1D": (LINE, L.GlobalMaxPooling1D),
    "GlobalMaxPooling2D": (PLANE, lambda: L.GlobalMaxPooling2D(keepdims=True)),
    "GlobalMaxPooling3D": (SPACE, L.GlobalMaxPooling3D),
    "GlobalAveragePooling1D": (LINE, L.GlobalAveragePooling1D),
    "GlobalAveragePooling2D": (PLANE, L.GlobalAveragePooling2D),
    "GlobalAveragePooling3D": (SPACE, L.GlobalAveragePooling3D),
    "ZeroPadding1D": (LINE, lambda: L.ZeroPadding1D((1, 2))),
    "ZeroPadding2D": (PLANE, lambda: L.ZeroPadding2D(((1, 2), (3, 0)))),
    "ZeroPadding3D": (SPACE, lambda: L.ZeroPadding3D(1)),
    "Cropping1D": (LINE, lambda: L.Cropping1D((1, 2))),
    "Cropping2D": (PLANE, lambda: L.Cropping2D(((1, 2), (0, 3)))),
    "Cropping3D": (SPACE, L.Cropping3D),
    "UpSampling1D": (LINE, lambda: L.UpSampling1D(3)),
    "UpSampling2D": (PLANE, lambda: L.UpSampling2D((2, 3))),
    "UpSampling2D bilinear": (PLANE, lambda: L.UpSampling2D(2, interpolation="bilinear")),
    "UpSampling3D": (SPACE, L.UpSampling3D),
    "Flatten": (PLANE, L.Flatten),
    "Flatten channels first": (FIRST_PLANE, lambda: L.Flatten(data_format="channels_first")),
    "Reshape": (LINE, lambda: L.Reshape((3, -1))),
    "Permute": (PLANE, lambda: L.Permute((3, 1, 2))),
    "RepeatVector": ((5,), lambda: L.RepeatVector(3)),
    "Masking": (LINE, L.Masking),
    "Dropout": (PLANE, lambda: L.Dropout(0.5, noise_shape=(None, 1, 1, 3))),
    "SpatialDropout1D": (LINE, lambda: L.SpatialDropout1D(0.5)),
    "SpatialDropout2D": (PLANE, lambda: L.SpatialDropout2D(0.5)),
    "SpatialDropout3D": (SPACE, lambda: L.SpatialDropout3D(0.5)),
    "AlphaDropout": (LINE, lambda: L.AlphaDropout(0.5)),
    "GaussianDropout": (LINE, lambda: L.GaussianDropout(0.5)),
    "GaussianNoise": (LINE, lambda: L.GaussianNoise(0.5)),
    "ActivityRegularization": (LINE, lambda: L.ActivityRegularization(0.1, 0.2)),
    "Identity": (LINE, L.Identity),
    "LeakyReLU": (PLANE, lambda: L.LeakyReLU(0.1)),
    "PReLU": (PLANE, L.PReLU),
    "PReLU shared": (PLANE, lambda: L.PReLU(shared_axes=[1, 2])),
    "ELU": (LINE, lambda: L.ELU(0.7)),
    "ReLU": (LINE, lambda: L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2)),
    "ThresholdedReLU": (LINE, lambda: L.ThresholdedReLU(0.4)),
    "Softmax": (PLANE, lambda: L.Softmax(axis=1)),
    "LocallyConnected1D": (LINE, lambda: L.LocallyConnected1D(4, 3, strides=2)),
    "LocallyConnected2D": (PLANE, lambda: L.LocallyConnected2D(2, (3, 2), activation="relu")),
    "LSTM": (LINE, lambda: L.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid")),
    "LSTM with states": (LINE, lambda: L.LSTM(4, return_state=True)),
    "LSTM backwards": (LINE, lambda: L.LSTM(4, go_backwards=True, use_bias=False)),
    "GRU": (LINE, lambda: L.GRU(4)),
    "GRU of old": (LINE, lambda: L.GRU(4, reset_after=False, return_sequences=True)),
    "SimpleRNN": (LINE, lambda: L.SimpleRNN(4, activation="relu")),
    "RNN": (LINE, lambda: L.RNN(L.LSTMCell(4), return_sequences=True)),
    "RNN of a simple cell": (LINE, lambda: L.RNN(L.SimpleRNNCell(4), go_backwards=True)),
    "RNN of stacked cells": (LINE, lambda: L.RNN([L.GRUCell(4), L.GRUCell(3)])),
    "Bidirectional": (LINE, lambda: L.Bidirectional(L.GRU(4, recurrent_activation="hard_sigmoid"))),
    "Bidirectional of two": (
        LINE,
        lambda: L.Bidirectional(
            L.LSTM(4), backward_layer=L.LSTM(4, go_backwards=True, use_bias=False)
        ),
    ),
    "ConvLSTM1D": ((4, 9, 3), lambda: L.ConvLSTM1D(2, 3)),
    "ConvLSTM2D": ((4, 8, 7, 3), lambda: L.ConvLSTM2D(2, 3, return_sequences=True)),
    "ConvLSTM3D": ((3, 5, 6, 4, 2), lambda: L.ConvLSTM3D(2, 2)),
    "TimeDistributed": ((4, 8, 7, 3), lambda: L.TimeDistributed(L.Conv2D(2, 3))),
    "TimeDistributed normalization": (LINE, lambda: L.TimeDistributed(L.BatchNormalization())),
    "SpectralNormalization": (PLANE, lambda: spectral(PLANE, L.Conv2D(4, 3))),
    "SpectralNormalization of Dense": (
        LINE,
        lambda: spectral(LINE, L.Dense(4, activation="relu"), power_iterations=2),
    ),
    "RandomCrop": (PLANE, lambda: L.RandomCrop(5, 4)),
    "RandomCrop to more": (PLANE, lambda: L.RandomCrop(9, 20)),
    "RandomHeight": (PLANE, lambda: L.RandomHeight(0.3)),
    "RandomWidth": (PLANE, lambda: L.RandomWidth((0.1, 0.2), interpolation="nearest")),
    "RandomFourierFeatures": (
        (5,),
        lambda: L.experimental.RandomFourierFeatures(4, scale=2.0, kernel_initializer="laplacian"),
    ),
    "RandomFourierFeatures trained": (
        (5,),
        lambda: L.experimental.RandomFourierFeatures(4, trainable=True),
    ),
    "Layer": (PLANE, L.Layer),
    "AddMetric": (PLANE, lambda: AddMetric("mean", "own")),
    "CategoryEncoding": ((6,), lambda: L.CategoryEncoding(10, output_mode="count")),
    "Discretization": (LINE, lambda: L.Discretization([-0.5, 0.0, 1.0])),
    "Hashing": ((6,), lambda: L.Hashing(5)),
    "Hashing with a salt": ((6,), lambda: L.Hashing(5, mask_value=3, salt=[7, 9])),
    "IntegerLookup": ((6,), lambda: L.IntegerLookup(vocabulary=[4, 2, 7])),
    **{
        f"LocallyConnected{i}D, implementation {way}{', ' * bool(name) + name}": (
            shape,
            lambda kind=kind, size=size, way=way, options=options: kind(
                2, size, implementation=way, **options
            ),
        )
        for i, kind, shape, size in (
            (1, L.LocallyConnected1D, (9, 7), 4),
            (2, L.LocallyConnected2D, PLANE, (3, 2)),
        )
        for way in (2, 3)
        for name, options in (
            ("", {"strides": 2}),
            ("same", {"padding": "same", "strides": 2, "use_bias": False}),
            ("channels first", {"data_format": "channels_first"}),
        )
    },
    "mixed precision": (PLANE, lambda: L.Dense(3, dtype="float32")),
    **{
        f"Activation: {name}": (LINE, lambda name=name: L.Activation(name))
        for name in (
            "linear", "relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "elu", "selu",
            "exponential", "hard_sigmoid", "swish", "gelu", "mish",
        )
    },
}  # fmt: skip
CHANNELS_FIRST = "channels_first"
# Of these tf_keras computes what they give on a processor; the others it refuses.
FIRST: dict[str, tuple[tuple[int, ...], Layer]] = {
    "Conv2D": (FIRST_PLANE, lambda: L.Conv2D(4, 3, data_format=CHANNELS_FIRST)),
    "DepthwiseConv2D": (FIRST_PLANE, lambda: L.DepthwiseConv2D(3, data_format=CHANNELS_FIRST)),
    "BatchNormalization": (FIRST_PLANE, lambda: L.BatchNormalization(axis=1)),
    "ZeroPadding2D": (FIRST_PLANE, lambda: L.ZeroPadding2D(2, data_format=CHANNELS_FIRST)),
    "Cropping2D": (FIRST_PLANE, lambda: L.Cropping2D(2, data_format=CHANNELS_FIRST)),
    "UpSampling2D": (FIRST_PLANE, lambda: L.UpSampling2D(2, data_format=CHANNELS_FIRST)),
    "MaxPooling2D": (FIRST_PLANE, lambda: L.MaxPooling2D(data_format=CHANNELS_FIRST)),
    "GlobalAveragePooling2D": (
        FIRST_PLANE,
        lambda: L.GlobalAveragePooling2D(data_format=CHANNELS_FIRST),
    ),
    "LocallyConnected2D": (
        FIRST_PLANE,
        lambda: L.LocallyConnected2D(2, 3, data_format=CHANNELS_FIRST),
    ),
}


OF_WHOLE_NUMBERS = (L.Embedding, L.CategoryEncoding, L.Hashing, L.IntegerLookup)


def of_one(shape: tuple[int, ...], layer: Any) -> Any:
    dtype = "int32" if isinstance(layer, OF_WHOLE_NUMBERS) else None
    given = tf_keras.Input(shape, dtype=dtype)
    return tf_keras.Model(given, layer(given))


MERGES = {
    "Add": L.Add, "Subtract": L.Subtract, "Multiply": L.Multiply, "Average": L.Average,
    "Maximum": L.Maximum, "Minimum": L.Minimum, "Concatenate": lambda: L.Concatenate(axis=1),
    "Dot": lambda: L.Dot(axes=2), "Dot normalized": lambda: L.Dot(axes=(1, 1), normalize=True),
    "Attention": lambda: L.Attention(use_scale=True),
    "Attention by concatenation": lambda: L.Attention(score_mode="concat"),
    "AdditiveAttention": L.AdditiveAttention,
}  # fmt: skip
