"""The one-batch test. A model that cannot memorise one batch cannot learn a dataset, and the reason is easier to see.

Source: Karpathy, "A recipe for training neural networks", 2019, https://karpathy.github.io/2019/04/25/recipe/
N batch, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from engine.catalog.losses import OF_CLASSES
from engine.data.samples import take
from engine.plan import Plan
from engine.probes.failure_reasons import failure_reasons
from engine.probes.isolation import Isolated
from engine.probes.records import BatchDone, BatchStep
from engine.probes.trial import Trial, require_plan_without_mistakes
from engine.training.batches import Batch
from engine.training.metrics import LanguageMetrics, metrics_for

STEPS = 300
"""Most steps by default."""

EXPLAINED = 0.99
"""Share of the variance of numeric targets from which they count as memorised."""

NEAR = 0.02
"""A loss within this share of the loss of a guess counts as that of the guess."""


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer that ignores the sample, and its loss."""

    loss: float
    name: str


def memorise_batch(plan: Plan, *, steps: int = STEPS) -> Iterator[BatchStep | BatchDone]:
    """Train a separate model on the first batch of the run, again and again, until every answer is correct.

    It uses the first batch with a sample that counts in the loss, and ignores answers that do not count.

    The model, loss, penalties and optimizer are those of the document, with a constant rate: no scheduler, no mixup, no
    CutMix. Dropout stays on; if only dropout prevents success, an evaluation without it shows that. Classes are
    memorised when every answer is correct, numbers when 99 % of the variance of the training targets is explained.
    Between two records the process is in its previous state, see `Isolated`.

    Args:
        steps: most steps to take.

    Raises:
        Refused: the plan has mistakes.
    """
    require_plan_without_mistakes(plan)
    return _memorise(plan, steps)


def _memorise(plan: Plan, steps: int) -> Iterator[BatchStep | BatchDone]:
    isolated = Isolated(plan.device)
    with isolated:
        trial = Trial(plan, mixing=False)
        batch = next(batch for window in trial.windows() for batch in window if trial.counts(batch))
        begin = [parameter.detach().clone() for parameter in trial.network.parameters()]
        score_of = _Score(plan, trial)
        trial.measure(score_of)
    taken: list[BatchStep] = []
    for step in range(1, steps + 1):
        with isolated:
            one = trial.step([batch])
            score = one.metrics["score"]
        taken.append(BatchStep(step=step, steps=steps, loss=one.loss, score=score))
        yield taken[-1]
        if score >= score_of.enough or not math.isfinite(one.loss):
            break
    with isolated:
        done = _verdict(plan, trial, batch, taken, begin, score_of)
    yield done


class _Score:
    """The share of a batch with correct answers. A sample that does not count in the loss does not count here.

    For numeric targets it is the explained share of the variance, as the mean over outputs: what distinguishes two
    outputs need not be learned.
    """

    def __init__(self, plan: Plan, trial: Trial) -> None:
        description = trial.dataset.description
        self.classes = description.task in OF_CLASSES
        self.enough = 1.0 if self.classes else EXPLAINED
        probabilities = plan.experiment.loss.type == "BCELoss"
        self._metrics = metrics_for(description.task, description.outputs, plan.device, probabilities=probabilities)
        self._counted = trial.counted
        self._explained = 0.0
        if not self.classes:
            variance = take(trial.dataset.y, trial.dataset.train).double().var(0, unbiased=False)
            self._variance = torch.where(variance > 0, variance, 1.0)

    def __call__(self, output: Tensor, target: Tensor) -> float:
        self.reset()
        self.add(output, target)
        return self.compute()["score"]

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add the batch: output (N, …), target (N, …)."""
        if self.classes:
            if self._counted is not None:
                counted = self._counted(target)
                output, target = output[counted], target[counted]
                if target.ndim == 1 and output.ndim == 2 and isinstance(self._metrics, LanguageMetrics):
                    output, target = output.unsqueeze(0), target.unsqueeze(0)
            self._metrics.add(output, target)
        else:
            errors = (output.cpu().double() - target.cpu().double()).square().mean(0)
            self._explained = float((1 - errors / self._variance).mean())

    def compute(self) -> dict[str, float]:
        """Return the score."""
        return {"score": self._metrics.compute()["accuracy"] if self.classes else self._explained}

    def reset(self) -> None:
        """Remove the batch."""
        self._metrics.reset()

    def state_dict(self) -> dict[str, Tensor]:
        """Do nothing: a probe saves no state."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Do nothing: a probe saves no state."""

    def text(self, score: float) -> str:
        """Return a score as text."""
        what = "of the answers are correct" if self.classes else "of the variance is explained"
        return f"{100 * score:.{0 if self.classes else 1}f} % {what}"


def _verdict(
    plan: Plan, trial: Trial, batch: Batch, taken: list[BatchStep], begin: list[Tensor], score_of: _Score
) -> BatchDone:
    last, size = taken[-1], batch.size
    guesses = _guesses(plan, trial, batch)
    record: dict[str, Any] = {"step": last.step, "loss": last.loss, "score": last.score, "guess": guesses[0].loss}
    left_out = 0 if trial.counted is None else int((~trial.counted(batch.target)).sum())
    samples = f"{size} sample{'s' if size != 1 else ''}"
    if left_out:
        samples += f" ({left_out:,} of their answers do not count in the loss)"
    if last.score >= score_of.enough:
        message = (
            f"Memorised in {last.step} step{'s' if last.step > 1 else ''}: {score_of.text(last.score)} on the same "
            f"{samples}; the loss is {last.loss:.3g}."
        )
        return BatchDone(**record, memorised=True, message=message)
    if (calm := _without_dropout(trial, batch, score_of)) is not None and calm >= score_of.enough:
        message = (
            f"Memorised in {last.step} steps: {score_of.text(calm)} with dropout off, and {score_of.text(last.score)} "
            "with dropout on. That is the purpose of dropout."
        )
        return BatchDone(**record | {"score": calm}, memorised=True, message=message)
    near = [guess for guess in guesses if abs(last.loss - guess.loss) <= NEAR * max(abs(guess.loss), 1e-12)]
    stays = f"the loss is {last.loss:.3g}"
    if near:
        stays = f"the loss stays at {last.loss:.3g}, {near[0].name}"
    elif not math.isfinite(last.loss):
        stays = "the loss is not finite"
    message = f"Did not memorise {samples} in {last.step} steps: {stays}; {score_of.text(last.score)}."
    return BatchDone(
        **record, memorised=False, message=message, advice=tuple(failure_reasons(plan, trial, batch, taken, begin))
    )


def _without_dropout(trial: Trial, batch: Batch, score_of: _Score) -> float | None:
    """Return the score without dropout, with batch norm as in training; None if the outputs are not finite."""
    network = trial.network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    with torch.no_grad():
        output = network(*batch.inputs)
    network.train()
    return score_of(output, batch.target) if bool(output.isfinite().all()) else None


def _guesses(plan: Plan, trial: Trial, batch: Batch) -> list[Guess]:
    """Return answers that ignore the sample, first the one without any knowledge of the batch."""
    with torch.no_grad():
        like = trial.network.eval()(*batch.inputs)
        trial.network.train()
    criterion, loss_type, target = trial.criterion, plan.experiment.loss.type, batch.target
    if trial.dataset.description.task not in OF_CLASSES:
        mean = target.mean(0, keepdim=True).expand_as(like)
        return [Guess(_loss(criterion, mean, target), "that of always answering the mean")]
    classes = trial.dataset.description.outputs
    blank = {"NLLLoss": -math.log(classes), "BCELoss": 0.5}.get(loss_type, 0.0)
    blind = _loss(criterion, torch.full_like(like, blank), target)
    name = "that of guessing"
    if math.isclose(blind, math.log(classes), rel_tol=1e-3):
        name = f"about ln {classes}: {name}"
    guesses = [Guess(blind, name)]
    if loss_type in ("CrossEntropyLoss", "NLLLoss"):
        counting = target.flatten() if trial.counted is None else target[trial.counted(target)]
        shares = torch.bincount(counting, minlength=classes).to(like.dtype) / counting.numel()
        logs = shares.clamp(min=1e-4).log().expand_as(like)
        often = "that of knowing how often each class occurs, and nothing of the samples"
        guesses.append(Guess(_loss(criterion, logs, target), often))
    return guesses


def _loss(criterion: nn.Module, output: Tensor, target: Tensor) -> float:
    with torch.no_grad():
        return float(criterion(output, target))
