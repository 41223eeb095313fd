"""Layers that slide over volumes, that enlarge, and that pool: beside the ones that every network has."""

from __future__ import annotations

from engine.catalog.layer_entry import adaptive_pooling, convolution, pooling

_GROWS = "In decoders, to enlarge: kernel_size 4 with stride 2 and padding 1 doubles the size."
_GROWS_NOT = "Where its checkerboard shows: Upsample and a convolution draw smoother."

ENTRIES = (
    convolution(
        "Conv3d",
        "Slides learned filters through a volume (C, D, H, W) and puts out one volume a filter.",
        "For scans and clips: patterns that are local in depth or time as well as on the plane.",
        formula="yₒ = bₒ + Σᵢ wₒᵢ ⋆ xᵢ over a window of D×H×W",
        when_not="For single images: Conv2d has a third of the dimensions and a fraction of the work.",
    ),
    convolution(
        "ConvTranspose1d",
        "Spreads every step of a signal (C, T) by learned filters: Conv1d the other way round.",
        _GROWS,
        formula="T' = (T − 1)·stride − 2·padding\n     + dilation·(kernel_size − 1) + output_padding + 1",
        when_not=_GROWS_NOT,
    ),
    convolution(
        "ConvTranspose2d",
        "Spreads every pixel of an image (C, H, W) by learned filters: Conv2d the other way round.",
        _GROWS,
        formula="H' = (H − 1)·stride − 2·padding\n     + dilation·(kernel_size − 1) + output_padding + 1",
        when_not=_GROWS_NOT,
    ),
    convolution(
        "ConvTranspose3d",
        "Spreads every cell of a volume (C, D, H, W) by learned filters: Conv3d the other way round.",
        _GROWS,
        formula="D' = (D − 1)·stride − 2·padding\n     + dilation·(kernel_size − 1) + output_padding + 1",
        when_not=_GROWS_NOT,
    ),
    pooling(
        "MaxPool3d",
        "Keeps the largest value of each window of a volume.",
        "To halve a volume after Conv3d and keep what stands out.",
        formula="y = max of x over each window",
        when_not="Where the position matters: a Conv3d with stride 2 learns what to keep.",
    ),
    pooling(
        "AvgPool3d",
        "Takes the mean of each window of a volume.",
        "To halve a volume gently.",
        formula="y = mean of x over each window",
        when_not="Where single strong values tell: MaxPool3d keeps them.",
    ),
    adaptive_pooling(
        "AdaptiveAvgPool3d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear: output_size = 1 makes one number a channel, whatever the volume's size.",
        formula="y = mean of x over each of output_size windows",
        when_not="Where it matters that something is there: AdaptiveMaxPool3d.",
    ),
    adaptive_pooling(
        "AdaptiveMaxPool3d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool3d, where it matters that something is there rather than how much of it.",
        formula="y = max of x over each of output_size windows",
        when_not="Where noise makes single values great: AdaptiveAvgPool3d.",
    ),
    *(
        pooling(
            f"LPPool{n}d",
            f"Takes the power mean, without dividing by the count, of each window of {what}.",
            f"Between AvgPool{n}d and MaxPool{n}d: norm_type says how much the great values count.",
            formula="y = (Σ xᵖ)^(1/p) over each window, p = norm_type",
            when_not="Where values are negative and norm_type is odd: the root is then not a number.",
        )
        for n, what in ((1, "a signal"), (2, "an image"), (3, "a volume"))
    ),
)
