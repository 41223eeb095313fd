"""The events and log messages with which a run starts, resumes and ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from engine.data import Baseline, Dataset
from engine.plan import Plan
from engine.plan.planned_rates import corners
from engine.protocol.events import Log, Reason, RunStarted
from engine.runs.paths import EXPERIMENT
from engine.training.learner import Position
from engine.training.loop import Loop
from engine.training.resuming import Resumption
from engine.training.stopping import Stopping

KeptWeights = Literal["best", "averaged", "last"]
"""Which weights a run keeps at its end."""

_NOT_SAVED = "the last checkpoint could not be written, so the one before it is kept"


def run_started(plan: Plan, dataset: Dataset, run: Path, resumed_from: Path | None) -> RunStarted:
    """Return the first event of a run, or of the part that a resumed run adds."""
    return RunStarted(
        run=run.name,
        directory=str(run),
        experiment=plan.experiment.model_dump(mode="json", exclude_none=True),
        device=plan.device,
        precision=plan.precision,
        threads=plan.threads,
        parameters=plan.parameters,
        train_samples=len(dataset.train),
        val_samples=len(dataset.validation),
        steps_per_epoch=plan.steps_per_epoch,
        epochs=plan.experiment.training.epochs,
        lr_plan=corners(plan.lr),
        resumed_from=resumed_from.name if resumed_from else None,
    )


def introduction(plan: Plan, dataset: Dataset, loop: Loop, baselines: Sequence[Baseline]) -> Iterator[Log]:
    """Yield notes on the model, the data and how samples reach the device, then every warning of the plan."""
    for layer in plan.layers:
        for sentence in layer.notes:
            yield Log(message=f"{layer.path} {layer.type}: {sentence}")
    alone = [sentence] if (sentence := loop.batches.alone(loop.batch_size, loop.seed)) else []
    naive = [baseline.sentence for baseline in baselines]
    for sentence in (*dataset.description.notes, loop.batches.placement.why, *alone, *naive):
        yield Log(message=sentence)
    for warning in plan.mistakes:
        yield Log(level="warning", message=str(warning))


def resume_messages(resumption: Resumption, loop: Loop) -> Iterator[Log]:
    """Yield what was restored into `loop`, from which checkpoint, and what differs from the run before."""
    if resumption.restored:
        sentence = f"{EXPERIMENT} was missing. It is written again, from the first event of the run."
        yield Log(level="warning", message=sentence)
    for damage in resumption.skipped:
        yield Log(level="warning", message=str(replace(damage, fix=f"{resumption.checkpoint.name} is used instead.")))
    at = loop.position
    here = f"step {at.step}, in epoch {at.epochs_begun}" if at.step else "before the first step"
    yield Log(message=f"Restored from {resumption.checkpoint.name} ({here}): {', '.join(_restored_parts(loop))}.")
    changes = resumption.changes
    if changes:
        yield Log(message=f"Changed from here on: {'; '.join(changes)}.")
    if resumption.before.training.epochs != loop.epochs and loop.rate.scheduler is not None:
        kind = type(loop.rate.scheduler).__name__
        sentence = f"{kind} now follows a run of {loop.epochs} epochs; the rate of the next step is {loop.rate.lr:.3g}."
        yield Log(message=sentence)
    if other := resumption.runtime.differences(loop.runtime):
        yield Log(level="warning", message=f"The last bits of the weights may differ from here on: {', '.join(other)}.")


def _restored_parts(loop: Loop) -> Iterator[str]:
    yield "weights"
    yield f"optimizer ({type(loop.optimizer).__name__})"
    if loop.rate.scheduler is not None:
        yield f"scheduler ({type(loop.rate.scheduler).__name__})"
    if loop.precision.scaler is not None:
        yield "gradient scaler"
    if loop.average is not None:
        yield "averaged weights"
    yield "early stopping" if loop.stopping.patience is not None else "best epoch"
    yield "random generators"
    yield f"position, {loop.runtime.threads} thread{'s' * (loop.runtime.threads > 1)} on {loop.runtime.device}"
    yield f"{loop.runtime.precision}, {loop.runtime.memory_format}"


def end_message(
    reason: Reason,
    at: Position,
    stopping: Stopping,
    *,
    kept: KeptWeights,
    compared: str,
    saved: bool,
) -> str:
    """Return the message of the `finished` event of a run that did not fail.

    Args:
        reason: Why the run ended.
        at: Where it ended.
        stopping: Its early stopping.
        kept: Which weights it keeps.
        compared: How its best epoch compares with the baselines; empty if they cannot be compared.
        saved: Whether every checkpoint is on disk.
    """
    if reason is Reason.INTERRUPTED:
        how = "everything is saved" if saved else _NOT_SAVED
        return f"Interrupted at step {at.step}, in epoch {at.epochs_begun}; {how}."
    if reason is Reason.DETACHED:
        return f"Moved to another process at step {at.step}, in epoch {at.epochs_begun}."
    how = {
        Reason.COMPLETED: f"Trained {at.epochs_begun} epoch{'s' * (at.epochs_begun != 1)}",
        Reason.STOPPED: f"Stopped by hand at step {at.step}, in epoch {at.epochs_begun}",
        Reason.EARLY_STOPPED: f"Stopped early after epoch {at.epochs_begun}: {stopping.why}",
    }[reason]
    clauses = [how]
    if stopping.best is not None:
        clauses.append(f"best {stopping.monitor} {stopping.best:.4g} at epoch {stopping.best_epoch}")
    elif reason is not Reason.EARLY_STOPPED and stopping.without_best:
        clauses.append(stopping.without_best)
    if kept == "best":
        clauses[-1] += ", whose weights are kept"
    elif kept == "averaged":
        clauses.append("the averaged weights are kept")
    if compared:
        clauses.append(compared)
    if not saved:
        clauses.append(_NOT_SAVED)
    return f"{'; '.join(clauses)}."
