"""What a training step reads and changes: the network with its loss, optimizer and schedule, and the position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.optim import Optimizer

from engine.catalog.denominators import counted_of, denominator_of, sum_of
from engine.training.averaging import Average
from engine.training.nonfinite import Guard, NotFinite, all_finite
from engine.training.precision import MixedPrecision
from engine.training.regularization import Regularizer
from engine.training.schedule import LearningRate


@dataclass(slots=True)
class Position:
    """How far a run is: the current epoch, the steps taken in it, and the steps taken in all."""

    epoch: int = 1
    step_in_epoch: int = 0
    step: int = 0

    @property
    def epochs_begun(self) -> int:
        """The last epoch in which a step was taken; 0 before the first step."""
        return self.epoch if self.step_in_epoch else self.epoch - 1

    def advance(self, steps: int) -> None:
        """Move on by a number of steps, within the epoch."""
        self.step += steps
        self.step_in_epoch += steps


@dataclass(kw_only=True, eq=False)
class Learner:
    """A network and everything that a step needs to train it."""

    network: nn.Module
    criterion: nn.Module
    """The loss: outputs and targets of a batch to the mean over its samples."""
    optimizer: Optimizer
    rate: LearningRate
    precision: MixedPrecision
    regularizer: Regularizer
    average: Average | None
    guard: Guard | None
    """Keeps gradients that are not finite from the weights; None where the gradient scaler does."""
    device: str
    needs_closure: bool
    """Whether the optimizer evaluates the loss several times a step, as LBFGS does."""
    position: Position = field(default_factory=Position)
    micro_batches: int = 1
    """Parts that each batch is split into, where a whole batch does not fit into memory."""

    criterion_sum: nn.Module = field(init=False)
    """The criterion without its division: the sum over a batch."""
    denominator: Callable[[Tensor], Tensor] | None = field(init=False)
    """Targets to what the criterion divides by; None where that is the number of samples."""
    counted: Callable[[Tensor], Tensor] | None = field(init=False)
    """Targets to which of them count in the loss; None where all do."""

    def __post_init__(self) -> None:
        self.denominator = denominator_of(self.criterion)
        self.criterion_sum = self.criterion if self.denominator is None else sum_of(self.criterion)
        self.counted = counted_of(self.criterion)

    @property
    def averaged(self) -> bool:
        """Whether there are averaged weights yet."""
        return self.result is not self.network

    @property
    def result(self) -> nn.Module:
        """The network that is validated and saved: with the averaged weights, once there are any."""
        return self.average.network if self.average is not None and self.average.count else self.network

    def require_finite_weights(self) -> None:
        """Check the weights before they are evaluated or saved. Waits for the device.

        Raises:
            NotFinite: the last step made a weight infinite or NaN.
        """
        if not all_finite([p for p in self.network.parameters() if p.requires_grad]):
            raise self.not_finite("A weight", self.position.step)

    def not_finite(self, what: str, step: int) -> NotFinite:
        """Return the error that `what` is no longer finite since a step."""
        remedy = "regularization.clip_grad_norm"
        if self.needs_closure:
            remedy = "optimizer.line_search_fn, and larger batches"
        return NotFinite(self.position.epoch, step, self.rate.last, remedy, what, self.rate.field)
