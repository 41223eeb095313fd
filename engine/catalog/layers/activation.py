"""Activations. C channels, H height, W width.

https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from engine.catalog.layers.checks import wrong_dimension
from engine.catalog.layers.signal import OVER_CHANNELS, DataFacts, Shape, Signal
from engine.catalog.layers.spec import Arguments, LayerSpec, Module, same_shape, shows
from engine.experiment.mistakes import Mistake, drop

_DIM = {"dim": "the channels, or the last dimension of a vector or a sequence"}


def _activation(name: str, summary: str, when: str, when_not: str, formula: str, **fields: Any) -> LayerSpec:
    names = {"name": name, "torch_name": f"torch.nn.{name}", "group": "activation", "formula": formula}
    texts = {"summary": summary, "when": when, "when_not": when_not}
    usual: dict[str, Any] = {"keeps_shape": True, "output_shape": _computed}
    return LayerSpec(**(names | texts | usual | fields))


def _along(name: str, *texts: str, **fields: Any) -> LayerSpec:
    """An activation of the values along one dimension."""
    usual: dict[str, Any] = {"inferred": _DIM, "infer": _channels_or_last, "check_module": wrong_dimension}
    return _activation(name, *texts, **(usual | fields))


def _computed(module: Module, shape: Shape) -> Shape:
    """The same shape, unless torch cannot compute the function: then it reports so for a single value too."""
    import torch

    module(torch.zeros(1, *(1,) * len(shape)))
    return shape


def _channels_or_last(before: Signal, facts: DataFacts) -> dict[str, Any]:
    return {"dim": 1 if before.kind in OVER_CHANNELS else -1}


def _halved(module: Module, shape: Shape) -> Shape:
    halved = module.dim % (len(shape) + 1) - 1
    return tuple(size // 2 if place == halved else size for place, size in enumerate(shape))


def _odd(module: Module, before: Signal) -> Mistake | None:
    if wrong := wrong_dimension(module, before):
        return wrong
    dim = module.dim % (len(before.shape) + 1)
    if before.shape[dim - 1] % 2 == 0:
        return None
    found = f"dimension {dim} has {before.shape[dim - 1]} values, which cannot be halved"
    return Mistake("", found, f"{before.origin} gives {before}", "Make that dimension even in the layer before.")


def _other_slopes(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[tuple[str, Mistake]]:
    slopes, channels = parameters.get("num_parameters", 1), before.shape[0]
    if slopes not in (1, channels):
        fix = f"Remove num_parameters for a single slope, or set it to {channels} for one slope per channel."
        found, expected = f"num_parameters is {slopes}", f"{before.origin} gives {channels}"
        yield "num_parameters", Mistake("", found, expected, fix, remedy=drop(".num_parameters"))


def _wrong_bounds(
    given: Arguments, before: Signal, *, lower: tuple[str, float], upper: tuple[str, float], may_be_equal: bool
) -> Mistake | None:
    """`lower` and `upper`: names of the bounds, with their defaults."""
    least, most = given.get(*lower), given.get(*upper)
    if least < most or (least == most and may_be_equal):
        return None
    name = lower[0] if lower[0] in given else upper[0]
    expected = f"expected {'at most' if may_be_equal else 'less than'} {upper[0]}, which is {most}"
    return Mistake(f".{name}", f"{lower[0]} is {least}", expected, "Swap them.")


ENTRIES = (
    _activation(
        "ReLU",
        "Sets negative values to zero.",
        "The first choice between layers.",
        "Where many units die at high rates: LeakyReLU. In transformers: GELU.",
        "max(0, x)",
    ),
    _activation(
        "LeakyReLU",
        "Lets a small share of negative values through.",
        "When units of a ReLU network die: they still learn where their input is negative.",
        "Where ReLU trains well, which is faster.",
        "x for x ≥ 0, else negative_slope·x",
        label_words=shows("negative_slope"),
    ),
    _activation(
        "PReLU",
        "LeakyReLU with a learned slope (He et al., 2015).",
        "For deep CNNs with plenty of data.",
        "With little data, on which it overfits: LeakyReLU.",
        "x for x ≥ 0, else a·x, a learned",
        hidden=frozenset({"init"}),
        output_shape=same_shape,
        contradictions=_other_slopes,
    ),
    _activation(
        "RReLU",
        "LeakyReLU with a random slope for each value while training (Xu et al., 2015).",
        "Against overfitting in small CNNs.",
        "Where training should be smooth: LeakyReLU.",
        "x for x ≥ 0, else a·x, a drawn between lower and upper",
        helps={"lower": "The smallest slope.", "upper": "The largest slope."},
        output_shape=same_shape,
        check_arguments=partial(_wrong_bounds, lower=("lower", 1 / 8), upper=("upper", 1 / 3), may_be_equal=True),
    ),
    _activation(
        "ReLU6",
        "ReLU cut off at 6.",
        "For networks that will run in low precision on small devices.",
        "In full precision: ReLU.",
        "min(max(0, x), 6)",
    ),
    _activation(
        "ELU",
        "Bends negative values smoothly towards -alpha (Clevert et al., 2016).",
        "When outputs should have a mean near zero without BatchNorm.",
        "Where speed counts, or with BatchNorm: ReLU.",
        "x for x ≥ 0, else α·(exp(x) - 1)",
        label_words=shows("alpha"),
    ),
    _activation(
        "CELU",
        "ELU with a slope of 1 at zero for every alpha (Barron, 2017).",
        "As ELU, where alpha is not 1.",
        "Where speed counts: ReLU.",
        "max(0, x) + min(0, α·(exp(x/α) − 1))",
    ),
    _activation(
        "SELU",
        "ELU scaled so that deep plain networks normalize themselves (Klambauer et al., 2017).",
        "For deep networks of Linear layers without BatchNorm.",
        "With BatchNorm, convolutions or shortcuts: ReLU.",
        "1.0507·x for x ≥ 0, else 1.7581·(exp(x) - 1)",
    ),
    _activation(
        "GELU",
        "Weights each value by the share of a normal distribution below it (Hendrycks and Gimpel, 2016).",
        "Smooth where ReLU has a kink; usual in transformers.",
        "In small CNNs, where it costs more than it helps: ReLU.",
        "x·Φ(x), Φ the cumulative function of the normal distribution\n"
        'approximate = "tanh": ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))',
        types={"approximate": Literal["none", "tanh"]},
    ),
    _activation(
        "SiLU",
        "Each value times its sigmoid; also called swish.",
        "Smooth where ReLU has a kink; usual in newer CNNs.",
        "In small CNNs, where it costs more than it helps: ReLU.",
        "x·σ(x), σ(x) = 1 / (1 + exp(-x))",
    ),
    _activation(
        "Mish",
        "Each value times the tanh of its softplus (Misra, 2019).",
        "As SiLU, a little smoother and slower.",
        "Where speed counts: SiLU or ReLU.",
        "x·tanh(log(1 + exp(x)))",
    ),
    _along(
        "GLU",
        "Halves the channels: one half times the sigmoid of the other (Dauphin et al., 2017).",
        "After a layer with twice as many outputs, so that it learns what to let through.",
        "Where weights are few: it needs twice as many in the layer before.",
        "a · σ(b), a and b the halves of x",
        keeps_shape=False,
        output_shape=_halved,
        check_module=_odd,
    ),
    _activation(
        "Tanh",
        "Squeezes values to between -1 and 1.",
        "In small and older networks, and inside RNNs; it saturates in deep ones.",
        "In deep networks, where its flat ends stop the gradient: ReLU.",
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    ),
    _activation(
        "Sigmoid",
        "Squeezes values to between 0 and 1.",
        "As the last layer before BCELoss; between layers ReLU learns faster.",
        "Before BCEWithLogitsLoss or CrossEntropyLoss, which contain it: leave it out.",
        "1 / (1 + exp(-x))",
    ),
    _activation(
        "LogSigmoid",
        "The log of the sigmoid.",
        "Where a loss needs logs of independent probabilities.",
        "Before BCEWithLogitsLoss, which does it itself.",
        "log(1 / (1 + exp(−x)))",
    ),
    _activation(
        "Softplus",
        "A smooth ReLU that is always positive.",
        "As the last layer where the target is positive.",
        "Between layers: ReLU is faster and as good.",
        "1/beta · log(1 + exp(beta·x)), x itself where beta·x > threshold",
    ),
    _activation(
        "Softsign",
        "Squeezes values to between -1 and 1, more slowly than Tanh.",
        "Instead of Tanh, where it saturates.",
        "In deep networks: ReLU.",
        "x / (1 + |x|)",
    ),
    _activation(
        "Hardtanh",
        "Cuts values off below min_val and above max_val.",
        "For networks that will run in low precision, or to bound an output.",
        "In deep layers: values that are cut off have no gradient.",
        "min(max_val, max(min_val, x))",
        hidden=frozenset({"min_value", "max_value"}),
        helps={"min_val": "The smallest value.", "max_val": "The largest value."},
        check_arguments=partial(_wrong_bounds, lower=("min_val", -1.0), upper=("max_val", 1.0), may_be_equal=False),
    ),
    _activation(
        "Hardsigmoid",
        "Sigmoid made of straight lines.",
        "For gates in networks that will run on small devices.",
        "As a probability: Sigmoid.",
        "min(1, max(0, x/6 + 1/2))",
    ),
    _activation(
        "Hardswish",
        "SiLU made of straight lines (Howard et al., 2019).",
        "For networks that will run on small devices.",
        "Where speed on small devices does not matter: SiLU.",
        "x·min(max(0, x + 3), 6) / 6",
    ),
    _activation(
        "Threshold",
        "Replaces every value that is not above the threshold.",
        "For a ReLU that starts at another value than 0.",
        "Where 0 is the threshold: ReLU.",
        "x for x > threshold, else value",
    ),
    _activation(
        "Hardshrink",
        "Sets values between -lambd and lambd to zero.",
        "For sparse codes, where the remaining values should not change.",
        "As the usual activation: ReLU.",
        "x for |x| > λ, else 0",
        helps={"lambd": "Half the width of the range that is set to zero."},
    ),
    _activation(
        "Softshrink",
        "Sets values between -lambd and lambd to zero and moves the others by lambd towards it.",
        "For sparse codes without a jump.",
        "As the usual activation: ReLU.",
        "sign(x)·max(0, |x| − λ)",
        helps={"lambd": "Half the width of the range that is set to zero; not negative."},
    ),
    _activation(
        "Tanhshrink",
        "The difference between a value and its tanh.",
        "For sparse codes that are smooth everywhere.",
        "As the usual activation: it is flat near zero, so it learns slowly.",
        "x − tanh(x)",
    ),
    _along(
        "Softmax",
        "Turns scores into probabilities that add up to 1.",
        "Inside a network; not before CrossEntropyLoss, which does it itself.",
        "As the last layer before CrossEntropyLoss: leave it out.",
        "exp(x[k]) / Σⱼ exp(x[j])",
    ),
    _activation(
        "Softmax2d",
        "Turns the channels at each pixel into probabilities that add up to 1.",
        "To weigh channels against each other at each pixel.",
        "Before CrossEntropyLoss, which does it itself.",
        "exp(xᵢ) / Σⱼ exp(xⱼ) over the channels",
        accepts=("image",),
    ),
    _along(
        "Softmin",
        "Turns costs into probabilities that add up to 1: the lowest cost gets the highest.",
        "Where small values are better, as for distances.",
        "For scores: Softmax.",
        "exp(−xᵢ) / Σⱼ exp(−xⱼ)",
    ),
    _along(
        "LogSoftmax",
        "Turns scores into logs of probabilities.",
        "As the last layer before NLLLoss.",
        "As the last layer before CrossEntropyLoss: leave it out.",
        "x[k] - log Σⱼ exp(x[j])",
    ),
)
