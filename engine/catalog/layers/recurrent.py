"""Recurrent layers. T time, F features, H size of a state.

https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from engine.catalog.entry import Parameter
from engine.catalog.layers.checks import sequence_fix
from engine.catalog.layers.signal import DataFacts, Kind, Shape, Signal
from engine.catalog.layers.spec import (
    BEFORE,
    LAYER_COUNT,
    Arguments,
    LayerSpec,
    Module,
    float_bytes,
    number_words,
    output_bytes,
)
from engine.experiment.mistakes import Mistake, put

_SAVED_PER_STATE = {"LSTM": 16, "GRU": 8, "RNN_TANH": 2, "RNN_RELU": 2}
"""Numbers that torch saves for each state of each step on a CPU: gates and what its kernels store. Measured."""

_OUTPUT = Parameter(
    name="output",
    annotation=Literal["last", "mean", "sequence"],
    default="last",
    help="What it outputs: the state after the last step, the mean over the steps, or the state after every step. "
    "Padding is never read.",
)
_NONLINEARITY = Parameter(
    name="nonlinearity",
    annotation=Literal["tanh", "relu"],
    default="tanh",
    help="The function between the steps: tanh or relu.",
)


def _recurrent(
    name: str, *added: Parameter, hidden: frozenset[str], initializers: frozenset[str] = frozenset(), **texts: Any
) -> LayerSpec:
    return LayerSpec(
        name=name,
        torch_name=f"torch.nn.{name}",
        built_as=f"engine.model.sequence_layers.{name}",
        group="recurrent",
        signature_of="torch.nn.RNNBase",
        inferred={"input_size": BEFORE},
        hidden=hidden | {"mode"},
        types={"num_layers": LAYER_COUNT},
        helps={"dropout": "Dropout between the stacked layers; needs num_layers of 2 or more."},
        added=(*added, _OUTPUT),
        accepts=("sequence",),
        input_fix=sequence_fix,
        size_parameter="input_size",
        constructor=_without_idle_dropout,
        summarizes=True,
        output_shape=_shape,
        output_kind=_kind,
        flops=_flops,
        saved_bytes=_saved_bytes,
        initializers=initializers | {"init", "bias_init", "recurrent_init"},
        warnings=_idle_dropout,
        label_words=_words,
        **texts,
    )


def _shape(module: Module, shape: Shape) -> Shape:
    """From (T, F) to (T, H) with output = "sequence", to (H,) otherwise."""
    features = (module.proj_size or module.hidden_size) * (1 + module.bidirectional)
    return (shape[0], features) if module.output == "sequence" else (features,)


def _kind(module: Module, before: Signal, shape: Shape) -> Kind:
    return "sequence" if len(shape) == 2 else "vector"


def _flops(module: Module, before: Shape, after: Shape) -> int:
    """Every weight matrix is applied once a step."""
    weights = sum(p.numel() for name, p in module.named_parameters() if name.startswith("weight"))
    return 2 * before[0] * int(weights)


def _saved_bytes(module: Module, before: Shape, after: Shape) -> int:
    states = before[0] * module.num_layers * (1 + module.bidirectional) * module.hidden_size
    return output_bytes(module, before, after) + int(states) * _SAVED_PER_STATE[module.mode] * float_bytes()


def _is_idle(arguments: Arguments) -> bool:
    return bool(arguments.get("num_layers", 1) == 1)


def _without_idle_dropout(arguments: dict[str, Any]) -> dict[str, Any]:
    """Dropout is between stacked layers only; torch would warn."""
    return {n: v for n, v in arguments.items() if n != "dropout"} if _is_idle(arguments) else arguments


def _idle_dropout(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[Mistake]:
    if parameters.get("dropout") and _is_idle(parameters):
        fix = "Set num_layers = 2, or put a Dropout layer after it instead."
        found, expected, remedy = "it has no effect", "it applies between stacked layers only", put(2, "^.num_layers")
        yield Mistake(".dropout", found, expected, fix, severity="warning", remedy=remedy)


def _words(parameters: Arguments) -> list[str]:
    words = [number_words(parameters["hidden_size"])] if "hidden_size" in parameters else []
    if parameters.get("num_layers", 1) != 1:
        words.append(f"{parameters['num_layers']} layers")
    if parameters.get("bidirectional") is True:
        words.append("bidirectional")
    if parameters.get("output", "last") != "last":
        words.append(str(parameters["output"]))
    return words


ENTRIES = (
    _recurrent(
        "LSTM",
        hidden=frozenset(),
        initializers=frozenset({"forget_bias"}),
        summary="Reads a sequence step by step, with gates that keep what matters (Hochreiter and Schmidhuber, 1997).",
        when="The first choice for sequences; start with 64 to 256 states.",
        when_not="For very long sequences, or on a GPU with plenty of data: TransformerEncoder.",
        formula="i, f, o = σ(W·x + U·h + b), one of each;  g = tanh(W·x + U·h + b)\nc ← f·c + i·g,  h ← o·tanh(c)",
    ),
    _recurrent(
        "GRU",
        hidden=frozenset({"proj_size"}),
        summary="Reads a sequence step by step with two gates; an LSTM has three (Cho et al., 2014).",
        when="As LSTM with a quarter fewer weights; often as good.",
        when_not="For very long sequences: TransformerEncoder. On a CPU, where torch runs the LSTM faster: LSTM.",
        formula="r, z = σ(W·x + U·h + b), one of each;  n = tanh(W·x + b + r·(U·h + b))\nh ← (1 - z)·n + z·h",
    ),
    _recurrent(
        "RNN",
        _NONLINEARITY,
        hidden=frozenset({"proj_size"}),
        summary="Reads a sequence step by step without gates (Elman, 1990).",
        when="For short sequences, and to see why gates were invented.",
        when_not="For sequences of more than about ten steps, which it forgets: LSTM or GRU.",
        formula="h ← tanh(W·x + U·h + b), or ReLU in place of tanh",
    ),
)
