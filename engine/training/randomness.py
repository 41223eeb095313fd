"""The states of torch's random generators: saved, restored, and replayed within a step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def random_states(device: str) -> dict[str, Tensor]:
    """Return the state of the CPU's generator, and of the device's where it has its own; uint8 tensors, (bytes,)."""
    states = {"rng.cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["rng.cuda"] = torch.cuda.get_rng_state(device)
    elif device == "mps":
        states["rng.mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Tensor], device: str) -> None:
    """Restore the generators from `random_states`. A generator without a saved state is left as it is."""
    torch.set_rng_state(states["rng.cpu"])
    if "rng.cuda" in states and device.startswith("cuda"):
        torch.cuda.set_rng_state(states["rng.cuda"], device)
    elif "rng.mps" in states and device == "mps":
        torch.mps.set_rng_state(states["rng.mps"])


class Replay:
    """Lets the forward passes of one step draw the same dropout masks.

    Generators and buffers end as after the first pass, as if it had been the only one. BatchNorm updates its running
    statistics at each pass, and a line search also tries weights that are far off.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network = network
        self._device = device
        self._states: dict[str, Tensor] = {}
        self._buffers: list[Tensor] | None = None

    def rewind(self) -> None:
        """Restore the generators. Call it before each forward pass."""
        if not self._states:
            self._states = random_states(self._device)
            return
        if self._buffers is None:
            self._buffers = [buffer.clone() for buffer in self._network.buffers()]
        set_random_states(self._states, self._device)

    @torch.no_grad()
    def restore_buffers(self) -> None:
        """Restore the buffers. Call it after the last forward pass."""
        for buffer, saved in zip(self._network.buffers(), self._buffers or (), strict=False):
            buffer.copy_(saved)
