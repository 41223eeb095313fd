"""One training step, from the forward pass to the schedule.

N batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.training.accumulation import Accumulation, StepResult
from engine.training.batches import Batch
from engine.training.learner import Learner


def train_step(learner: Learner, batches: Sequence[Batch], *, measure_norm: bool = False) -> StepResult:
    """Update the weights once, from one batch or from several whose gradients add up.

    Loss and outputs stay on the device: to read one here would make the host wait for every step.
    Gradients that are not finite leave the weights unchanged; the result says so.

    Args:
        measure_norm: measure the norm of the gradients even if nothing clips it.
    """
    network, optimizer, rate = learner.network, learner.optimizer, learner.rate
    precision, regularizer, average = learner.precision, learner.regularizer, learner.average
    step = Accumulation(learner, batches)

    for batch in step.parts:  # one, unless gradients are accumulated
        with precision.autocast():
            output = network(*batch.inputs)  # (N, outputs)
            loss = step.loss(batch, output)
            objective = regularizer.objective(loss, batch.size / step.samples)  # plus the L1 and L2 penalties
        precision.backward(objective)
        step.record(batch, output, loss)

    precision.unscale()  # float16: gradients back to their true size
    if learner.guard is not None and not learner.guard.passes():
        return step.result(finite=False)
    grad_norm = regularizer.clip(measure=measure_norm)

    precision.step()  # optimizer.step(), unless float16 gradients overflowed
    optimizer.zero_grad()
    if average is not None:
        average.step_done(learner.position.epoch)
    rate.step_done()
    return step.result(grad_norm)
