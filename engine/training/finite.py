"""Keeps an update that is not finite from the weights, at less than a hundredth of a step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from engine.training.optimizer import CombinedOptimizer


class NotFinite(Exception):
    """The loss, a gradient or a weight stopped being finite; carries the epoch and step at which it did."""

    def __init__(
        self,
        epoch: int,
        step: int,
        lr: float,
        remedy: str = "regularization.clip_grad_norm",
        what: str = "The loss",
        rate_field: str = "optimizer.lr",
    ) -> None:
        super().__init__(epoch, step, lr, remedy, what, rate_field)
        self.rate_field = rate_field
        self.epoch, self.step, self.lr, self.remedy, self.what = epoch, step, lr, remedy, what
        self.began = ""
        """Where it began, as a clause, once that is known."""

    def __str__(self) -> str:
        began = f": {self.began}" if self.began else ""
        return (
            f"{self.what} stopped being finite at step {self.step}, in epoch {self.epoch}, with a learning rate of "
            f"{self.lr:.3g}{began}. Lower {self.rate_field}, or set {self.remedy}"
        )


class Guard:
    """Looks at every gradient before the optimizer steps.

    On a CPU the answer is there at once. On a GPU it stays on the device, where torch's fused optimizers leave a step
    out by it, as they do for a GradScaler, and it is fetched with the losses. With a GradScaler that does the same
    there is nothing to do; nor is there where the device or a sparse gradient knows no such check: there the losses
    alone tell, and the run goes back to a checkpoint.

    Args:
        waits: whether asking costs nothing, as on a CPU.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Tensor], *, waits: bool) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.waits = waits
        device = self.parameters[0].device if self.parameters else torch.device("cpu")
        self._found = torch.zeros((), device=device)
        self._one = torch.ones((), device=device)
        self._seen = torch.zeros((), device=device)
        parts = optimizer.parts if isinstance(optimizer, CombinedOptimizer) else (optimizer,)
        if not waits and all(getattr(part, "_step_supports_amp_scaling", False) for part in parts):
            for part in parts:
                part.found_inf = self._found  # type: ignore[attr-defined]

    def passes(self) -> bool:
        """Whether the gradients, which are of their true size by now, are finite as far as the host is told."""
        gradients = [p.grad for p in self.parameters if p.grad is not None and not p.grad.is_sparse]
        if not gradients:
            return True
        self._found.zero_()
        # What a GradScaler calls: one pass over all gradients, which are multiplied by 1.
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._found, self._one)
        if self.waits:
            return not self._found.item()
        torch.maximum(self._seen, self._found, out=self._seen)
        return True

    def fetch(self) -> bool:
        """Whether every gradient since the last call was finite, where `passes` did not tell. Waits for the device."""
        if self.waits:
            return True
        finite = not self._seen.item()
        self._seen.zero_()
        return finite


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether no value is infinite or no number. Waits for the device."""
    floats = [t.detach() for t in tensors if t.is_floating_point() and t.numel()]
    # A sum that overflows would need values that are near the end of what a float holds.
    return not floats or bool(torch.stack([t.sum(dtype=torch.float32) for t in floats]).isfinite().all())
