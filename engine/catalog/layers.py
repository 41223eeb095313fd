"""Layers: what a network is built from. https://docs.pytorch.org/docs/stable/nn.html

Letters: N batch, C channels, H height, W width, T time, F features.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from engine.catalog.entry import Entry, Parameter
from engine.catalog.value_types import LAYERS

_BEFORE = "the layer before"
_AUTO = 'the data, where it is "auto": the number of classes or targets'
_PAIR = int | tuple[int, int]
_CHANNELS = {"in_channels": _BEFORE}


def _layer(name: str, summary: str, when: str, **more: Any) -> Entry:
    fields: dict[str, Any] = {"kind": "layers", "name": name, "torch_name": f"torch.nn.{name}"}
    return Entry(**(fields | {"summary": summary, "when": when} | more))


def _convolution(name: str, size: Any, summary: str, when: str) -> Entry:
    types = {"padding": Literal["same", "valid"] | size, "out_channels": int | Literal["auto"]}
    types |= dict.fromkeys(("kernel_size", "stride", "dilation"), size)
    helps = {"out_channels": 'Number of filters; "auto" takes as many as the data has classes or targets.'}
    return _layer(name, summary, when, inferred=_CHANNELS, types=types, helps=helps)


def _pooling(name: str, size: Any, summary: str, when: str) -> Entry:
    helps = {"stride": "The stride of the window; the kernel_size, if left out."}
    types = dict.fromkeys(("kernel_size", "stride", "padding", "dilation"), size)
    return _layer(name, summary, when, types=types, helps=helps)


_OUTPUT = Parameter(
    name="output",
    annotation=Literal["last", "mean", "sequence"],
    default="last",
    help="What is handed on: the state after the last step, the mean over the steps, or the state after every step. "
    "Padding is never read.",
)


def _recurrent(name: str, summary: str, when: str) -> Entry:
    return _layer(
        name,
        summary,
        when,
        signature_of="torch.nn.RNNBase",
        inferred={"input_size": _BEFORE},
        hidden=frozenset({"mode"} if name == "LSTM" else {"mode", "proj_size"}),
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

_DIM = {"dim": "the last dimension"}


def _container(name: str, summary: str, when: str, *parameters: Parameter, **more: Any) -> Entry:
    hidden = frozenset({"args", "layers", "copies", "shortcut", "branches", "dim", "name", "drop_path"})
    torch_name = more.pop("torch_name", f"engine.model.containers.{name}")
    return _layer(name, summary, when, torch_name=torch_name, hidden=hidden, added=parameters, **more)


def _held(name: str, help: str, *, required: bool = True) -> Parameter:
    return Parameter(name=name, annotation=LAYERS, required=required, help=help)


_CONTAINERS = (
    _container(
        "Residual",
        "Adds what comes in to what its layers make of it (He et al., 2016).",
        "To train networks of many layers: gradients reach the first ones along the shortcuts.",
        _held("layers", "The body, which learns what to add."),
        _held(
            "shortcut",
            "What the input goes through before it is added. Left out: nothing, or a 1×1 convolution (a Linear for "
            "features) with the body's stride where the body changes the shape.",
            required=False,
        ),
        Parameter(
            name="drop_path",
            annotation=Annotated[float, Ge(0), Lt(1)],
            default=0.0,
            help="Stochastic depth: the probability with which a sample skips the body while training (Huang et al., "
            "2016).",
        ),
        formula="y = shortcut(x) + body(x)",
        when_not="In a network of a few layers, where Sequential does as well.",
    ),
    _container(
        "Repeat",
        "The same layers several times in a row, each time with weights of their own.",
        "For the equal blocks of a deep network, written once.",
        Parameter(name="times", annotation=Annotated[int, Ge(1)], required=True, help="How many copies."),
        _held("layers", "The layers of one copy."),
        formula="y = f₃(f₂(f₁(x)))",
        when_not="Where the blocks differ in size: write each of them.",
    ),
    _container(
        "Concat",
        "Branches that read the same input, joined along the channels or features (Szegedy et al., 2015).",
        "To look at several scales at once, as Inception does; an empty branch [] hands the input on, as in DenseNet.",
        _held("branches", "The branches, each a list of layers; they may differ in channels or features only."),
        formula="y = [f(x), g(x), …]",
        when_not="Where a sum will do, which keeps the number of channels: Residual.",
    ),
    _container(
        "Sequential",
        "A group of layers, one after the other, that reads as one.",
        "To give a part of a network a name, and inside a branch.",
        _held("layers", "The layers, in the order of the forward pass."),
        Parameter(name="name", annotation=str, default="", help="What the group is called in the layer table."),
        torch_name="torch.nn.Sequential",
        formula="y = g(f(x))",
        when_not="For layers in a row that need no name: the model is such a row already.",
    ),
)

ENTRIES = (
    _layer(
        "Linear",
        "Every output is a weighted sum of all inputs.",
        'To mix features, and as the last layer: out_features = "auto" takes as many as the data asks for.',
        inferred={"in_features": _BEFORE},
        types={"out_features": int | Literal["auto"]},
        helps={"out_features": 'Number of outputs; "auto" takes as many as the data has classes or targets.'},
    ),
    _convolution(
        "Conv2d",
        _PAIR,
        "Slides learned filters over an image (C, H, W) and puts out one map a filter.",
        'The building block for images: kernel 3 with padding = "same" keeps the size; more filters deeper down.',
    ),
    _convolution(
        "Conv1d",
        int | tuple[int],
        "Slides learned filters along a signal (C, T) and puts out one track a filter.",
        "For patterns in time that are local; a sequence (T, F) is turned by Permute first.",
    ),
    _pooling(
        "MaxPool2d",
        _PAIR,
        "Keeps the largest value of each window of an image.",
        "To halve an image after convolutions and keep what stands out.",
    ),
    _pooling(
        "MaxPool1d",
        int | tuple[int],
        "Keeps the largest value of each window of a signal.",
        "To shorten a signal after Conv1d and keep what stands out.",
    ),
    _pooling(
        "AvgPool2d",
        _PAIR,
        "Takes the mean of each window of an image.",
        "To halve an image gently, as LeNet does.",
    ),
    _pooling(
        "AvgPool1d",
        int | tuple[int],
        "Takes the mean of each window of a signal.",
        "To shorten a signal and smooth it.",
    ),
    _layer(
        "AdaptiveAvgPool2d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear: output_size = 1 makes one number a channel, whatever the image's size.",
        types={"output_size": _PAIR},
    ),
    _layer(
        "AdaptiveAvgPool1d",
        "Takes means over windows chosen so that the result has output_size.",
        "Before the last Linear after Conv1d: output_size = 1 makes one number a channel, whatever the length.",
        types={"output_size": int | tuple[int]},
    ),
    _layer(
        "AdaptiveMaxPool2d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool2d, where it matters that something is there rather than how much of it.",
        types={"output_size": _PAIR},
    ),
    _layer(
        "AdaptiveMaxPool1d",
        "Takes maxima over windows chosen so that the result has output_size.",
        "As AdaptiveAvgPool1d, where it matters that something is there rather than how much of it.",
        types={"output_size": int | tuple[int]},
    ),
    _layer(
        "BatchNorm2d",
        "Brings each channel to mean 0 and spread 1 over the batch, then scales it (Ioffe and Szegedy, 2015).",
        "Between Conv2d and the activation: trains faster at higher rates. Wants batches of 16 or more.",
        inferred={"num_features": _BEFORE},
    ),
    _layer(
        "BatchNorm1d",
        "Brings each feature, or each channel of a signal, to mean 0 and spread 1 over the batch, then scales it.",
        "Between Linear or Conv1d and the activation. Wants batches of 16 or more.",
        inferred={"num_features": _BEFORE},
    ),
    _layer(
        "LayerNorm",
        "Brings the features of each sample to mean 0 and spread 1, then scales them (Ba et al., 2016).",
        "For sequences and small batches: it does not depend on the other samples.",
        inferred={"normalized_shape": "the last dimension of the layer before"},
        helps={"normalized_shape": "The last dimensions that are normalized together."},
    ),
    _layer(
        "GroupNorm",
        "Brings groups of channels of each sample to mean 0 and spread 1, then scales them (Wu and He, 2018).",
        "Instead of BatchNorm2d when batches are small.",
        inferred={"num_channels": _BEFORE},
    ),
    _layer(
        "Dropout",
        "Sets a share p of the values to zero while training (Srivastava et al., 2014).",
        "Against overfitting, before Linear layers: p of 0.2 to 0.5.",
    ),
    _layer(
        "Dropout2d",
        "Sets a share p of the channels to zero while training.",
        "Against overfitting between Conv2d layers, where neighbouring pixels tell the same: p of 0.1 to 0.2.",
    ),
    _layer(
        "Dropout1d",
        "Sets a share p of the channels of a signal to zero while training.",
        "Against overfitting between Conv1d layers.",
    ),
    _layer(
        "AlphaDropout",
        "Dropout that keeps mean and spread.",
        "Together with SELU only.",
    ),
    _layer(
        "Flatten",
        "Lays all values of a sample out in one row.",
        "Between convolutions and the first Linear.",
        types={"start_dim": int, "end_dim": int},
    ),
    _layer(
        "Permute",
        "Reorders the dimensions; dimension 0 is the batch and stays.",
        "Between sequences (T, F) and signals (C, T): dims = [0, 2, 1] turns one into the other.",
        torch_name="engine.model.permute.Permute",
        types={"dims": tuple[int, ...]},
    ),
    _layer(
        "Embedding",
        "Looks up a learned vector for each token.",
        "First, for text: 50 to 300 numbers a word. Padding stays zero and is not learned.",
        inferred={
            "num_embeddings": "the data's vocabulary",
            "padding_idx": "0 where the data is padded",
        },
        hidden=frozenset({"_weight", "_freeze"}),
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
    _layer(
        "ReLU",
        "Sets negative values to zero.",
        "The first choice between layers.",
    ),
    _layer(
        "LeakyReLU",
        "Lets a small share of negative values through.",
        "When units of a ReLU network die: they still learn where their input is negative.",
    ),
    _layer(
        "PReLU",
        "LeakyReLU whose slope is learned (He et al., 2015).",
        "For deep CNNs with data to spare.",
        hidden=frozenset({"init"}),
    ),
    _layer(
        "ReLU6",
        "ReLU cut off at 6.",
        "For networks that will run in low precision on small devices.",
    ),
    _layer(
        "ELU",
        "Bends negative values smoothly towards -alpha (Clevert et al., 2016).",
        "When outputs should have a mean near zero without BatchNorm.",
    ),
    _layer(
        "SELU",
        "ELU scaled so that deep plain networks normalize themselves (Klambauer et al., 2017).",
        "For deep networks of Linear layers without BatchNorm.",
    ),
    _layer(
        "GELU",
        "Weighs each value by the share of a normal distribution below it (Hendrycks and Gimpel, 2016).",
        "Smooth where ReLU has a kink; usual in transformers.",
        types={"approximate": Literal["none", "tanh"]},
    ),
    _layer(
        "SiLU",
        "Each value times its sigmoid; also called swish.",
        "Smooth where ReLU has a kink; usual in newer CNNs.",
    ),
    _layer(
        "Mish",
        "Each value times the tanh of its softplus (Misra, 2019).",
        "As SiLU, a little smoother and slower.",
    ),
    _layer(
        "Hardswish",
        "SiLU drawn with straight lines (Howard et al., 2019).",
        "For networks that will run on small devices.",
    ),
    _layer(
        "Tanh",
        "Squeezes values to between -1 and 1.",
        "In small and older networks, and inside RNNs; deep down it saturates.",
    ),
    _layer(
        "Sigmoid",
        "Squeezes values to between 0 and 1.",
        "As the last layer before BCELoss; between layers ReLU learns faster.",
    ),
    _layer(
        "Softplus",
        "A smooth ReLU that is always positive.",
        "As the last layer where the target is positive.",
    ),
    _layer(
        "Softmax",
        "Turns scores into probabilities that add up to 1.",
        "Inside a network; not before CrossEntropyLoss, which does it itself.",
        inferred=_DIM,
    ),
    _layer(
        "LogSoftmax",
        "Turns scores into logs of probabilities.",
        "As the last layer before NLLLoss.",
        inferred=_DIM,
    ),
    _layer(
        "Identity",
        "Hands its input on.",
        "To hold a place.",
    ),
    *_CONTAINERS,
)
