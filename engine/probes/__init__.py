"""Checks before training: find a learning rate, check gradients, memorise one batch. Each uses its own model.

Names are imported when they are first used: `import engine.probes` loads nothing of torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.probes.gradient_check import check_gradients
    from engine.probes.one_batch import memorise_batch
    from engine.probes.rate_finder import find_rate
    from engine.probes.records import BatchDone, BatchStep, GradientsChecked, LayerChecked, RateFound, RateStep, Record

_HOME = {
    "BatchDone": "engine.probes.records",
    "BatchStep": "engine.probes.records",
    "GradientsChecked": "engine.probes.records",
    "LayerChecked": "engine.probes.records",
    "RateFound": "engine.probes.records",
    "RateStep": "engine.probes.records",
    "Record": "engine.probes.records",
    "check_gradients": "engine.probes.gradient_check",
    "find_rate": "engine.probes.rate_finder",
    "memorise_batch": "engine.probes.one_batch",
}

__all__ = [
    "BatchDone",
    "BatchStep",
    "GradientsChecked",
    "LayerChecked",
    "RateFound",
    "RateStep",
    "Record",
    "check_gradients",
    "find_rate",
    "memorise_batch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine.probes' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
