"""Embeddings of tokens and of positions. T time, F features.

https://docs.pytorch.org/docs/stable/nn.html#sparse-layers
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from engine.catalog.entry import Parameter
from engine.catalog.layers.checks import sequence_fix
from engine.catalog.layers.signal import DataFacts, Kind, Shape, Signal
from engine.catalog.layers.spec import BEFORE, SHARE, Arguments, InputFix, LayerSpec, Module, same_shape, shows
from engine.experiment.mistakes import Mistake, drop

_INFERRED = {"num_embeddings": "the data's vocabulary", "padding_idx": "0 where the data is padded"}


def _embedding(name: str, **fields: Any) -> LayerSpec:
    return LayerSpec(
        name=name,
        torch_name=f"torch.nn.{name}",
        group="embedding",
        inferred=_INFERRED,
        accepts=("tokens",),
        input_fix=_remove,
        infer=_of_vocabulary,
        meta_arguments=_without_weights,
        initializers=frozenset({"init"}),
        contradictions=_small_vocabulary,
        **fields,
    )


def _remove(before: Signal, facts: DataFacts) -> InputFix:
    return InputFix("Remove it: the values are numbers already.", drop())


def _of_vocabulary(before: Signal, facts: DataFacts) -> dict[str, Any]:
    return {"num_embeddings": facts.vocabulary_size} | ({"padding_idx": 0} if facts.padded else {})


def _without_weights(arguments: Arguments) -> dict[str, Any]:
    """torch would draw weights from a normal distribution, which takes seconds to import on `meta`."""
    import torch

    size = (arguments["num_embeddings"], arguments["embedding_dim"])
    return {"_weight": torch.empty(size, device="meta")}


def _small_vocabulary(parameters: Arguments, before: Signal, facts: DataFacts) -> Iterator[tuple[str, Mistake]]:
    size, vocabulary = parameters.get("num_embeddings"), facts.vocabulary_size
    if size is not None and vocabulary is not None and size < vocabulary:
        fix = f"Remove num_embeddings (it is inferred), or set it to {vocabulary} or more."
        yield "num_embeddings", Mistake("", f"num_embeddings is {size}", f"the data has {vocabulary} tokens", fix)


def _no_vocabulary(given: Arguments, before: Signal) -> Mistake | None:
    if given["num_embeddings"] is not None:
        return None
    fix = "Set num_embeddings to the largest token plus one."
    return Mistake("", "num_embeddings is missing", "the data has no known vocabulary size", fix)


def _wrong_bag(given: Arguments, before: Signal) -> Mistake | None:
    if given.get("mode") == "max" and given.get("scale_grad_by_freq"):
        fix = "Remove it, or use mode mean or sum."
        return Mistake(".scale_grad_by_freq", "found true", "mode max does not support it", fix, remedy=drop())
    return _no_vocabulary(given, before)


def _vectors(module: Module, shape: Shape) -> Shape:
    """From (T,) to (T, F)."""
    return (*shape, module.embedding_dim)


def _one_vector(module: Module, shape: Shape) -> Shape:
    """From (T,) to (F,)."""
    return (module.embedding_dim,)


def _sequence(module: Module, before: Signal, shape: Shape) -> Kind:
    return "sequence"


def _vector(module: Module, before: Signal, shape: Shape) -> Kind:
    return "vector"


def _torchs_freeze(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"_freeze" if name == "freeze" else name: value for name, value in arguments.items()}


def _features_and_length(before: Signal, facts: DataFacts) -> dict[str, Any]:
    return {"max_length": before.shape[0]}


def _short(given: Arguments, before: Signal) -> Mistake | None:
    if given["max_length"] >= before.shape[0]:
        return None
    found, expected = f"found {given['max_length']}", f"{before.origin} gives sequences of {before.shape[0]} steps"
    return Mistake(".max_length", found, expected, "Remove it (it is inferred).", remedy=drop())


ENTRIES = (
    _embedding(
        "Embedding",
        summary="Looks up a learned vector for each token.",
        when="As the first layer for text: 50 to 300 features a word. Padding stays zero and is not trained.",
        when_not="For numbers: they are features already. Use Linear.",
        formula="y[t] = w[token t]",
        hidden=frozenset({"_weight", "_freeze"}),
        added=(
            Parameter(
                name="freeze", annotation=bool, default=False, help="Whether its vectors stay fixed, without training."
            ),
        ),
        constructor=_torchs_freeze,
        output_shape=_vectors,
        output_kind=_sequence,
        check_arguments=_no_vocabulary,
        label_words=shows("embedding_dim"),
    ),
    _embedding(
        "EmbeddingBag",
        summary="Looks up a learned vector for each token and outputs their mean, sum or maximum.",
        when="The fastest network for text: EmbeddingBag and Linear (fastText, Joulin et al., 2017). "
        "Padding is left out.",
        when_not="Where the order of words matters: Embedding and an LSTM.",
        formula="y = mean of w[token] over the tokens of a text",
        types={"mode": Literal["mean", "sum", "max"]},
        hidden=frozenset({"_weight", "include_last_offset"}),
        output_shape=_one_vector,
        output_kind=_vector,
        check_arguments=_wrong_bag,
    ),
    LayerSpec(
        name="PositionalEncoding",
        torch_name="engine.model.sequence_layers.PositionalEncoding",
        group="embedding",
        summary="Adds a vector for its position to each step of a sequence (Vaswani et al., 2017).",
        when="Before a TransformerEncoder, which does not see the order of steps otherwise.",
        when_not="Before an LSTM, GRU or RNN, which read in order.",
        formula="x[t] + (sin(t·ω₁), cos(t·ω₁), sin(t·ω₂), …)",
        inferred={"d_model": BEFORE, "max_length": "the length of the sequences before"},
        types={"dropout": SHARE},
        accepts=("sequence",),
        input_fix=sequence_fix,
        size_parameter="d_model",
        infer=_features_and_length,
        output_shape=same_shape,
        initializers=frozenset({"init"}),
        check_arguments=_short,
    ),
)
