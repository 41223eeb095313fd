"""What a layer, an optimizer or another choice has when it is put into a document, beside its defaults."""

from __future__ import annotations

from typing import Any

from engine.catalog import catalog
from engine.catalog.choices import USUAL
from engine.catalog.layers.spec import LayerSpec

_BY_TRANSFORM: dict[str, dict[str, Any]] = {
    "Resize": {"size": 32},
    "CenterCrop": {"size": 32},
    "Pad": {"padding": 2},
    "RandomCrop": {"padding": 4},
    "RandomSolarize": {"threshold": 128},
}
"""What a transform or an augmentation begins with beside or instead of that."""


def beginning(kind: str, name: str) -> Any:
    """A choice of the catalog as it is put into a document: its name, or a table where more must be said.

    >>> beginning("layers", "MaxPool2d")
    {'type': 'MaxPool2d', 'kernel_size': 2}
    """
    entry = catalog(kind)[name]
    own = entry.starts_with if isinstance(entry, LayerSpec) else {}
    if kind in ("transforms", "augmentations"):
        own = _BY_TRANSFORM.get(name, {})
    required = [p.name for p in entry.parameters.values() if p.required and p.name in USUAL]
    values = {name: USUAL[name] for name in required} | dict(own)
    return {"type": name, **values} if values else name
