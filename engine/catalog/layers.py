"""Layers: what a network is built from. https://docs.pytorch.org/docs/stable/nn.html

Letters: N batch, C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

from typing import Any, Literal

from engine.catalog import (
    container_layers,
    pointwise_layers,
    pretrained_layers,
    sequence_layers,
    shape_layers,
    window_layers,
)
from engine.catalog.entry import Entry, Parameter
from engine.catalog.layer_entry import BEFORE, COPIES, DIM, adaptive_pooling, convolution, layer, pooling
from engine.catalog.layer_groups import ORDER

_OUTPUT = Parameter(
    name="output",
    annotation=Literal["last", "mean", "sequence"],
    default="last",
    help="What is handed on: the state after the last step, the mean over the steps, or the state after every step. "
    "Padding is never read.",
)


def _recurrent(name: str, summary: str, when: str, **more: Any) -> Entry:
    return layer(
        name,
        summary,
        when,
        signature_of="torch.nn.RNNBase",
        inferred={"input_size": BEFORE},
        hidden=frozenset({"mode"} if name == "LSTM" else {"mode", "proj_size"}),
        types={"num_layers": COPIES},
        helps={"dropout": "Dropout between the stacked layers, so it needs num_layers of 2 or more."},
        added=(*_NONLINEARITY.get(name, ()), _OUTPUT),
        **more,
    )


_NONLINEARITY = {
    "RNN": (
        Parameter(
            name="nonlinearity",
            annotation=Literal["tanh", "relu"],
            default="tanh",
            help="The function between the steps: tanh or relu.",
        ),
    )
}

_FIRST = (
    layer(
        "Linear",
        "Every output is a weighted sum of all inputs.",
        'To mix features, and as the last layer: out_features = "auto" takes as many as the data asks for.',
        inferred={"in_features": BEFORE},
        types={"out_features": int | Literal["auto"]},
        helps={"out_features": 'Number of outputs; "auto" takes as many as the data has classes or targets.'},
        formula="y = W·x + b",
        when_not="On images and signals before they are flat: convolutions share their weights over places.",
    ),
    convolution(
        "Conv2d",
        "Slides learned filters over an image (C, H, W) and puts out one map a filter.",
        'The building block for images: kernel 3 with padding = "same" keeps the size; more filters deeper down.',
        formula="y[o, i, j] = b[o] + Σ_c Σ_u Σ_v w[o, c, u, v]·x[c, i·s + u·d, j·s + v·d]\n"
        "s the stride, d the dilation, x surrounded by padding zeros",
        when_not="For tables, whose columns have no neighbours: Linear.",
    ),
    convolution(
        "Conv1d",
        "Slides learned filters along a signal (C, T) and puts out one track a filter.",
        "For patterns in time that are local; a sequence (T, F) is turned by Permute first.",
        formula="y[o, t] = b[o] + Σ_c Σ_i w[o, c, i]·x[c, t·stride + i·dilation - padding]",
        when_not="For patterns that span the whole signal: LSTM, GRU or TransformerEncoder.",
    ),
    pooling(
        "MaxPool2d",
        "Keeps the largest value of each window of an image.",
        "To halve an image after convolutions and keep what stands out.",
        formula="y[c, i, j] = max of x[c] over the window at (i·stride, j·stride)",
        when_not="Where what falls away is needed: Conv2d with stride 2 learns what to keep.",
    ),
    pooling(
        "MaxPool1d",
        "Keeps the largest value of each window of a signal.",
        "To shorten a signal after Conv1d and keep what stands out.",
        formula="y[c, t] = max of x[c, t·stride … t·stride + kernel_size - 1]",
        when_not="Where the mean level tells, not the peaks: AvgPool1d.",
    ),
    pooling(
        "AvgPool2d",
        "Takes the mean of each window of an image.",
        "To halve an image gently, as LeNet does.",
        formula="y[c, i, j] = mean of x[c] over the window at (i·stride, j·stride)",
        when_not="Where it counts that something is there at all: MaxPool2d.",
    ),
    pooling(
        "AvgPool1d",
        "Takes the mean of each window of a signal.",
        "To shorten a signal and smooth it.",
        formula="y[c, t] = mean of x[c, t·stride … t·stride + kernel_size - 1]",
        when_not="Where peaks tell: MaxPool1d.",
    ),
    adaptive_pooling(
        "AdaptiveAvgPool2d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear: output_size = 1 makes one number a channel, whatever the image's size.",
        formula="y[c, i, j] = mean of x[c] over rows ⌊i·H / n⌋ … ⌈(i + 1)·H / n⌉ - 1\n"
        "and columns alike, n = output_size",
        when_not="Where the place of a pattern matters: Flatten keeps it.",
    ),
    adaptive_pooling(
        "AdaptiveAvgPool1d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear after Conv1d: output_size = 1 makes one number a channel, whatever the length.",
        formula="y[c, t] = mean of x[c, ⌊t·L / n⌋ … ⌈(t + 1)·L / n⌉ - 1]\nL the length, n = output_size",
        when_not="Where the place of a pattern matters: Flatten keeps it.",
    ),
    adaptive_pooling(
        "AdaptiveMaxPool2d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool2d, where it matters that something is there rather than how much of it.",
        formula="y[c, i, j] = max of x[c] over rows ⌊i·H / n⌋ … ⌈(i + 1)·H / n⌉ - 1\n"
        "and columns alike, n = output_size",
        when_not="Where single peaks are noise: AdaptiveAvgPool2d.",
    ),
    adaptive_pooling(
        "AdaptiveMaxPool1d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool1d, where it matters that something is there rather than how much of it.",
        formula="y[c, t] = max of x[c, ⌊t·L / n⌋ … ⌈(t + 1)·L / n⌉ - 1]\nL the length, n = output_size",
        when_not="Where single peaks are noise: AdaptiveAvgPool1d.",
    ),
    layer(
        "BatchNorm2d",
        "Brings each channel to mean 0 and spread 1 over the batch, then scales it (Ioffe and Szegedy, 2015).",
        "Between Conv2d and the activation: trains faster at higher rates. Wants batches of 16 or more.",
        inferred={"num_features": BEFORE},
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each channel over the batch and all places",
        when_not="With batches below 16: GroupNorm.",
    ),
    layer(
        "BatchNorm1d",
        "Brings each feature, or each channel of a signal, to mean 0 and spread 1 over the batch, then scales it.",
        "Between Linear or Conv1d and the activation. Wants batches of 16 or more.",
        inferred={"num_features": BEFORE},
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each feature over the batch",
        when_not="With batches below 16, and in sequences: LayerNorm.",
    ),
    layer(
        "LayerNorm",
        "Brings the features of each sample to mean 0 and spread 1, then scales them (Ba et al., 2016).",
        "For sequences and small batches: it does not depend on the other samples.",
        inferred={"normalized_shape": "the last dimension of the layer before"},
        helps={"normalized_shape": "The last dimensions that are normalized together."},
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var over the features of a sample",
        when_not="Between convolutions: BatchNorm2d or GroupNorm.",
    ),
    layer(
        "GroupNorm",
        "Brings groups of channels of each sample to mean 0 and spread 1, then scales them (Wu and He, 2018).",
        "Instead of BatchNorm2d when batches are small.",
        inferred={"num_channels": BEFORE},
        formula="y = γ·(x - mean) / √(var + eps) + β\nmean and var of each group of channels of each sample",
        when_not="With large batches: BatchNorm2d often ends better.",
    ),
    layer(
        "Dropout",
        "Sets a share p of the values to zero while training (Srivastava et al., 2014).",
        "Against overfitting, before Linear layers: p of 0.2 to 0.5.",
        formula="y = x·m / (1 - p), m = 0 with probability p, else 1; y = x in evaluation",
        when_not="Where the training loss is still high: it underfits already. Between convolutions: Dropout2d.",
    ),
    layer(
        "Dropout2d",
        "Sets a share p of the channels to zero while training.",
        "Against overfitting between Conv2d layers, where neighbouring pixels tell the same: p of 0.1 to 0.2.",
        formula="y[c] = x[c]·m / (1 - p), one m a channel; y = x in evaluation",
        when_not="After Flatten or Linear: Dropout.",
    ),
    layer(
        "Dropout1d",
        "Sets a share p of the channels of a signal to zero while training.",
        "Against overfitting between Conv1d layers.",
        formula="y[c] = x[c]·m / (1 - p), one m a channel; y = x in evaluation",
        when_not="After Flatten or Linear: Dropout.",
    ),
    layer(
        "AlphaDropout",
        "Dropout that keeps mean and spread.",
        "Together with SELU only.",
        formula="y = a·(m·x - 1.7581·(1 - m)) + b, a and b so that mean and spread stay",
        when_not="With any activation but SELU: Dropout.",
    ),
    layer(
        "Flatten",
        "Lays all values of a sample out in one row.",
        "Between convolutions and the first Linear.",
        types={"start_dim": int, "end_dim": int},
        when_not="Before convolutions, which need the places: put it behind them.",
    ),
    layer(
        "Permute",
        "Reorders the dimensions; dimension 0 is the batch and stays.",
        "Between sequences (T, F) and signals (C, T): dims = [0, 2, 1] turns one into the other.",
        torch_name="engine.model.permute.Permute",
        types={"dims": tuple[int, ...]},
        formula="y[n, i, j] = x[n, j, i] for dims = [0, 2, 1]",
        when_not="Before Flatten, where the order is no matter: leave it out.",
    ),
    layer(
        "Embedding",
        "Looks up a learned vector for each token.",
        "First, for text: 50 to 300 numbers a word. Padding stays zero and is not learned.",
        inferred={
            "num_embeddings": "the data's vocabulary",
            "padding_idx": "0 where the data is padded",
        },
        hidden=frozenset({"_weight", "_freeze"}),
        added=(
            Parameter(
                name="freeze",
                annotation=bool,
                default=False,
                help="Whether its vectors stay as they are: nothing is learned.",
            ),
        ),
        formula="y[t] = w[token t]",
        when_not="For numbers: they are features already. Take Linear.",
    ),
    layer(
        "EmbeddingBag",
        "Looks up a learned vector for each token and hands on their mean, sum or maximum.",
        "The quickest network for text: EmbeddingBag and Linear (fastText, Joulin et al., 2017). Padding is left out.",
        inferred={
            "num_embeddings": "the data's vocabulary",
            "padding_idx": "0 where the data is padded",
        },
        types={"mode": Literal["mean", "sum", "max"]},
        hidden=frozenset({"_weight", "include_last_offset"}),
        formula="y = mean of w[token] over the tokens of a text",
        when_not="Where the order of words matters: Embedding and an LSTM.",
    ),
    _recurrent(
        "LSTM",
        "Reads a sequence step by step, with gates that keep what matters (Hochreiter and Schmidhuber, 1997).",
        "The first choice for sequences; 64 to 256 states go far.",
        formula="i, f, o = σ(W·x + U·h + b), one of each;  g = tanh(W·x + U·h + b)\nc ← f·c + i·g,  h ← o·tanh(c)",
        when_not="For very long sequences, or on GPUs with data to spare: TransformerEncoder.",
    ),
    _recurrent(
        "GRU",
        "Reads a sequence step by step with two gates instead of an LSTM's three (Cho et al., 2014).",
        "As LSTM with a quarter fewer weights; often as good. On a CPU torch runs the LSTM faster.",
        formula="r, z = σ(W·x + U·h + b), one of each;  n = tanh(W·x + b + r·(U·h + b))\nh ← (1 - z)·n + z·h",
        when_not="For very long sequences: TransformerEncoder. On a CPU the LSTM is the faster one.",
    ),
    _recurrent(
        "RNN",
        "Reads a sequence step by step without gates (Elman, 1990).",
        "For short sequences, and to see why gates were invented.",
        formula="h ← tanh(W·x + U·h + b), or ReLU in place of tanh",
        when_not="For sequences of more than some ten steps, over which it forgets: LSTM or GRU.",
    ),
    layer(
        "ReLU",
        "Sets negative values to zero.",
        "The first choice between layers.",
        formula="max(0, x)",
        when_not="Where many units die at high rates: LeakyReLU. In transformers: GELU.",
    ),
    layer(
        "LeakyReLU",
        "Lets a small share of negative values through.",
        "When units of a ReLU network die: they still learn where their input is negative.",
        formula="x for x ≥ 0, else negative_slope·x",
        when_not="Where ReLU trains well, which is quicker.",
    ),
    layer(
        "PReLU",
        "LeakyReLU whose slope is learned (He et al., 2015).",
        "For deep CNNs with data to spare.",
        hidden=frozenset({"init"}),
        formula="x for x ≥ 0, else a·x, a learned",
        when_not="With few data, which it helps to overfit: LeakyReLU.",
    ),
    layer(
        "ReLU6",
        "ReLU cut off at 6.",
        "For networks that will run in low precision on small devices.",
        formula="min(max(0, x), 6)",
        when_not="In full precision: ReLU.",
    ),
    layer(
        "ELU",
        "Bends negative values smoothly towards -alpha (Clevert et al., 2016).",
        "When outputs should have a mean near zero without BatchNorm.",
        formula="x for x ≥ 0, else α·(exp(x) - 1)",
        when_not="Where speed counts, or with BatchNorm: ReLU.",
    ),
    layer(
        "SELU",
        "ELU scaled so that deep plain networks normalize themselves (Klambauer et al., 2017).",
        "For deep networks of Linear layers without BatchNorm.",
        formula="1.0507·x for x ≥ 0, else 1.7581·(exp(x) - 1)",
        when_not="With BatchNorm, convolutions or shortcuts: ReLU.",
    ),
    layer(
        "GELU",
        "Weighs each value by the share of a normal distribution below it (Hendrycks and Gimpel, 2016).",
        "Smooth where ReLU has a kink; usual in transformers.",
        types={"approximate": Literal["none", "tanh"]},
        formula="x·Φ(x), Φ the cumulative function of the normal distribution\n"
        'approximate = "tanh": ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))',
        when_not="In small CNNs, where it costs more than it brings: ReLU.",
    ),
    layer(
        "SiLU",
        "Each value times its sigmoid; also called swish.",
        "Smooth where ReLU has a kink; usual in newer CNNs.",
        formula="x·σ(x), σ(x) = 1 / (1 + exp(-x))",
        when_not="In small CNNs, where it costs more than it brings: ReLU.",
    ),
    layer(
        "Mish",
        "Each value times the tanh of its softplus (Misra, 2019).",
        "As SiLU, a little smoother and slower.",
        formula="x·tanh(log(1 + exp(x)))",
        when_not="Where speed counts: SiLU or ReLU.",
    ),
    layer(
        "Hardswish",
        "SiLU drawn with straight lines (Howard et al., 2019).",
        "For networks that will run on small devices.",
        formula="x·min(max(0, x + 3), 6) / 6",
        when_not="Where speed on small devices is no matter: SiLU.",
    ),
    layer(
        "Tanh",
        "Squeezes values to between -1 and 1.",
        "In small and older networks, and inside RNNs; deep down it saturates.",
        formula="(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        when_not="In deep networks, where its flat ends stop the gradient: ReLU.",
    ),
    layer(
        "Sigmoid",
        "Squeezes values to between 0 and 1.",
        "As the last layer before BCELoss; between layers ReLU learns faster.",
        formula="1 / (1 + exp(-x))",
        when_not="Before BCEWithLogitsLoss or CrossEntropyLoss, which have it inside: leave it out.",
    ),
    layer(
        "Softplus",
        "A smooth ReLU that is always positive.",
        "As the last layer where the target is positive.",
        formula="1/beta · log(1 + exp(beta·x)), x itself where beta·x > threshold",
        when_not="Between layers: ReLU is cheaper and as good.",
    ),
    layer(
        "Softmax",
        "Turns scores into probabilities that add up to 1.",
        "Inside a network; not before CrossEntropyLoss, which does it itself.",
        inferred=DIM,
        formula="exp(x[k]) / Σⱼ exp(x[j])",
        when_not="As the last layer before CrossEntropyLoss: leave it out.",
    ),
    layer(
        "LogSoftmax",
        "Turns scores into logs of probabilities.",
        "As the last layer before NLLLoss.",
        inferred=DIM,
        formula="x[k] - log Σⱼ exp(x[j])",
        when_not="As the last layer before CrossEntropyLoss: leave it out.",
    ),
    layer(
        "Identity",
        "Hands its input on.",
        "As a placeholder.",
        when_not="Elsewhere: leave it out.",
    ),
)

_ALL = (
    *_FIRST,
    *sequence_layers.ENTRIES,
    *window_layers.ENTRIES,
    *pointwise_layers.ENTRIES,
    *shape_layers.ENTRIES,
    *pretrained_layers.ENTRIES,
    *container_layers.ENTRIES,
)

ENTRIES = tuple(sorted(_ALL, key=lambda entry: ORDER.get(entry.name, len(ORDER))))
