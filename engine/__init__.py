"""torchdeck's engine: it checks, trains and records, and knows no screen.

Names are imported when they are first used: `import engine` loads nothing of torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "Experiment": "engine.experiment",
    "Mistake": "engine.experiment",
    "Refused": "engine.experiment",
    "load": "engine.experiment",
    "read": "engine.experiment",
    "reads": "engine.experiment",
    "dumps": "engine.experiment",
    "presets": "engine.data.documents",
    "preset_text": "engine.experiment",
    "check": "engine.plan",
    "Plan": "engine.plan",
    "Session": "engine.training.session",
    "Reason": "engine.protocol.events",
    "devices": "engine.devices",
    "find_rate": "engine.probes",
    "check_gradients": "engine.probes",
    "memorise_batch": "engine.probes",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
