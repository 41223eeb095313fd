"""What keeps weights small and steps bounded. Weight decay (L2) is the optimizer's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.experiment.document import Regularization


class Regularizer:
    """L1 penalty on the weights, and clipping of the gradients' norm.

    The penalty counts weight matrices and kernels, not biases nor the scales of norms: pushing those to zero does not
    make a network simpler.
    """

    def __init__(self, settings: Regularization, network: nn.Module) -> None:
        self.l1 = settings.l1
        self.max_norm = settings.clip_grad_norm
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.weights = [p for p in self.parameters if p.ndim >= 2]

    def objective(self, loss: Tensor) -> Tensor:
        """What the gradients are taken of: the loss plus `l1 · Σ|w|`. The loss that is reported stays the loss."""
        if not self.l1:
            return loss
        return loss + self.l1 * torch.stack([w.abs().sum() for w in self.weights]).sum()

    def clip(self) -> Tensor | None:
        """Scale all gradients down together so that their norm is at most `clip_grad_norm`; returns the norm before.

        Source: Pascanu et al., 2013, https://arxiv.org/abs/1211.5063
        """
        return None if self.max_norm is None else nn.utils.clip_grad_norm_(self.parameters, self.max_norm)

    def grad_norm(self) -> Tensor:
        """The norm of all gradients together, for the record."""
        return nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
