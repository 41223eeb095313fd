"""Regularization against the data, the layers and the length of the run."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.named_layers import named_layer_mistakes
from engine.experiment.document import EMA
from engine.experiment.mistakes import Mistake, drop, put, value_text
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule_after


@rule_after("schedule")
def penalty_of_layers_without_weights(context: CheckContext) -> Iterator[Mistake]:
    """l1_layers without l1 and l2, or of layers without weights."""
    settings = context.experiment.regularization
    if settings.l1_layers is None:
        return
    path = "regularization.l1_layers"
    if not settings.l1 and not settings.l2:
        found = f"found {value_text(settings.l1_layers)}"
        fix = "Set regularization.l1 or regularization.l2 to 1e-5, for example, or remove l1_layers."
        yield Mistake(path, found, "neither l1 nor l2 is set", fix, severity="warning")
    layers, trained = context.experiment.model.layers, context.trained_by_layer
    yield from named_layer_mistakes(settings.l1_layers, path, layers, trained, "l1 and l2 apply to weights")


_SAMPLES = {"vector": "a vector", "sequence": "a sequence", "tokens": "a sequence of tokens", "volume": "a volume"}

LEAST_ALPHA = 0.01
"""Smallest alpha of mixup and CutMix. With a smaller one, shares are 0 or 1 in double precision."""


@rule_after("schedule")
def mixing_does_not_suit(context: CheckContext) -> Iterator[Mistake]:
    """mixup or CutMix of data that cannot be mixed, or with an alpha that mixes no samples."""
    settings = context.experiment.regularization
    input_kind = context.description.input_kind if context.description is not None else None
    for name in ("mixup", "cutmix"):
        alpha = getattr(settings, name)
        if 0 < alpha < LEAST_ALPHA:
            found = f"found {value_text(alpha)}"
            expected = f"below {LEAST_ALPHA} almost no sample is mixed"
            fix = "Set it to 0.2, for example, or to 0 to turn it off."
            yield Mistake(f"regularization.{name}", found, expected, fix, remedy=put(0.2))
    if settings.mixup and input_kind == "tokens":
        found = f"found {value_text(settings.mixup)}"
        fix = "Set it to 0; use Dropout or label_smoothing for texts."
        expected = "tokens are indices of words, which cannot be blended"
        yield Mistake("regularization.mixup", found, expected, fix, remedy=drop())
    if settings.cutmix and input_kind not in ("image", None):
        found = f"found {value_text(settings.cutmix)}"
        fix = "Set it to 0." if input_kind == "tokens" else "Set it to 0; use regularization.mixup for such data."
        yield Mistake(
            "regularization.cutmix",
            found,
            f"CutMix is for images, and a sample is {_SAMPLES.get(input_kind or '', input_kind)}",
            fix,
            remedy=drop(),
        )


@rule_after("schedule")
def average_does_not_suit(context: CheckContext) -> Iterator[Mistake]:
    """An average of weights that starts after the run, or that spans more steps than the run has."""
    average, epochs = context.experiment.regularization.average, context.epochs
    if not isinstance(average, EMA):
        return
    if average.start_epoch > epochs:
        found = f"found {average.start_epoch}"
        expected = f"the run has {epochs} epoch{'s' if epochs > 1 else ''}, so no weights are averaged"
        half = max(1, epochs // 2)
        fix = f"Set it to {half}."
        yield Mistake("regularization.average.start_epoch", found, expected, fix, remedy=put(half))
    elif context.steps_per_epoch:
        averaged = context.steps_per_epoch * (epochs - average.start_epoch + 1)
        span = 1 / (1 - average.decay)
        if averaged < 2 * span:
            found = f"the average spans about {span:,.0f} steps"
            expected = f"only {averaged:,} steps are averaged, so the first weights still count"
            decay = max(0.5, 1 - 8 / max(averaged, 1))
            fix = f"Set it to {decay:.4g}, or train longer."
            path, remedy = "regularization.average.decay", put(float(f"{decay:.4g}"))
            yield Mistake(path, found, expected, fix, severity="warning", remedy=remedy)
