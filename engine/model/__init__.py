"""From the document's layers to a network: built, traced, initialised."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {"Network": "engine.model.build", "build": "engine.model.build", "trace": "engine.model.trace"}

__all__ = ["Network", "build", "trace"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine.model' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
