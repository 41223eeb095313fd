"""Automatic mixed precision: the type that the forward pass computes in, and the scaling of float16 gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.catalog.dynamo import plain_step
from engine.devices import Precision, scales_gradients


class MixedPrecision:
    """Autocast and gradient scaling in one object; with float32 it adds nothing to a step.

    Source: https://docs.pytorch.org/docs/stable/notes/amp_examples.html
    """

    def __init__(self, precision: Precision, device: str, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.precision = precision
        self.device_type = device.partition(":")[0]
        self.scaler = torch.amp.GradScaler(self.device_type) if scales_gradients(precision) else None
        self.stepping = False
        """Whether the optimizer is in its step, or ran out of memory there."""
        self._dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
        self._plain_step = plain_step(optimizer)
        self._off: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the forward pass and the loss run."""
        return self._off if self._dtype is None else torch.autocast(self.device_type, self._dtype)

    def backward(self, objective: Tensor) -> None:
        """Compute gradients of `objective`, (), scaled up where float16 would lose small ones."""
        (objective if self.scaler is None else self.scaler.scale(objective)).backward()

    def unscale(self) -> None:
        """Scale the gradients back to their true size, before anything reads them."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)

    def step(self, *closure: Callable[[], Tensor]) -> None:
        """Let the optimizer step. The scaler skips a step whose gradients overflowed, and lowers its scale.

        LBFGS steps with a closure that computes loss and gradients; a scaler supports none.
        """
        self.stepping = not closure
        if self.scaler is None:
            self._plain_step(*closure)
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.stepping = False

    def state_dict(self) -> dict[str, Any]:
        """Return the scaler's state; empty without a scaler."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict()`."""
        if self.scaler is not None:
            # A scaler that has not scaled yet has no scale tensor to load into, and would start again at 65,536.
            self.scaler._lazy_init_scale_growth_tracker(torch.device(self.device_type))
            self.scaler.load_state_dict(state)
