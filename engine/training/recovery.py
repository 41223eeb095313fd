"""Recovers a run from a step that failed: out of memory, or not finite.

Call it outside the `except` block that caught the error: its traceback keeps the tensors of the step alive.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from engine.experiment.document import Training
from engine.experiment.mistakes import Refused
from engine.plan import Plan
from engine.protocol.events import Event, Log
from engine.training.accumulation import Accumulation, mixes_samples, split
from engine.training.batches import Batch
from engine.training.loader import CannotRead
from engine.training.loop import Loop
from engine.training.memory import empty_caches, is_out_of_memory, release_freed_memory
from engine.training.nonfinite import NotFinite, first_nonfinite


class OutOfMemory(Exception):
    """A step does not fit into memory; the message says what would fit."""


class Recovery:
    """Recovers one run as its `training.on_out_of_memory` and `training.on_not_finite` request.

    Args:
        rewind: returns the run to its newest intact checkpoint and returns its name; None without a checkpoint.
    """

    def __init__(
        self, plan: Plan, loop: Loop, *, rewind: Callable[[], str | None], emit: Callable[[Event], None]
    ) -> None:
        self._plan = plan
        self._settings: Training = plan.experiment.training
        self._loop = loop
        self._rewind = rewind
        self._emit = emit
        self._released_freed_memory = False

    def after_not_finite(self, error: NotFinite) -> None:
        """Return to the newest intact checkpoint with half the rate, if requested, at most `max_rewinds` times.

        Raises:
            NotFinite: the run does not return; the error now names the layer where it began.
        """
        loop, most = self._loop, self._settings.max_rewinds
        error.began = first_nonfinite(
            loop.network,
            loop.criterion,
            loop.precision,
            loop.regularizer,
            self._plan.layers,
            loop.accumulation_batches,
        )
        loop.optimizer.zero_grad()
        if self._settings.on_not_finite != "rewind":
            raise error
        if loop.rewinds >= most:
            error.remedy += (
                f"; the run returned to a checkpoint {most} time{'s' * (most > 1)} and halved the rate each time"
            )
            raise error
        times = loop.rewinds + 1
        name = self._rewind()
        if name is None:
            raise error
        # The checkpoint may be older than the last rewind.
        loop.rate.scale(0.5 ** (times - loop.rewinds))
        loop.rewinds = times
        self._emit(
            Log(
                level="warning",
                message=f"{str(error).partition('. ')[0]}. The run returned to {name} with half the rate, "
                f"{loop.rate.lr:.3g} for the next step ({times} of {most}).",
            )
        )

    def after_out_of_memory(self) -> None:
        """Continue with smaller parts of each batch, if requested; repeat a validation with smaller batches.

        Raises:
            OutOfMemory: the run cannot continue so.
        """
        loop = self._loop
        loop.optimizer.zero_grad()
        empty_caches(self._plan.device)
        if not self._released_freed_memory:
            # Kept memory may be too fragmented although enough is free: repeat the step without it.
            self._released_freed_memory = True
            if release_freed_memory():
                return
        if loop.position.step_in_epoch >= self._plan.steps_per_epoch:
            self._validate_in_smaller_batches()
            return
        batches = list(loop.accumulation_batches)
        size, at = max(batch.size for batch in batches), loop.position.step + 1
        if loop.precision.stepping:
            raise OutOfMemory(
                f"There is no memory for the state of {type(loop.optimizer).__name__} (step {at}). A smaller batch "
                "does not help: make the model smaller, or use an optimizer with less state, such as SGD"
            )
        fitting = self._largest_that_fits(batches)
        if fitting is None:
            raise OutOfMemory(f"There is no memory even for a step on one sample (step {at}). Make the model smaller")
        parts = -(-size // fitting)
        if self._settings.on_out_of_memory == "accumulate" and not mixes_samples(loop.network):
            loop.micro_batches = parts
            message = (
                f"Out of memory at step {at} with a batch of {size}. From now on each batch is split into {parts} "
                f"parts of at most {fitting}; their gradients add up to the same step."
            )
            self._emit(Log(level="warning", message=message))
            return
        steps = parts * self._settings.accumulation_steps
        raise OutOfMemory(
            f"Out of memory at step {at} with a batch of {size}; a batch of {fitting} fits. Set data.batch_size = "
            f"{fitting} with training.accumulation_steps = {steps} for steps of the same size, or "
            'training.on_out_of_memory = "accumulate"'
        )

    def _largest_that_fits(self, batches: list[Batch]) -> int | None:
        """Try forward and backward passes with a half, a quarter, … of the largest batch. None if one sample fails."""
        loop = self._loop
        largest = max(batches, key=lambda batch: batch.size)
        parts = max(2, 2 * loop.micro_batches)
        while True:
            part = split([largest], parts)[0]
            fits = _fits(loop, part)
            loop.optimizer.zero_grad()
            empty_caches(self._plan.device)
            if fits:
                return part.size
            if part.size == 1:
                return None
            parts *= 2

    def _validate_in_smaller_batches(self) -> None:
        loop = self._loop
        if loop.validation_size == 1:
            raise OutOfMemory("There is no memory even to validate one sample. Make the model smaller")
        loop.validation_size = max(1, loop.validation_size // 4)
        message = f"Out of memory while validating. It is repeated with {loop.validation_size} samples at a time."
        self._emit(Log(level="warning", message=message))


def _fits(loop: Loop, batch: Batch) -> bool:
    try:
        for _ in range(2):  # the second time together with the gradients of the first
            Accumulation(loop, [batch], micro_batches=1).add_gradients()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    else:
        return True
    return False


def error_sentence(error: BaseException) -> str:
    """Describe an error that ended a run in one sentence with what to do. The traceback belongs in a log."""
    if isinstance(error, (CannotRead, NotFinite, OutOfMemory, Refused)):
        return str(error)
    if is_out_of_memory(error):
        return "The device ran out of memory. Lower data.batch_size, or set training.amp to bfloat16."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full ({error.filename or 'while writing'}). Make room and resume."
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else 'no message'}"
