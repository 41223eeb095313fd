"""What a run would train with, built anew from its plan, for a probe to use up."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

from torch import Tensor

from engine.catalog import find
from engine.data import load_data
from engine.experiment.mistakes import Mistake, Refused
from engine.plan import Plan
from engine.training.assemble import assemble
from engine.training.batches import Batch
from engine.training.commands import Command
from engine.training.events import Event, Reason


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken: the mean loss of its samples, the outputs that it is of, and their targets."""

    loss: float
    outputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]


class Trial:
    """Network, loss, optimizer, batches and precision as a run of the plan has them at its first step.

    The same builder and the same seed, so the same weights and the same draws of dropout; no scheduler and no averaged
    weights, so that the rate is what the probe makes it. To be built and used inside an `Aside`.
    """

    def __init__(self, plan: Plan, *, mixing: bool = True) -> None:
        """`mixing`: whether mixup and CutMix blend the batches, where the document has them."""
        update = {"average": None} | ({} if mixing else {"mixup": 0.0, "cutmix": 0.0})
        regularization = plan.experiment.regularization.model_copy(update=update)
        experiment = plan.experiment.model_copy(update={"scheduler": None, "regularization": regularization})
        self.experiment = experiment
        self.dataset = load_data(experiment.data, experiment.seed)
        self._loop = assemble(replace(plan, experiment=experiment), self.dataset, _Nobody())
        self.network = self._loop.network
        self.criterion = self._loop.criterion
        self.optimizer = self._loop.optimizer
        self.regularizer = self._loop.regularizer
        self.batches = self._loop.batches
        self.network.train()

    def windows(self) -> Iterator[list[Batch]]:
        """The batches of every step, epoch after epoch in the run's own order; several where gradients accumulate."""
        loop = self._loop
        for epoch in count(1):
            batches: Iterator[Batch] = self.batches.training(loop.batch_size, loop.seed, epoch)
            if loop.mixing is not None:
                batches = map(loop.mixing, batches)
            while window := list(islice(batches, loop.accumulation_steps)):
                yield window

    def step(self, window: list[Batch]) -> Taken:
        """One step as the training loop takes it. Reads the loss, so it waits for the device."""
        precision, outputs, total = self._loop.precision, [], 0.0
        samples = sum(batch.size for batch in window)
        for batch in window:
            with precision.autocast():
                output = self.network(*batch.inputs)
                loss = batch.loss(self.criterion, output)
                objective = self.regularizer.objective(loss)
            if len(window) > 1:
                objective = objective * (batch.size / samples)
            precision.backward(objective)
            outputs.append(output.detach())
            total += float(loss.detach()) * batch.size
        precision.unscale()
        if self.regularizer.clips:
            self.regularizer.clip()
        precision.step()
        self.optimizer.zero_grad()
        loss_mean = total / samples if len(window) > 1 else float(loss.detach())
        return Taken(loss_mean, tuple(outputs), tuple(batch.target for batch in window))


def needs_whole_plan(plan: Plan) -> None:
    """Refuse a plan with mistakes: there is nothing to build.

    Raises:
        Refused: with every one of them.
    """
    if not plan.ok:
        raise Refused(m for m in plan.mistakes if m.severity == "error")


def needs_plain_step(plan: Plan, what: str) -> None:
    """Refuse an optimizer that looks at the loss again and again within one step, as LBFGS does.

    Raises:
        Refused: it is such a one.
    """
    name = plan.experiment.optimizer.type
    step = inspect.unwrap(find("optimizers", name).torch_class().step)
    closure = inspect.signature(step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        found = f"{name} looks at the loss several times in a step"
        raise Refused(Mistake("optimizer.type", found, f"{what} looks once", "Try it with another optimizer."))


class _Nobody:
    """A watcher who is not there."""

    def __init__(self) -> None:
        self.inbox: deque[Command] = deque()

    def say(self, event: Event) -> None:
        """Nobody hears it."""

    def attend(self) -> Reason | None:
        """Nobody asks for an end."""
        return None

    def epoch_ended(self, *, improved: bool) -> None:
        """Nothing is kept."""
