"""Whether what regularizes suits the data, the layers and the length of the run. Paths are those of the document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.catalog.metrics import goal
from engine.catalog.named_layers import named_layer_mistakes
from engine.experiment.document import EMA, EarlyStopping, Layer, Regularization
from engine.experiment.mistakes import Mistake, drop, put, value_text


def regularization_mistakes(
    settings: Regularization,
    layers: Sequence[Layer],
    *,
    parameters: Mapping[str, int],
    input_kind: str | None,
    epochs: int,
    steps: int,
) -> list[Mistake]:
    """What is wrong with [regularization].

    Args:
        parameters: how many each layer has, by its path; without the layers of which that is not known.
        input_kind: what the data is ("image", "tokens", …); None where it is not known.
        epochs, steps: length of the run; no steps where that is not known.
    """
    return [
        *_layers_mistakes(settings, layers, parameters),
        *_mixing_mistakes(settings, input_kind),
        *_average_mistakes(settings, epochs, steps),
    ]


def threshold_mistakes(stopping: EarlyStopping) -> list[Mistake]:
    """A warning of a threshold for early stopping that its metric cannot reach."""
    metric = stopping.monitor.removeprefix("val_").removeprefix("train_")
    threshold = stopping.threshold
    if threshold is None or stopping.mode not in ("auto", goal(stopping.monitor)):
        return []
    path, found = "training.early_stopping.threshold", f"found {value_text(threshold)}"
    if metric in _AT_MOST_1 and threshold > 1:
        fix = f"Set it to {threshold / 100:g}." if threshold <= 100 else "Set it to 0.95, for example."
        remedy = put(threshold / 100 if threshold <= 100 else 0.95)
        return [Mistake(path, found, f"{metric} is at most 1", fix, severity="warning", remedy=remedy)]
    if metric in _AT_LEAST_0 and threshold < 0:
        return [Mistake(path, found, f"{metric} is at least 0", "Set it to a number above 0.", severity="warning")]
    return []


_AT_MOST_1 = frozenset({"accuracy", "f1", "r2"})
_AT_LEAST_0 = frozenset({"mae", "rmse"})


def _layers_mistakes(
    settings: Regularization, layers: Sequence[Layer], parameters: Mapping[str, int]
) -> Iterator[Mistake]:
    if settings.l1_layers is None:
        return
    path = "regularization.l1_layers"
    if not settings.l1 and not settings.l2:
        found = f"found {value_text(settings.l1_layers)}"
        fix = "Set regularization.l1 or regularization.l2 to 1e-5, for example, or remove l1_layers."
        yield Mistake(path, found, "neither l1 nor l2 is set", fix, severity="warning")
    yield from named_layer_mistakes(settings.l1_layers, path, layers, parameters, "l1 and l2 count weights")


LEAST_ALPHA = 0.01
"""Of mixup and CutMix. Shares from a smaller one cannot be told from 0 and 1 in double precision."""


def _mixing_mistakes(settings: Regularization, input_kind: str | None) -> Iterator[Mistake]:
    for name in ("mixup", "cutmix"):
        alpha = getattr(settings, name)
        if 0 < alpha < LEAST_ALPHA:
            found = f"found {value_text(alpha)}"
            expected = f"below {LEAST_ALPHA} hardly a sample is mixed"
            fix = "Set it to 0.2, for example, or to 0 for none."
            yield Mistake(f"regularization.{name}", found, expected, fix, remedy=put(0.2))
    if settings.mixup and input_kind == "tokens":
        found = f"found {value_text(settings.mixup)}"
        fix = "Set it to 0; Dropout and label_smoothing serve texts."
        expected = "tokens are numbers of words, which cannot be blended"
        yield Mistake("regularization.mixup", found, expected, fix, remedy=drop())
    if settings.cutmix and input_kind not in ("image", None):
        found = f"found {value_text(settings.cutmix)}"
        fix = "Set it to 0." if input_kind == "tokens" else "Set it to 0; regularization.mixup serves such data."
        yield Mistake(
            "regularization.cutmix",
            found,
            f"it cuts rectangles out of images, the data is {input_kind}",
            fix,
            remedy=drop(),
        )


def _average_mistakes(settings: Regularization, epochs: int, steps: int) -> Iterator[Mistake]:
    average = settings.average
    if not isinstance(average, EMA):
        return
    if average.start_epoch > epochs:
        found = f"found {average.start_epoch}"
        expected = f"the run has {epochs} epoch{'s' if epochs > 1 else ''}, so nothing is averaged"
        half = max(1, epochs // 2)
        fix = f"Set it to {half}."
        yield Mistake("regularization.average.start_epoch", found, expected, fix, remedy=put(half))
    elif steps:
        averaged = steps // epochs * (epochs - average.start_epoch + 1)
        span = 1 / (1 - average.decay)
        if averaged < 2 * span:
            found = f"the average spans about {span:,.0f} steps"
            expected = f"{averaged:,} are averaged, so that the first weights still count"
            decay = max(0.5, 1 - 8 / max(averaged, 1))
            fix = f"Set it to {decay:.4g}, or train longer."
            path, remedy = "regularization.average.decay", put(float(f"{decay:.4g}"))
            yield Mistake(path, found, expected, fix, severity="warning", remedy=remedy)
