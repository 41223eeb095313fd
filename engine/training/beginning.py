"""What a run says of itself when it begins, or is gone on with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.data import Baseline, Dataset
from engine.plan import Plan
from engine.plan.planned_rates import corners
from engine.protocol.events import Log, RunStarted
from engine.training.loop import Loop


def run_started(plan: Plan, dataset: Dataset, run: Path, resumed_from: Path | None) -> RunStarted:
    """The event that opens a run's events, or the part of them that a resume adds."""
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
    """What is worth knowing of the model, the data and the way of its samples, and every warning of the plan."""
    for layer in plan.layers:
        for sentence in layer.notes:
            yield Log(message=f"{layer.path} {layer.type}: {sentence}")
    alone = [said] if (said := loop.batches.alone(loop.batch_size, loop.seed)) else []
    naive = [baseline.sentence for baseline in baselines]
    for sentence in (*dataset.description.notes, loop.batches.placement.why, *alone, *naive):
        yield Log(message=sentence)
    for warning in plan.mistakes:
        yield Log(level="warning", message=str(warning))
