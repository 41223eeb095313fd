"""Initializers: what weights start as. https://docs.pytorch.org/docs/stable/nn.init.html"""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le

from engine.catalog.entry import Entry

_FAN = {
    "mode": "Whether the inputs of a unit (fan_in, keeps the forward signal) or its outputs (fan_out) set the size."
}


def _initializer(name: str, summary: str, when: str, **more: Any) -> Entry:
    return Entry(kind="initializers", name=name, torch_name=f"torch.nn.init.{name}", summary=summary, when=when, **more)


_ANY = 99
DIMENSIONS = {
    **dict.fromkeys(("kaiming_normal_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_"), (2, _ANY)),
    "orthogonal_": (2, _ANY),
    **dict.fromkeys(("trunc_normal_", "normal_", "uniform_", "constant_", "zeros_", "ones_"), (1, _ANY)),
    "dirac_": (3, 5),
    "eye_": (2, 2),
    "sparse_": (2, 2),
}
"""The least and the most dimensions of a tensor that each can set."""

ENTRIES = (
    _initializer(
        "kaiming_normal_",
        "Normal, its spread set by the inputs of a unit so that ReLU keeps the signal's size (He et al., 2015).",
        "For CNNs and other networks of ReLU and its kin.",
        helps=_FAN,
        formula="w ~ N(0, std²), std = gain / √fan\ngain = √2 for ReLU, fan the inputs (or outputs) of a unit",
        when_not='For Tanh and Sigmoid: xavier_normal_. For SELU: nonlinearity = "linear".',
    ),
    _initializer(
        "kaiming_uniform_",
        "Uniform, its range set by the inputs of a unit so that ReLU keeps the signal's size (He et al., 2015).",
        "As kaiming_normal_, without its tails.",
        helps=_FAN,
        formula="w ~ U(-b, b), b = gain·√(3 / fan)\ngain = √2 for ReLU, fan the inputs (or outputs) of a unit",
        when_not="For Tanh and Sigmoid: xavier_uniform_.",
    ),
    _initializer(
        "xavier_uniform_",
        "Uniform, its range set by the inputs and outputs of a unit (Glorot and Bengio, 2010).",
        "For networks of Tanh or Sigmoid, and for the input weights of an RNN.",
        formula="w ~ U(-b, b), b = gain·√(6 / (inputs + outputs))",
        when_not="For ReLU, where it halves the signal layer by layer: kaiming_uniform_.",
    ),
    _initializer(
        "xavier_normal_",
        "Normal, its spread set by the inputs and outputs of a unit (Glorot and Bengio, 2010).",
        "As xavier_uniform_, with tails.",
        formula="w ~ N(0, std²), std = gain·√(2 / (inputs + outputs))",
        when_not="For ReLU, where it halves the signal layer by layer: kaiming_normal_.",
    ),
    _initializer(
        "orthogonal_",
        "Rows at right angles to each other and of length gain (Saxe et al., 2014).",
        "For RNNs and for deep networks: gradients neither vanish nor explode at the start.",
        formula="W·Wᵀ = gain²·I, or Wᵀ·W where there are more rows than columns",
        when_not="For wide shallow networks of ReLU: kaiming_normal_ is cheaper and as good.",
    ),
    _initializer(
        "trunc_normal_",
        "Normal, drawn again where it falls outside of a to b.",
        "As in transformers, with std 0.02.",
        formula="w ~ N(mean, std²), drawn again while outside of [a, b]",
        when_not="Where the size of the layer should set the spread: kaiming_normal_ or xavier_normal_.",
    ),
    _initializer(
        "normal_",
        "Normal, with the mean and std that are given.",
        "To set the spread by hand; the default std of 1 is too large for most layers.",
        formula="w ~ N(mean, std²)",
        when_not="Where the size of the layer should set the spread: kaiming_normal_ or xavier_normal_.",
    ),
    _initializer(
        "uniform_",
        "Uniform between a and b.",
        "To set the range by hand, as -0.1 to 0.1 for an LSTM; the default 0 to 1 suits few networks.",
        formula="w ~ U(a, b)",
        when_not="Where the size of the layer should set the range: kaiming_uniform_ or xavier_uniform_.",
    ),
    _initializer(
        "constant_",
        "Every weight the same number.",
        "To see why symmetry must be broken; seldom to train with.",
        formula="w = val",
        when_not="For weights between layers: all units stay alike and learn the same. Take any random one.",
    ),
    _initializer(
        "zeros_",
        "Every weight zero.",
        "For a last layer that shall start by saying nothing.",
        formula="w = 0",
        when_not="For weights between layers: no gradient gets through. Take any random one.",
    ),
    _initializer(
        "ones_",
        "Every weight one.",
        "For layers that scale; seldom for others.",
        formula="w = 1",
        when_not="For weights between layers: all units stay alike. Take any random one.",
    ),
    _initializer(
        "dirac_",
        "Kernels that hand each channel on unchanged, as far as there are channels to hand it to.",
        "For deep convolutional networks without shortcuts, which so begin as the identity (Zagoruyko and Komodakis, "
        "2017).",
        formula="w[i, i, centre] = 1, all else 0",
        when_not="Without random weights beside it, channels beyond the inputs' stay zero and learn late: "
        "kaiming_normal_ is the usual choice.",
        helps={"groups": "Groups of the convolution, each of which hands its own channels on."},
    ),
    _initializer(
        "eye_",
        "The identity matrix: each output begins as the input of the same place.",
        "As recurrent_init for an RNN of ReLU (Le et al., 2015), or for a Linear that shall begin by changing nothing.",
        formula="w[i, i] = 1, all else 0",
        when_not="Where outputs are many more than inputs, most begin at zero: take orthogonal_.",
    ),
    _initializer(
        "sparse_",
        "Normal, with a share of each unit's weights zero (Martens, 2010).",
        "For wide layers whose units shall each look at few inputs at first.",
        formula="w ~ N(0, std²), of each column sparsity · rows set to 0",
        when_not="With its default std of 0.01 a deep network's signal dies out: take kaiming_normal_.",
        types={"sparsity": Annotated[float, Ge(0), Le(1)]},
        helps={"sparsity": "Share of each column that is zero, from 0 to 1.", "std": "Spread of the other weights."},
    ),
)
