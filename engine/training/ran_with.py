"""What the bits of a run depend on beside its experiment: each checkpoint holds it, and a resume uses it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import torch

from engine.plan import Plan

MemoryFormat = Literal["channels_last", "contiguous_format"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RanWith:
    """What "auto" came to, and the version of torch."""

    device: str
    precision: str
    threads: int
    memory_format: MemoryFormat
    torch: str

    @classmethod
    def of(cls, plan: Plan, *, channels_last: bool) -> RanWith:
        """What a plan runs with here."""
        return cls(
            device=plan.device,
            precision=plan.precision,
            threads=plan.threads,
            memory_format="channels_last" if channels_last else "contiguous_format",
            torch=torch.__version__,
        )

    @classmethod
    def from_state(cls, state: Any) -> RanWith:
        """What `as_state` gave.

        Raises:
            ValueError: it is something else.
        """
        kinds = {"device": str, "precision": str, "threads": int, "memory_format": str, "torch": str}
        if not isinstance(state, Mapping) or any(not isinstance(state.get(k), kind) for k, kind in kinds.items()):
            raise ValueError("it does not say what it ran with")
        return cls(**{field.name: state[field.name] for field in fields(cls)})

    def as_state(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @property
    def amp(self) -> str:
        """The value of `training.amp` that gives this precision everywhere."""
        return "off" if self.precision == "float32" else self.precision

    def differences(self, now: RanWith) -> list[str]:
        """What is not the same now, a clause each: with it the bits may differ."""
        return [
            f"{field.name.replace('_', ' ')} {getattr(self, field.name)} → {getattr(now, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(now, field.name)
        ]
