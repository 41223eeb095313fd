"""Layers that read a whole sequence at the same time, and layers that summarize one. T time, F features."""

from __future__ import annotations

from typing import Any

from engine.catalog.layers.checks import either, sequence_fix
from engine.catalog.layers.signal import Kind, Shape, Signal
from engine.catalog.layers.spec import (
    BEFORE,
    LAYER_COUNT,
    SHARE,
    Arguments,
    LayerSpec,
    Module,
    float_bytes,
    same_shape,
)
from engine.experiment.mistakes import Mistake, put


def _of_sequences(name: str, **fields: Any) -> LayerSpec:
    return LayerSpec(
        name=name,
        torch_name=f"engine.model.sequence_layers.{name}",
        group="attention",
        accepts=("sequence",),
        input_fix=sequence_fix,
        **fields,
    )


def _vector(module: Module, before: Signal, shape: Shape) -> Kind:
    return "vector"


def _one_step(module: Module, shape: Shape) -> Shape:
    """From (T, F) to (F,)."""
    return shape[1:]


def _matrix_weights(module: Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.dim() == 2)


def _encoder_flops(module: Module, before: Shape, after: Shape) -> int:
    """Every matrix is applied once a step; each pair of steps is compared, and weighted."""
    pairs = 4 * before[0] ** 2 * int(module.d_model) * int(module.num_layers)
    return 2 * before[0] * _matrix_weights(module) + pairs


def _encoder_bytes(module: Module, before: Shape, after: Shape) -> int:
    at_each_step = 10 * module.d_model + 2 * module.dim_feedforward + 2 * module.nhead * before[0]
    return before[0] * int(at_each_step) * int(module.num_layers) * float_bytes()


def _pooling_flops(module: Module, before: Shape, after: Shape) -> int:
    return 2 * before[0] * (_matrix_weights(module) + int(module.in_features))


def _pooling_bytes(module: Module, before: Shape, after: Shape) -> int:
    return before[0] * (int(module.hidden_size) + 2) * float_bytes()


def _wrong_heads(given: Arguments, before: Signal) -> Mistake | None:
    features, heads = given["d_model"], given["nhead"]
    if features % heads == 0:
        return None
    found, expected = f"nhead is {heads}", f"d_model is {features}, which is not divisible by nhead"
    possible = [n for n in (1, 2, 3, 4, 5, 6, 8, 12, 16) if features % n == 0]
    most = max(n for n in possible if n <= heads)
    return Mistake(".nhead", found, expected, f"Set nhead to {either(possible)}.", remedy=put(most))


def _layers(parameters: Arguments) -> list[str]:
    many = parameters.get("num_layers", 1)
    return [f"{many} layers"] if many != 1 else []


ENTRIES = (
    _of_sequences(
        "TransformerEncoder",
        summary="Lets every step of a sequence attend to all others, several times in a row (Vaswani et al., 2017).",
        when="For text, after an Embedding and a PositionalEncoding; norm_first = true trains more steadily.",
        when_not="With a few hundred samples, where an LSTM learns more: attention has to learn what order means.",
        formula="softmax(Q·Kᵀ / √d)·V in each head, then W₂·f(W₁·x) at each step\n"
        "each added to its input, and normalized",
        inferred={"d_model": BEFORE},
        types={"dropout": SHARE, "num_layers": LAYER_COUNT},
        size_parameter="d_model",
        output_shape=same_shape,
        flops=_encoder_flops,
        saved_bytes=_encoder_bytes,
        initializers=frozenset({"init", "bias_init"}),
        check_arguments=_wrong_heads,
        label_words=_layers,
    ),
    _of_sequences(
        "AttentionPooling",
        summary="Takes a weighted mean over a sequence, with learned weights "
        "(Bahdanau et al., 2015; Yang et al., 2016).",
        when='After an LSTM, GRU or RNN with output = "sequence", where a few steps matter most.',
        when_not="Where every step matters equally: MeanPooling has no weights.",
        formula="Σₜ aₜ·xₜ, a = softmax(vᵀ·tanh(W·xₜ + b))",
        inferred={"in_features": BEFORE},
        size_parameter="in_features",
        output_shape=_one_step,
        output_kind=_vector,
        flops=_pooling_flops,
        saved_bytes=_pooling_bytes,
        initializers=frozenset({"init", "bias_init"}),
    ),
    _of_sequences(
        "MeanPooling",
        summary="Takes the mean over the steps of a sequence; padding is left out.",
        when="After a TransformerEncoder, to make one vector of a text.",
        when_not="Where a few steps matter most: AttentionPooling.",
        formula="Σₜ xₜ / T over the T steps that are no padding",
        output_shape=_one_step,
        output_kind=_vector,
    ),
)
