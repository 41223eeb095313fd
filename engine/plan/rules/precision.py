"""The precision of the forward pass against the loss and the optimizer."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.optimizers import NEEDS_CLOSURE
from engine.experiment.mistakes import Mistake
from engine.plan.context import CheckContext
from engine.plan.rules.registry import rule


@rule
def precision_is_not_supported(context: CheckContext) -> Iterator[Mistake]:
    """A precision that the loss or the optimizer does not support."""
    loss, optimizer, precision = context.experiment.loss, context.experiment.optimizer, context.precision
    if loss.type == "BCELoss" and precision != "float32" and context.device != "cpu":
        found = f"BCELoss does not support {precision} on {context.device}"
        yield Mistake("loss.type", found, "", 'Use BCEWithLogitsLoss, or set training.amp = "off".')
    elif optimizer.type in NEEDS_CLOSURE and precision == "float16":
        found = f"{optimizer.type} needs a closure"
        expected = "float16 needs the GradScaler of torch, which does not support closures"
        yield Mistake("training.amp", found, expected, 'Set it to "bfloat16" or "off".')
