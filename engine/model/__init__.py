"""From the document's layers to a network: traced, built, initialized."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.model.network import Network, build

_HOME = {"Network": "engine.model.network", "build": "engine.model.network"}

__all__ = ["Network", "build"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine.model' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
