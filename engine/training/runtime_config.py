"""What the results of a run depend on in addition to its document: device, threads, precision, versions, machine."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from typing import Any, Literal

import torch

from engine.plan import Plan

MemoryFormat = Literal["channels_last", "contiguous_format"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """The values selected for "auto", and the version of torch.

    Each checkpoint contains them, and a resumed run uses them again; other values change the last bits of the weights.
    """

    device: str
    precision: str
    threads: int
    memory_format: MemoryFormat
    torch: str

    @classmethod
    def of(cls, plan: Plan, *, channels_last: bool) -> RuntimeConfig:
        """Return the configuration with which this process runs a plan."""
        return cls(
            device=plan.device,
            precision=plan.precision,
            threads=plan.threads,
            memory_format="channels_last" if channels_last else "contiguous_format",
            torch=torch.__version__,
        )

    @classmethod
    def from_state(cls, state: Any) -> RuntimeConfig:
        """Undo `as_state`.

        Raises:
            ValueError: `state` is something else.
        """
        kinds = {"device": str, "precision": str, "threads": int, "memory_format": str, "torch": str}
        if not isinstance(state, Mapping) or any(not isinstance(state.get(k), kind) for k, kind in kinds.items()):
            raise ValueError("ran_with is missing or incomplete")
        return cls(**{field.name: state[field.name] for field in fields(cls)})

    def as_state(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return asdict(self)

    @property
    def amp(self) -> str:
        """The value of `training.amp` that selects this precision on every device."""
        return "off" if self.precision == "float32" else self.precision

    def differences(self, now: RuntimeConfig) -> list[str]:
        """Return each difference that may change the last bits of the weights, as `name old → new`."""
        return [
            f"{field.name.replace('_', ' ')} {getattr(self, field.name)} → {getattr(now, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(now, field.name)
        ]


def describe_environment(plan: Plan) -> dict[str, Any]:
    """Return the content of `environment.json`: versions, device, command line and git commit of this process."""
    device: dict[str, Any] = {"device": plan.device, "precision": plan.precision, "threads": plan.threads}
    if plan.device.startswith("cuda"):
        device["device_name"] = torch.cuda.get_device_name(plan.device)
        device["cuda"] = torch.version.cuda
    return {
        "torchdeck": version("torchdeck"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **device,
        "command": sys.argv,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """Return the commit of the working directory if it is a git checkout; the user's code and data may be there."""
    try:
        shown = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return shown.stdout.strip()
