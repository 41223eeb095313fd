"""Initializers: the first values of weights. https://docs.pytorch.org/docs/stable/nn.init.html"""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le

from engine.catalog.entry import Entry

_FAN = {"mode": "Variance to keep: that of the forward pass (fan_in) or that of the backward pass (fan_out)."}


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
"""The smallest and the largest number of dimensions that each can set."""

ENTRIES = (
    _initializer(
        "kaiming_normal_",
        "Normal; std from the inputs of a unit, so that ReLU keeps the variance (He et al., 2015).",
        "For CNNs and other networks with ReLU or a similar activation.",
        helps=_FAN,
        formula="w ~ N(0, std²), std = gain / √fan\ngain = √2 for ReLU, fan the inputs (or outputs) of a unit",
        when_not='For Tanh and Sigmoid: xavier_normal_. For SELU: nonlinearity = "linear".',
    ),
    _initializer(
        "kaiming_uniform_",
        "Uniform; bound from the inputs of a unit, so that ReLU keeps the variance (He et al., 2015).",
        "As kaiming_normal_, without large values.",
        helps=_FAN,
        formula="w ~ U(-b, b), b = gain·√(3 / fan)\ngain = √2 for ReLU, fan the inputs (or outputs) of a unit",
        when_not="For Tanh and Sigmoid: xavier_uniform_.",
    ),
    _initializer(
        "xavier_uniform_",
        "Uniform; bound from the inputs and outputs of a unit (Glorot and Bengio, 2010).",
        "For networks with Tanh or Sigmoid, and for the input weights of an RNN.",
        formula="w ~ U(-b, b), b = gain·√(6 / (inputs + outputs))",
        when_not="For ReLU: it halves the variance at each layer. Use kaiming_uniform_.",
    ),
    _initializer(
        "xavier_normal_",
        "Normal; std from the inputs and outputs of a unit (Glorot and Bengio, 2010).",
        "As xavier_uniform_, with some larger values.",
        formula="w ~ N(0, std²), std = gain·√(2 / (inputs + outputs))",
        when_not="For ReLU: it halves the variance at each layer. Use kaiming_normal_.",
    ),
    _initializer(
        "orthogonal_",
        "Rows that are orthogonal to each other and have length gain (Saxe et al., 2014).",
        "For RNNs and for deep networks: gradients neither vanish nor explode at the start.",
        formula="W·Wᵀ = gain²·I, or Wᵀ·W where there are more rows than columns",
        when_not="For wide and shallow networks with ReLU: kaiming_normal_ is faster and as good.",
    ),
    _initializer(
        "trunc_normal_",
        "Normal; values outside of a to b are drawn again.",
        "For transformers, with std 0.02.",
        formula="w ~ N(mean, std²), drawn again while outside of [a, b]",
        when_not="When the size of the layer should set std: kaiming_normal_ or xavier_normal_.",
    ),
    _initializer(
        "normal_",
        "Normal, with mean and std from the document.",
        "To set std yourself; the default of 1 is too large for most layers.",
        formula="w ~ N(mean, std²)",
        when_not="When the size of the layer should set std: kaiming_normal_ or xavier_normal_.",
    ),
    _initializer(
        "uniform_",
        "Uniform between a and b.",
        "To set the range yourself, as -0.1 to 0.1 for an LSTM; the default 0 to 1 suits few networks.",
        formula="w ~ U(a, b)",
        when_not="When the size of the layer should set the range: kaiming_uniform_ or xavier_uniform_.",
    ),
    _initializer(
        "constant_",
        "Sets every weight to val.",
        "To see why the weights of units must differ; rarely for training.",
        formula="w = val",
        when_not="For weights between layers: all units stay equal. Use a random initializer.",
    ),
    _initializer(
        "zeros_",
        "Sets every weight to 0.",
        "For a last layer whose first outputs should be 0.",
        formula="w = 0",
        when_not="For weights between layers: gradients are 0. Use a random initializer.",
    ),
    _initializer(
        "ones_",
        "Sets every weight to 1.",
        "For layers that scale their input; rarely for others.",
        formula="w = 1",
        when_not="For weights between layers: all units stay equal. Use a random initializer.",
    ),
    _initializer(
        "dirac_",
        "Kernels that pass each channel on unchanged, as far as there are output channels.",
        "For deep CNNs without shortcuts: they start as the identity (Zagoruyko and Komodakis, 2017).",
        formula="w[i, i, centre] = 1, all else 0",
        when_not="For other networks: kaiming_normal_. Output channels beyond the input channels start at 0 and learn "
        "late.",
        helps={"groups": "Groups of the convolution; each passes on its own channels."},
    ),
    _initializer(
        "eye_",
        "The identity matrix: each output starts as the input of the same index.",
        "As recurrent_init of an RNN with ReLU (Le et al., 2015), or for a Linear that starts as the identity.",
        formula="w[i, i] = 1, all else 0",
        when_not="With many more outputs than inputs, most of which start at 0: orthogonal_.",
    ),
    _initializer(
        "sparse_",
        "Normal, with a share of the weights of each unit set to 0 (Martens, 2010).",
        "For wide layers whose units should start with few inputs each.",
        formula="w ~ N(0, std²), of each column sparsity · rows set to 0",
        when_not="For deep networks with the default std of 0.01: outputs vanish. Use kaiming_normal_.",
        types={"sparsity": Annotated[float, Ge(0), Le(1)]},
        helps={
            "sparsity": "Share of each column that is 0, from 0 to 1.",
            "std": "Standard deviation of the other weights.",
        },
    ),
)
