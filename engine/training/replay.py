"""The same forward pass again: an optimizer that asks for the loss several times in a step asks for one function."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.training.randomness import random_states, set_random_states


class Replay:
    """One step's forward passes, all of which draw the same dropout masks.

    What a forward pass leaves behind is that of the first one, as if it had been the only one: where the generators
    stand, and the buffers of the network. BatchNorm moves its running statistics at each pass, and a line search also
    tries weights that are far off.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network = network
        self._device = device
        self._states: dict[str, Tensor] = {}
        self._buffers: list[Tensor] | None = None

    def rewind(self) -> bool:
        """To be called before each forward pass; whether it is the first."""
        if not self._states:
            self._states = random_states(self._device)
            return True
        if self._buffers is None:
            self._buffers = [buffer.clone() for buffer in self._network.buffers()]
        set_random_states(self._states, self._device)
        return False

    @torch.no_grad()
    def done(self) -> None:
        """To be called after the last one."""
        for buffer, kept in zip(self._network.buffers(), self._buffers or (), strict=False):
            buffer.copy_(kept)
