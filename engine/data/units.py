"""Targets that were standardised, and what they are measured in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """value = standardised · scale + offset, for each output by itself."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def of(self, standardised: Tensor) -> Tensor:
        """(N, outputs) in units, in double precision where the device has it."""
        precise = torch.float32 if standardised.device.type == "mps" else torch.float64
        scale, offset = (torch.tensor(v, dtype=precise, device=standardised.device) for v in (self.scale, self.offset))
        return standardised.to(precise) * scale + offset

    def as_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"scale": list(self.scale), "offset": list(self.offset)}
