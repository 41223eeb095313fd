"""What a run would train with, built from its plan for a probe."""

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
class StepOutcome:
    """The mean loss of a step's samples before the step, and the metrics of their outputs."""

    loss: float
    metrics: dict[str, float]


class Trial:
    """Network, loss, optimizer, batches and precision as in a run of the plan at its first step.

    It has the same seed, and so the same weights and dropout masks. It has no scheduler and no averaged weights: the
    probe sets the rate, which starts as the document has it, see `rate_field`. Build and use it inside `Isolated`.
    """

    def __init__(self, plan: Plan, *, mixing: bool = True) -> None:
        """`mixing`: whether the batches are blended as the document has it."""
        update = {"average": None} | ({} if mixing else {"mixup": 0.0, "cutmix": 0.0})
        regularization = plan.experiment.regularization.model_copy(update=update)
        experiment = plan.experiment.model_copy(update={"scheduler": None, "regularization": regularization})
        self.experiment = experiment
        self.dataset = load_data(experiment.data, experiment.seed)
        self._loop = assemble(replace(plan, experiment=experiment), self.dataset, _SilentHost())
        self._loop.guard = None  # a probe is to see steps that are not finite
        self.network = self._loop.network
        self.criterion = self._loop.criterion
        self.counted = self._loop.counted
        self.optimizer = self._loop.optimizer
        self.regularizer = self._loop.regularizer
        self.rate_field = rate_field(plan.experiment.scheduler)
        """The field of the document that sets the rate."""
        if plan.experiment.scheduler is not None and self.rate_field == "scheduler.max_lr":
            self._set_rate(float(plan.experiment.scheduler.parameters["max_lr"]))
        self.batches = self._loop.batches
        self.network.train()

    def _set_rate(self, rate: float) -> None:
        """Set the rate of the first parameter group, and scale those of the others with it."""
        first = float(self.optimizer.param_groups[0]["lr"])
        for group in self.optimizer.param_groups:
            group["lr"] = rate * float(group["lr"]) / first if first else rate

    def windows(self) -> Iterator[list[Batch]]:
        """Yield the batches of every step, epoch after epoch, in the order of the run.

        Steps without a sample that counts in the loss are skipped.
        """
        for epoch in count(1):
            for window in self._loop.epoch_batches(epoch):
                if any(map(self.counts, window)):
                    yield window

    def counts(self, batch: Batch) -> bool:
        """Return whether any sample of a batch counts in the loss."""
        return self.counted is None or bool(self.counted(batch.target).any())

    def measure(self, metrics: Metrics) -> None:
        """Measure these metrics at each step, instead of those of the task."""
        self._loop.metrics = metrics

    def step(self, window: list[Batch]) -> StepOutcome:
        """Take one step of the training loop. Waits for the device, since it reads the loss."""
        loop = self._loop
        loop.metrics.reset()
        loop.step(window)
        losses = loop.losses.fetch()
        return StepOutcome(losses.total / losses.weight, loop.metrics.compute())


def require_plan_without_mistakes(plan: Plan) -> None:
    """Refuse a plan with mistakes.

    Raises:
        Refused: the plan has mistakes; lists all of them.
    """
    if not plan.ok:
        raise Refused(m for m in plan.mistakes if m.severity == "error")


class _SilentHost:
    """A host that ignores events and has no commands."""

    def __init__(self) -> None:
        self.inbox: deque[Command] = deque()

    def emit(self, event: Event) -> None:
        """Ignore the event."""

    def poll(self) -> Reason | None:
        """Return no reason to leave."""
        return None

    def epoch_ended(self, *, improved: bool) -> None:
        """Do nothing."""
