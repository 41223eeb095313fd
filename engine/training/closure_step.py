"""A training step with an optimizer that evaluates loss and gradients itself, several times a step: LBFGS."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.training.accumulation import Accumulation, StepResult
from engine.training.batches import Batch
from engine.training.learner import Learner
from engine.training.randomness import Replay


class _NonFiniteGradient(Exception):
    """Leaves the optimizer's step before it has changed a weight."""


def closure_step(learner: Learner, batches: Sequence[Batch], *, measure_norm: bool = False) -> StepResult:
    """Update the weights once, as `train_step` does.

    The result is that of the first evaluation. All evaluations see the same dropout masks, see Replay.

    Source: https://docs.pytorch.org/docs/stable/optim.html#optimizer-step-closure
    """
    replay = Replay(learner.network, learner.device)
    results: list[StepResult] = []

    def closure() -> Tensor:
        replay.rewind()
        learner.optimizer.zero_grad()
        step = Accumulation(learner, batches)
        objective = step.add_gradients()
        if not results:
            finite = learner.guard is None or learner.guard.passes()
            grad_norm = learner.regularizer.grad_norm() if measure_norm and finite else None
            results.append(step.result(grad_norm, finite=finite))
            if not finite:
                raise _NonFiniteGradient
        return objective

    try:
        learner.precision.step(closure)
    except _NonFiniteGradient:
        return results[0]
    replay.restore_buffers()
    learner.optimizer.zero_grad()
    if learner.average is not None:
        learner.average.step_done(learner.position.epoch)
    learner.rate.step_done()
    return results[0]
