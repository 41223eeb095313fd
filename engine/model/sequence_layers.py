"""Layers for sequences: torch's recurrent layers with an `output`, attention, pooling over time, and Permute.

None of them reads padding. N batch, T time, F features, H the size of a state (proj_size where there is one),
D directions: 1 or 2.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Output = Literal["last", "mean", "sequence"]

POSITIONS_STD = 0.02
"""Standard deviation of learned positions at the start, as in GPT-2 and BERT."""


def valid_steps(x: Tensor, lengths: Tensor) -> Tensor:
    """Which steps of x (N, T, F) are no padding, as booleans (N, T). A sample of length 0 is read as one step."""
    return torch.arange(x.shape[1], device=x.device) < lengths.clamp(min=1)[:, None]


def mean_over_steps(x: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean over the steps of x (N, T, F) that are no padding: (N, F)."""
    if lengths is None:
        return x.mean(1)
    weights = valid_steps(x, lengths) / lengths.clamp(min=1)[:, None]
    return torch.bmm(weights.to(x.dtype)[:, None], x)[:, 0]


class _WithOutput(nn.RNNBase):
    """torch's recurrent layer, batches first, with the choice of `output`.

    Weights, their names and the fast paths are torch's own; only `forward` selects from what they return.
    """

    output: Output
    reads_lengths = True

    def __init__(
        self, input_size: int, hidden_size: int, *, output: Output = "last", device: Any = None, **options: Any
    ) -> None:
        super().__init__(input_size, hidden_size, batch_first=True, device=device, **options)  # type: ignore[arg-type]
        self.output = output

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read the sequences x (N, T, F), whose first `lengths` (N,) steps are no padding.

        Returns (N, D·H) for "last" and "mean", (N, T, D·H) for "sequence".
        """
        if lengths is not None:
            lengths = lengths.clamp(min=1)
        states = self._states(x, lengths)
        if self.output == "sequence":
            return states
        if self.output == "mean":
            return mean_over_steps(states, lengths)
        last = states[:, -1] if lengths is None else states[torch.arange(len(states), device=x.device), lengths - 1]
        if not self.bidirectional:
            return last
        # The backward direction has read the whole sequence at the first step.
        half = states.shape[-1] // 2
        return torch.cat([last[:, :half], states[:, 0, half:]], dim=1)

    def _states(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        # One direction reads padding only after the last valid step; the backward direction would start with it.
        if lengths is None or not self.bidirectional:
            output: Tensor = super().forward(x)[0]
            return output
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(super().forward(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output={self.output}"


class RNN(_WithOutput, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN with an `output`."""


class LSTM(_WithOutput, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM with an `output`."""


class GRU(_WithOutput, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU with an `output`."""


class MeanPooling(nn.Module):
    """The mean over the steps of a sequence; padding is left out."""

    reads_lengths = True

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From sequences x (N, T, F), whose first `lengths` (N,) steps are no padding, to (N, F)."""
        return mean_over_steps(x, lengths)


class AttentionPooling(nn.Module):
    """A weighted mean over the steps of a sequence, with learned weights; padding has weight 0.

    A small network scores each step: Bahdanau et al. (2015), as Yang et al. (2016) use it to summarize a text,
    https://aclanthology.org/N16-1174.

    Args:
        in_features: Features of each step.
        hidden_size: Width of the network that scores the steps; in_features where it is left out.
    """

    reads_lengths = True

    def __init__(self, in_features: int, hidden_size: int | None = None, device: Any = None) -> None:
        super().__init__()
        self.in_features = in_features
        self.hidden_size = hidden_size or in_features
        self.project = nn.Linear(in_features, self.hidden_size, device=device)
        self.score = nn.Linear(self.hidden_size, 1, bias=False, device=device)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """From sequences x (N, T, F), whose first `lengths` (N,) steps are no padding, to (N, F)."""
        scores = self.score(torch.tanh(self.project(x)))  # (N, T, 1)
        if lengths is not None:
            scores = scores.masked_fill(~valid_steps(x, lengths)[:, :, None], float("-inf"))
        return torch.bmm(scores.softmax(1).transpose(1, 2), x)[:, 0]


class TransformerEncoder(nn.TransformerEncoder):
    """torch.nn.TransformerEncoder over batches of sequences, which never attends to padding.

    The encoder of "Attention is all you need" (Vaswani et al., 2017), https://arxiv.org/abs/1706.03762. torch copies
    one layer num_layers times, weights included; here each layer starts with its own weights.

    Args:
        d_model: Features of each step.
        nhead: Number of attention heads, each of d_model / nhead features.
        num_layers: Number of layers, one after the other.
        dim_feedforward: Width of the network at each step.
        dropout: Share of the values that is set to zero while training.
        activation: The activation of the network at each step.
        norm_first: Whether to normalize before attention and network instead of after; trains more steadily.
        causal: Whether a step attends only to itself and the steps before it.
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
        """From sequences x (N, T, F), whose first `lengths` (N,) steps are no padding, to (N, T, F)."""
        time = x.shape[1]
        mask = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1) if self.causal else None
        padding = None if lengths is None else ~valid_steps(x, lengths)
        # With is_causal, torch does not compare the mask with a causal one, which would wait for the device.
        return super().forward(x, mask=mask, src_key_padding_mask=padding, is_causal=self.causal)


class PositionalEncoding(nn.Module):
    """Adds a vector for its position to each step of a sequence, since a transformer does not see positions.

    Args:
        d_model: Features of each step.
        max_length: The largest number of steps in a sequence.
        encoding: Waves of many lengths, which have no weights, or a learned vector for each position.
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
                nn.init.normal_(self.weight, std=POSITIONS_STD)
        else:
            self.register_buffer("waves", _waves(max_length, d_model, device), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """From sequences x (N, T, F) to the same with their positions."""
        positions = self.weight if self.encoding == "learned" else self.waves
        out: Tensor = self.dropout(x + positions[: x.shape[1]])
        return out


def _waves(length: int, features: int, device: Any) -> Tensor:
    """Sines in the even features and cosines in the odd ones, with wavelengths from 2π to 20,000π: (T, F)."""
    position = torch.arange(length, device=device)[:, None]
    rate = torch.exp(torch.arange(0, features, 2, device=device) * (-math.log(10_000) / features))
    angles = position * rate
    waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
    return waves[:, :features]


class Permute(nn.Module):
    """Reorders the dimensions of a batch; `dims[0]` is 0, the batch.

    The same as torchvision.ops.Permute, whose import takes a second.

    Args:
        dims: The dimensions in their new order, 0 first: dimension 0 is the batch.
    """

    def __init__(self, dims: tuple[int, ...]) -> None:
        super().__init__()
        if sorted(dims) != list(range(len(dims))) or dims[:1] != (0,):
            raise ValueError("dims must hold 0, 1, 2, … once each, 0 first, since dimension 0 is the batch")
        self.dims = tuple(dims)

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        return f"dims={self.dims}"
