"""Where torch's generators stand: taken down, and put back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def random_states(device: str) -> dict[str, Tensor]:
    """The state of the CPU's generator, and of the device's where it has one of its own."""
    states = {"rng.cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["rng.cuda"] = torch.cuda.get_rng_state(device)
    elif device == "mps":
        states["rng.mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(states: Mapping[str, Tensor], device: str) -> None:
    """Put the generators back to where they stood; one that is not spoken of is left alone."""
    torch.set_rng_state(states["rng.cpu"])
    if "rng.cuda" in states and device.startswith("cuda"):
        torch.cuda.set_rng_state(states["rng.cuda"], device)
    elif "rng.mps" in states and device == "mps":
        torch.mps.set_rng_state(states["rng.mps"])
