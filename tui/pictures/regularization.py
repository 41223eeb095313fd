"""The effect of each regularization method on this model, in numbers from its layers, learning rate and run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from textual.content import Content

from engine import EMA, SWA, Experiment, Layer, layers_by_path
from tui.pictures.frame import clipped, text_lines
from tui.pictures.schedule import Rate, highest_of, sampled
from tui.quantities import number_text, shape_text
from tui.rows.design import MUTED
from tui.rows.explanations import LOADING

if TYPE_CHECKING:
    from engine import LayerPlan, Penalties, Plan

_CHANNELS = frozenset({"Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"})
"""Dropout that zeroes whole channels."""
_VALUES = frozenset({"Dropout", "AlphaDropout"})
_SHRINKING = frozenset({"AdamW", "Adafactor", "Muon", "SGD"})
"""Optimizers whose weight_decay shrinks a weight by lr × decay. The others add it to the gradient, and scale both."""


@dataclass(frozen=True, slots=True)
class Method:
    """A regularization method: its name with its value, and its effect; or how to turn it on."""

    name: str
    effect: str
    on: bool = True


def regularization(plan: Plan | None, penalties: Penalties | None, width: int, height: int) -> Content:
    """All methods: first those that are on, then, muted, those that are off."""
    if plan is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    return method_list(methods(plan, penalties), width, height)


def method_list(methods: list[Method], width: int, height: int) -> Content:
    """Methods as lines, those that are on first; methods without room are counted."""
    blocks = [_lines(method, width) for method in sorted(methods, key=lambda method: not method.on)]
    lines: list[Content] = []
    for number, block in enumerate(blocks):
        left = len(blocks) - number
        if len(lines) + len(block) > height - (left > 1):
            more = text_lines(f"and {left} more", width, MUTED)
            return clipped([*lines, *more] if len(lines) < height else lines, width, height)
        lines += block
    return clipped(lines, width, height)


def _lines(method: Method, width: int) -> list[Content]:
    if not method.on:
        return text_lines(f"{method.name}: {method.effect}", width, MUTED)
    first, *rest = text_lines(f"{method.name}: {method.effect}", width)
    return [first.stylize("bold", 0, len(method.name)), *rest]


def methods(plan: Plan, penalties: Penalties | None) -> list[Method]:
    """The effect of each method, computed from the plan and its document."""
    experiment = plan.experiment
    return [
        _weight_decay(plan),
        *_penalties(experiment, penalties),
        *_clipping(experiment),
        *_dropout(plan),
        *_drop_path(plan),
        _label_smoothing(plan),
        *_mixing(experiment),
        _average(plan),
        early_stopping(plan),
    ]


def _off(name: str, how: str) -> Method:
    return Method(f"{name} off", how, on=False)


def _weight_decay(plan: Plan) -> Method:
    optimizer = plan.experiment.optimizer
    decay = optimizer.parameters.get("weight_decay")
    if not decay:
        return _off("weight_decay", "optimizer.weight_decay = 0.01, best with AdamW")
    except_ = ", except biases and norms" if optimizer.no_bias_decay else ""
    name = f"weight_decay {decay:g}"
    decoupled = optimizer.parameters.get("decoupled_weight_decay") is True
    if optimizer.type not in _SHRINKING and not decoupled:
        return Method(
            name, f"{decay:g} × weight is added to each gradient, which {optimizer.type} then scales{except_}"
        )
    if not len(plan.lr):
        return Method(name, f"every step shrinks the weights by lr × {decay:g}{except_}")
    rates = sampled(plan.lr, 256)
    momentum = float(optimizer.parameters.get("momentum") or 0.0) if optimizer.type == "SGD" else 0.0
    longer = f", in the long run {1 / (1 - momentum):.3g} times that with momentum" if 0 < momentum < 1 else ""
    left = math.exp(-decay * sum_over_steps(rates) / (1 - momentum if momentum < 1 else 1.0))
    return Method(
        name,
        f"at the highest rate, every step shrinks the weights by {percent(highest_of(rates)[1] * decay)} (lr × decay)"
        f"{longer}; the whole run shrinks weights without a gradient to about {percent(left)}{except_}",
    )


def sum_over_steps(rates: Sequence[Rate]) -> float:
    """The sum of the rates of all steps, computed from the rates of some (trapezoidal rule)."""
    between = sum((a[1] + b[1]) / 2 * (b[0] - a[0]) for a, b in pairwise(rates))
    return between + (rates[0][1] + rates[-1][1]) / 2


def _penalties(experiment: Experiment, penalties: Penalties | None) -> Iterator[Method]:
    settings = experiment.regularization
    for name, factor, added, what in (
        ("l1", settings.l1, penalties.l1 if penalties else None, "|weight|"),
        ("l2", settings.l2, penalties.l2 if penalties else None, "weight²"),
    ):
        if not factor:
            yield _off(name, f"regularization.{name} = 1e-5 adds 1e-5 · Σ {what} to the loss")
        elif penalties is None or added is None:
            yield Method(f"{name} {factor:g}", f"adds {factor:g} · Σ {what} to the loss")
        else:
            where = "" if settings.l1_layers is None else f" of {', '.join(map(str, settings.l1_layers))}"
            yield Method(
                f"{name} {factor:g} on {penalties.weights:,} weights{where}",
                f"adds {number_text(float(f'{added:.3g}'))} to the loss at the start",
            )


def _clipping(experiment: Experiment) -> Iterator[Method]:
    settings = experiment.regularization
    if settings.clip_grad_norm is None:
        yield _off("clip_grad_norm", "regularization.clip_grad_norm = 1.0 limits the size of a step; useful for RNNs")
    else:
        norm = settings.clip_grad_norm
        yield Method(f"clip_grad_norm {norm:g}", f"gradients whose norm exceeds {norm:g} are scaled down to it")
    if settings.clip_grad_value is None:
        yield _off("clip_grad_value", "regularization.clip_grad_value = 0.5")
    else:
        value = settings.clip_grad_value
        yield Method(f"clip_grad_value {value:g}", f"each gradient is clamped to the range -{value:g} to {value:g}")


def _dropout(plan: Plan) -> Iterator[Method]:
    layers = layers_by_path(plan.experiment.model.layers)
    found = 0
    for index, planned in enumerate(plan.layers):
        layer = layers.get(planned.path)
        if layer is None:
            continue
        if layer.type in _VALUES | _CHANNELS:
            found += 1
            yield _dropout_layer(plan, index, layer, planned)
        elif inside := layer.parameters.get("dropout"):
            found += 1
            between = " between its layers" if "num_layers" in layer.parameters else ""
            yield Method(
                f"dropout {inside:g} in {planned.label}", f"{percent(inside)} of the values are zeroed{between}"
            )
    if not found:
        yield _off("dropout", 'a layer {type = "Dropout", p = 0.25} before the last Linear')


def _dropout_layer(plan: Plan, index: int, layer: Layer, planned: LayerPlan) -> Method:
    p = layer.parameters.get("p", 0.5)
    after = _layer_before(plan, index)
    name = f"{layer.type.replace('Dropout', 'dropout', 1)} {p:g}{f' after {after}' if after else ''}"
    shape = planned.output_shape
    if not shape:
        return Method(name, f"{percent(p)} of the values are zeroed in each training step")
    channels = layer.type in _CHANNELS
    total = shape[0] if channels else math.prod(shape)
    what = "channels" if channels else "values" if len(shape) == 1 else f"values ({shape_text(shape)})"
    return Method(name, f"about {round(p * total):,} of {total:,} {what} are zeroed in each training step")


def _layer_before(plan: Plan, index: int) -> str:
    """The nearest layer with parameters before this one in the same list; else the layer just before."""
    depth = plan.layers[index].depth
    before = [layer for layer in plan.layers[:index] if layer.depth == depth]
    return next((layer.label for layer in reversed(before) if layer.parameters), before[-1].label if before else "")


def _drop_path(plan: Plan) -> Iterator[Method]:
    numbers = {layer.path: layer.number for layer in plan.layers}
    blocks = [
        (path, layer)
        for path, layer in layers_by_path(plan.experiment.model.layers).items()
        if layer.type == "Residual"
    ]
    dropping = [(path, p) for path, layer in blocks if (p := layer.parameters.get("drop_path"))]
    for path, p in dropping:
        yield Method(
            f"drop_path {p:g} of Residual {numbers.get(path, path)}",
            f"{percent(p)} of the samples skip its layers in a training step",
        )
    if blocks and not dropping:
        yield _off("drop_path", "drop_path = 0.1 in a Residual layer")


def _label_smoothing(plan: Plan) -> Method:
    loss, description = plan.experiment.loss, plan.description
    smoothing = loss.parameters.get("label_smoothing", 0.0)
    if not smoothing:
        how = "loss.label_smoothing = 0.1"
        return _off("label_smoothing", how if loss.type == "CrossEntropyLoss" else f"{how}, of CrossEntropyLoss")
    name = f"label_smoothing {smoothing:g}"
    classes = description.outputs if description is not None else 0
    if classes < 2:
        return Method(name, f"{percent(smoothing)} of the target is spread over all classes")
    each = smoothing / classes
    others = f"each of the {classes - 1:,} others" if classes > 2 else "the other"
    return Method(name, f"the target of the right class is {1 - smoothing + each:.4g} and of {others} {each:.4g}")


def larger_share(alpha: float) -> float:
    """The average larger share of two mixed samples: the mean of max(λ, 1 - λ) with λ from Beta(α, α).

    The mean distance of λ from a half is 4^-α / (α · B(α, α)).

    >>> larger_share(1.0)
    0.75
    """
    log_beta = 2 * math.lgamma(alpha) - math.lgamma(2 * alpha)
    return 0.5 + math.exp(-alpha * math.log(4.0) - math.log(alpha) - log_beta)


def _mixing(experiment: Experiment) -> Iterator[Method]:
    settings = experiment.regularization
    some = "of half of the batches " if settings.mixup and settings.cutmix else ""
    if settings.mixup:
        share = percent(larger_share(settings.mixup))
        yield Method(
            f"mixup {settings.mixup:g}",
            f"each sample {some}is mixed with another; the larger share is about {share}",
        )
    else:
        yield _off("mixup", "regularization.mixup = 0.2, not for tokens")
    if settings.cutmix:
        share = percent(larger_share(settings.cutmix))
        yield Method(
            f"cutmix {settings.cutmix:g}",
            f"a rectangle of each image {some}comes from another one; the larger share is about {share} of the area",
        )
    else:
        yield _off("cutmix", "regularization.cutmix = 1.0, for images")


def _average(plan: Plan) -> Method:
    average, epochs = plan.experiment.regularization.average, plan.experiment.training.epochs
    if isinstance(average, EMA):
        span = 1 / (1 - average.decay)
        steps = f"{span:,.0f} steps"
        if plan.steps_per_epoch:
            steps += f" ({span / plan.steps_per_epoch:.2g} epochs)"
        start = f", from epoch {average.start_epoch} on" if average.start_epoch > 1 else ""
        return Method(f"ema {average.decay:g}", f"validates and saves the mean weights of the last {steps}{start}")
    if isinstance(average, SWA):
        after = int(average.start * epochs)
        return Method(
            f"swa {average.start:g}",
            f"from epoch {after + 1} of {epochs}, validates and saves the mean of {epochs - after} epochs' weights",
        )
    return _off("average", 'regularization.average = "ema", or "swa"')


def training(plan: Plan | None, width: int, height: int) -> Content:
    """The length of the run, and what may end it early."""
    if plan is None:
        return clipped(text_lines(LOADING, width, MUTED), width, height)
    return method_list([run_length(plan), early_stopping(plan), _average(plan)], width, height)


def run_length(plan: Plan) -> Method:
    """The epochs, the steps, and the batches of an epoch."""
    training, batch = plan.experiment.training, plan.experiment.data.batch_size
    name = f"{training.epochs:,} epoch{'s' if training.epochs != 1 else ''}"
    if plan.description is None or not plan.steps_per_epoch:
        return Method(name, "the number of steps depends on the data")
    samples = plan.description.train_samples
    batches, rest = -(-samples // batch), samples % batch
    last = f", the last one of {rest:,}" if rest and batches > 1 else ""
    added = f"; {training.accumulation_steps:,} batches make a step" if training.accumulation_steps > 1 else ""
    return Method(
        name,
        f"{plan.steps:,} steps, {plan.steps_per_epoch:,} in an epoch of {samples:,} samples in "
        f"{batches:,} batch{'es' if batches != 1 else ''} of {min(batch, samples):,}{last}{added}",
    )


def early_stopping(plan: Plan) -> Method:
    """When early stopping may end the run."""
    training = plan.experiment.training
    stopping = training.early_stopping
    if stopping is None:
        return _off("early_stopping", 'training.early_stopping = {monitor = "val_loss", patience = 5}')
    earliest = stopping.patience + 1
    name = f"early_stopping, patience {stopping.patience}"
    by = f" by more than {stopping.min_delta:g}" if stopping.min_delta else ""
    if earliest > training.epochs:
        effect = f"cannot stop the run before its last epoch, {training.epochs}"
    else:
        effect = f"stops at epoch {earliest} of {training.epochs} at the earliest, if {stopping.monitor} never improves"
        effect += f"{by} after the first"
    if stopping.threshold is not None:
        effect += f"; or as soon as it reaches {stopping.threshold:g}"
    return Method(name, effect)


def percent(share: float) -> str:
    """A share in percent, with at most three digits.

    >>> percent(0.00003), percent(0.25), percent(0.9968), percent(1.0)
    ('0.003 %', '25 %', '99.7 %', '100 %')
    """
    return f"{100 * share:.3g} %"
