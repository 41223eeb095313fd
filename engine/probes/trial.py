"""What a run would train with, built anew from its plan, for a probe to use up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from engine.catalog.schedulers import rate_field
from engine.data import load_data
from engine.experiment.mistakes import Refused
from engine.plan import Plan
from engine.protocol.commands import Command
from engine.protocol.events import Event, Reason
from engine.training.assemble import assemble
from engine.training.batches import Batch
from engine.training.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken: the mean loss of its samples before it, and the metrics of its answers."""

    loss: float
    metrics: dict[str, float]


class Trial:
    """Network, loss, optimizer, batches and precision as a run of the plan has them at its first step.

    The same builder and the same seed, so the same weights and the same draws of dropout; no scheduler and no averaged
    weights, so that the rate is what the probe makes it: at first that of the field that sets it, see `rate_field`.
    To be built and used inside an `Aside`.
    """

    def __init__(self, plan: Plan, *, mixing: bool = True) -> None:
        """`mixing`: whether mixup and CutMix blend the batches, where the document has them."""
        update = {"average": None} | ({} if mixing else {"mixup": 0.0, "cutmix": 0.0})
        regularization = plan.experiment.regularization.model_copy(update=update)
        experiment = plan.experiment.model_copy(update={"scheduler": None, "regularization": regularization})
        self.experiment = experiment
        self.dataset = load_data(experiment.data, experiment.seed)
        self._loop = assemble(replace(plan, experiment=experiment), self.dataset, _Nobody())
        self._loop.guard = None  # a step that is not finite is what a probe is here to see
        self.network = self._loop.network
        self.criterion = self._loop.criterion
        self.counted = self._loop.counted
        self.optimizer = self._loop.optimizer
        self.regularizer = self._loop.regularizer
        self.rate_field = rate_field(plan.experiment.scheduler)
        """The field of the document that sets the rate."""
        if plan.experiment.scheduler is not None and self.rate_field == "scheduler.max_lr":
            self._begin_at(float(plan.experiment.scheduler.parameters["max_lr"]))
        self.batches = self._loop.batches
        self.network.train()

    def _begin_at(self, rate: float) -> None:
        """Set the rate of the first parameter group, and those of the others in proportion."""
        first = float(self.optimizer.param_groups[0]["lr"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate * float(group["lr"]) / first if first else rate

    def windows(self) -> Iterator[list[Batch]]:
        """The batches of every step, epoch after epoch in the run's own order; several where gradients accumulate.

        A step of which no sample counts in the loss has none, and is left out.
        """
        for epoch in count(1):
            for window in self._loop.epoch_batches(epoch):
                if any(map(self.counts, window)):
                    yield window

    def counts(self, batch: Batch) -> bool:
        """Whether any sample of a batch counts in the loss."""
        return self.counted is None or bool(self.counted(batch.target).any())

    def measure(self, metrics: Metrics) -> None:
        """Measure something else of each step than the task's metrics."""
        self._loop.metrics = metrics

    def step(self, window: list[Batch]) -> Taken:
        """One step of the training loop. Reads the loss, so it waits for the device."""
        loop = self._loop
        loop.metrics.reset()
        loop.step(window)
        losses = loop.losses.fetch()
        return Taken(losses.total / losses.weight, loop.metrics.compute())


def needs_whole_plan(plan: Plan) -> None:
    """Refuse a plan with mistakes: there is nothing to build.

    Raises:
        Refused: with every one of them.
    """
    if not plan.ok:
        raise Refused(m for m in plan.mistakes if m.severity == "error")


class _Nobody:
    """A watcher who is not there."""

    def __init__(self) -> None:
        self.inbox: deque[Command] = deque()

    def emit(self, event: Event) -> None:
        """Nobody hears it."""

    def poll(self) -> Reason | None:
        """Nobody asks for an end."""
        return None

    def epoch_ended(self, *, improved: bool) -> None:
        """Nothing is kept."""
