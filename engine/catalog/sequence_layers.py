"""Layers that read a whole sequence at once, and that sum one up."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt

from engine.catalog.layer_entry import BEFORE, COPIES, layer

_SHARE = Annotated[float, Ge(0), Lt(1)]

ENTRIES = (
    layer(
        "TransformerEncoder",
        "Lets every step of a sequence look at every other, several times in a row (Vaswani et al., 2017).",
        "For text, after an Embedding and a PositionalEncoding; with norm_first = true it trains more steadily.",
        torch_name="engine.model.transformer.TransformerEncoder",
        inferred={"d_model": BEFORE},
        types={"dropout": _SHARE, "num_layers": COPIES},
        formula="softmax(Q·Kᵀ / √d)·V in each head, then W₂·f(W₁·x) at each step\n"
        "each added to its input, and normalized",
        when_not="With a few hundred samples, where an LSTM learns more: attention has to learn what order means.",
    ),
    layer(
        "PositionalEncoding",
        "Adds to each step of a sequence what tells its place (Vaswani et al., 2017).",
        "Before a TransformerEncoder, which does not see the order of steps by itself.",
        torch_name="engine.model.transformer.PositionalEncoding",
        inferred={"d_model": BEFORE, "max_length": "the length of the sequences before"},
        types={"dropout": _SHARE},
        formula="x[t] + (sin(t·ω₁), cos(t·ω₁), sin(t·ω₂), …)",
        when_not="Before an LSTM, GRU or RNN, which read in order.",
    ),
    layer(
        "AttentionPooling",
        "Sums a sequence up to a weighted mean, whose weights are learned (Bahdanau et al., 2015; Yang et al., 2016).",
        'After an LSTM, GRU or RNN with output = "sequence", where a few steps tell most.',
        torch_name="engine.model.pooling.AttentionPooling",
        inferred={"in_features": BEFORE},
        formula="Σₜ aₜ·xₜ, a = softmax(vᵀ·tanh(W·xₜ + b))",
        when_not="Where every step tells as much: MeanPooling has no weights.",
    ),
    layer(
        "MeanPooling",
        "Takes the mean over the steps of a sequence; padding is left out.",
        "After a TransformerEncoder, to make one vector of a text.",
        torch_name="engine.model.pooling.MeanPooling",
        formula="Σₜ xₜ / T over the T steps that count",
        when_not="Where a few steps tell most: AttentionPooling.",
    ),
)
