"""The encoder of "Attention is all you need" (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762.

N batch, T time, F features (d_model).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.model.pooling import steps_that_count

PLACES_STD = 0.02
"""Spread of the learned vectors of places at the start, as in GPT-2 and BERT."""


class TransformerEncoder(nn.TransformerEncoder):
    """torch.nn.TransformerEncoder over batches of sequences, which never attends to padding.

    torch copies one layer num_layers times, weights included; here each layer begins with weights of its own.

    Args:
        d_model: Features of each step.
        nhead: Number of attention heads, each of d_model / nhead features.
        num_layers: Number of layers, one after the other.
        dim_feedforward: Width of the network at each step.
        dropout: Share of the values that is set to zero while training.
        activation: The activation of the network at each step.
        norm_first: Whether to normalize before attention and network rather than after; trains more steadily.
        causal: Whether a step sees only itself and the steps before it.
    """

    reads_lengths = True

    def __init__(
        self,
        d_model: int,
        nhead: int,
        num_layers: int = 1,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Literal["relu", "gelu"] = "relu",
        norm_first: bool = False,
        causal: bool = False,
        device: Any = None,
    ) -> None:
        def layer() -> nn.TransformerEncoderLayer:
            return nn.TransformerEncoderLayer(
                d_model,
                nhead,
                dim_feedforward,
                dropout,
                activation,
                batch_first=True,
                norm_first=norm_first,
                device=device,
            )

        super().__init__(layer(), 1, enable_nested_tensor=False)
        self.layers.extend(layer() for _ in range(num_layers - 1))
        self.num_layers = num_layers
        self.d_model, self.nhead, self.dim_feedforward = d_model, nhead, dim_feedforward
        self.causal = causal

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """From sequences x (N, T, F), of which the first `lengths` (N,) steps count, to (N, T, F)."""
        time = x.shape[1]
        mask = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1) if self.causal else None
        padding = None if lengths is None else ~steps_that_count(x, lengths)
        # Told is_causal, torch need not compare the mask with one, which would wait for the device.
        return super().forward(x, mask=mask, src_key_padding_mask=padding, is_causal=self.causal)


class PositionalEncoding(nn.Module):
    """Adds to each step of a sequence what tells its place, which a transformer does not see by itself.

    Args:
        d_model: Features of each step.
        max_length: The most steps that a sequence has.
        encoding: Waves of many lengths, which have no weights, or a learned vector for each place.
        dropout: Share of the values that is set to zero while training.
    """

    waves: Tensor

    def __init__(
        self,
        d_model: int,
        max_length: int,
        encoding: Literal["sinusoidal", "learned"] = "sinusoidal",
        dropout: float = 0.0,
        device: Any = None,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.encoding = encoding
        if encoding == "learned":
            self.weight = nn.Parameter(torch.empty(max_length, d_model, device=device))
            if not self.weight.is_meta:  # its initialization would take seconds to import there
                nn.init.normal_(self.weight, std=PLACES_STD)
        else:
            self.register_buffer("waves", _waves(max_length, d_model, device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """From sequences x (N, T, F) to the same with their places."""
        places = self.weight if self.encoding == "learned" else self.waves
        out: Tensor = self.dropout(x + places[: x.shape[1]])
        return out


def _waves(length: int, features: int, device: Any) -> Tensor:
    """Sines in the even features and cosines in the odd ones, of wavelengths from 2π to 20,000π: (T, F)."""
    place = torch.arange(length, device=device)[:, None]
    rate = torch.exp(torch.arange(0, features, 2, device=device) * (-math.log(10_000) / features))
    angles = place * rate
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
    return waves[:, :features]
