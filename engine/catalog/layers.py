"""Layers: what a network is built from. https://docs.pytorch.org/docs/stable/nn.html

Letters: N batch, C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

from typing import Literal

from engine.catalog import container_layers, pointwise_layers, sequence_layers, shape_layers, window_layers
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


def _recurrent(name: str, summary: str, when: str) -> Entry:
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
    ),
    convolution(
        "Conv2d",
        "Slides learned filters over an image (C, H, W) and puts out one map a filter.",
        'The building block for images: kernel 3 with padding = "same" keeps the size; more filters deeper down.',
    ),
    convolution(
        "Conv1d",
        "Slides learned filters along a signal (C, T) and puts out one track a filter.",
        "For patterns in time that are local; a sequence (T, F) is turned by Permute first.",
    ),
    pooling(
        "MaxPool2d",
        "Keeps the largest value of each window of an image.",
        "To halve an image after convolutions and keep what stands out.",
    ),
    pooling(
        "MaxPool1d",
        "Keeps the largest value of each window of a signal.",
        "To shorten a signal after Conv1d and keep what stands out.",
    ),
    pooling(
        "AvgPool2d",
        "Takes the mean of each window of an image.",
        "To halve an image gently, as LeNet does.",
    ),
    pooling(
        "AvgPool1d",
        "Takes the mean of each window of a signal.",
        "To shorten a signal and smooth it.",
    ),
    adaptive_pooling(
        "AdaptiveAvgPool2d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear: output_size = 1 makes one number a channel, whatever the image's size.",
    ),
    adaptive_pooling(
        "AdaptiveAvgPool1d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear after Conv1d: output_size = 1 makes one number a channel, whatever the length.",
    ),
    adaptive_pooling(
        "AdaptiveMaxPool2d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool2d, where it matters that something is there rather than how much of it.",
    ),
    adaptive_pooling(
        "AdaptiveMaxPool1d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool1d, where it matters that something is there rather than how much of it.",
    ),
    layer(
        "BatchNorm2d",
        "Brings each channel to mean 0 and spread 1 over the batch, then scales it (Ioffe and Szegedy, 2015).",
        "Between Conv2d and the activation: trains faster at higher rates. Wants batches of 16 or more.",
        inferred={"num_features": BEFORE},
    ),
    layer(
        "BatchNorm1d",
        "Brings each feature, or each channel of a signal, to mean 0 and spread 1 over the batch, then scales it.",
        "Between Linear or Conv1d and the activation. Wants batches of 16 or more.",
        inferred={"num_features": BEFORE},
    ),
    layer(
        "LayerNorm",
        "Brings the features of each sample to mean 0 and spread 1, then scales them (Ba et al., 2016).",
        "For sequences and small batches: it does not depend on the other samples.",
        inferred={"normalized_shape": "the last dimension of the layer before"},
        helps={"normalized_shape": "The last dimensions that are normalized together."},
    ),
    layer(
        "GroupNorm",
        "Brings groups of channels of each sample to mean 0 and spread 1, then scales them (Wu and He, 2018).",
        "Instead of BatchNorm2d when batches are small.",
        inferred={"num_channels": BEFORE},
    ),
    layer(
        "Dropout",
        "Sets a share p of the values to zero while training (Srivastava et al., 2014).",
        "Against overfitting, before Linear layers: p of 0.2 to 0.5.",
    ),
    layer(
        "Dropout2d",
        "Sets a share p of the channels to zero while training.",
        "Against overfitting between Conv2d layers, where neighbouring pixels tell the same: p of 0.1 to 0.2.",
    ),
    layer(
        "Dropout1d",
        "Sets a share p of the channels of a signal to zero while training.",
        "Against overfitting between Conv1d layers.",
    ),
    layer(
        "AlphaDropout",
        "Dropout that keeps mean and spread.",
        "Together with SELU only.",
    ),
    layer(
        "Flatten",
        "Lays all values of a sample out in one row.",
        "Between convolutions and the first Linear.",
        types={"start_dim": int, "end_dim": int},
    ),
    layer(
        "Permute",
        "Reorders the dimensions; dimension 0 is the batch and stays.",
        "Between sequences (T, F) and signals (C, T): dims = [0, 2, 1] turns one into the other.",
        torch_name="engine.model.permute.Permute",
        types={"dims": tuple[int, ...]},
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
    ),
    _recurrent(
        "GRU",
        "Reads a sequence step by step with two gates instead of an LSTM's three (Cho et al., 2014).",
        "As LSTM with a quarter fewer weights; often as good. On a CPU torch runs the LSTM faster.",
    ),
    _recurrent(
        "RNN",
        "Reads a sequence step by step without gates (Elman, 1990).",
        "For short sequences, and to see why gates were invented.",
    ),
    layer(
        "ReLU",
        "Sets negative values to zero.",
        "The first choice between layers.",
    ),
    layer(
        "LeakyReLU",
        "Lets a small share of negative values through.",
        "When units of a ReLU network die: they still learn where their input is negative.",
    ),
    layer(
        "PReLU",
        "LeakyReLU whose slope is learned (He et al., 2015).",
        "For deep CNNs with data to spare.",
        hidden=frozenset({"init"}),
    ),
    layer(
        "ReLU6",
        "ReLU cut off at 6.",
        "For networks that will run in low precision on small devices.",
    ),
    layer(
        "ELU",
        "Bends negative values smoothly towards -alpha (Clevert et al., 2016).",
        "When outputs should have a mean near zero without BatchNorm.",
    ),
    layer(
        "SELU",
        "ELU scaled so that deep plain networks normalize themselves (Klambauer et al., 2017).",
        "For deep networks of Linear layers without BatchNorm.",
    ),
    layer(
        "GELU",
        "Weighs each value by the share of a normal distribution below it (Hendrycks and Gimpel, 2016).",
        "Smooth where ReLU has a kink; usual in transformers.",
        types={"approximate": Literal["none", "tanh"]},
    ),
    layer(
        "SiLU",
        "Each value times its sigmoid; also called swish.",
        "Smooth where ReLU has a kink; usual in newer CNNs.",
    ),
    layer(
        "Mish",
        "Each value times the tanh of its softplus (Misra, 2019).",
        "As SiLU, a little smoother and slower.",
    ),
    layer(
        "Hardswish",
        "SiLU drawn with straight lines (Howard et al., 2019).",
        "For networks that will run on small devices.",
    ),
    layer(
        "Tanh",
        "Squeezes values to between -1 and 1.",
        "In small and older networks, and inside RNNs; deep down it saturates.",
    ),
    layer(
        "Sigmoid",
        "Squeezes values to between 0 and 1.",
        "As the last layer before BCELoss; between layers ReLU learns faster.",
    ),
    layer(
        "Softplus",
        "A smooth ReLU that is always positive.",
        "As the last layer where the target is positive.",
    ),
    layer(
        "Softmax",
        "Turns scores into probabilities that add up to 1.",
        "Inside a network; not before CrossEntropyLoss, which does it itself.",
        inferred=DIM,
    ),
    layer(
        "LogSoftmax",
        "Turns scores into logs of probabilities.",
        "As the last layer before NLLLoss.",
        inferred=DIM,
    ),
    layer(
        "Identity",
        "Hands its input on.",
        "To hold a place.",
    ),
)

_ALL = (
    *_FIRST,
    *sequence_layers.ENTRIES,
    *window_layers.ENTRIES,
    *pointwise_layers.ENTRIES,
    *shape_layers.ENTRIES,
    *container_layers.ENTRIES,
)

ENTRIES = tuple(sorted(_ALL, key=lambda entry: ORDER.get(entry.name, len(ORDER))))
