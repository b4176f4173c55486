"""The layer classes of Keras 2 that open, and what their configs hold that Keras 3 has not."""

from __future__ import annotations

from typing import Any

_RANKS = ("1D", "2D", "3D")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN")
_CONV_LSTMS = tuple(f"ConvLSTM{rank}" for rank in _RANKS)
_CONVOLUTIONS = tuple(f"Conv{rank}" for rank in _RANKS)
_TRANSPOSED = tuple(f"Conv{rank}Transpose" for rank in _RANKS)
_SEPARATE = ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
_POOLINGS = tuple(
    f"{kind}Pooling{rank}"
    for kind in ("Max", "Average", "GlobalMax", "GlobalAverage")
    for rank in _RANKS
)
_SIZED = tuple(f"{kind}{r}" for kind in ("ZeroPadding", "Cropping", "UpSampling") for r in _RANKS)

_RANDOM = tuple(
    f"Random{what}"
    for what in ("Brightness", "Contrast", "Flip", "Rotation", "Translation", "Zoom")
)

# Classes of the same name and meaning in Keras 3.
SHARED = frozenset(
    (
        *_CONVOLUTIONS, *_TRANSPOSED, *_SEPARATE, *_POOLINGS, *_SIZED, *_RECURRENT, *_CONV_LSTMS,
        *_RANDOM, *(f"SpatialDropout{rank}" for rank in _RANKS),
    )
) | frozenset(
    "Dense Activation Flatten Reshape Permute RepeatVector Masking Dropout AlphaDropout "
    "GaussianDropout GaussianNoise ActivityRegularization Embedding BatchNormalization "
    "LayerNormalization GroupNormalization UnitNormalization Normalization Rescaling Resizing "
    "CenterCrop CategoryEncoding Discretization Hashing HashedCrossing IntegerLookup EinsumDense "
    "LeakyReLU PReLU ELU ReLU Softmax Add Subtract Multiply Average Maximum Minimum "
    "Concatenate Dot Attention AdditiveAttention MultiHeadAttention Identity".split()
)  # fmt: skip
CELLS = frozenset(("LSTMCell", "GRUCell", "SimpleRNNCell", "StackedRNNCells"))
# Classes without a namesake in Keras 3: layers.py has them.
OWN = frozenset(
    "ThresholdedReLU SReLU ParametricSoftplus MaxoutDense Highway CosineMerge "
    "RandomFourierFeatures RandomCrop RandomHeight RandomWidth LocallyConnected1D "
    "LocallyConnected2D".split()
)
WRAPPERS = frozenset(("TimeDistributed", "Bidirectional", "SpectralNormalization"))
# What a functional model records of its training; it computes nothing that is an output.
OF_LOSSES = frozenset(("AddLoss", "AddMetric"))
_TEXT = "takes text, and not numbers"
_TABLE = "takes a table of features by their names, and not an array"
_CELL = "changes a recurrent cell in a way that Keras 3 has no counterpart for"
_RAGGED = "computes with ragged or sparse tensors, which Keras 3 does not"
_GROWS = "grows its table while it is trained, and the table is not in the file"
# Layers of Keras 2 that are known and do not open, and why.
REFUSED = {
    **dict.fromkeys(("StringLookup", "TextVectorization"), _TEXT),
    **dict.fromkeys(("DenseFeatures", "SequenceFeatures", "LinearModel", "WideDeepModel"), _TABLE),
    **dict.fromkeys(("DeviceWrapper", "DropoutWrapper", "ResidualWrapper"), _CELL),
    **dict.fromkeys(("ClassMethod", "InstanceMethod", "InstanceProperty"), _RAGGED),
    **dict.fromkeys(("DynamicEmbedding", "DynamicLookup"), _GROWS),
}
RENAMED_CLASSES = {
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    **{f"{kind}V{i}": kind for kind in ("LSTM", "GRU", "LSTMCell", "GRUCell") for i in (1, 2)},
    # A bare layer hands on what it is given.
    "Layer": "Identity",
    "AddLoss": "Identity",
    "AddMetric": "Identity",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    **{
        f"{short}{rank}": f"{long}{rank}"
        for short, long in (
            ("MaxPool", "MaxPooling"), ("AvgPool", "AveragePooling"),
            ("GlobalMaxPool", "GlobalMaxPooling"), ("GlobalAvgPool", "GlobalAveragePooling"),
        )
        for rank in _RANKS
    },
}  # fmt: skip

# Those that have a data format, the network's own where none is stated.
FORMATTED = frozenset(
    name
    for name in (
        *_CONVOLUTIONS, *_TRANSPOSED, *_SEPARATE, *_POOLINGS, *_CONV_LSTMS, *_SIZED,
        "SpatialDropout2D", "SpatialDropout3D", "LocallyConnected2D",
    )
    if "1D" not in name
)  # fmt: skip
# Those whose data format is channels_last where none is stated, whatever the network's is.
DIMENSIONLESS = frozenset(
    name
    for name in (*_CONVOLUTIONS, *_TRANSPOSED, *_SEPARATE, *_POOLINGS, "LocallyConnected1D")
    if "1D" in name
) | {"Flatten", "Resizing", "CenterCrop", "ConvLSTM1D"}

# Options without a meaning when the network is run, by class.
DROPPED: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        (*_RECURRENT, *_CONV_LSTMS, *CELLS),
        frozenset(("implementation", "input_length", "unit_forget_bias", "zero_output_for_mask")),
    ),
    **dict.fromkeys(
        _SEPARATE, frozenset(("kernel_initializer", "kernel_regularizer", "kernel_constraint"))
    ),
    **{f"SpatialDropout{rank}": frozenset(("trainable", "noise_shape")) for rank in _RANKS},
    **dict.fromkeys(
        ("Dropout", "AlphaDropout", "GaussianDropout"), frozenset(("noise_shape", "rng_type"))
    ),
    **dict.fromkeys(
        (*_RANDOM, "RandomCrop", "RandomHeight", "RandomWidth"), frozenset(("rng_type",))
    ),
    "Discretization": frozenset(("trainable",)),
    "BatchNormalization": frozenset(("fused", "renorm_clipping", "renorm_momentum", "momentum")),
    "Embedding": frozenset(("input_length", "sparse", "dropout")),
    "MultiHeadAttention": frozenset(
        ("query_shape", "key_shape", "value_shape", "softmax_robust_masking")
    ),
    "Softmax": frozenset(("robust_masking",)),
    "Conv2DTranspose": frozenset(("deconvolved",)),
    "Attention": frozenset(("seed",)),
    "RandomFourierFeatures": frozenset(("kernel_initializer",)),
    "Identity": frozenset(("unconditional", "aggregation", "metric_name")),
    "LocallyConnected1D": frozenset(("kernel_initializer", "bias_initializer")),
    "LocallyConnected2D": frozenset(("kernel_initializer", "bias_initializer")),
}
# Options that must have one of these values, since Keras 3 lacks what others mean.
HARMLESS: dict[str, dict[str, tuple[Any, ...]]] = {
    **{key: {"time_major": (False, None)} for key in _RECURRENT},
    **{key: {"time_major": (False, None), "groups": (1,)} for key in _CONV_LSTMS},
    **{key: {"groups": (1, None)} for key in (*_TRANSPOSED, *_SEPARATE)},
    "BatchNormalization": {
        "renorm": (False, None), "virtual_batch_size": (None,), "adjustment": (None,),
    },
    "Attention": {"causal": (False,)},
    "AdditiveAttention": {"causal": (False,)},
}  # fmt: skip
