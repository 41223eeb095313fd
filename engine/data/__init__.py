"""Where samples come from, and how they are split: sources, windows and text, as tensors in host memory.

Names are imported when they are first used: `import engine.data` loads nothing of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.data.baselines import Baseline, baselines_of
    from engine.data.dataset import Dataset
    from engine.data.description import Description, Task
    from engine.data.load import describe, fetch, load_data, to_download
    from engine.data.parameters import source_mistakes, with_defaults
    from engine.data.sources import SOURCES, Source

_HOME = {
    "Baseline": "engine.data.baselines",
    "Dataset": "engine.data.dataset",
    "Description": "engine.data.description",
    "SOURCES": "engine.data.sources",
    "Source": "engine.data.sources",
    "Task": "engine.data.description",
    "baselines_of": "engine.data.baselines",
    "describe": "engine.data.load",
    "fetch": "engine.data.load",
    "load_data": "engine.data.load",
    "to_download": "engine.data.load",
    "source_mistakes": "engine.data.parameters",
    "with_defaults": "engine.data.parameters",
}

__all__ = [
    "SOURCES",
    "Baseline",
    "Dataset",
    "Description",
    "Source",
    "Task",
    "baselines_of",
    "describe",
    "fetch",
    "load_data",
    "source_mistakes",
    "to_download",
    "with_defaults",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'engine.data' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
