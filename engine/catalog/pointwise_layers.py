"""Layers that keep the shape: normalizations, activations and dropout beside the ones that every network has."""

from __future__ import annotations

from engine.catalog.layer_entry import BEFORE, DIM, layer

_INSTANCE = "y = γ·(x − mean) / √(var + eps) + β\nmean and var of each channel of each sample"

ENTRIES = (
    layer(
        "BatchNorm3d",
        "Brings each channel of a volume to mean 0 and spread 1 over the batch, then scales it.",
        "Between Conv3d and the activation. Wants batches of 16 or more.",
        inferred={"num_features": BEFORE},
        formula="y = γ·(x − mean) / √(var + eps) + β\nmean and var of each channel over the batch",
        when_not="With small batches, as volumes often ask for: GroupNorm.",
    ),
    *(
        layer(
            f"InstanceNorm{n}d",
            f"Brings each channel of each {what} to mean 0 and spread 1 by itself (Ulyanov et al., 2016).",
            "Where contrast and style of the single sample shall not matter.",
            inferred={"num_features": BEFORE},
            formula=_INSTANCE,
            when_not="Where brightness or contrast tell the classes apart: it takes them away.",
        )
        for n, what in ((1, "signal"), (2, "image"), (3, "volume"))
    ),
    layer(
        "RMSNorm",
        "Divides the features of each sample by their root mean square, then scales them (Zhang and Sennrich, 2019).",
        "As LayerNorm, a little faster: usual in language models.",
        inferred={"normalized_shape": "the last dimension of the layer before"},
        helps={"normalized_shape": "The last dimensions that are normalized together."},
        formula="y = γ·x / √(mean(x²) + eps)",
        when_not="Between convolutions: BatchNorm2d or GroupNorm.",
    ),
    layer(
        "LocalResponseNorm",
        "Divides each value by what its neighbouring channels have at that place (Krizhevsky et al., 2012).",
        "To rebuild AlexNet.",
        formula="y = x / (k + alpha/size · Σ x²)^beta over size neighbouring channels",
        when_not="In new networks: BatchNorm2d trains faster.",
        helps={"size": "Number of neighbouring channels that are looked at."},
    ),
    layer(
        "RReLU",
        "LeakyReLU with a random slope for each value while training (Xu et al., 2015).",
        "Against overfitting in small CNNs.",
        formula="x for x ≥ 0, else a·x, a drawn between lower and upper",
        when_not="Where runs shall be smooth: LeakyReLU.",
        helps={"lower": "The least slope.", "upper": "The greatest slope."},
    ),
    layer(
        "CELU",
        "ELU whose slope is 1 at zero whatever alpha is (Barron, 2017).",
        "As ELU, where alpha is not 1.",
        formula="max(0, x) + min(0, α·(exp(x/α) − 1))",
        when_not="Where speed counts: ReLU.",
    ),
    layer(
        "GLU",
        "Halves the channels: one half times the sigmoid of the other (Dauphin et al., 2017).",
        "After a layer of twice as many outputs, so that it learns what to let through.",
        inferred=DIM,
        formula="a · σ(b), a and b the halves of x",
        when_not="Where weights are few: it needs twice as many in the layer before.",
    ),
    layer(
        "LogSigmoid",
        "The log of the sigmoid.",
        "Where a loss asks for logs of independent probabilities.",
        formula="log(1 / (1 + exp(−x)))",
        when_not="Before BCEWithLogitsLoss, which does it itself.",
    ),
    layer(
        "Softsign",
        "Squeezes values to between -1 and 1, more slowly than Tanh.",
        "Instead of Tanh, where it saturates.",
        formula="x / (1 + |x|)",
        when_not="In deep networks: ReLU.",
    ),
    layer(
        "Hardtanh",
        "Cuts values off below min_val and above max_val.",
        "For networks that will run in low precision, or to bound an output.",
        hidden=frozenset({"min_value", "max_value"}),
        formula="min(max_val, max(min_val, x))",
        when_not="Deep down: nothing is learned where it is cut off.",
        helps={"min_val": "The least value.", "max_val": "The greatest value."},
    ),
    layer(
        "Hardsigmoid",
        "Sigmoid drawn with straight lines.",
        "For gates in networks that will run on small devices.",
        formula="min(1, max(0, x/6 + 1/2))",
        when_not="As a probability: Sigmoid.",
    ),
    layer(
        "Threshold",
        "Replaces every value that is not above the threshold.",
        "For a ReLU that begins elsewhere than at 0.",
        formula="x for x > threshold, else value",
        when_not="Where 0 is the threshold: ReLU.",
    ),
    layer(
        "Hardshrink",
        "Sets values between -lambd and lambd to zero.",
        "For sparse codes, where what stays shall keep its value.",
        formula="x for |x| > λ, else 0",
        when_not="As the usual activation: ReLU.",
        helps={"lambd": "Half the width of what is set to zero."},
    ),
    layer(
        "Softshrink",
        "Sets values between -lambd and lambd to zero and moves the others by lambd towards it.",
        "For sparse codes without a jump.",
        formula="sign(x)·max(0, |x| − λ)",
        when_not="As the usual activation: ReLU.",
        helps={"lambd": "Half the width of what is set to zero; not negative."},
    ),
    layer(
        "Tanhshrink",
        "What Tanh takes away.",
        "For sparse codes that are smooth everywhere.",
        formula="x − tanh(x)",
        when_not="As the usual activation: it is flat near zero, so it learns slowly.",
    ),
    layer(
        "Softmax2d",
        "Turns the channels at each pixel into probabilities that add up to 1.",
        "To weigh channels against each other at each pixel.",
        formula="exp(xᵢ) / Σⱼ exp(xⱼ) over the channels",
        when_not="Before CrossEntropyLoss, which does it itself.",
    ),
    layer(
        "Softmin",
        "Turns costs into probabilities that add up to 1: the least cost gets the most.",
        "Where small is good, as for distances.",
        inferred=DIM,
        formula="exp(−xᵢ) / Σⱼ exp(−xⱼ)",
        when_not="For scores: Softmax.",
    ),
    layer(
        "Dropout3d",
        "Sets a share p of the channels of a volume to zero while training.",
        "Against overfitting between Conv3d layers.",
        formula="y = x·m / (1 − p), m drawn from {0, 1} for each channel",
        when_not="Before a Linear: Dropout.",
    ),
    layer(
        "FeatureAlphaDropout",
        "AlphaDropout of whole channels.",
        "Between convolutions that are followed by SELU.",
        formula="y = a·(x·m + α'·(1 − m)) + b, m drawn for each channel",
        when_not="With any other activation: Dropout2d.",
    ),
)
