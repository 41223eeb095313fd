"""Automatic mixed precision: what the forward pass computes in, and the scaling that float16 gradients need."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.catalog.dynamo import plain_step
from engine.devices import Precision, scales_gradients


class MixedPrecision:
    """Autocast and gradient scaling behind one face; with float32 it adds nothing to a step.

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
        """The context that the forward pass and the loss run in."""
        return self._off if self._dtype is None else torch.autocast(self.device_type, self._dtype)

    def backward(self, objective: Tensor) -> None:
        """Gradients of `objective`, scaled up where float16 would lose the small ones."""
        (objective if self.scaler is None else self.scaler.scale(objective)).backward()

    def unscale(self) -> None:
        """Bring the gradients back to their true size, before anything looks at them."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)

    def step(self, *closure: Callable[[], Tensor]) -> None:
        """Let the optimizer step; the scaler leaves out a step whose gradients overflowed, and lowers its scale.

        LBFGS steps with a closure, which gives it loss and gradients; a scaler takes none.
        """
        self.stepping = not closure
        if self.scaler is None:
            self._plain_step(*closure)
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.stepping = False

    def state_dict(self) -> dict[str, Any]:
        """The scaler's state; empty without one."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        if self.scaler is not None:
            # A scaler that has not scaled yet has no scale tensor to load into, and would start over at 65,536.
            self.scaler._lazy_init_scale_growth_tracker(torch.device(self.device_type))
            self.scaler.load_state_dict(state)
