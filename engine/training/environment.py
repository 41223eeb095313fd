"""What a run ran with: versions, device, command line, git commit; kept beside it as `environment.json`."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import torch

from engine.plan import Plan


def describe_environment(plan: Plan) -> dict[str, Any]:
    """Everything about this process and machine that a result may depend on, as JSON can hold it."""
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
    """The commit of the working directory, where it is a git checkout: code and data of the user's may lie there."""
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
