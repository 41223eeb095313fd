"""Layers against the layers next to them and against the batch."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, Literal

from engine.catalog.layers.signal import OVER_CHANNELS, Signal
from engine.experiment.document import Layer
from engine.experiment.mistakes import LAST_LAYER, Mistake, append, drop, put
from engine.experiment.tree import Place
from engine.plan.context import CheckContext
from engine.plan.plan import VALIDATION_BATCHES
from engine.plan.rules.registry import number, rule

_ACTIVATIONS = frozenset(
    {
        *("ReLU", "ReLU6", "LeakyReLU", "PReLU", "ELU", "SELU", "CELU", "GELU", "SiLU", "Mish", "Softplus", "Softsign"),
        *("Sigmoid", "Hardsigmoid", "LogSigmoid", "Tanh", "Hardtanh", "Hardswish", "Softmax", "LogSoftmax", "RReLU"),
    }
)


def neighbours(context: CheckContext) -> Iterator[tuple[Place, Place]]:
    """Every two layers that follow each other in a list of layers."""
    last: dict[str, Place] = {}
    for place in context.places:
        siblings = place.path.rpartition("[")[0]
        if siblings in last:
            yield last[siblings], place
        last[siblings] = place


def _index(place: Place) -> str:
    return place.path.removeprefix("model.")


@rule
def nothing_inside(context: CheckContext) -> Iterator[Mistake]:
    """A model or a container without layers. An empty branch is allowed: it outputs its input."""
    if not context.experiment.model.layers:
        layers = _first_layers(context)
        names = [layer if isinstance(layer, str) else str(layer["type"]) for layer in layers]
        fix = f"Add layers, for example {', '.join(names[:-1])} and {names[-1]}."
        yield Mistake("model.layers", "there is no layer", "expected at least one", fix, remedy=put(layers))
    for place in context.places:
        layer = place.layer
        for name, inside in {"layers": layer.layers, "branches": layer.branches}.items():
            if inside == ():
                what = "branch" if name == "branches" else "layer"
                fix = f"Add a {what}, or remove the {layer.type}."
                found, expected = f"there is no {what}", "expected at least one"
                remedy = drop(place.path)
                yield Mistake(f"{place.path}.{name}", found, expected, fix, layer.type, remedy=remedy)


def _first_layers(context: CheckContext) -> list[Any]:
    """A small network for the data; Flatten and Linear if the data is not known."""
    description = context.description
    kind = description.input_kind if description is not None else "image"
    every_step = description is not None and description.task == "language modelling"
    recurrent = {"type": "GRU", "hidden_size": 64, "output": "sequence" if every_step else "last"}
    before: dict[str, list[Any]] = {
        "sequence": [recurrent],
        "tokens": [{"type": "Embedding", "embedding_dim": 64}, recurrent],
        "image": ["Flatten"],
    }
    return [*before.get(kind, [{"type": "Linear", "out_features": 64}, "ReLU"]), LAST_LAYER]


@rule
def batch_norm_over_one_value(context: CheckContext) -> Iterator[Mistake]:
    """BatchNorm over a single value, in a batch of one sample, on which torch fails."""
    if context.description is None:
        return
    batch, samples = context.experiment.data.batch_size, context.description.train_samples
    if min(batch, samples) > 1 and samples % batch != 1:
        return
    layers = context.by_path
    for path, signal in context.signals.items():
        type = layers[path].type
        single = type.startswith("BatchNorm") and signal is not None and prod(signal.shape[1:]) == 1
        if single or path in context.needs_two:
            sizes = (*range(max(batch, 2), samples), *range(min(batch, samples), 1, -1))
            better = next((b for b in sizes if samples % b != 1), None)
            found = f"{samples} samples in batches of {batch} leave a batch of 1"
            expected = f"{type} needs at least 2"
            instead = f"Use LayerNorm instead of {type}." if single else f"Set {path}.freeze = true."
            fix = f"Set data.batch_size = {better}." if better else instead
            instead_put = put("LayerNorm", path) if single else put(True, f"{path}.freeze")
            yield Mistake("data.batch_size", found, expected, fix, remedy=put(better) if better else instead_put)
            return


@rule
def group_norm_over_one_value(context: CheckContext) -> Iterator[Mistake]:
    """GroupNorm of groups of one value: it outputs its bias, and torch fails on a batch of one sample.

    It normalizes each sample separately, in validation as in training, so batches of both count.
    """
    layers = context.by_path
    for path, signal in context.signals.items():
        groups = number(layers[path], "num_groups") if layers[path].type == "GroupNorm" else None
        if groups is None or signal is None or prod(signal.shape) != groups:
            continue
        found = f"the input has {groups:g} values for {groups:g} groups"
        alone = _batch_of_one(context)
        expected = alone or "each group has one value, so GroupNorm outputs zeros"
        fewer = next((n for n in range(int(groups) // 2, 0, -1) if groups % n == 0), None)
        fix = f"Set it to {fewer}." if fewer else "Remove the layer."
        remedy = put(fewer) if fewer else drop(path)
        severity: Literal["error", "warning"] = "error" if alone else "warning"
        yield Mistake(f"{path}.num_groups", found, expected, fix, "GroupNorm", severity, remedy=remedy)


@rule
def output_is_constant(context: CheckContext) -> Iterator[Mistake]:
    """LayerNorm over one value, Softmax of one score and similar: the output does not depend on the input."""
    layers = context.by_path
    for path, signal in context.signals.items():
        layer = layers[path]
        if signal is None or layer.type not in _OF_ONE_VALUE or _values_together(layer, signal) != 1:
            continue
        what, outputs = _OF_ONE_VALUE[layer.type]
        found = f"{what} one value, so it outputs {outputs}"
        fix = "Remove it, or let the layer before it output more features."
        expected = "expected at least two values"
        yield Mistake(path, found, expected, fix, layer.type, "warning", remedy=drop())


_OF_ONE_VALUE = {
    "LayerNorm": ("it normalizes", "zeros"),
    "RMSNorm": ("it normalizes", "only the sign"),
    "TransformerEncoder": ("it normalizes", "zeros"),
    "Softmax": ("it compares", "ones"),
    "Softmax2d": ("it compares", "ones"),
    "Softmin": ("it compares", "ones"),
    "LogSoftmax": ("it compares", "zeros"),
}
"""Layers whose outputs depend on differences of values: what they do, and their output for one value."""


def _values_together(layer: Layer, signal: Signal) -> int | None:
    """Number of values that such a layer compares; None if a parameter leaves it open."""
    shape = signal.shape
    given = layer.parameters.get("normalized_shape")
    if layer.type in ("LayerNorm", "RMSNorm") and given is not None:
        sizes = [given] if isinstance(given, int) else given
        if not isinstance(sizes, (list, tuple)) or not all(isinstance(size, int) for size in sizes):
            return None
        return prod(sizes)
    if layer.type in ("LayerNorm", "RMSNorm") and signal.kind in ("image", "volume"):
        return prod(shape)
    if layer.type in ("Softmax", "Softmin", "LogSoftmax"):
        dim = number(layer, "dim", 1 if signal.kind in OVER_CHANNELS else -1)
        at = None if dim is None else int(dim) % (len(shape) + 1)
        return shape[at - 1] if at else None
    return shape[0] if layer.type == "Softmax2d" else shape[-1]


def _batch_of_one(context: CheckContext) -> str:
    """A clause on the batch of one sample on which torch fails; empty if there is none."""
    if context.description is None:
        return ""
    size = context.experiment.data.batch_size
    parts = ((context.description.train_samples, size), (context.description.val_samples, size * VALIDATION_BATCHES))
    for samples, batch in parts:
        if samples % batch == 1 or (samples and batch == 1):
            left = f"the batch of 1 that {samples} samples in batches of {batch} leave"
            return f"each group has one value, on which torch fails in {left}"
    return ""


@rule
def nothing_is_trained(context: CheckContext) -> Iterator[Mistake]:
    """A network without weights to train."""
    if context.trained != 0:
        return
    frozen = [place for place in context.places if place.layer.parameters.get("freeze") is True]
    if frozen:
        path, type = frozen[0].path, frozen[0].layer.type
        fix = 'Set freeze = false, or add {type = "Linear", out_features = "auto"}.'
        expected = "no other layer has weights to train"
        yield Mistake(f"{path}.freeze", "found true", expected, fix, type, remedy=put(False))
    else:
        fix = 'Add {type = "Linear", out_features = "auto"}.'
        last = len(context.experiment.model.layers) - 1
        remedy = append(LAST_LAYER, at=f"model.layers[{last}]") if last >= 0 else None
        yield Mistake(
            "model.layers", "no layer has weights", "the optimizer needs weights to train", fix, remedy=remedy
        )


@rule
def two_activations(context: CheckContext) -> Iterator[Mistake]:
    """Two activations without weights between them."""
    for before, place in neighbours(context):
        if {before.layer.type, place.layer.type} <= _ACTIVATIONS:
            found = f"it follows {before.layer.type} at {_index(before)}"
            expected = "there are no weights between the two activations"
            fix = "Remove one of them."
            yield Mistake(place.path, found, expected, fix, place.layer.type, "warning", remedy=drop())


@rule
def norm_after_dropout(context: CheckContext) -> Iterator[Mistake]:
    """BatchNorm after Dropout, which changes the variance in training only (Li et al., 2019)."""
    for before, place in neighbours(context):
        if place.layer.type.startswith("BatchNorm") and "Dropout" in before.layer.type and _drops(before.layer):
            found = f"it follows {before.layer.type} at {_index(before)}"
            expected = "the variance differs between training and validation"
            fix = f"Put {before.layer.type} after it."
            yield Mistake(place.path, found, expected, fix, place.layer.type, "warning")


def _drops(layer: Layer) -> bool:
    return number(layer, "p", 0.5) != 0


@rule
def everything_is_dropped(context: CheckContext) -> Iterator[Mistake]:
    """Dropout of 1, which outputs zeros in training."""
    for place in context.places:
        if "Dropout" in place.layer.type and number(place.layer, "p", 0.5) == 1:
            fix = "Set p to 0.5, for example."
            expected, type = "every value is dropped in training", place.layer.type
            yield Mistake(f"{place.path}.p", "found 1", expected, fix, type, "warning", remedy=put(0.5))


@rule
def looks_ahead(context: CheckContext) -> Iterator[Mistake]:
    """A language model with a layer that depends on later tokens: it would learn to copy them."""
    if context.description is None or context.description.task != "language modelling":
        return
    for place in context.places:
        type, expected = place.layer.type, "each step would see the token that it predicts"
        if place.layer.parameters.get("bidirectional"):
            path, found = f"{place.path}.bidirectional", "it reads the sequence in both directions"
            yield Mistake(path, found, expected, "Remove bidirectional.", type, remedy=drop())
        elif type in ("TransformerEncoder", "Permute"):
            found = "each step depends on all steps" if type != "Permute" else "layers after it depend on all steps"
            yield Mistake(place.path, found, expected, 'Use LSTM or GRU with output = "sequence".', type)
