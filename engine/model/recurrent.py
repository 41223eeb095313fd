"""torch's RNN, LSTM and GRU that say what they hand on, and never read padding.

N batch, T time, F features, H the size of a state (proj_size where there is one), D directions: 1 or 2.
The classes are torch's own: same weights, same names, same fast paths; only `forward` picks from what they return.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Output = Literal["last", "mean", "sequence"]


class _HandsOn(nn.RNNBase):
    """What the three have in common: batches first, and the choice of `output`."""

    output: Output
    reads_lengths = True

    def __init__(self, input_size: int, hidden_size: int, *, output: Output = "last", **options: Any) -> None:
        super().__init__(input_size, hidden_size, batch_first=True, **options)  # type: ignore[arg-type]
        self.output = output

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Read the sequences x (N, T, F), of which the first `lengths` (N,) steps count.

        Returns (N, D·H) for "last" and "mean", (N, T, D·H) for "sequence".
        """
        if lengths is not None:
            lengths = lengths.clamp(min=1)
        states = self._states(x, lengths)
        if self.output == "sequence":
            return states
        if self.output == "mean":
            return states.mean(1) if lengths is None else _mean(states, lengths)
        last = states[:, -1] if lengths is None else states[torch.arange(len(states), device=x.device), lengths - 1]
        if not self.bidirectional:
            return last
        # The backward direction has read everything when it is back at the first step.
        half = states.shape[-1] // 2
        return torch.cat([last[:, :half], states[:, 0, half:]], dim=1)

    def _states(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        # One direction sees padding only after the last step that counts; two would begin with it.
        if lengths is None or not self.bidirectional:
            output: Tensor = super().forward(x)[0]
            return output
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(super().forward(packed)[0], batch_first=True, total_length=x.shape[1])[0]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output={self.output}"


class RNN(_HandsOn, nn.RNN):  # type: ignore[misc]
    """torch.nn.RNN with an `output`."""


class LSTM(_HandsOn, nn.LSTM):  # type: ignore[misc]
    """torch.nn.LSTM with an `output`."""


class GRU(_HandsOn, nn.GRU):  # type: ignore[misc]
    """torch.nn.GRU with an `output`."""


RECURRENT: dict[str, type[_HandsOn]] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}


def _mean(states: Tensor, lengths: Tensor) -> Tensor:
    """The mean over the steps that count: (N, T, H) to (N, H)."""
    counts = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    weights = (counts / lengths[:, None]).to(states.dtype)
    return torch.bmm(weights[:, None], states)[:, 0]
