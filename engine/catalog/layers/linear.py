"""Linear, the layer that mixes features, and Identity. N batch, T time, F features."""

from __future__ import annotations

from math import prod
from typing import Literal

from engine.catalog.layers.checks import EMBED
from engine.catalog.layers.signal import NUMBERS, DataFacts, Shape, Signal
from engine.catalog.layers.spec import (
    BEFORE,
    Arguments,
    InputFix,
    LayerSpec,
    Module,
    no_bytes,
    same_shape,
    shows,
)
from engine.experiment.mistakes import Mistake, insert, put


def _flatten_first(before: Signal, facts: DataFacts) -> InputFix:
    if before.kind == "tokens":
        return EMBED
    flat = before.of((before.numel,), "vector") if before.kind in ("image", "signal") else None
    return InputFix("Put a Flatten before it.", insert("Flatten"), flat)


def _shape(module: Module, shape: Shape) -> Shape:
    """From (…, F) to (…, out_features)."""
    return (*shape[:-1], module.out_features)


def _flops(module: Module, before: Shape, after: Shape) -> int:
    return 2 * prod(before) * int(module.out_features)


def _wrong_outputs(parameters: Arguments, after: Signal, facts: DataFacts) -> Mistake:
    fix = 'Write out_features = "auto".'
    if after.shape == (1,) and facts.one_of_two:
        fix = f'Write out_features = "auto", or use {facts.one_of_two}, which needs one output.'
    return Mistake("", f"out_features is {after.shape[-1]}", facts.wants, fix, remedy=put("auto", ".out_features"))


ENTRIES = (
    LayerSpec(
        name="Linear",
        torch_name="torch.nn.Linear",
        group="linear",
        summary="Outputs weighted sums of all inputs.",
        when='To mix features, and as the last layer: out_features = "auto" takes as many outputs as the data needs.',
        when_not="On images and signals before Flatten: convolutions share their weights across positions.",
        formula="y = W·x + b",
        types={"out_features": int | Literal["auto"]},
        inferred={"in_features": BEFORE},
        helps={"out_features": 'Number of outputs; "auto" takes as many as the data has classes or targets.'},
        accepts=("vector", "sequence"),
        input_fix=_flatten_first,
        size_parameter="in_features",
        auto_parameter="out_features",
        initializers=frozenset({"init", "bias_init"}),
        output_shape=_shape,
        flops=_flops,
        outputs_mistake=_wrong_outputs,
        label_words=shows("out_features"),
    ),
    LayerSpec(
        name="Identity",
        torch_name="torch.nn.Identity",
        group="linear",
        summary="Outputs its input.",
        when="As a placeholder.",
        when_not="Elsewhere: remove it.",
        accepts=(*NUMBERS, "tokens"),
        keeps_shape=True,
        output_shape=same_shape,
        saved_bytes=no_bytes,
    ),
)
