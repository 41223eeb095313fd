"""From a sequence to one vector, over the steps that count.

N batch, T time, F features, H the width of the attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def steps_that_count(x: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of x (N, T, F) are no padding: (N, T) of truth values. A sample without any is read as one step."""
    return torch.arange(x.shape[1], device=x.device) < lengths.clamp(min=1)[:, None]


class MeanPooling(nn.Module):
    """The mean over the steps of a sequence; padding is left out."""

    reads_lengths = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From sequences x (N, T, F), of which the first `lengths` (N,) steps count, to (N, F)."""
        if lengths is None:
            return x.mean(1)
        weights = steps_that_count(x, lengths) / lengths.clamp(min=1)[:, None]
        return torch.bmm(weights.to(x.dtype)[:, None], x)[:, 0]


class AttentionPooling(nn.Module):
    """A weighted mean over the steps of a sequence, whose weights are learned; padding weighs nothing.

    Each step is scored by what a small network sees in it: Bahdanau et al. (2015), as Yang et al. (2016) use it to sum
    up a text, https://aclanthology.org/N16-1174.

    Args:
        in_features: Features of each step.
        hidden_size: Width of the network that scores the steps; as many as features, if left out.
    """

    reads_lengths = True

    def __init__(self, in_features: int, hidden_size: int | None = None, device: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.hidden_size = hidden_size or in_features
        self.project = nn.Linear(in_features, self.hidden_size, device=device)
        self.score = nn.Linear(self.hidden_size, 1, bias=False, device=device)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From sequences x (N, T, F), of which the first `lengths` (N,) steps count, to (N, F)."""
        scores = self.score(torch.tanh(self.project(x)))  # (N, T, 1)
        if lengths is not None:
            scores = scores.masked_fill(~steps_that_count(x, lengths)[:, :, None], float("-inf"))
        return torch.bmm(scores.softmax(1).transpose(1, 2), x)[:, 0]
