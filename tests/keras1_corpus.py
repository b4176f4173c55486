"""Layers as Keras 1 wrote them, each with the layer of tf_keras that computes the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from legacy_files import Array, tf_keras

L = tf_keras.layers
LINE, PLANE, SPACE = (9, 3), (8, 7, 3), (5, 6, 4, 2)
Lay = Callable[[list[Array]], list[Array]]


def as_is(arrays: list[Array]) -> list[Array]:
    return arrays


def by_gate(order: tuple[int, ...]) -> Lay:
    """Kernel, recurrent kernel and bias of each gate in turn, as Keras 1 kept them."""

    def lay(arrays: list[Array]) -> list[Array]:
        count = len(order)
        return [np.split(array, count, axis=-1)[gate] for gate in order for array in arrays]

    return lay


def conv_1d(arrays: list[Array]) -> list[Array]:
    return [arrays[0][:, None], *arrays[1:]]


def deconvolution(arrays: list[Array]) -> list[Array]:
    return [arrays[0].transpose(0, 1, 3, 2), *arrays[1:]]


CONV_1D = {"nb_filter": 4, "filter_length": 3, "border_mode": "same", "subsample_length": 1}
CONV_2D = {"nb_filter": 4, "nb_row": 3, "nb_col": 2, "border_mode": "valid", "init": "uniform"}
TF = {"dim_ordering": "tf"}
LSTM_1 = {
    "output_dim": 4, "inner_activation": "hard_sigmoid", "activation": "tanh",
    "inner_init": "orthogonal", "forget_bias_init": "one", "consume_less": "cpu",
    "dropout_W": 0.1, "dropout_U": 0.2, "U_regularizer": None, "input_dim": 3, "input_length": 9,
}  # fmt: skip
LSTM_2 = {"recurrent_activation": "hard_sigmoid"}

# name: (shape, class, config of Keras 1, the same layer of tf_keras, Keras 1's arrays)
SAME: dict[str, tuple[Any, str, dict[str, Any], Callable[[], Any], Lay]] = {
    "Dense": (
        (5,), "Dense",
        {"output_dim": 3, "init": "he_normal", "bias": True, "input_dim": 5, "W_regularizer": None,
         "b_constraint": None, "activation": "relu", "activity_regularizer": None},
        lambda: L.Dense(3, activation="relu"), as_is,
    ),
    "TimeDistributedDense": (
        LINE, "TimeDistributedDense", {"output_dim": 4, "input_length": 9, "input_dim": 3},
        lambda: L.Dense(4), as_is,
    ),
    "Convolution1D": (
        LINE, "Convolution1D", CONV_1D, lambda: L.Conv1D(4, 3, padding="same"), conv_1d,
    ),
    "Convolution1D of 1.0": (
        LINE, "Convolution1D", CONV_1D, lambda: L.Conv1D(4, 3, padding="same"),
        lambda arrays: [arrays[0].transpose(2, 1, 0)[..., None], *arrays[1:]],
    ),
    "AtrousConvolution1D": (
        LINE, "AtrousConvolution1D", {**CONV_1D, "atrous_rate": 2},
        lambda: L.Conv1D(4, 3, padding="same", dilation_rate=2), conv_1d,
    ),
    "Convolution2D": (
        PLANE, "Convolution2D", {**CONV_2D, **TF, "subsample": [2, 1], "bias": False},
        lambda: L.Conv2D(4, (3, 2), strides=(2, 1), use_bias=False), as_is,
    ),
    "Convolution2D of the default ordering": (
        PLANE, "Convolution2D", {**CONV_2D, "dim_ordering": "default"},
        lambda: L.Conv2D(4, (3, 2)), as_is,
    ),
    "AtrousConvolution2D": (
        PLANE, "AtrousConvolution2D", {**CONV_2D, **TF, "atrous_rate": [2, 2]},
        lambda: L.Conv2D(4, (3, 2), dilation_rate=2), as_is,
    ),
    "SeparableConvolution2D": (
        PLANE, "SeparableConvolution2D", {**CONV_2D, **TF, "depth_multiplier": 2},
        lambda: L.SeparableConv2D(4, (3, 2), depth_multiplier=2), as_is,
    ),
    "Deconvolution2D": (
        PLANE, "Deconvolution2D",
        {**CONV_2D, **TF, "subsample": [2, 2], "output_shape": [None, 17, 14, 4]},
        lambda: L.Conv2DTranspose(4, (3, 2), strides=2), deconvolution,
    ),
    "Convolution3D": (
        (5, 6, 4, 2), "Convolution3D",
        {"nb_filter": 3, "kernel_dim1": 2, "kernel_dim2": 3, "kernel_dim3": 1, **TF,
         "border_mode": "same", "subsample": [1, 1, 1]},
        lambda: L.Conv3D(3, (2, 3, 1), padding="same"), as_is,
    ),
    "MaxPooling1D": (
        LINE, "MaxPooling1D", {"pool_length": 3, "stride": 2, "border_mode": "valid"},
        lambda: L.MaxPooling1D(3, 2), as_is,
    ),
    "AveragePooling2D": (
        PLANE, "AveragePooling2D",
        {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "same", **TF},
        lambda: L.AveragePooling2D(2, padding="same"), as_is,
    ),
    "GlobalMaxPooling2D": (
        PLANE, "GlobalMaxPooling2D", TF, L.GlobalMaxPooling2D, as_is,
    ),
    "UpSampling1D": (LINE, "UpSampling1D", {"length": 2}, lambda: L.UpSampling1D(2), as_is),
    "UpSampling2D": (
        PLANE, "UpSampling2D", {"size": [2, 3]}, lambda: L.UpSampling2D((2, 3)), as_is,
    ),
    "ZeroPadding2D": (
        PLANE, "ZeroPadding2D", {"padding": [1, 2], **TF}, lambda: L.ZeroPadding2D((1, 2)), as_is,
    ),
    "ZeroPadding2D of four": (
        PLANE, "ZeroPadding2D", {"padding": [1, 2, 3, 4], **TF},
        lambda: L.ZeroPadding2D(((1, 2), (3, 4))), as_is,
    ),
    "ZeroPadding2D by side": (
        PLANE, "ZeroPadding2D", {"padding": {"top_pad": 1, "left_pad": 3}, **TF},
        lambda: L.ZeroPadding2D(((1, 0), (3, 0))), as_is,
    ),
    "ZeroPadding2D by one side": (
        PLANE, "ZeroPadding2D", {"padding": {"left_pad": 3}, **TF},
        lambda: L.ZeroPadding2D(((0, 0), (3, 0))), as_is,
    ),
    "Cropping2D": (
        PLANE, "Cropping2D", {"cropping": [[1, 2], [0, 1]], **TF},
        lambda: L.Cropping2D(((1, 2), (0, 1))), as_is,
    ),
    "Dropout": (LINE, "Dropout", {"p": 0.5}, lambda: L.Dropout(0.5), as_is),
    "SpatialDropout2D": (
        PLANE, "SpatialDropout2D", {"p": 0.5}, lambda: L.SpatialDropout2D(0.5), as_is,
    ),
    "GaussianNoise": (LINE, "GaussianNoise", {"sigma": 0.5}, lambda: L.GaussianNoise(0.5), as_is),
    "GaussianDropout": (LINE, "GaussianDropout", {"p": 0.5}, lambda: L.GaussianDropout(0.5), as_is),
    "Embedding": (
        (6,), "Embedding",
        {"input_dim": 10, "output_dim": 4, "input_length": 6, "init": "uniform", "dropout": 0.2,
         "mask_zero": False, "W_constraint": None, "input_dtype": "int32"},
        lambda: L.Embedding(10, 4), as_is,
    ),
    "BatchNormalization": (
        PLANE, "BatchNormalization",
        {"epsilon": 0.01, "mode": 0, "axis": -1, "momentum": 0.9, "beta_init": "zero",
         "gamma_init": "one", "gamma_regularizer": None},
        lambda: L.BatchNormalization(epsilon=0.01), as_is,
    ),
    "LSTM": (LINE, "LSTM", LSTM_1, lambda: L.LSTM(4, **LSTM_2), by_gate((0, 2, 1, 3))),
    "LSTM in one piece": (
        LINE, "LSTM", {**LSTM_1, "consume_less": "gpu", "return_sequences": True},
        lambda: L.LSTM(4, return_sequences=True, **LSTM_2), as_is,
    ),
    "GRU": (
        LINE, "GRU", {**LSTM_1, "go_backwards": True},
        lambda: L.GRU(4, reset_after=False, go_backwards=True, **LSTM_2), by_gate((0, 1, 2)),
    ),
    "SimpleRNN": (
        LINE, "SimpleRNN", {"output_dim": 4, "activation": "tanh", "consume_less": "mem"},
        lambda: L.SimpleRNN(4), as_is,
    ),
    "Bidirectional": (
        LINE, "Bidirectional",
        {"layer": {"class_name": "LSTM", "config": {**LSTM_1, "name": "inner"}},
         "merge_mode": "sum"},
        lambda: L.Bidirectional(L.LSTM(4, **LSTM_2), merge_mode="sum"),
        lambda arrays: [*by_gate((0, 2, 1, 3))(arrays[:3]), *by_gate((0, 2, 1, 3))(arrays[3:])],
    ),
    "TimeDistributed": (
        (4, 8, 7, 3), "TimeDistributed",
        {"layer": {"class_name": "Convolution2D", "config": {**CONV_2D, **TF, "name": "inner"}}},
        lambda: L.TimeDistributed(L.Conv2D(4, (3, 2))), as_is,
    ),
    "LocallyConnected1D": (
        LINE, "LocallyConnected1D", {**CONV_1D, "border_mode": "valid"},
        lambda: L.LocallyConnected1D(4, 3), as_is,
    ),
    "PReLU": (LINE, "PReLU", {"init": "zero"}, L.PReLU, as_is),
    "ELU": (LINE, "ELU", {"alpha": 0.7}, lambda: L.ELU(0.7), as_is),
    "Masking": (LINE, "Masking", {"mask_value": 0.5}, lambda: L.Masking(0.5), as_is),
    "Reshape": (LINE, "Reshape", {"target_shape": [3, 9]}, lambda: L.Reshape((3, 9)), as_is),
    "Permute": (PLANE, "Permute", {"dims": [3, 1, 2]}, lambda: L.Permute((3, 1, 2)), as_is),
    "ActivityRegularization": (
        LINE, "ActivityRegularization", {"l1": 0.1, "l2": 0.2},
        lambda: L.ActivityRegularization(0.1, 0.2), as_is,
    ),
    "SpatialDropout1D": (
        LINE, "SpatialDropout1D", {"p": 0.5}, lambda: L.SpatialDropout1D(0.5), as_is,
    ),
    "SpatialDropout3D": (
        SPACE, "SpatialDropout3D", {"p": 0.5, **TF}, lambda: L.SpatialDropout3D(0.5), as_is,
    ),
    "MaxPooling2D": (
        PLANE, "MaxPooling2D",
        {"pool_size": [3, 2], "strides": [2, 1], "border_mode": "valid", **TF},
        lambda: L.MaxPooling2D((3, 2), (2, 1)), as_is,
    ),
    "MaxPooling3D": (
        SPACE, "MaxPooling3D",
        {"pool_size": [2, 2, 2], "strides": [2, 2, 2], "border_mode": "valid", **TF},
        L.MaxPooling3D, as_is,
    ),
    "AveragePooling1D": (
        LINE, "AveragePooling1D", {"pool_length": 2, "stride": 2, "border_mode": "valid"},
        lambda: L.AveragePooling1D(2), as_is,
    ),
    "AveragePooling3D": (
        SPACE, "AveragePooling3D",
        {"pool_size": [2, 1, 2], "strides": [2, 1, 2], "border_mode": "same", **TF},
        lambda: L.AveragePooling3D((2, 1, 2), padding="same"), as_is,
    ),
    "GlobalAveragePooling1D": (
        LINE, "GlobalAveragePooling1D", {}, L.GlobalAveragePooling1D, as_is,
    ),
    "GlobalMaxPooling1D": (LINE, "GlobalMaxPooling1D", {}, L.GlobalMaxPooling1D, as_is),
    "GlobalAveragePooling2D": (
        PLANE, "GlobalAveragePooling2D", TF, L.GlobalAveragePooling2D, as_is,
    ),
    "GlobalAveragePooling3D": (
        SPACE, "GlobalAveragePooling3D", TF, L.GlobalAveragePooling3D, as_is,
    ),
    "GlobalMaxPooling3D": (SPACE, "GlobalMaxPooling3D", TF, L.GlobalMaxPooling3D, as_is),
    "UpSampling3D": (
        SPACE, "UpSampling3D", {"size": [1, 2, 3], **TF}, lambda: L.UpSampling3D((1, 2, 3)), as_is,
    ),
    "ZeroPadding1D": (LINE, "ZeroPadding1D", {"padding": 2}, lambda: L.ZeroPadding1D(2), as_is),
    "ZeroPadding1D of two": (
        LINE, "ZeroPadding1D", {"padding": [1, 2]}, lambda: L.ZeroPadding1D((1, 2)), as_is,
    ),
    "ZeroPadding1D by side": (
        LINE, "ZeroPadding1D", {"padding": {"left_pad": 1, "right_pad": 2}},
        lambda: L.ZeroPadding1D((1, 2)), as_is,
    ),
    "ZeroPadding3D": (
        SPACE, "ZeroPadding3D", {"padding": [1, 2, 0], **TF},
        lambda: L.ZeroPadding3D((1, 2, 0)), as_is,
    ),
    "Cropping1D": (
        LINE, "Cropping1D", {"cropping": [1, 2]}, lambda: L.Cropping1D((1, 2)), as_is,
    ),
    "Cropping3D": (
        SPACE, "Cropping3D", {"cropping": [[1, 0], [2, 1], [0, 1]], **TF},
        lambda: L.Cropping3D(((1, 0), (2, 1), (0, 1))), as_is,
    ),
    "LocallyConnected2D": (
        PLANE, "LocallyConnected2D", {**CONV_2D, **TF, "subsample": [2, 1]},
        lambda: L.LocallyConnected2D(4, (3, 2), (2, 1)), as_is,
    ),
    "ConvLSTM2D": (
        (4, 8, 7, 3), "ConvLSTM2D",
        {**CONV_2D, **TF, "nb_filter": 2, "inner_activation": "hard_sigmoid", "inner_init": "one",
         "activation": "tanh", "return_sequences": True, "go_backwards": False,
         "forget_bias_init": "one", "stateful": False},
        lambda: L.ConvLSTM2D(2, (3, 2), return_sequences=True, **LSTM_2), by_gate((0, 2, 1, 3)),
    ),
    **{
        short: (shape, short, config, make, lay)
        for short, (shape, _, config, make, lay) in {
            "Conv1D": (
                LINE, "", CONV_1D, lambda: L.Conv1D(4, 3, padding="same"), conv_1d,
            ),
            "Conv2D": (PLANE, "", {**CONV_2D, **TF}, lambda: L.Conv2D(4, (3, 2)), as_is),
            "Conv3D": (
                SPACE, "",
                {"nb_filter": 3, "kernel_dim1": 2, "kernel_dim2": 3, "kernel_dim3": 1, **TF,
                 "border_mode": "valid"},
                lambda: L.Conv3D(3, (2, 3, 1)), as_is,
            ),
            "SeparableConv2D": (
                PLANE, "", {**CONV_2D, **TF}, lambda: L.SeparableConv2D(4, (3, 2)), as_is,
            ),
            "AtrousConv1D": (
                LINE, "", {**CONV_1D, "atrous_rate": 2},
                lambda: L.Conv1D(4, 3, padding="same", dilation_rate=2), conv_1d,
            ),
            "AtrousConv2D": (
                PLANE, "", {**CONV_2D, **TF, "atrous_rate": [2, 2]},
                lambda: L.Conv2D(4, (3, 2), dilation_rate=2), as_is,
            ),
            "Deconv2D": (
                PLANE, "", {**CONV_2D, **TF, "output_shape": [None, 10, 8, 4]},
                lambda: L.Conv2DTranspose(4, (3, 2)), deconvolution,
            ),
        }.items()
    },
    "LeakyReLU": (LINE, "LeakyReLU", {"alpha": 0.2}, lambda: L.LeakyReLU(0.2), as_is),
    "ThresholdedReLU": (
        LINE, "ThresholdedReLU", {"theta": 0.3}, lambda: L.ThresholdedReLU(0.3), as_is,
    ),
    "Activation": (
        LINE, "Activation", {"activation": "hard_sigmoid"},
        lambda: L.Activation("hard_sigmoid"), as_is,
    ),
    "Flatten": (PLANE, "Flatten", {}, L.Flatten, as_is),
    "RepeatVector": ((5,), "RepeatVector", {"n": 3}, lambda: L.RepeatVector(3), as_is),
}  # fmt: skip
