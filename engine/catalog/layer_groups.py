"""What a layer is for, in one word: the order in which the catalog lists layers."""

from __future__ import annotations

GROUPS: dict[str, tuple[str, ...]] = {
    "linear": ("Linear", "Identity"),
    "convolution": ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    "pooling": (
        *("MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d"),
        *("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"),
        *("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"),
        *("LPPool1d", "LPPool2d", "LPPool3d"),
    ),
    "normalization": (
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
        *("GroupNorm", "LayerNorm", "RMSNorm", "LocalResponseNorm"),
    ),
    "activation": (
        *("ReLU", "LeakyReLU", "PReLU", "RReLU", "ReLU6", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "GLU"),
        *("Tanh", "Sigmoid", "LogSigmoid", "Softplus", "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish"),
        *("Threshold", "Hardshrink", "Softshrink", "Tanhshrink"),
        *("Softmax", "Softmax2d", "Softmin", "LogSoftmax"),
    ),
    "recurrent": ("LSTM", "GRU", "RNN"),
    "embedding": ("Embedding", "EmbeddingBag", "PositionalEncoding"),
    "attention": ("TransformerEncoder", "AttentionPooling", "MeanPooling"),
    "dropout": ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
    "shape": (
        *("Flatten", "Unflatten", "Permute", "Upsample", "PixelShuffle", "PixelUnshuffle", "ChannelShuffle"),
        *("Unfold", "Fold"),
        *("ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d"),
        *("ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d"),
        *("ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d"),
        *("CircularPad1d", "CircularPad2d", "CircularPad3d"),
    ),
    "pretrained": ("torchvision",),
    "container": ("Residual", "Repeat", "Concat", "Sequential"),
}

_GROUP = {name: group for group, names in GROUPS.items() for name in names}
ORDER = {name: place for place, name in enumerate(_GROUP)}


def group_of(name: str) -> str:
    """The group of a layer; empty for one that is in none."""
    return _GROUP.get(name, "")
